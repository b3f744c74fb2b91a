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
	RenamedFrom   string // what it was called before; an entry of this name, if there is one, becomes it
	Spec          Spec
	CatchUp       string        // CatchUpNone, CatchUpLast or CatchUpAll
	CatchUpWindow time.Duration // slots older than this are missed for good
	Jitter        time.Duration // a slot starts up to so much later; 0: at once
	Exclude       []Exclusion   // slots in one of these do not run
	Pauses        []Pause       // when it was paused, and is
	Overlap       string        // OverlapSkip or OverlapQueue; for the Host, who knows what is under way
}

// Values of Schedule.Overlap: what becomes of a slot that is to run while a run
// of the schedule is under way.
const (
	OverlapSkip  = "skip"  // it does not run; "" means the same
	OverlapQueue = "queue" // it waits, and takes the place of one that waits already
)

// LateAfter is how long after its start a slot still counts as on time. What
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
	Skipped  string        // why it does not run, whenever it is found: a pause, a calendar; else ""
	Missed   string        // why it does not run now, being late; "" and not Skipped: run it now
	CatchUp  bool          // it is late by more than LateAfter
	Late     time.Duration // how long ago it should have started
}

// Runs says that the slot is to run now.
func (d Due) Runs() bool { return d.Skipped == "" && d.Missed == "" }

// Mark says that everything up to and including At is decided, for the slots of
// the expression with this fingerprint (Spec.Fingerprint), but for one that waits
// for its jitter. Spec "" is the mark of a schedule that was taken off the
// timetable.
type Mark struct {
	At      time.Time
	Spec    string
	Waiting Waiting
}

// Waiting is a slot that has come and starts later, because of its jitter. It
// keeps its start whatever is edited or restarted meanwhile. The zero value is
// none.
type Waiting struct {
	At    time.Time // the slot
	Start time.Time
}

// Host is what the loop asks of the program. It is called from Run alone, one
// call at a time; an error makes the loop log it and ask again some seconds later.
type Host interface {
	// Mark gives the mark last stored for a schedule; false if it was never seen.
	Mark(ctx context.Context, schedule string) (Mark, bool, error)

	// Claim stores the slot's row durably (UNIQUE over schedule and instant) before
	// it returns, and starts the run without waiting for it if the slot Runs. For a
	// slot that has its row it does nothing and returns nil, but may open a row
	// again that did not run when the slot is now to run: that happens after the
	// clock was set back.
	Claim(ctx context.Context, due Due) error

	// Advance stores a mark. It may be earlier than the stored one: after the clock
	// was set back.
	Advance(ctx context.Context, schedule string, mark Mark) error
}
