package scheduler

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// SkippedRemoved is why a slot that waited does not run when its schedule was
// taken off the timetable.
const SkippedRemoved = "schedule removed"

// StartOf gives when a slot starts: at its instant, or later by its jitter. That
// is a hash of the schedule's name and the slot, so it is the same after each
// restart. It never reaches the next slot.
func (s Schedule) StartOf(slot time.Time) time.Time {
	room := s.Jitter
	// The end of a schedule, or of an expression that was edited, is no reason to
	// start anything at another time.
	open := s.Spec
	open.end = maxSecond + 1
	if next, ok := open.Next(slot); ok {
		room = min(room, next.Sub(slot))
	}
	if room <= 0 {
		return slot
	}
	sum := sha256.Sum256([]byte(s.Name + "\x00" + slot.UTC().Format(time.RFC3339)))
	n := binary.BigEndian.Uint64(sum[:8]) % uint64(room)
	return slot.Add(time.Duration(n).Truncate(time.Millisecond))
}

// ExcludedBy names the calendar or blackout in which a slot lies; "" if none.
func (s Schedule) ExcludedBy(slot time.Time) string { return s.excludedAt(slot, s.Spec.zone) }

func (s Schedule) excludedAt(at time.Time, zone *time.Location) string {
	for _, e := range s.Exclude {
		if e.covers(at, zone) {
			return e.Name
		}
	}
	return ""
}

// SkipReason says why a slot would not run, whenever it is found; "" if nothing
// speaks against it. Calendars come before pauses: they hold in any case.
func (s Schedule) SkipReason(slot time.Time) string {
	if s.Spec.zone == nil {
		return SkippedRemoved
	}
	return s.SkipReasonIn(slot, s.Spec.zone)
}

// SkipReasonIn is SkipReason for an instant of a schedule that has no times of its
// own; zone is its own.
func (s Schedule) SkipReasonIn(at time.Time, zone *time.Location) string {
	if why := s.excludedAt(at, zone); why != "" {
		return why
	}
	for _, p := range s.Pauses {
		if p.covers(at) {
			return p.String()
		}
	}
	return ""
}
