package main

import (
	"context"
	"errors"
	"log/slog"
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
	return markOf(ctx, s.ledger, s.nameNow(name))
}

func markOf(ctx context.Context, ledger *store.Ledger, name string) (scheduler.Mark, bool, error) {
	m, ok, err := ledger.Mark(ctx, name)
	return markFrom(m), ok, err
}

func markFrom(m store.Mark) scheduler.Mark {
	return scheduler.Mark{At: m.At, Spec: m.Spec, Waiting: scheduler.Waiting{At: m.WaitingFor, Start: m.WaitingUntil}}
}

// Advance stores it.
func (s slots) Advance(ctx context.Context, name string, m scheduler.Mark) error {
	return setMark(ctx, s.ledger, s.nameNow(name), m)
}

func setMark(ctx context.Context, ledger *store.Ledger, name string, m scheduler.Mark) error {
	return ledger.SetMark(ctx, name, markTo(m))
}

func markTo(m scheduler.Mark) store.Mark {
	return store.Mark{At: m.At, Spec: m.Spec, WaitingFor: m.Waiting.At, WaitingUntil: m.Waiting.Start}
}

// Claim writes a due slot's row and begins its run, unless it does not run. While a
// run of the schedule is under way, one that is late waits, and one that is on time
// is skipped or waits as the schedule says. A backfill is in no slot's way.
func (s slots) Claim(ctx context.Context, due scheduler.Due) error {
	due.Schedule = s.nameNow(due.Schedule)
	schedule, ok := s.schedule(due.Schedule)
	if !ok && due.Runs() { // a reload took it off just now
		due.Skipped = scheduler.SkippedRemoved
	}
	switch {
	case due.Skipped != "":
		s.logUnrun(store.Slot{Schedule: due.Schedule, ScheduledFor: due.At, State: store.SlotSkipped, Reason: due.Skipped})
		s.watch.skipped(schedule, due.Skipped)
		return closeSlot(ctx, s.ledger, due, store.SlotSkipped, due.Skipped)
	case due.Missed != "":
		s.logUnrun(store.Slot{Schedule: due.Schedule, ScheduledFor: due.At, State: store.SlotMissed, Reason: due.Missed})
		return closeSlot(ctx, s.ledger, due, store.SlotMissed, due.Missed)
	}
	defer s.turn(due.Schedule)()
	if s.nameNow(due.Schedule) != due.Schedule {
		return s.Claim(ctx, due) // renamed while it waited for its turn
	}
	if err := s.startWaiting(ctx, s.runs, due.Schedule); err != nil {
		return err
	}
	if b := s.inTheWay(due.Schedule); b != nil {
		return s.overlaps(ctx, due, schedule.Overlap, b.run.Name())
	}
	o := s.orderOf(due)
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

// orderOf is what a slot asks of its run.
func (s slots) orderOf(due scheduler.Due) batch.Order {
	o := batch.Order{Origin: "slot", ScheduledFor: due.At}
	if due.CatchUp {
		o.Origin = "catch-up"
	}
	if due.Late > scheduler.LateAfter {
		s.log.Warn("slot runs late", "schedule", due.Schedule, "scheduled_for", due.At, "late", due.Late.Round(time.Second))
	}
	return o
}

// logUnrun says that a slot does not run.
func (s slots) logUnrun(slot store.Slot) {
	level := slog.LevelInfo
	if slot.State == store.SlotMissed {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "slot "+string(slot.State), "schedule", slot.Schedule, "scheduled_for", slot.ScheduledFor, "reason", slot.Reason)
}

// overlaps decides about a slot that is to run while another run is under way.
// Catch-up waits in any case: its slots were not due while that run went on, but
// come all at once, and run in order.
func (s slots) overlaps(ctx context.Context, due scheduler.Due, overlap, run string) error {
	log := s.log.With("schedule", due.Schedule, "scheduled_for", due.At)
	queue := overlap == scheduler.OverlapQueue
	if !queue && !due.CatchUp {
		reason := "overlap with run " + run
		log.Warn("slot skipped", "reason", reason)
		return closeSlot(ctx, s.ledger, due, store.SlotSkipped, reason)
	}
	log.Info("slot waits", "for", run)
	slot := store.Slot{Schedule: due.Schedule, ScheduledFor: due.At, Reason: "behind run " + run}
	_, err := s.ledger.WaitSlot(ctx, slot, queue && !due.CatchUp)
	return err
}

func closeSlot(ctx context.Context, ledger *store.Ledger, due scheduler.Due, state store.SlotState, reason string) error {
	_, err := ledger.CloseSlot(ctx, store.Slot{Schedule: due.Schedule, ScheduledFor: due.At, State: state, Reason: reason})
	return err
}
