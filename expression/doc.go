// Package expression is the one expression language of the configuration: ${…}
// in a payload and in a source's path, and where and set of a source.
//
// The language is expr-lang/expr without what would give another value each
// time: the clock (now, date), so that a plan can be repeated, and the functions
// that list a map in Go's random order (keys, values, toPairs). strftime is
// ours. An expression is compiled and checked once, against the names that its
// Scope has, and run as often as needed by a Machine, which bounds its memory.
//
// The package does not decide what a value becomes in a body.
package expression

import "time"

// Moment is what every expression knows of the run.
type Moment struct {
	Schedule     string    // the schedule's name
	RunID        string    // the run's id
	ScheduledFor time.Time // its slot, in the schedule's zone; a run by hand: its start
	Origin       string    // what asked for it: slot, manual, …

	// The time that the run is for is [IntervalStart, ScheduledFor): from the slot
	// before, in the schedule's zone. Without one both are the same.
	IntervalStart time.Time
}

// Values are the moment's names and what they stand for.
func (m Moment) Values() map[string]any {
	return map[string]any{
		"schedule": m.Schedule, "run_id": m.RunID, "scheduled_for": m.ScheduledFor, "origin": m.Origin,
		"interval_start": m.IntervalStart, "interval_end": m.ScheduledFor,
	}
}

// MomentHint says what an expression may name where there is no record.
const MomentHint = "an expression knows schedule, run_id, scheduled_for, interval_start, interval_end and origin, and strftime(time, format)"
