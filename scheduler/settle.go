package scheduler

import (
	"context"
	"fmt"
	"time"
)

// settle brings one entry up to now: finds its mark, claims its slots in time
// order, stores the new mark. After an error everything up to the entry's mark is
// decided; the rest is decided anew at the next try, as late as it is by then.
func (s *Scheduler) settle(ctx context.Context, e *entry, now time.Time) error {
	if err := s.load(ctx, e, now); err != nil {
		return err
	}
	for len(e.terms) > 1 {
		if err := s.claim(ctx, e, now); err != nil {
			return err
		}
		e.terms = e.terms[1:]
		e.mark, e.stored = e.terms[0].from, false
	}
	if err := s.claim(ctx, e, now); err != nil {
		return err
	}
	if e.stored {
		return nil
	}
	if err := s.host.Advance(ctx, e.name, e.toStore()); err != nil {
		return fmt.Errorf("store mark of schedule %s: %w", e.name, err)
	}
	e.stored = true
	return nil
}

// load finds where an entry begins.
func (s *Scheduler) load(ctx context.Context, e *entry, now time.Time) error {
	if e.loaded {
		return nil
	}
	var mark Mark
	var seen bool
	if !e.fresh {
		var err error
		if mark, seen, err = s.host.Mark(ctx, e.name); err != nil {
			return fmt.Errorf("read mark of schedule %s: %w", e.name, err)
		}
	}
	s.begin(e, mark, seen, now)
	return nil
}

// begin sets an entry to the mark that is stored for it. A mark counts only for the
// expression that it was stored with: an edit never fires the past, not even one
// that was made while the process was down.
func (s *Scheduler) begin(e *entry, mark Mark, seen bool, now time.Time) {
	first := e.terms[0]
	e.loaded = true
	e.mark, e.stored = first.from, false
	if !mark.Waiting.At.After(now) { // else the clock went back, and it comes again
		e.waiting = mark.Waiting
	}
	switch {
	case !seen:
	case mark.Spec != first.fingerprint:
		s.log.Info("schedule changed while not running; looked at from now on",
			"schedule", e.name, "was", mark.Spec, "is", first.fingerprint, "decided_until", mark.At)
	case mark.At.After(now):
		s.log.Warn("mark lies ahead: the clock went back; looked at from now on", "schedule", e.name, "decided_until", mark.At)
		e.mark = now
	default:
		e.mark, e.stored = mark.At, true
	}
}

// claim decides the slots of the entry's first term up to now and claims them.
func (s *Scheduler) claim(ctx context.Context, e *entry, now time.Time) error {
	d := decide(e.terms[0].Schedule, e.mark, e.waiting, now)
	for _, due := range d.dues {
		if err := s.host.Claim(ctx, due); err != nil {
			return fmt.Errorf("claim slot %s of schedule %s: %w", due.At.Format(time.RFC3339), e.name, err)
		}
		e.claimed(due)
	}
	s.finish(e, d)
	return nil
}

// claimed takes over that a slot has its row.
func (e *entry) claimed(due Due) {
	if due.At.Equal(e.waiting.At) {
		e.waiting = Waiting{}
	}
	if due.At.After(e.mark) { // not so for the one that waited
		e.mark = due.At
	}
	e.stored = false
}

// finish takes over a decision whose slots all have their rows.
func (s *Scheduler) finish(e *entry, d decision) {
	if d.waiting != e.waiting {
		e.waiting, e.stored = d.waiting, false
	}
	e.mark = d.mark
	s.logLate(e.name, d)
}

// logLate sums up what was late; each slot by itself has its row.
func (s *Scheduler) logLate(name string, d decision) {
	var caughtUp, missed int
	for _, due := range d.dues {
		switch {
		case due.Missed != "":
			missed++
		case due.CatchUp && due.Runs():
			caughtUp++
		}
	}
	if caughtUp+missed > 0 {
		s.log.Warn("slots were late", "schedule", name, "catch_up", caughtUp, "missed", missed,
			"first", d.dues[0].At, "last", d.dues[len(d.dues)-1].At)
	}
	if !d.dropped.first.IsZero() {
		s.log.Warn("more slots missed than get rows", "schedule", name, "rows", len(d.dues),
			"first_without", d.dropped.first, "last_without", d.dropped.last)
	}
}
