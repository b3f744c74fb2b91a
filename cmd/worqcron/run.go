package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/source"
	"worqcron/store"
)

// runRequest is what 'run' and 'plan' ask for: of this process, or of a daemon
// that holds the ledger.
type runRequest struct {
	Schedule string     `json:"schedule"`
	At       *time.Time `json:"at,omitempty"` // a slot
	New      bool       `json:"new,omitempty"`
	Force    bool       `json:"force,omitempty"`
	Limit    int64      `json:"limit,omitempty"`
	PlanOnly bool       `json:"plan_only,omitempty"`
	Actor    string     `json:"actor"`
}

func (q runRequest) order(progress *batch.Progress) batch.Order {
	o := batch.Order{
		Origin: "manual", New: q.New, Force: q.Force, Limit: q.Limit, PlanOnly: q.PlanOnly, Actor: q.Actor, Progress: progress,
	}
	if q.At != nil {
		o.ScheduledFor = *q.At
	}
	return o
}

// another says whether the request cannot mean the run that is under way.
func (q runRequest) another(run *store.Run) bool {
	return q.New || q.Force || q.PlanOnly || q.At != nil && !q.At.Equal(run.ScheduledFor)
}

// code is the exit code for a run that was asked for.
func (q runRequest) code(c *store.Receipt) int {
	if c.Status == store.Stopped && (q.PlanOnly || c.Reason == batch.ReasonLimit) {
		if c.Chunks.Unknown+c.Chunks.Failed > 0 {
			return exitUnsettled
		}
		return exitDone // as far as was asked
	}
	return statusCode(c)
}

func newRun(p *program) *cobra.Command {
	var q runRequest
	var at string
	accept := false
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "run a schedule now, or go on with what is left of its last run",
		Long: `run does one run of a schedule in the foreground: it reads and cuts the whole
source, sends what was not accepted before, and prints the receipt.

Without flags it goes on with the schedule's latest run that has chunks left to
send; else it starts a new one. Where a daemon holds the ledger, the run is
handed to it and followed; Ctrl-C then only stops following.`,
		Example: `  worqcron run orders
  worqcron run orders --at 2026-11-24T02:30
  worqcron run orders --new --limit 1`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Schedule = args[0]
			return p.run(c.Context(), q, at, accept)
		},
	}
	f := c.Flags()
	f.StringVar(&at, "at", "", "the run of this slot: `TIME` in the schedule's zone (2026-11-24T02:30) or with an offset")
	f.BoolVar(&q.New, "new", false, "start afresh although an earlier run could go on")
	f.BoolVar(&q.Force, "force", false, "send everything again, also what was accepted")
	f.BoolVar(&accept, "accept-restore", false, acceptRestoreHelp)
	f.Int64Var(&q.Limit, "limit", 0, "send `N` chunks and stop; the rest can go on later")
	return c
}

// run serves 'run' and 'plan'.
func (p *program) run(ctx context.Context, q runRequest, at string, acceptRestore bool) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := schedule(cfg, q.Schedule)
	if err != nil {
		return err
	}
	if q.Limit < 0 {
		return usageError{fmt.Errorf("--limit must not be negative")}
	}
	if at != "" {
		slot, err := p.slotMeant(ctx, cfg, s, at)
		if err != nil {
			return err
		}
		q.At = &slot
	}
	if !q.PlanOnly {
		p.sayWindow(s)
	}
	q.Actor = actor()
	ledger, err := openLedger(ctx, cfg, "run", p.logger(slog.LevelWarn), acceptRestore)
	var busy *store.BusyError
	if errors.As(err, &busy) && busy.Role == "serve" && !acceptRestore {
		if readsStdin(s) {
			return fmt.Errorf("schedule %s reads the standard input, which cannot be handed over: %w\n  hint: stop the daemon, or write the records to a file", s.Name, busy)
		}
		return p.handOver(ctx, cfg, "run", q)
	}
	if err != nil {
		return err
	}
	c, err := p.runHere(ctx, cfg, s, ledger, q)
	if err := errors.Join(err, p.printRun(ctx, &ledger.Reader, c, q), ledger.Close()); err != nil {
		return err
	}
	p.printForecast(cfg, c, q)
	return codeError(q, c)
}

func readsStdin(s config.Schedule) bool {
	return s.Job.Source != nil && s.Job.Source.Path == source.Stdin
}

func codeError(q runRequest, c *store.Receipt) error {
	if c == nil {
		return nil
	}
	if code := q.code(c); code != exitDone {
		return exitError{code: code}
	}
	return nil
}

// runHere does the run in this process.
func (p *program) runHere(ctx context.Context, cfg *config.Config, s config.Schedule, ledger *store.Ledger, q runRequest) (*store.Receipt, error) {
	log := p.logger(slog.LevelWarn)
	runner := newRunner(cfg, ledger, log)
	if _, err := recoverLedger(ctx, runner, cfg); err != nil {
		return nil, err
	}
	progress := &batch.Progress{}
	run, err := runner.Start(ctx, &s.Job, q.order(progress))
	if err != nil {
		return nil, err
	}
	if run.State.Ended() {
		fmt.Fprintf(p.err, "nothing is left to send of run %s, this is how it ended:\n", run.Name())
	}
	if readsStdin(s) && run.PlannedAt != nil {
		fmt.Fprintf(p.err, "run %s has its plan: the standard input is not read (--new reads it)\n", run.Name())
	}
	show := p.showProgress(progress, func() string { return waitsText(s, runner.Budget.Paused, time.Now()) })
	o := q.order(progress)
	o.Watched, o.Stdin = true, true
	stop, err := serveCancels(ctx, runner)
	if err != nil {
		return nil, err
	}
	c, err := runner.Execute(ctx, &s.Job, run, o)
	stop()
	show()
	if cause := context.Cause(ctx); cause != nil && err == nil && c != nil && c.Status == store.Stopped {
		err = exitError{exitInterrupted, errors.New("interrupted: 'worqcron run " + q.Schedule + "' goes on")}
	}
	return c, err
}

// slotMeant reads --at.
func (p *program) slotMeant(ctx context.Context, cfg *config.Config, s config.Schedule, text string) (time.Time, error) {
	if s.OnArrival {
		return p.arrivalSlot(ctx, cfg, s, text)
	}
	return parseSlot(s, text)
}

// parseSlot reads --at and checks that it is a slot of the schedule.
func parseSlot(s config.Schedule, text string) (time.Time, error) {
	at, err := parseTime(text, zoneOf(s))
	if err != nil {
		return time.Time{}, err
	}
	if s.Due.Is(at) {
		return at.UTC(), nil
	}
	const layout = "2006-01-02T15:04:05Z07:00"
	hint := "it has no slots around then"
	before, okBefore := s.Due.Prev(at)
	after, okAfter := s.Due.Next(at)
	zone := zoneOf(s)
	switch {
	case okBefore && okAfter:
		hint = fmt.Sprintf("the ones around it are %s and %s", before.In(zone).Format(layout), after.In(zone).Format(layout))
	case okBefore:
		hint = "the last one before it is " + before.In(zone).Format(layout)
	case okAfter:
		hint = "the first one after it is " + after.In(zone).Format(layout)
	}
	return time.Time{}, usageError{fmt.Errorf("%s is no slot of %s (%s, %s)\n  hint: %s", text, s.Name, whenText(s), zone, hint)}
}

var timeLayouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// parseTime reads a time as people write it, in a zone unless it has an offset.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("%q is no time\n  hint: write it as 2026-11-24T02:30 or 2026-11-24T02:30:00-05:00", text)}
}
