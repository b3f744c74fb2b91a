package scheduler

import "time"

// Exclusion is a time in which a schedule's slots do not run: days of a calendar,
// or one span.
type Exclusion struct {
	Name string // as reasons give it: "calendar holidays", "blackout …"

	// Dates are local days of the schedule's zone, as "2006-01-02".
	Dates map[string]bool

	// From and Until are a span [From, Until); both zero: none.
	From, Until time.Time
}

func (e Exclusion) covers(slot time.Time, zone *time.Location) bool {
	if !e.Until.IsZero() && !slot.Before(e.From) && slot.Before(e.Until) {
		return true
	}
	return e.Dates[slot.In(zone).Format(time.DateOnly)]
}
