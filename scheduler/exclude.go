package scheduler

import (
	"strings"
	"time"
)

// Exclusion is a time in which a schedule's slots do not run: days of a calendar,
// or one span.
type Exclusion struct {
	Name string // as reasons give it: "calendar holidays", "blackout …"

	// Dates are local days of the schedule's zone, as "2006-01-02".
	Dates map[string]bool

	// From and Until are a span [From, Until); both zero: none.
	From, Until time.Time
}

const calendarPrefix = "calendar "

// ByCalendar makes the exclusion of a calendar's days.
func ByCalendar(name string, days map[string]bool) Exclusion {
	return Exclusion{Name: calendarPrefix + name, Dates: days}
}

// Calendar is the name of the calendar whose days these are; false for a span.
func (e Exclusion) Calendar() (string, bool) {
	return strings.CutPrefix(e.Name, calendarPrefix)
}

func (e Exclusion) covers(slot time.Time, zone *time.Location) bool {
	if !e.Until.IsZero() && !slot.Before(e.From) && slot.Before(e.Until) {
		return true
	}
	return e.Dates[slot.In(zone).Format(time.DateOnly)]
}
