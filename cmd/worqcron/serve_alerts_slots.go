package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"worqcron/alert"
	"worqcron/batch"
	"worqcron/scheduler"
	"worqcron/store"
)

// maxSlots is how many slots of a schedule are looked at at once, the newest.
const maxSlots = 1000

// nextDue is when a slot of the schedule has to have begun or finished; zero if
// there is none.
func (e *watched) nextDue(now, notBefore time.Time) time.Time {
	var due time.Time
	for _, p := range []struct {
		to     time.Time
		within time.Duration
	}{{e.now.StartedTo, e.Expect.StartWithin}, {e.now.FinishedTo, e.Expect.FinishWithin}} {
		if p.within == 0 {
			continue
		}
		slot, ok := e.Spec.Next(earlier(p.to, now))
		if at := slot.Add(p.within); ok && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if !due.IsZero() && due.Before(notBefore) {
		return notBefore
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// judgeSlots looks at the slots whose time is up since the last look. All of them
// together are one verdict.
func (w *watch) judgeSlots(ctx context.Context, f *finding, now time.Time) error {
	e, a := f.entry, &f.change.Alert
	// A clock that was ahead has looked at nothing that is to come.
	a.StartedTo, a.FinishedTo = earlier(a.StartedTo, now), earlier(a.FinishedTo, now)
	if e.due.IsZero() || now.Before(e.due) && a.StartedTo.Equal(e.now.StartedTo) && a.FinishedTo.Equal(e.now.FinishedTo) {
		return nil
	}
	for _, p := range []struct {
		to     *time.Time
		within time.Duration
		judge  func([]alert.Slot, *time.Location) alert.Verdict
	}{{&a.StartedTo, e.Expect.StartWithin, e.Expect.Starts}, {&a.FinishedTo, e.Expect.FinishWithin, e.Expect.Finishes}} {
		until := now.Add(-p.within)
		if p.within == 0 || !until.After(*p.to) {
			continue
		}
		slots, runs, err := w.slotsOf(ctx, e, *p.to, until)
		if err != nil {
			return err
		}
		*p.to = until
		v := p.judge(slots, zoneOf(*e.Schedule))
		if v.State == "" {
			continue
		}
		run := byName(runs, v.Run)
		if run != nil {
			f.change.Notes = append(f.change.Notes, store.RunNote{Run: run, Text: v.Breach})
		}
		if err := w.apply(ctx, f, v, run, now); err != nil {
			return err
		}
	}
	return nil
}

func byName(runs []*store.Run, name string) *store.Run {
	i := slices.IndexFunc(runs, func(r *store.Run) bool { return r.Name() == name })
	if i < 0 {
		return nil
	}
	return runs[i]
}

// slotsOf gives the slots in (from, until] with what is known of them, and their
// runs.
func (w *watch) slotsOf(ctx context.Context, e *watched, from, until time.Time) (list []alert.Slot, runs []*store.Run, err error) {
	for before := until.Add(1); len(list) < maxSlots; {
		at, ok := e.Spec.Prev(before)
		if !ok || !at.After(from) {
			break
		}
		list = append(list, alert.Slot{At: at})
		before = at
	}
	if len(list) == 0 {
		return nil, nil, nil
	}
	slices.Reverse(list)
	first, last := list[0].At, list[len(list)-1].At.Add(time.Millisecond)
	rows, err := w.ledger.Slots(ctx, e.Name, first, last)
	if err != nil {
		return nil, nil, err
	}
	if runs, err = w.ledger.RunsOfSlots(ctx, e.Name, first, last); err != nil {
		return nil, nil, err
	}
	decided := map[int64]store.Slot{}
	for _, row := range rows {
		decided[row.ScheduledFor.UnixMilli()] = row
	}
	for i := range list {
		s := &list[i]
		row, ok := decided[s.At.UnixMilli()]
		if ok {
			decidedSlot(s, row)
		} else if s.Excused, err = w.excused(ctx, e, s.At); err != nil {
			return nil, nil, err
		}
		addRuns(s, runs)
		if ok && row.State == store.SlotRan && s.Run == "" {
			s.Excused = true // its run was removed, so it is long ago
		}
	}
	return list, runs, nil
}

// decidedSlot takes over what a slot's row says. A slot that a run stood in the way
// of was to run.
func decidedSlot(s *alert.Slot, row store.Slot) {
	switch {
	case row.State == store.SlotSkipped && !strings.HasPrefix(row.Reason, "overlap "):
		s.Excused = true
	case row.State != store.SlotRan:
		s.Why = string(row.State) + ": " + row.Reason
	}
}

// addRuns takes over what the runs of a slot say: one that ran has a run, unless
// that was removed long ago.
func addRuns(s *alert.Slot, runs []*store.Run) {
	for _, r := range runs {
		if !r.ScheduledFor.Equal(s.At) {
			continue
		}
		if s.Run == "" {
			s.Run, s.Begun = r.Name(), r.StartedAt
		}
		interrupted := r.Reason == batch.ReasonInterrupted || r.Reason == batch.ReasonCrashed
		if s.Ended.IsZero() && r.FinishedAt != nil && r.State.Ended() && !interrupted {
			s.Ended = *r.FinishedAt
		}
	}
}

// excused says whether nothing is to run at a slot that has no row: it never gets
// one, or will be skipped.
func (w *watch) excused(ctx context.Context, e *watched, slot time.Time) (bool, error) {
	mark, _, err := w.ledger.Mark(ctx, e.Name)
	if err != nil || !slot.After(mark.At) && !mark.WaitingFor.Equal(slot) {
		return true, err
	}
	pauses, err := w.ledger.Pauses(ctx, e.Name)
	if err != nil {
		return false, err
	}
	s := e.Schedule.Schedule
	s.Pauses = nil
	for _, p := range pauses {
		s.Pauses = append(s.Pauses, scheduler.Pause{From: p.PausedAt, Reason: p.Reason})
		if p.ResumedAt != nil {
			s.Pauses[len(s.Pauses)-1].Until = *p.ResumedAt
		}
	}
	return s.SkipReason(slot) != "", nil
}
