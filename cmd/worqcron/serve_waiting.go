package main

import (
	"context"
	"errors"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// Slots that are to run and cannot yet have a row that says so: behind a run under
// way, asked for by 'resume --missed', or of a file that arrived. The oldest goes when that run came to
// rest, before anything else of its schedule.

// runWaiting begins the oldest slot that waits, if nothing is under way.
func (d *daemon) runWaiting(ctx context.Context, schedule string) {
	if ctx.Err() != nil {
		return
	}
	defer d.turn(schedule)()
	if err := d.startWaiting(ctx, ctx, schedule); err != nil && ctx.Err() == nil {
		d.log.Error("slot that waits not begun; it is tried again with the next slot", "schedule", schedule, "err", err)
	}
}

// startWaiting is runWaiting for a caller whose turn it is. runs is the context of
// the run.
func (d *daemon) startWaiting(ctx, runs context.Context, schedule string) error {
	for d.inTheWay(schedule) == nil {
		slot, ok, err := d.ledger.FirstWaiting(ctx, schedule)
		if err != nil || !ok {
			return err
		}
		if slot.IsArrival() {
			if goesOn, err := d.startArrival(ctx, runs, slot); err != nil || !goesOn {
				return err
			}
			continue
		}
		reason, err := d.speaksAgainst(ctx, schedule)
		if err != nil {
			return err
		}
		if reason != "" {
			slot.State, slot.Reason = store.SlotSkipped, reason
			if err := d.ledger.EndWaiting(ctx, slot); err != nil {
				return err
			}
			continue
		}
		s, _ := d.schedule(schedule)
		o := batch.Order{Origin: "catch-up", ScheduledFor: slot.ScheduledFor}
		if slot.IsQueued() {
			o.Origin = "slot"
		}
		run, err := d.runner.Start(ctx, &s.Job, o)
		if errors.Is(err, store.ErrSlotTaken) {
			continue // a person ran it meanwhile
		}
		if err != nil {
			return err
		}
		d.log.Info("slot no longer waits", "schedule", schedule, "scheduled_for", slot.ScheduledFor)
		d.begin(runs, s, run, o)
	}
	return nil
}

// speaksAgainst says why nothing of a schedule runs now; "" if nothing does.
func (d *daemon) speaksAgainst(ctx context.Context, schedule string) (string, error) {
	if _, ok := d.schedule(schedule); !ok {
		return scheduler.SkippedRemoved, nil
	}
	pauses, err := d.ledger.Pauses(ctx, schedule)
	if err != nil {
		return "", err
	}
	for _, p := range pauses {
		if p.ResumedAt == nil {
			return p.String(), nil
		}
	}
	return "", nil
}

// startAllWaiting begins what waited when the daemon ended.
func (d *daemon) startAllWaiting(ctx context.Context) {
	list, err := d.ledger.WaitingSlots(ctx)
	if err != nil {
		d.log.Error("slots that wait not begun; each is tried again with the next slot of its schedule", "err", err)
	}
	for i, slot := range list {
		if i == 0 || slot.Schedule != list[i-1].Schedule {
			d.runWaiting(ctx, slot.Schedule)
		}
	}
}

// dueAt is when a slot that waits became due.
func dueAt(s config.Schedule, slot store.Slot) time.Time {
	if s.After != "" {
		return slot.WaitsSince // it waits since then, whatever slot it took over
	}
	return slot.ScheduledFor
}

// missOldWaiting decides slots that waited when the daemon ended and are too old
// now. Those that a person asked for, and files that arrived, run whatever their age.
func (d *daemon) missOldWaiting(ctx context.Context) error {
	list, err := d.ledger.WaitingSlots(ctx)
	if err != nil {
		return err
	}
	for _, slot := range list {
		s, ok := d.config.Schedule(slot.Schedule)
		if slot.IsArrival() {
			if !ok {
				d.runWaiting(ctx, slot.Schedule) // which gives it up
			}
			continue
		}
		switch {
		case !ok:
			slot.State, slot.Reason = store.SlotSkipped, scheduler.SkippedRemoved
		case slot.Reason != store.Resumed && time.Since(dueAt(s, slot)) > s.CatchUpWindow:
			slot.State, slot.Reason = store.SlotMissed, scheduler.MissedWindow
		default:
			continue
		}
		d.log.Warn("slot that waited does not run", "schedule", slot.Schedule, "scheduled_for", slot.ScheduledFor, "reason", slot.Reason)
		if err := d.ledger.EndWaiting(ctx, slot); err != nil {
			return err
		}
	}
	return nil
}
