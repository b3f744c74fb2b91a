package scheduler

import (
	"fmt"
	"time"
)

// Once makes the Spec of a schedule that is due one time: at a local date and
// time of the zone, such as "2027-01-31T09:00:00", or at an instant, with an
// offset from UTC behind it. A local time that does not exist, or exists twice, is
// a fixed time like any other: SpecOptions decides. Errors are *ExprError.
func Once(text string, zone *time.Location, o SpecOptions) (Spec, error) {
	p := parser{expr: text}
	s, err := p.spec(zone, o)
	if err != nil {
		return Spec{}, err
	}
	wall, exact, ok := ReadTime(text)
	if !ok {
		return Spec{}, p.fail(0, "no date and time", `write it as "2027-01-31T09:00:00"`)
	}
	if wall.Nanosecond() != 0 {
		return Spec{}, p.fail(0, "a fraction of a second", "slots are whole seconds")
	}
	s.expr = "at " + text
	if exact {
		s.every, s.anchor = 1, wall.Unix()
		s.start, s.end = max(s.start, wall.Unix()), min(s.end, wall.Unix()+1)
	} else {
		s.calendar = oneSecond(wall)
		// No other year: a wall second happens within maxOffset of itself in UTC.
		s.start, s.end = max(s.start, wall.Unix()-reach), min(s.end, wall.Unix()+reach)
	}
	if _, ok := s.from(s.start); !ok {
		return Spec{}, p.fail(0, fmt.Sprintf("never comes in %s", zone), "it lies outside of start and end, or daylight saving leaves it out")
	}
	return s, nil
}

// oneSecond matches the date and clock face of one wall time.
func oneSecond(wall time.Time) calendar {
	return calendar{
		second: 1 << wall.Second(), minute: 1 << wall.Minute(), hour: 1 << wall.Hour(),
		month: 1 << wall.Month(), dom: 1 << wall.Day(), dow: 1<<7 - 1, dowStar: true,
	}
}

// IsOnce says whether the Spec came from Once.
func (s Spec) IsOnce() bool { return len(s.expr) > 3 && s.expr[:3] == "at " }

var (
	localLayouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}
	exactLayouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00"}
)

// ReadTime reads a time as people write it: a date, with a time of day or without
// (midnight). With an offset from UTC it is exact; else the result is its wall
// time, written as UTC. False if it is neither.
func ReadTime(text string) (t time.Time, exact, ok bool) {
	for _, layout := range exactLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true, true
		}
	}
	for _, layout := range localLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, false, true
		}
	}
	return time.Time{}, false, false
}

// Instants gives what a wall time, written as UTC, means in a zone: two instants
// where the clock is set back, in order; one else. In a gap that is the jump, and
// gap is true. At the ends of the years 1 to 9999 it may be none.
func Instants(wall time.Time, zone *time.Location) (list []time.Time, gap bool) {
	w := wall.Unix()
	from, last := max(w-maxOffset, minSecond), min(w+maxOffset, maxSecond)
	for from <= last {
		off, end := stretch(zone, from)
		if at := w - off; at >= from && at < end {
			list = append(list, time.Unix(at, 0).UTC())
		}
		if after := offsetAt(zone, end); end <= last && w >= end+off && w < end+after {
			return []time.Time{time.Unix(end, 0).UTC()}, true
		}
		from = end
	}
	return list, false
}
