package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"worqcron/alert"
	"worqcron/notify"
	"worqcron/store"
)

// notifyJSON is the result of 'notify' for programs.
type notifyJSON struct {
	Services      []serviceJSON      `json:"services"`
	Alerts        []alertJSON        `json:"alerts"`        // schedules that are not well
	Notifications []notificationJSON `json:"notifications"` // newest first
}

type serviceJSON struct {
	Service string `json:"service"`
	OK      *bool  `json:"ok,omitempty"` // with --test: it took the message
	Error   string `json:"error,omitempty"`
}

type alertJSON struct {
	Schedule string    `json:"schedule"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	RunID    string    `json:"run_id,omitempty"`
	Reason   string    `json:"reason"`
}

type notificationJSON struct {
	Service    string     `json:"service"`
	Schedule   string     `json:"schedule"`
	Kind       string     `json:"kind"`
	State      string     `json:"state"` // waiting, sent or given up
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at"`
	Attempts   int        `json:"attempts"`
	Error      string     `json:"error,omitempty"`
	Text       string     `json:"text"`
}

func newNotify(p *program) *cobra.Command {
	test := false
	var n int
	c := &cobra.Command{
		Use:   "notify",
		Short: "who is told when something is wrong, what was told, and a test of it",
		Long: `notify lists the services of [notify], the schedules that are late, failed or held,
and the last messages with what became of them.

With --test it sends a message to each service now and says what came of it; it
exits 1 if one did not take it. It needs no ledger then.`,
		Example: "  worqcron notify --test",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if test {
				return p.notifyTest(c.Context())
			}
			if n < 1 {
				return usageError{errors.New("notify: --number must be 1 or more")}
			}
			return p.notify(c.Context(), n)
		},
	}
	c.Flags().BoolVar(&test, "test", false, "send a test message to each service")
	c.Flags().IntVarP(&n, "number", "n", 20, "how many messages to list")
	return c
}

// services makes the services of the configuration; a place of URLs that is of no
// use is said on stderr.
func (p *program) services() (list []*notify.Service, whole bool, err error) {
	cfg, err := p.load()
	if err != nil {
		return nil, false, err
	}
	list, errs := cfg.Notify.Load()
	for _, err := range errs {
		fmt.Fprintf(p.err, "worqcron: %v\n", err)
	}
	return list, len(errs) == 0, nil
}

func (p *program) notifyTest(ctx context.Context) error {
	list, whole, err := p.services()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return exitError{exitFailed, errors.New("nobody is told: [notify] has no URL that is of use\n  hint: set urls, urls_env or urls_file")}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	text := fmt.Sprintf("This is a test: worqcron on %s can reach you here. (%s)", host, time.Now().Format(time.RFC1123Z))
	results := make([]serviceJSON, len(list))
	var all sync.WaitGroup
	for i, s := range list {
		all.Go(func() {
			err := s.Send(ctx, "worqcron: a test", text)
			results[i] = serviceJSON{Service: s.Name(), OK: new(err == nil)}
			if err != nil {
				results[i].Error = err.Error()
			}
		})
	}
	all.Wait()
	if p.json {
		if err := printJSON(p.out, map[string]any{"services": results}); err != nil {
			return err
		}
	}
	for _, r := range results {
		whole = whole && *r.OK
		switch {
		case p.json:
		case *r.OK:
			fmt.Fprintf(p.out, "%s: took the message\n", r.Service)
		default:
			fmt.Fprintf(p.out, "%s\n", r.Error)
		}
	}
	if !whole {
		return exitError{code: exitFailed}
	}
	return nil
}

func (p *program) notify(ctx context.Context, n int) (err error) {
	list, _, err := p.services()
	if err != nil {
		return err
	}
	r, err := p.read(ctx)
	if err != nil {
		return err
	}
	j := notifyJSON{Services: []serviceJSON{}, Alerts: []alertJSON{}, Notifications: []notificationJSON{}}
	for _, s := range list {
		j.Services = append(j.Services, serviceJSON{Service: s.Name()})
	}
	if r != nil {
		defer func() { err = errors.Join(err, r.Close()) }()
		if err := j.read(ctx, r, n); err != nil {
			return err
		}
	}
	if p.json {
		return printJSON(p.out, j)
	}
	p.printNotify(j)
	return nil
}

func (j *notifyJSON) read(ctx context.Context, r *store.Reader, n int) error {
	alerts, err := r.Alerts(ctx)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		if a.State != string(alert.OK) {
			j.Alerts = append(j.Alerts, alertJSON{a.Schedule, a.State, a.Since, a.RunID, a.Reason})
		}
	}
	list, err := r.Notifications(ctx, n)
	if err != nil {
		return err
	}
	for _, m := range list {
		j.Notifications = append(j.Notifications, notificationJSON{m.Service, m.Schedule, m.Kind, m.State, m.CreatedAt, m.FinishedAt, m.Attempts, m.Error, m.Text})
	}
	return nil
}

func (p *program) printNotify(j notifyJSON) {
	const layout = "2006-01-02 15:04:05Z07:00"
	if len(j.Services) == 0 {
		fmt.Fprintln(p.out, "nobody is told: [notify] has no URLs")
	}
	for _, s := range j.Services {
		fmt.Fprintf(p.out, "told: %s\n", s.Service)
	}
	if len(j.Alerts) == 0 {
		fmt.Fprintln(p.out, "no schedule is late, failed or held")
	}
	for _, a := range j.Alerts {
		fmt.Fprintf(p.out, "%s: %s since %s: %s\n", a.Schedule, a.State, a.Since.Local().Format(layout), a.Reason)
	}
	if len(j.Notifications) > 0 {
		fmt.Fprintf(p.out, "\n%-26s %-12s %-10s %-9s %s\n", "messages", "service", "alert", "state", "schedule")
	}
	for _, m := range j.Notifications {
		more := ""
		if m.Error != "" {
			more = fmt.Sprintf("  (%s, last: %s)", count(int64(m.Attempts), "attempt"), m.Error)
		}
		fmt.Fprintf(p.out, "%-26s %-12s %-10s %-9s %s%s\n", m.CreatedAt.Local().Format(layout), m.Service, m.Kind, m.State, m.Schedule, more)
	}
}
