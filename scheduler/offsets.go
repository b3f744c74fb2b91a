package scheduler

import "time"

// The seconds that are looked at: years 1 to 9999, the range of RFC 3339.
const (
	minSecond = -62135596800
	maxSecond = 253402300799
)

const (
	// maxOffset is further from UTC than any zone ever was (15 h 14 min).
	maxOffset = 26 * 3600
	// reach is how far apart in real time one wall second can happen twice, or a
	// jump lie from the wall seconds it swallows. No zone changes its offset and
	// back within it; TestZonesChangeSlowly holds that.
	reach = 2 * maxOffset
)

// change is an instant at which a zone's offset changed: seconds since 1970, and
// seconds east of UTC before and from then on.
type change struct {
	at, before, after int64
}

// gap says that wall seconds [at+before, at+after) never happened.
func (c change) gap() bool { return c.after > c.before }

// fold says that wall seconds [at+after, at+before) happened twice.
func (c change) fold() bool { return c.after < c.before }

// offsetAt gives the zone's offset at a second.
func offsetAt(zone *time.Location, s int64) int64 {
	_, off := time.Unix(s, 0).In(zone).Zone()
	return int64(off)
}

// stretch gives the offset at a second and the end of a stretch that keeps it.
// What follows the end may have the same offset.
func stretch(zone *time.Location, s int64) (off, end int64) {
	t := time.Unix(s, 0).In(zone)
	_, o := t.Zone()
	_, e := t.ZoneBounds()
	if e.IsZero() {
		return int64(o), maxSecond + 1
	}
	end = e.Unix()
	if end <= s {
		// For years after its last recorded change package time ends a stretch
		// after 365 days, on 31 December of a leap year before that day itself.
		end = time.Date(time.Unix(s, 0).UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return int64(o), end
}

// changeBefore gives the latest change at or before s, if it is within reach.
func changeBefore(zone *time.Location, s int64) (change, bool) {
	off := offsetAt(zone, s)
	low, high := s-reach, s
	before := offsetAt(zone, low)
	if before == off {
		return change{}, false
	}
	// ZoneBounds is not asked: before a zone's last recorded change its start can
	// be too early. One change lies in (low, high]: halve until it is found.
	for high-low > 1 {
		if mid := low + (high-low)/2; offsetAt(zone, mid) == off {
			high = mid
		} else {
			low = mid
		}
	}
	return change{at: high, before: before, after: off}, true
}

// changeAfter gives the first change in (s, until].
func changeAfter(zone *time.Location, s, until int64) (change, bool) {
	for {
		off, end := stretch(zone, s)
		if end > until || end > maxSecond { // what lies behind the year 9999 has no end
			return change{}, false
		}
		if after := offsetAt(zone, end); after != off {
			return change{at: end, before: off, after: after}, true
		}
		s = end
	}
}
