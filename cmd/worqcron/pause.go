package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// pauseRequest is what 'pause' asks for.
type pauseRequest struct {
	Schedule string `json:"schedule"`
	Reason   string `json:"reason"`
	Actor    string `json:"actor"`
}

// resumeRequest is what 'resume' asks for.
type resumeRequest struct {
	Schedule string `json:"schedule"`
	Missed   string `json:"missed"`
	Actor    string `json:"actor"`
}

// pauseJSON is how a schedule stands, for programs.
type pauseJSON struct {
	Schedule string     `json:"schedule"`
	Paused   bool       `json:"paused"`
	Since    *time.Time `json:"since,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	By       string     `json:"by,omitempty"` // a person, or "the file"
	Next     *time.Time `json:"next,omitempty"`
}

func newPause(p *program) *cobra.Command {
	var q pauseRequest
	c := &cobra.Command{
		Use:   "pause NAME",
		Short: "let nothing of a schedule run until 'resume'",
		Long: `pause keeps a schedule from running by itself, also across restarts. Each of its
slots is recorded as skipped, with your reason; what waits is skipped too, except
files that arrived (on_arrival): they wait until it goes on. A run under way goes on ('worqcron cancel' ends one), and 'worqcron run' works as ever.`,
		Example: `  worqcron pause orders --reason 'the warehouse is moving'`,
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Schedule, q.Actor = args[0], actor()
			return p.changePause(c.Context(), "pause", q.Schedule, q, func(ctx context.Context, _ *config.Config, l *store.Ledger) error {
				return pauseHere(ctx, l, q)
			})
		},
	}
	c.Flags().StringVar(&q.Reason, "reason", "", "why, in your own words")
	return c
}

func newResume(p *program) *cobra.Command {
	var q resumeRequest
	c := &cobra.Command{
		Use:   "resume NAME",
		Short: "let a paused schedule run again from its next slot on",
		Long: `resume ends a pause. What was due in it does not run by itself; --missed last runs
the newest of those slots, --missed all runs each, in order. A schedule that is
paused in the configuration goes on when that key goes.`,
		Example: "  worqcron resume orders\n  worqcron resume orders --missed last",
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Schedule, q.Actor = args[0], actor()
			if q.Missed != store.MissedSkip && q.Missed != store.MissedLast && q.Missed != store.MissedAll {
				return usageError{fmt.Errorf("resume: --missed is %q\n  hint: skip, last or all", q.Missed)}
			}
			return p.changePause(c.Context(), "resume", q.Schedule, q, func(ctx context.Context, cfg *config.Config, l *store.Ledger) error {
				if err := p.decidePaused(ctx, cfg, l, q.Schedule); err != nil {
					return err
				}
				_, err := resumeHere(ctx, l, q)
				return err
			})
		},
	}
	c.Flags().StringVar(&q.Missed, "missed", store.MissedSkip, "which slots of the pause run after all: skip, `last` or all")
	return c
}

// changePause does in this process what is asked for, or hands it to a daemon, and
// prints how the schedule stands then.
func (p *program) changePause(ctx context.Context, kind, name string, ask any, here func(context.Context, *config.Config, *store.Ledger) error) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := schedule(cfg, name)
	if err != nil {
		return err
	}
	ledger, err := openLedger(ctx, cfg, kind, p.logger(slog.LevelWarn), false)
	var busy *store.BusyError
	switch {
	case errors.As(err, &busy) && busy.Role == "serve":
		err = p.handOverPause(ctx, cfg, kind, ask)
	case err == nil:
		err = errors.Join(here(ctx, cfg, ledger), ledger.Close())
	}
	if err != nil {
		return err
	}
	return p.printPause(ctx, cfg, s)
}

func (p *program) handOverPause(ctx context.Context, cfg *config.Config, kind string, ask any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	done, _, err := p.ask(ctx, cfg, kind, string(body))
	if err == nil && done.Message != "" {
		err = exitError{done.ExitCode, errors.New(done.Message)}
	}
	return err
}

func pauseHere(ctx context.Context, l *store.Ledger, q pauseRequest) error {
	err := l.PauseSchedule(ctx, store.Pause{Schedule: q.Schedule, Source: store.PausedByCommand, Reason: q.Reason, PausedBy: q.Actor})
	if errors.Is(err, store.ErrPaused) {
		return fmt.Errorf("schedule %s: %w\n  hint: 'worqcron resume %s' ends it", q.Schedule, err, q.Schedule)
	}
	return err
}

func resumeHere(ctx context.Context, l *store.Ledger, q resumeRequest) (waiting int64, err error) {
	waiting, err = l.ResumeSchedule(ctx, q.Schedule, store.PausedByCommand, q.Actor, q.Missed)
	if errors.Is(err, store.ErrNotPaused) {
		err = fmt.Errorf("schedule %s: %w by 'worqcron pause'", q.Schedule, err)
	}
	return waiting, err
}

// decidePaused writes the rows of slots that came in the pause while no daemon was
// there to do it.
func (p *program) decidePaused(ctx context.Context, cfg *config.Config, l *store.Ledger, name string) error {
	table, err := timetableOf(ctx, &l.Reader, cfg)
	if err != nil {
		return err
	}
	for _, s := range table {
		paused := false
		for _, each := range s.Pauses {
			paused = paused || each.Until.IsZero()
		}
		if s.Name == name && paused {
			return scheduler.New(pausedSlots{l}, p.logger(slog.LevelWarn)).Once(ctx, s)
		}
	}
	return decidePausedFollower(ctx, cfg, l, name)
}

// pausedSlots is what the scheduler sees of the ledger where nothing runs.
type pausedSlots struct{ ledger *store.Ledger }

func (h pausedSlots) Mark(ctx context.Context, name string) (scheduler.Mark, bool, error) {
	return markOf(ctx, h.ledger, name)
}

func (h pausedSlots) Advance(ctx context.Context, name string, m scheduler.Mark) error {
	return setMark(ctx, h.ledger, name, m)
}

func (h pausedSlots) Claim(ctx context.Context, due scheduler.Due) error {
	if due.Skipped == "" {
		return fmt.Errorf("slot %s of %s is to run although its schedule is paused", due.At.Format(time.RFC3339), due.Schedule)
	}
	return closeSlot(ctx, h.ledger, due, store.SlotSkipped, due.Skipped)
}

// printPause says how a schedule stands.
func (p *program) printPause(ctx context.Context, cfg *config.Config, s config.Schedule) (err error) {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	list, err := pausedNow(ctx, r, cfg)
	if err != nil {
		return err
	}
	j := pauseJSON{Schedule: s.Name}
	for _, each := range list {
		if each.Schedule == s.Name {
			j = each
		}
	}
	if next, ok := s.Spec.Next(time.Now()); ok {
		j.Next = &next
	}
	if p.json {
		return printJSON(p.out, j)
	}
	fmt.Fprintln(p.out, j.text(s))
	return nil
}

func (j pauseJSON) text(s config.Schedule) string {
	switch {
	case j.Paused && j.Since == nil:
		return fmt.Sprintf("%s is %s, by %s", j.Schedule, store.Pause{Reason: j.Reason}, j.By)
	case j.Paused:
		return fmt.Sprintf("%s is %s since %s, by %s", j.Schedule, store.Pause{Reason: j.Reason}, localTime(*j.Since, s.Timezone), j.By)
	case s.OnArrival:
		return j.Schedule + " is not paused; its next slot is when a file arrives"
	case s.After != "":
		return fmt.Sprintf("%s is not paused; it is due %s", j.Schedule, whenText(s))
	case j.Next == nil:
		return j.Schedule + " is not paused; it has no slots ahead"
	default:
		return fmt.Sprintf("%s is not paused; its next slot is %s", j.Schedule, localTime(*j.Next, s.Timezone))
	}
}

// pausedNow lists the schedules that are paused, by the file or the ledger. Without
// a ledger (nil) the file alone says.
func pausedNow(ctx context.Context, r *store.Reader, cfg *config.Config) ([]pauseJSON, error) {
	var pauses []store.Pause
	if r != nil {
		var err error
		if pauses, err = r.Pauses(ctx, ""); err != nil {
			return nil, err
		}
	}
	var list []pauseJSON
	for _, s := range cfg.Schedules {
		j := pauseJSON{Schedule: s.Name, Paused: s.Paused, Reason: s.PausedNote, By: "the file"}
		for _, each := range pauses {
			if each.Schedule != s.Name || each.ResumedAt != nil || each.Source == store.PausedByFile && !s.Paused {
				continue
			}
			since := each.PausedAt
			j.Paused, j.Since, j.Reason = true, &since, each.Reason
			if each.Source == store.PausedByCommand {
				j.By = each.PausedBy
			}
		}
		if j.Paused {
			list = append(list, j)
		}
	}
	return list, nil
}
