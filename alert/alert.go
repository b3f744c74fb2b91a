// Package alert decides what the people behind a schedule are told: that it is
// late, failed, held, or well again. It knows only facts that it is given (what
// became of a run, of a slot, and what was said before) and remembers nothing
// itself, so the same facts give the same answer after a restart.
//
// A schedule is in one state at a time, and only a change of it is told: ten
// nights that fail are one message, and the eleventh that goes well another.
package alert

import (
	"fmt"
	"slices"
	"time"
)

// State is how a schedule stands.
type State string

// The states of a schedule.
const (
	OK     State = "ok"
	Late   State = "late"   // a slot did not begin, or did not finish, in the time that was promised
	Failed State = "failed" // its run failed, stopped, lost records or read too few
	Held   State = "held"   // its run waits for a decision about what is unknown
)

// Recovered is what is told when a schedule comes back to OK.
const Recovered = "recovered"

// Kinds are all that is told.
func Kinds() []string { return []string{string(Failed), string(Held), string(Late), Recovered} }

// Expect is what a schedule promises. Zero values promise nothing.
type Expect struct {
	StartWithin  time.Duration // after the slot
	FinishWithin time.Duration // after the slot
	MinRecords   int64         // read by a run
}

// Run is a run that came to rest.
type Run struct {
	RunID     string
	Name      string // as a person calls it
	State     string // as in the ledger: succeeded, partial …
	Reason    string // why it is in that state
	Read      int64  // records
	Uncounted bool   // what it read is no measure: all was delivered before, or it is a redrive
	OnPurpose bool   // somebody stopped it: no news about the schedule
	Rest      bool   // a redrive, and something of the run before is still not accepted
}

// Verdict is what a run means for its schedule.
type Verdict struct {
	State  State  // "": nothing
	Reason string // in words; never ""
	Breach string // what was expected and is not so, without the run's name; "" if nothing

	// Of a verdict about slots: the newest that is late, and its run if there is one.
	Slot time.Time
	Run  string
}

// Judge says what a run that came to rest means.
func (e Expect) Judge(r Run) Verdict {
	v := Verdict{Reason: fmt.Sprintf("run %s %s", r.Name, r.State)}
	if r.Reason != "" {
		v.Reason += ": " + r.Reason
	}
	switch r.State {
	case "succeeded", "skipped":
		v.Breach = e.tooFew(r)
		switch {
		case v.Breach != "":
			v.State, v.Reason = Failed, fmt.Sprintf("run %s: %s", r.Name, v.Breach)
		case !r.Rest:
			v.State = OK
		}
	case "held":
		v.State = Held
	case "failed", "partial", "stopped":
		if !r.OnPurpose {
			v.State = Failed
		}
	}
	return v
}

func (e Expect) tooFew(r Run) string {
	if e.MinRecords == 0 || r.Uncounted || r.Read >= e.MinRecords {
		return ""
	}
	return fmt.Sprintf("%s read, at least %s expected (min_records)", records(r.Read), thousands(e.MinRecords))
}

// Standing is how a schedule stands and what was said of it.
type Standing struct {
	State  State
	Since  time.Time // when it came into this state
	RunID  string    // the run that brought it there; "" if none did
	Reason string    // why
	Told   bool      // somebody was to be told of this state
}

// Change is a change of state.
type Change struct {
	Kind   string // what is told: a state, or Recovered
	Before Standing
	Now    Standing
}

// After is the standing that a verdict leads to, and the change if it is another
// state. RunID is of the run that was judged; "" if a slot was.
func (s Standing) After(v Verdict, runID string, at time.Time) (Standing, *Change) {
	if s.State == "" {
		s.State = OK
	}
	if v.State == "" || v.State == s.State {
		return s, nil
	}
	now := Standing{State: v.State, Since: at, RunID: runID, Reason: v.Reason}
	c := &Change{Kind: string(v.State), Before: s}
	if v.State == OK {
		c.Kind = Recovered
	}
	c.Now = now
	return now, c
}

// Tells says whether a change is to be told when only some kinds are: that all is
// well again only to those who heard that it was not.
func (c *Change) Tells(on []string) bool {
	return slices.Contains(on, c.Kind) && (c.Kind != Recovered || c.Before.Told)
}
