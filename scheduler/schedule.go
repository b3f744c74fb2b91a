package scheduler

import (
	"context"
	"time"
)

// Values of Schedule.CatchUp: which slots that nobody was awake for run late.
const (
	CatchUpNone = "none" // none of them; "" means the same
	CatchUpLast = "last" // the newest, if it is inside the window
	CatchUpAll  = "all"  // each one inside the window, in order
)

// Schedule is one entry of the timetable.
type Schedule struct {
	Name          string
	Spec          Spec
	CatchUp       string        // CatchUpNone, CatchUpLast or CatchUpAll
	CatchUpWindow time.Duration // slots older than this are missed for good
}

// LateAfter is how long after its instant a slot still counts as on time. What
// is found later is a matter of catch-up: the daemon was down, the machine slept,
// the clock was set forward, or the ledger could not be written.
const LateAfter = time.Minute

// Values of Due.Missed: why a slot does not run.
const (
	MissedWindow     = "outside window"   // older than the catch-up window
	MissedSuperseded = "superseded"       // a newer slot runs in its place
	MissedNone       = "catch_up is none" // late, and the schedule wants nothing late
)

// Due is a slot whose time has come, and what the timetable decided about it.
type Due struct {
	Schedule string
	At       time.Time     // the slot, in UTC
	Missed   string        // "": run it now; else why it does not run
	CatchUp  bool          // it is late by more than LateAfter
	Late     time.Duration // how long ago it was due
}

// Mark says that everything up to and including At is decided, for the slots of
// the expression with this fingerprint (Spec.Fingerprint). Spec "" is the mark of
// a schedule that was taken off the timetable.
type Mark struct {
	At   time.Time
	Spec string
}

// Host is what the loop asks of the program. It is called from Run alone, one
// call at a time; an error makes the loop log it and ask again some seconds later.
type Host interface {
	// Mark gives the mark last stored for a schedule; false if it was never seen.
	Mark(ctx context.Context, schedule string) (Mark, bool, error)

	// Claim stores the slot's row durably (UNIQUE over schedule and instant) before
	// it returns, and starts the run without waiting for it unless the slot is
	// Missed. For a slot that has its row it does nothing and returns nil, but may
	// open a row again that was missed when the slot is now to run: that happens
	// after the clock was set back.
	Claim(ctx context.Context, due Due) error

	// Advance stores a mark. It may be earlier than the stored one: after the clock
	// was set back.
	Advance(ctx context.Context, schedule string, mark Mark) error
}
