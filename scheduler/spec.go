package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// Values of SpecOptions.Gap: what becomes of a fixed time that a forward jump of
// the local clock swallows.
const (
	GapRun   = "run"   // due at the instant of the jump; the default
	GapShift = "shift" // due as much later as the clock jumped: 02:30 becomes 03:30
	GapSkip  = "skip"  // not due that day
)

// Values of SpecOptions.Fold: what becomes of a fixed time that happens twice.
const (
	FoldFirst  = "first"  // due the first time only; the default
	FoldSecond = "second" // due the second time only
	FoldBoth   = "both"   // due both times
)

// SpecOptions says how an expression is read beyond its text.
type SpecOptions struct {
	Gap  string // GapRun, GapShift or GapSkip; "" is GapRun. Intervals ignore it.
	Fold string // FoldFirst, FoldSecond or FoldBoth; "" is FoldFirst. Intervals ignore it.

	// Start and End bound the slots to [Start, End); the zero time is no bound.
	// @every counts from Start, or from 1970 without one, so that a restart does
	// not move its phase.
	Start, End time.Time
}

// Spec is an expression read for a zone. It is immutable and safe for concurrent
// use. The zero value has no slots.
type Spec struct {
	expr     string // with single spaces
	zone     *time.Location
	gap      string
	fold     string
	start    int64 // first second that may be a slot
	end      int64 // first second that may not
	every    int64 // seconds; 0 unless @every
	anchor   int64 // a slot of @every
	interval bool  // minute or hour starts with "*"
	calendar calendar
}

// String gives the expression, its fields one space apart.
func (s Spec) String() string { return s.expr }

// Zone gives the zone the expression is read in; nil for the zero Spec.
func (s Spec) Zone() *time.Location { return s.zone }

// Fingerprint names everything that decides the slots, so that an edit can be
// told from a restart. Equal fingerprints mean equal slots. The zero Spec has "".
func (s Spec) Fingerprint() string {
	if s.zone == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s | %s | gap %s | fold %s", s.expr, s.zone, s.gap, s.fold)
	if s.start > minSecond {
		fmt.Fprintf(&b, " | start %s", rfc3339(s.start))
	}
	if s.end <= maxSecond {
		fmt.Fprintf(&b, " | end %s", rfc3339(s.end))
	}
	return b.String()
}

func rfc3339(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// endingAfter gives the same slots as far as now, and none later: what a
// schedule still owes when another expression takes over.
func (s Spec) endingAfter(now time.Time) Spec {
	s.end = min(s.end, now.Unix()+1)
	return s
}
