package main

import (
	"context"
	"fmt"
	"time"

	"worqcron/config"
	"worqcron/store"
)

// What a run waits for that is no fault of its own is told here: the hours of
// its window, and a pause that WorqHat asked for.

// waitsText says what a schedule's triggers wait for at an instant; "" if they
// need not. paused is until when the key waits, and why.
func waitsText(s config.Schedule, paused func() (time.Time, string), now time.Time) string {
	if open, _ := s.Job.Delivery.Window.Around(now, zoneOf(s)); !open {
		return "outside its window " + windowText(s, now)
	}
	if until, reason := paused(); until.After(now) {
		return fmt.Sprintf("the key waits until %s: %s", localTime(until, zoneOf(s).String()), reason)
	}
	return ""
}

// windowText says what a schedule's window is and when it opens or closes; "" if
// it has none.
func windowText(s config.Schedule, now time.Time) string {
	window := s.Job.Delivery.Window
	if len(window) == 0 {
		return ""
	}
	open, end := window.Around(now, zoneOf(s))
	what := "waits"
	if open {
		what = "open"
	}
	return fmt.Sprintf("%s (%s): %s until %s", window, zoneOf(s), what, localTime(end, zoneOf(s).String()))
}

// zoneOf is a schedule's zone; UTC for one that is gone from the file.
func zoneOf(s config.Schedule) *time.Location {
	if s.Job.Zone == nil {
		return time.UTC
	}
	return s.Job.Zone
}

// sayWindow tells somebody who starts a run that nothing of it goes out yet.
func (p *program) sayWindow(s config.Schedule) {
	now := time.Now()
	if open, _ := s.Job.Delivery.Window.Around(now, zoneOf(s)); !open {
		fmt.Fprintf(p.err, "nothing is sent yet, outside the window %s\n", windowText(s, now))
	}
}

// waitsOfAnother says what the triggers of a run wait for that another process
// makes, as far as the ledger and the configuration tell.
func (p *program) waitsOfAnother(ctx context.Context, r *store.Reader, schedule string) (string, error) {
	cfg, err := p.load()
	if err != nil {
		return "", err
	}
	until, reason, err := r.Pause(ctx)
	if err != nil {
		return "", err
	}
	s, _ := cfg.Schedule(schedule) // without one there is no window to tell of
	return waitsText(s, func() (time.Time, string) { return until, reason }, time.Now()), nil
}

// printWaits prints what a run under way waits for.
func (p *program) printWaits(ctx context.Context, r *store.Reader, run *store.Run) error {
	if run.State != store.Delivering {
		return nil
	}
	text, err := p.waitsOfAnother(ctx, r, run.Schedule)
	if err == nil && text != "" {
		fmt.Fprintf(p.out, "waits     %s\n", text)
	}
	return err
}
