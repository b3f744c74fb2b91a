package main

import (
	"context"
	"slices"
	"time"

	"worqcron/alert"
	"worqcron/config"
	"worqcron/store"
)

// takeOver brings a new configuration onto what is watched. What ended before a
// schedule was first seen is nothing to tell; from then on nothing is lost, over
// restarts too.
func (w *watch) takeOver(ctx context.Context, now time.Time) error {
	w.mu.Lock()
	c := w.next
	w.mu.Unlock()
	if c == nil {
		return nil
	}
	rows, err := w.ledger.Alerts(ctx)
	if err != nil {
		return err
	}
	known := map[string]store.Alert{}
	for _, a := range rows {
		known[a.Schedule] = a
	}
	entries := map[string]*watched{}
	var changes []store.AlertChange
	for i := range c.Schedules {
		s := &c.Schedules[i]
		saved, seen := known[s.Name]
		delete(known, s.Name)
		row := saved
		if e := w.entries[s.Name]; e != nil && seen {
			row = e.now
		}
		if !seen {
			if row, err = w.firstSight(ctx, s.Name, now); err != nil {
				return err
			}
		}
		watchSlots(&row, s, now)
		if row != saved {
			changes = append(changes, store.AlertChange{Alert: row})
		}
		e := &watched{Schedule: s, saved: row, now: row}
		e.due = e.nextDue(now, w.begun.Add(w.grace))
		entries[s.Name] = e
	}
	var gone []string
	for name := range known {
		gone = append(gone, name)
	}
	slices.Sort(gone)
	if err := w.storeConfig(ctx, changes, gone); err != nil {
		return err
	}
	w.config, w.entries = c, entries
	return w.tookOver(ctx, c)
}

func (w *watch) storeConfig(ctx context.Context, changes []store.AlertChange, gone []string) error {
	for part := range slices.Chunk(changes, storeAtOnce) {
		if err := w.ledger.SetAlerts(ctx, part); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		return w.ledger.DropAlerts(ctx, gone)
	}
	return nil
}

// tookOver ends a takeOver: what came to rest while nobody watched is to be judged.
func (w *watch) tookOver(ctx context.Context, c *config.Config) error {
	names, err := w.ledger.SchedulesToJudge(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.rested[name] = true
	}
	if w.next == c {
		w.next = nil
	}
	return nil
}

// firstSight is how a schedule stands that was never looked at.
func (w *watch) firstSight(ctx context.Context, schedule string, now time.Time) (store.Alert, error) {
	a := store.Alert{Schedule: schedule, State: string(alert.OK), Since: now}
	run, err := w.ledger.NewestSlotRun(ctx, schedule)
	if err == nil && run != nil && run.FinishedAt != nil && run.FinishedAt.Before(w.begun) {
		a.JudgedRun, a.JudgedEnd = run.RunID, *run.FinishedAt
	}
	return a, err
}

// watchSlots lets the watch of slots begin now where it is new, or where other
// slots are due than before.
func watchSlots(a *store.Alert, s *config.Schedule, now time.Time) {
	spec := s.Spec.Fingerprint()
	begin := func(to *time.Time, within time.Duration) {
		switch {
		case within == 0:
			*to = time.Time{}
		case to.IsZero() || a.Spec != spec:
			*to = now
		}
	}
	begin(&a.StartedTo, s.Expect.StartWithin)
	begin(&a.FinishedTo, s.Expect.FinishWithin)
	a.Spec = spec
}
