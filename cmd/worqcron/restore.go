package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"worqcron/config"
	"worqcron/store"
)

const acceptRestoreHelp = "go on with an older copy of the ledger that was put back: what may have been sent since is held"

// openLedger opens the ledger for sending and says what is odd about it. With
// accept, an older copy that was put back counts from now on.
func openLedger(ctx context.Context, cfg *config.Config, role string, log *slog.Logger, accept bool) (*store.Ledger, error) {
	if accept {
		return openRestored(ctx, cfg, role, log)
	}
	ledger, err := store.Open(ctx, cfg.Ledger.Path, role)
	if err != nil {
		return nil, err
	}
	if ledger.Warning() != "" {
		log.Warn("ledger", "problem", ledger.Warning())
	}
	return openNamed(ctx, ledger, cfg, log)
}

func openRestored(ctx context.Context, cfg *config.Config, role string, log *slog.Logger) (*store.Ledger, error) {
	now := time.Now()
	r := &store.Restore{Actor: actor(), Slots: func(name, spec string, after time.Time) []time.Time {
		return slotsSince(cfg, name, spec, after, now)
	}}
	for _, s := range cfg.Schedules {
		if s.OnArrival {
			r.OnArrival = append(r.OnArrival, s.Name)
		}
	}
	ledger, err := store.OpenRestored(ctx, cfg.Ledger.Path, role, r)
	if errors.Is(err, store.ErrNotRestored) {
		return nil, usageError{err}
	}
	if err != nil {
		return nil, err
	}
	log.Warn("older copy of the ledger accepted", "attempts_known", r.Own, "attempts_made", r.Made, "runs_held", r.Runs,
		"chunks_unknown", r.Chunks, "slots_missed", r.Missed)
	for _, name := range r.OnArrival {
		log.Warn("schedule paused: move the files away that were delivered since the copy was made, then resume it", "schedule", name)
	}
	return openNamed(ctx, ledger, cfg, log)
}

// maxRestoredSlots is how many slots of a schedule get a row; those before them
// get none, as after a long sleep.
const maxRestoredSlots = 1000

// slotsSince gives a schedule's newest due times in (after, now], oldest first. One
// whose timetable has changed since has none: an edit never fires the past.
func slotsSince(cfg *config.Config, name, spec string, after, now time.Time) (list []time.Time) {
	s, ok := cfg.Schedule(name)
	if !ok || s.Spec.Fingerprint() != spec {
		return nil
	}
	at, ok := s.Spec.Prev(now.Add(1))
	for ok && at.After(after) && len(list) < maxRestoredSlots {
		list = append(list, at)
		at, ok = s.Spec.Prev(at)
	}
	slices.Reverse(list)
	return list
}
