// Package expression is the one expression language of the configuration: ${…}
// in a payload, and where and set of a source.
package expression

import "time"

// Moment is what every expression knows of the run.
type Moment struct {
	Schedule     string    // the schedule's name
	RunID        string    // the run's id
	ScheduledFor time.Time // its slot, in the schedule's zone; a run by hand: its start
	Origin       string    // what asked for it: slot, manual, …
}
