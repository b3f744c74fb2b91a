package scheduler

import "time"

// Ended is a run of another schedule that makes a slot due.
type Ended struct {
	Slot    time.Time // the run's own, which the slot that follows takes over
	At      time.Time // when it ended: from then on the slot is due
	InOrder bool      // one of many that end soon after another: it waits its turn, as what is late does
}

// Follow decides about slots of a schedule that is due after another one, as the
// loop does about those that have a time: what speaks against one at the instant
// at which it became due, and what becomes of it when that is long ago. The runs are
// in the order of their ends; zone is the schedule's. It only computes.
func Follow(s Schedule, zone *time.Location, ends []Ended, now time.Time) []Due {
	var newest time.Time
	dues := make([]Due, len(ends))
	for i, e := range ends {
		dues[i] = Due{Schedule: s.Name, At: e.Slot, Skipped: s.SkipReasonIn(e.At, zone), Late: max(0, now.Sub(e.At))}
		if dues[i].Skipped == "" {
			newest = e.At
		}
	}
	for i := range dues {
		d := &dues[i]
		if d.Late > LateAfter && d.Skipped == "" {
			d.Missed = missed(s, *d, max(0, now.Sub(newest)))
		}
		d.CatchUp = d.Late > LateAfter || ends[i].InOrder
	}
	return dues
}
