package scheduler

import (
	"slices"
	"time"
)

// maxMissed is how many slots of one schedule are decided at once: no more rows
// than that are written about a time when nobody was awake.
const maxMissed = 1000

// decision is what has become of a schedule's slots in (mark, now].
type decision struct {
	dues    []Due     // in time order, at most maxMissed and the one that waited
	mark    time.Time // all up to here is decided once the dues are claimed, but for waiting
	waiting Waiting   // the newest slot, if it is to start later
	dropped dropped   // slots beyond maxMissed, which get no row
}

// dropped is a span of slots that get no row; the zero value is none.
type dropped struct{ first, last time.Time }

// decide looks at a schedule whose slots up to mark are decided, but for one that
// may be waiting. It only computes: the same arguments give the same answer. If
// the mark lies ahead of now (the clock was set back) nothing is due and the new
// mark is now; the slots in between come again in their time, and their rows tell
// which of them ran.
func decide(s Schedule, mark time.Time, waiting Waiting, now time.Time) decision {
	slots, lost := slotsSince(s.Spec, mark, now)
	d := decision{mark: now, dropped: lost}
	var list []Waiting
	if !waiting.At.IsZero() && !waiting.At.After(now) { // else it comes again
		if len(slots) > 0 {
			waiting.Start = earlier(waiting.Start, slots[0]) // never past the next slot
		}
		list = append(list, waiting)
	}
	for _, at := range slots {
		list = append(list, Waiting{At: at, Start: s.StartOf(at)})
	}
	reasons, newest := skipReasons(s, list)
	for i, w := range list {
		due := Due{Schedule: s.Name, At: w.At, Skipped: reasons[i], Late: max(0, now.Sub(w.Start))}
		if due.Skipped == "" && w.Start.After(now) {
			d.waiting = w // the last: each starts before the next slot
			continue
		}
		if due.CatchUp = due.Late > LateAfter; due.CatchUp && due.Skipped == "" {
			due.Missed = missed(s, due, now.Sub(newest))
		}
		d.dues = append(d.dues, due)
	}
	return d
}

// skipReasons asks about each slot, and gives the start of the newest that nothing
// speaks against: what does not run anyway supersedes nothing.
func skipReasons(s Schedule, list []Waiting) (reasons []string, newest time.Time) {
	for _, w := range list {
		why := s.SkipReason(w.At)
		if why == "" {
			newest = w.Start
		}
		reasons = append(reasons, why)
	}
	return reasons, newest
}

// missed gives why a late slot does not run, or "". newestLate is how late the
// newest of all due slots is; it may be on time, or (negative) start later.
func missed(s Schedule, due Due, newestLate time.Duration) string {
	inside := due.Late <= s.CatchUpWindow
	switch s.CatchUp {
	case CatchUpAll:
		if !inside {
			return MissedWindow
		}
		return ""
	case CatchUpLast:
		runs := newestLate <= LateAfter || newestLate <= s.CatchUpWindow
		switch {
		case due.Late > newestLate && runs:
			return MissedSuperseded
		case !inside:
			return MissedWindow
		}
		return ""
	default: // CatchUpNone
		return MissedNone
	}
}

// slotsSince gives the slots in (mark, now], the newest maxMissed of them.
func slotsSince(s Spec, mark, now time.Time) ([]time.Time, dropped) {
	var slots []time.Time
	for at := range s.Between(mark.Add(1), now.Add(1)) {
		if len(slots) == maxMissed {
			return newestSlots(s, slots[0], now)
		}
		slots = append(slots, at)
	}
	return slots, dropped{}
}

// newestSlots walks back from now, since there may be millions since first.
func newestSlots(s Spec, first, now time.Time) ([]time.Time, dropped) {
	slots := make([]time.Time, 0, maxMissed)
	before := now.Add(1)
	for len(slots) < maxMissed {
		at, ok := s.Prev(before)
		if !ok {
			break
		}
		slots = append(slots, at)
		before = at
	}
	slices.Reverse(slots)
	last, _ := s.Prev(before)
	return slots, dropped{first: first, last: last}
}
