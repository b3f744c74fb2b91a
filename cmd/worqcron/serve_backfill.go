package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"worqcron/store"
)

// A backfill in the daemon is one request: its runs go out one at a time in their
// schedule's turn, and a slot that is due goes first. When the daemon ends, the
// request stays open, and the next start takes it over: what is done is no longer
// missing.

func (d *daemon) requestBackfill(ctx context.Context, q store.Request) error {
	var ask backfillRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	s, ok := d.schedule(ask.Schedule)
	if !ok {
		return usageError{fmt.Errorf("the daemon's configuration has no schedule %q: reload it", ask.Schedule)}
	}
	list, err := ask.taken(ctx, &d.ledger.Reader, s)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.backfilling[ask.Schedule] {
		return fmt.Errorf("a backfill of %s is under way: ask again when it is done, or cancel its run", ask.Schedule)
	}
	d.backfilling[ask.Schedule] = true
	d.runs.Go(func() {
		err := d.backfill(ctx, q, ask, list)
		d.mu.Lock()
		delete(d.backfilling, ask.Schedule)
		d.mu.Unlock()
		if ctx.Err() != nil {
			return // the next start goes on with it
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		d.log.Info("backfill ended", "schedule", ask.Schedule, "request", q.RequestID, "err", err)
		d.answer(q, exitCode(err), text)
	})
	return nil
}

func (d *daemon) backfill(ctx context.Context, q store.Request, ask backfillRequest, list []pastSlot) error {
	d.log.Info("backfill started", "schedule", ask.Schedule, "request", q.RequestID, "only", ask.Only, "slots", len(list))
	return backfillSlots(ctx, &d.ledger.Reader, list, func(slot pastSlot) (*store.Run, *store.Receipt, error) {
		for {
			b, err := d.backfillSlot(ctx, q, ask, slot)
			if err != nil {
				return nil, nil, err
			}
			<-b.done
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			c, err := d.receipt(b.run)
			if err == nil && c.Status == store.Stopped && b.madeRoom.Load() {
				continue // behind the run that it made room for
			}
			return b.run, c, err
		}
	})
}

// backfillSlot begins the run of a slot when nothing else of its schedule is under
// way, and names it for the asker.
func (d *daemon) backfillSlot(ctx context.Context, q store.Request, ask backfillRequest, slot pastSlot) (*busyRun, error) {
	for {
		b, before, err := d.tryBackfill(ctx, ask, slot)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return b, d.ledger.ServeRequest(ctx, q.RequestID, b.run.RunID)
		}
		select {
		case <-before.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryBackfill begins the run, or returns the one that is under way.
func (d *daemon) tryBackfill(ctx context.Context, ask backfillRequest, slot pastSlot) (b, before *busyRun, err error) {
	defer d.turn(ask.Schedule)()
	if under := d.busyWith(ask.Schedule); under != nil {
		return nil, under, nil
	}
	s, ok := d.schedule(ask.Schedule)
	if !ok {
		return nil, nil, errors.New("its schedule is gone from the configuration")
	}
	run, o, err := startBackfill(ctx, d.runner, &s.Job, slot.at, ask.Actor)
	if err != nil {
		return nil, nil, err
	}
	return d.begin(ctx, s, run, o), nil, nil
}
