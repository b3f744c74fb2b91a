package scheduler

import "time"

// maxCompared bounds how many slots of a schedule are looked at to tell two of its
// timetables apart: one that is due each second has many.
const maxCompared = 2000

// Comparison is what another timetable changes about the slots ahead.
type Comparison struct {
	Lost, Gained       []time.Time
	AllLost, AllGained bool      // not one of the old ones stays; each of the new ones is new
	End                time.Time // slots before it were compared
}

// Compare gives the slots after from and before until that only one of two
// timetables has. What a calendar or blackout excludes is none; pauses do not
// matter. It ends earlier where one of them has very many.
func Compare(old, now Schedule, from, until time.Time) Comparison {
	a, aEnd := old.slotsAhead(from, until)
	b, bEnd := now.slotsAhead(from, until)
	c := Comparison{End: earlier(aEnd, bEnd), AllLost: true, AllGained: true}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Before(b[0]):
			if a[0].Before(c.End) {
				c.Lost = append(c.Lost, a[0])
			}
			a = a[1:]
		case len(a) == 0 || b[0].Before(a[0]):
			if b[0].Before(c.End) {
				c.Gained = append(c.Gained, b[0])
			}
			b = b[1:]
		default:
			c.AllLost, c.AllGained = false, false
			a, b = a[1:], b[1:]
		}
	}
	return c
}

// slotsAhead lists slots that nothing excludes, and says up to where it looked.
func (s Schedule) slotsAhead(from, until time.Time) (list []time.Time, end time.Time) {
	looked := 0
	for at, ok := s.Spec.Next(from); ok && at.Before(until); at, ok = s.Spec.Next(at) {
		if looked++; looked > maxCompared {
			return list, at
		}
		if s.ExcludedBy(at) == "" {
			list = append(list, at)
		}
	}
	return list, until
}
