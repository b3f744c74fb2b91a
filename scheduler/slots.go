package scheduler

import (
	"iter"
	"time"
)

// horizon is how far ahead of an instant a slot is looked for, in seconds: a
// little over 40 years, since 29 February may miss a weekday that long.
const horizon = 41 * 366 * secondsPerDay

// Next gives the first slot strictly after an instant, in UTC. It is false if
// none comes within 40 years.
func (s Spec) Next(after time.Time) (time.Time, bool) {
	return instant(s.from(min(after.Unix(), maxSecond) + 1))
}

// Prev gives the last slot strictly before an instant, in UTC. It is false if
// there was none within 40 years.
func (s Spec) Prev(before time.Time) (time.Time, bool) {
	last := max(before.Unix(), minSecond)
	if before.Nanosecond() == 0 {
		last--
	}
	return instant(s.upTo(last))
}

// Between gives the slots in [from, until), in order and in UTC.
func (s Spec) Between(from, until time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		first := min(from.Unix(), maxSecond)
		if from.Nanosecond() > 0 {
			first++
		}
		for {
			slot, ok := s.from(first)
			t := time.Unix(slot, 0).UTC()
			if !ok || !t.Before(until) || !yield(t) {
				return
			}
			first = slot + 1
		}
	}
}

// Is says whether an instant is a slot.
func (s Spec) Is(t time.Time) bool {
	slot, ok := s.from(t.Unix())
	return ok && time.Unix(slot, 0).Equal(t)
}

func instant(second int64, ok bool) (time.Time, bool) {
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(second, 0).UTC(), true
}

// from finds the first slot at or after second p.
func (s *Spec) from(p int64) (int64, bool) {
	if s.zone == nil {
		return 0, false
	}
	p = max(p, s.start, minSecond)
	if p > maxSecond {
		return 0, false
	}
	limit := min(p+horizon, s.end-1, maxSecond)
	var slot int64
	var ok bool
	switch {
	case s.every > 0:
		slot, ok = everyFrom(p, s.anchor, s.every), true
		limit = min(s.end-1, maxSecond) // no search, so no horizon
	case s.interval:
		slot, ok = s.intervalFrom(p, limit)
	default:
		slot, ok = s.fixedFrom(p, limit)
	}
	return slot, ok && slot <= limit
}

// everyFrom gives the first of anchor + n*every at or after p.
func everyFrom(p, anchor, every int64) int64 {
	past := (p - anchor) % every
	if past < 0 {
		past += every
	}
	if past == 0 {
		return p
	}
	return p + every - past
}

// intervalFrom finds the first second at or after p whose local time matches.
func (s *Spec) intervalFrom(p, limit int64) (int64, bool) {
	for p <= limit {
		off, end := stretch(s.zone, p)
		wall, found := s.calendar.from(p+off, monthsPerSearch)
		if found && wall-off < end {
			return wall - off, true
		}
		p = s.leave(p, end, wall, found)
	}
	return 0, false
}

// fixedFrom finds the first slot of a fixed expression at or after p.
func (s *Spec) fixedFrom(p, limit int64) (int64, bool) {
	for p <= limit {
		off, stretchEnd := stretch(s.zone, p)
		last, changed := changeBefore(s.zone, p)

		// What the jump before p swallowed.
		made, swallowed := int64(0), false
		if changed && last.gap() {
			made, swallowed = s.fromGap(last, p)
		}
		// What really matches in this stretch.
		wall, found := s.calendar.from(p+off, monthsPerSearch)
		if !found || wall-off >= stretchEnd {
			if swallowed {
				return made, true
			}
			p = s.leave(p, stretchEnd, wall, found)
			continue
		}
		slot := wall - off
		if swallowed && made <= slot {
			return made, true
		}
		// A fold this near leaves no gap near, so nothing swallowed is passed over.
		passEnd, other := s.otherPass(slot, last, changed)
		if !other {
			return slot, true
		}
		p = passEnd
	}
	return 0, false
}

// leave gives where to look next when a stretch has no more slots from p on and
// the next matching wall second is wall.
func (s *Spec) leave(p, end, wall int64, found bool) int64 {
	if end-p < reach {
		return end // a fold may turn the clock back before p
	}
	if !found {
		return maxSecond + 1
	}
	// From end on all local times are later than p's, so nothing matches before
	// wall, wherever the zone's offset goes.
	return max(end, wall-maxOffset)
}

// fromGap finds the first slot at or after p among those that a gap's wall
// seconds make.
func (s *Spec) fromGap(gap change, p int64) (int64, bool) {
	first, until := gap.at+gap.before, gap.at+gap.after
	switch s.gap {
	case GapRun:
		return gap.at, p == gap.at && s.calendar.has(first, until)
	case GapShift:
		wall, ok := s.calendar.from(p+gap.before, 2)
		return wall - gap.before, ok && wall < until
	default: // GapSkip
		return 0, false
	}
}

// otherPass says whether a matching second is the pass of a fold that does not
// count, and if so, where that pass ends. last is the change before the second,
// if one is near.
func (s *Spec) otherPass(second int64, last change, changed bool) (end int64, is bool) {
	switch s.fold {
	case FoldFirst:
		end = last.at + last.before - last.after
		return end, changed && last.fold() && second < end
	case FoldSecond:
		next, ok := changeAfter(s.zone, second, second+reach)
		return next.at, ok && next.fold() && second >= next.at-(next.before-next.after)
	default: // FoldBoth
		return 0, false
	}
}

// upTo finds the last slot at or before a second. It asks from(), so that both
// directions cannot disagree: it steps back in doubling widths until a slot
// lies inside, steps forth a little, then halves.
func (s *Spec) upTo(last int64) (int64, bool) {
	last = min(last, maxSecond)
	if s.zone == nil || last < minSecond {
		return 0, false
	}
	if s.every > 0 {
		return s.everyUpTo(last)
	}
	slot, ok := int64(0), false
	const narrowest = 64
	width := int64(narrowest)
	for ; !ok; width *= 2 {
		if width > narrowest && (width/2 > horizon || width/2 > last-minSecond) {
			return 0, false
		}
		slot, ok = s.from(last - width + 1)
		ok = ok && slot <= last
	}
	for range 3 { // most expressions have few slots in the last width
		later, ok := s.from(slot + 1)
		if !ok || later > last {
			return slot, true
		}
		slot = later
	}
	// No slot lies in [none, last]; slot is one before that.
	none := last + 1
	if width > 2*narrowest {
		none = last - width/4 + 1
	}
	for none-slot > 1 {
		mid := slot + (none-slot)/2
		if later, ok := s.from(mid); ok && later <= last {
			slot = later
		} else {
			none = mid
		}
	}
	return slot, true
}

func (s *Spec) everyUpTo(last int64) (int64, bool) {
	last = min(last, s.end-1)
	slot := everyFrom(last, s.anchor, s.every)
	if slot > last {
		slot -= s.every
	}
	return slot, slot >= max(s.start, minSecond)
}
