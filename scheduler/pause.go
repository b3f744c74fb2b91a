package scheduler

import "time"

// Pause is a time in which a schedule was paused. While it is, nothing of it
// runs, whenever it was due. Afterwards the slots in [From, Until) still count as
// paused, so that going on fires nothing of the past.
type Pause struct {
	From   time.Time
	Until  time.Time // zero: it is paused now
	Reason string    // in the person's own words; may be ""
}

// String is the reason of a slot that did not run.
func (p Pause) String() string {
	if p.Reason == "" {
		return "paused"
	}
	return "paused (" + p.Reason + ")"
}

func (p Pause) covers(slot time.Time) bool {
	return p.Until.IsZero() || !slot.Before(p.From) && slot.Before(p.Until)
}

// clockBack ends pauses that ended by a clock that was ahead: they would else go
// on until then.
func clockBack(pauses []Pause, now time.Time) []Pause {
	out := make([]Pause, len(pauses))
	for i, p := range pauses {
		p.Until = earlier(p.Until, now) // the zero time stays
		out[i] = p
	}
	return out
}
