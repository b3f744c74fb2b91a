package main

import (
	"context"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// A schedule with 'after' is due when a run of the other one has ended well. What
// followers are due for is asked of the ledger (store.FollowUps), after each run and
// every so often, and claimed as any other slot: so a restart loses nothing and
// doubles nothing.

// lookEvery is how often followers are looked at although no run ended: a look may
// have failed.
const lookEvery = 30 * time.Second

// setFollowers stores which schedules follow which. New and edited ones begin now.
func (d *daemon) setFollowers(ctx context.Context) error {
	d.mu.Lock()
	c := d.config
	d.mu.Unlock()
	var all []store.Follower
	for _, s := range c.Schedules {
		if s.After != "" {
			all = append(all, store.Follower{Schedule: s.Name, Other: s.After, AnyEnd: s.AfterAny})
		}
	}
	return d.ledger.SetFollowers(ctx, all)
}

func (d *daemon) watchFollowers(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var advanced time.Time
	for {
		began, busy := time.Now(), d.busySchedules()
		if d.lookAtFollowers(ctx, "") && began.Sub(advanced) >= store.EndsKnownFor {
			if err := d.ledger.AdvanceFollowers(ctx, began, busy); err != nil && ctx.Err() == nil {
				d.log.Error("what followers have decided not stored; trying again", "err", err)
			} else {
				advanced = began
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (d *daemon) busySchedules() (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.busy {
		names = append(names, name)
	}
	return names
}

// lookAtFollowers claims what is due now that a run of a schedule came to rest; ""
// looks at all. It says whether all of it was claimed.
func (d *daemon) lookAtFollowers(ctx context.Context, ended string) bool {
	if ctx.Err() != nil {
		return false
	}
	d.following.Lock()
	defer d.following.Unlock()
	d.mu.Lock()
	c := d.config
	d.mu.Unlock()
	list, err := followUps(ctx, &d.ledger.Reader, c, ended)
	for i := 0; i < len(list) && err == nil; i++ {
		f := list[i]
		d.log.Info("slot due after another schedule", "schedule", f.due.Schedule, "scheduled_for", f.due.At, "after", f.run.Name())
		err = slots{d, ctx}.Claim(ctx, f.due)
	}
	if err != nil && ctx.Err() == nil {
		d.log.Error("what is due after another schedule not decided; trying again", "err", err, "retry_in", lookEvery)
	}
	return err == nil
}

// followUp is a slot that is due because of a run of another schedule.
type followUp struct {
	due scheduler.Due
	run *store.Run
}

// followUps decides what followers are due for: those that a schedule follows or
// that follow it, or ("") all.
func followUps(ctx context.Context, r *store.Reader, c *config.Config, schedule string) (list []followUp, err error) {
	found, err := r.FollowUps(ctx, schedule)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for len(found) > 0 {
		n := 1
		for n < len(found) && found[n].Schedule == found[0].Schedule {
			n++
		}
		runs := found[:n]
		found = found[n:]
		s, ok := c.Schedule(runs[0].Schedule)
		if !ok || s.After != runs[0].Run.Schedule {
			continue // a reload is about to take it off
		}
		pauses, err := r.Pauses(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		for _, p := range pauses {
			s.Pauses = append(s.Pauses, pauseOf(p, now))
		}
		var ends []scheduler.Ended
		for _, f := range runs {
			ends = append(ends, scheduler.Ended{Slot: f.Run.ScheduledFor, At: *f.Run.FinishedAt, InOrder: f.Run.Origin == batch.OriginBackfill})
		}
		for i, due := range scheduler.Follow(s.Schedule, zoneOf(s), ends, now) {
			list = append(list, followUp{due, runs[i].Run})
		}
	}
	return list, nil
}
