package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// recordFilePauses brings the ledger up to what the file says is paused, so that a
// slot knows later whether it lay in a pause.
func recordFilePauses(ctx context.Context, ledger *store.Ledger, c *config.Config) error {
	list, err := ledger.Pauses(ctx, "")
	if err != nil {
		return err
	}
	open := map[string]store.Pause{}
	for _, p := range list {
		if p.Source == store.PausedByFile && p.ResumedAt == nil {
			open[p.Schedule] = p
		}
	}
	for _, s := range c.Schedules {
		p, was := open[s.Name]
		if was == s.Paused && p.Reason == s.PausedNote {
			continue
		}
		if was {
			if _, err := ledger.ResumeSchedule(ctx, s.Name, store.PausedByFile, "", store.MissedSkip); err != nil {
				return fmt.Errorf("schedule %s: %w", s.Name, err)
			}
		}
		if s.Paused {
			if err := ledger.PauseSchedule(ctx, store.Pause{Schedule: s.Name, Source: store.PausedByFile, Reason: s.PausedNote}); err != nil {
				return fmt.Errorf("schedule %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// timetableOf puts the schedules of a file that have times and the pauses of the
// ledger together.
func timetableOf(ctx context.Context, r *store.Reader, c *config.Config) ([]scheduler.Schedule, error) {
	pauses, err := r.Pauses(ctx, "")
	if err != nil {
		return nil, err
	}
	of := map[string][]scheduler.Pause{}
	now := time.Now()
	for _, p := range pauses {
		of[p.Schedule] = append(of[p.Schedule], pauseOf(p, now))
	}
	var list []scheduler.Schedule
	for _, s := range c.Schedules {
		if s.After != "" {
			continue // no time makes it due
		}
		s.Pauses = of[s.Name]
		list = append(list, s.Schedule)
	}
	return list, nil
}

// pauseOf is a pause for the scheduler. One that ended ahead of now, by a clock
// that was wrong, ends now.
func pauseOf(p store.Pause, now time.Time) scheduler.Pause {
	out := scheduler.Pause{From: p.PausedAt, Reason: p.Reason}
	if p.ResumedAt != nil {
		out.Until = *p.ResumedAt
		if out.Until.After(now) {
			out.Until = now
		}
	}
	return out
}

// setTimetable gives the scheduler what the file and the ledger say now.
func (d *daemon) setTimetable(ctx context.Context) error {
	d.mu.Lock()
	c := d.config
	d.mu.Unlock()
	table, err := timetableOf(ctx, &d.ledger.Reader, c)
	if err != nil {
		return err
	}
	d.scheduler.Set(table)
	return nil
}

func (d *daemon) requestPause(ctx context.Context, q store.Request) error {
	var ask pauseRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	if _, ok := d.schedule(ask.Schedule); !ok {
		return usageError{fmt.Errorf("the daemon's configuration has no schedule %q: reload it", ask.Schedule)}
	}
	if err := pauseHere(ctx, d.ledger, ask); err != nil {
		return err
	}
	d.log.Info("schedule paused", "schedule", ask.Schedule, "reason", ask.Reason, "by", ask.Actor)
	return d.paused(ctx, q)
}

func (d *daemon) requestResume(ctx context.Context, q store.Request) error {
	var ask resumeRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	if _, ok := d.schedule(ask.Schedule); !ok {
		return usageError{fmt.Errorf("the daemon's configuration has no schedule %q: reload it", ask.Schedule)}
	}
	waiting, err := resumeHere(ctx, d.ledger, ask)
	if err != nil {
		return err
	}
	d.log.Info("schedule resumed", "schedule", ask.Schedule, "missed", ask.Missed, "slots", waiting, "by", ask.Actor)
	if err := d.paused(ctx, q); err != nil {
		return err
	}
	d.runWaiting(ctx, ask.Schedule)
	return nil
}

// paused takes over what changed in the ledger and answers.
func (d *daemon) paused(ctx context.Context, q store.Request) error {
	if err := d.setTimetable(ctx); err != nil {
		return errors.Join(errors.New("it is in the ledger, but the daemon did not take it over: reload it"), err)
	}
	d.answer(q, exitDone, "")
	return nil
}
