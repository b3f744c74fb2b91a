package scheduler

import (
	"math/bits"
	"time"
)

// calendar holds the fields of an expression as bits. It knows dates and clock
// faces but no time zone: its times are "wall seconds", the seconds since 1970
// that a clock on the wall would have counted had it never been moved.
type calendar struct {
	second, minute, hour uint64 // bit n: value n matches
	month                uint64 // bits 1–12
	dom                  uint64 // bits 1–31
	dow                  uint64 // bits 0–6, Sunday is 0

	domStar, dowStar bool   // the field starts with "*": days are AND-ed, not OR-ed
	lastDay          bool   // L: the month's last day
	lastWorkday      bool   // LW: the month's last Monday to Friday
	nearWorkday      uint64 // bit d: dW, the Monday to Friday nearest to day d
	nthDow           uint64 // bit (n-1)*7+d: d#n, the n-th weekday d of the month
	lastDow          uint64 // bit d: dL, the month's last weekday d
}

const (
	secondsPerDay   = 24 * 60 * 60
	monthsPerSearch = 12 * 42  // further than any date that comes at all: 29 February on a given weekday skips 40 years around 2100
	monthsPerCycle  = 12 * 400 // the Gregorian calendar repeats, weekdays included
)

// from finds the first matching wall second at or after w within so many months.
func (c *calendar) from(w int64, months int) (int64, bool) {
	t := time.Unix(w, 0).UTC()
	year, month, day := t.Date()
	midnight := w - secondOfDay(t)
	if c.days(year, month)>>day&1 == 1 {
		if s, ok := c.clockFrom(int(w - midnight)); ok {
			return midnight + s, true
		}
	}
	first, ok := c.clockFrom(0)
	if !ok {
		return 0, false
	}
	after := day
	for ; months > 0; months-- {
		if rest := c.days(year, month) >> (after + 1) << (after + 1); rest != 0 {
			day := bits.TrailingZeros64(rest)
			return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() + first, true
		}
		after = 0
		if month++; month > time.December {
			year, month = year+1, time.January
		}
	}
	return 0, false
}

// has says whether some wall second in [from, until) matches.
func (c *calendar) has(from, until int64) bool {
	w, ok := c.from(from, 2)
	return ok && w < until
}

func secondOfDay(t time.Time) int64 {
	return int64(t.Hour())*3600 + int64(t.Minute())*60 + int64(t.Second())
}

// clockFrom finds the first matching second of a day at or after s.
func (c *calendar) clockFrom(s int) (int64, bool) {
	hour, minute, second := s/3600, s/60%60, s%60
	if c.hour>>hour&1 == 1 {
		if c.minute>>minute&1 == 1 {
			if sec, ok := atLeast(c.second, second); ok {
				return int64(hour*3600 + minute*60 + sec), true
			}
		}
		if m, ok := atLeast(c.minute, minute+1); ok {
			return c.clock(hour, m)
		}
	}
	if h, ok := atLeast(c.hour, hour+1); ok {
		if m, ok := atLeast(c.minute, 0); ok {
			return c.clock(h, m)
		}
	}
	return 0, false
}

func (c *calendar) clock(hour, minute int) (int64, bool) {
	sec, ok := atLeast(c.second, 0)
	return int64(hour*3600 + minute*60 + sec), ok
}

// atLeast gives the lowest bit set at or above n.
func atLeast(set uint64, n int) (int, bool) {
	set = set >> n << n
	return bits.TrailingZeros64(set), set != 0
}

// days gives the month's matching days as bits 1–31. Day of month and day of
// week are OR-ed, unless one of them starts with "*" (the rule of Vixie cron).
func (c *calendar) days(year int, month time.Month) uint64 {
	if c.month>>month&1 == 0 {
		return 0
	}
	n := daysIn(year, month)
	// The weekday of day 1; all others follow from it.
	first := int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday())
	byDate, byWeekday := c.daysByDate(n, first), c.daysByWeekday(n, first)
	if c.domStar || c.dowStar {
		return byDate & byWeekday
	}
	return byDate | byWeekday
}

func (c *calendar) daysByDate(n, first int) uint64 {
	set := c.dom & (1<<(n+1) - 2)
	if c.lastDay {
		set |= 1 << n
	}
	if c.lastWorkday {
		set |= 1 << nearestWorkday(n, n, first)
	}
	for days := c.nearWorkday & (1<<(n+1) - 2); days != 0; days &= days - 1 {
		set |= 1 << nearestWorkday(bits.TrailingZeros64(days), n, first)
	}
	return set
}

func (c *calendar) daysByWeekday(n, first int) uint64 {
	var set uint64
	for d := range 7 {
		day := 1 + (d-first+7)%7 // the month's first weekday d
		for nth := 0; day <= n; nth, day = nth+1, day+7 {
			last := day+7 > n
			if c.dow>>d&1 == 1 || c.nthDow>>(nth*7+d)&1 == 1 || last && c.lastDow>>d&1 == 1 {
				set |= 1 << day
			}
		}
	}
	return set
}

// nearestWorkday gives the Monday to Friday nearest to a day, never leaving the
// month of n days whose day 1 is weekday first.
func nearestWorkday(day, n, first int) int {
	switch weekday := time.Weekday((first + day - 1) % 7); {
	case weekday == time.Saturday && day == 1:
		return 3
	case weekday == time.Saturday:
		return day - 1
	case weekday == time.Sunday && day == n:
		return day - 2
	case weekday == time.Sunday:
		return day + 1
	default:
		return day
	}
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
