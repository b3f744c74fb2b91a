package main

import (
	"context"
	"time"
)

const (
	// firstRetention is how long after its start a daemon looks for old runs.
	firstRetention = 3 * time.Minute
	// retainEvery is how often it looks again.
	retainEvery = 24 * time.Hour
	// idleEvery is how often it looks whether the runs under way came to rest.
	idleEvery = time.Second
)

// retain removes what is older than ledger.retain, until ctx ends. What goes wrong
// is logged, and tried again the next time: nothing else hangs on it.
func (d *daemon) retain(ctx context.Context) error {
	timer := time.NewTimer(d.retention(firstRetention))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if keep := d.keeps(); keep > 0 {
			d.removeOld(ctx, keep)
		}
		timer.Reset(d.retention(retainEvery))
	}
}

func (d *daemon) keeps() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config.Ledger.Retain
}

// retention is how long to wait: not longer than what is kept.
func (d *daemon) retention(most time.Duration) time.Duration {
	if keep := d.keeps(); keep > 0 {
		return min(most, keep)
	}
	return most
}

func (d *daemon) removeOld(ctx context.Context, keep time.Duration) {
	began := time.Now()
	gone, err := d.runner.Retain(ctx, began.Add(-keep), d.waitIdle)
	log := d.log.With("runs", gone.Runs, "rows", gone.Rows, "slots", gone.Slots, "requests", gone.Requests, "pauses", gone.Pauses, "bytes", gone.Bytes,
		"elapsed", time.Since(began).Round(time.Millisecond))
	switch {
	case ctx.Err() != nil: // it goes on after the next start
	case err != nil:
		log.Error("old runs not removed, tried again later", "err", err)
	case gone.Runs+gone.Slots+gone.Requests+gone.Pauses+gone.Bytes > 0:
		log.Info("old runs removed", "retain", keep)
	default:
		log.Debug("no old runs to remove", "retain", keep)
	}
}

// waitIdle returns when no run is under way, or with an error when ctx ends.
func (d *daemon) waitIdle(ctx context.Context) error {
	tick := time.NewTicker(idleEvery)
	defer tick.Stop()
	for d.isBusy() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return ctx.Err()
}

func (d *daemon) isBusy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.busy) > 0
}
