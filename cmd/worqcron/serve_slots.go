package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"worqcron/batch"
	"worqcron/scheduler"
	"worqcron/store"
)

// slots is what the scheduler sees of the daemon: the ledger's rows, and runs
// that begin.
type slots struct {
	*daemon
	runs context.Context // of the runs that begin; ends when the daemon does
}

// Mark gives what the ledger has decided of a schedule.
func (s slots) Mark(ctx context.Context, name string) (scheduler.Mark, bool, error) {
	at, spec, ok, err := s.ledger.Mark(ctx, name)
	return scheduler.Mark{At: at, Spec: spec}, ok, err
}

// Advance stores it.
func (s slots) Advance(ctx context.Context, name string, m scheduler.Mark) error {
	return s.ledger.SetMark(ctx, name, m.At, m.Spec)
}

// Claim writes a due slot's row and begins its run, unless it was missed or the
// schedule's last run is still under way.
func (s slots) Claim(ctx context.Context, due scheduler.Due) error {
	log := s.log.With("schedule", due.Schedule, "scheduled_for", due.At)
	if due.Missed != "" {
		log.Warn("slot missed", "reason", due.Missed)
		return s.close(ctx, due, store.SlotMissed, due.Missed)
	}
	schedule, ok := s.schedule(due.Schedule)
	if !ok {
		return fmt.Errorf("no schedule %q", due.Schedule)
	}
	defer s.turn(due.Schedule)()
	if b := s.busyWith(due.Schedule); b != nil {
		reason := "overlap with run " + b.run.Name()
		log.Warn("slot skipped", "reason", reason)
		return s.close(ctx, due, store.SlotSkipped, reason)
	}
	o := batch.Order{Origin: "slot", ScheduledFor: due.At}
	if due.CatchUp {
		o.Origin = "catch-up"
		log.Warn("slot runs late", "late", due.Late.Round(time.Second))
	}
	run, err := s.runner.Start(ctx, &schedule.Job, o)
	if errors.Is(err, store.ErrSlotTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	s.begin(s.runs, schedule, run, o)
	return nil
}

func (s slots) close(ctx context.Context, due scheduler.Due, state store.SlotState, reason string) error {
	_, err := s.ledger.CloseSlot(ctx, store.Slot{Schedule: due.Schedule, ScheduledFor: due.At, State: state, Reason: reason})
	return err
}
