package main

import (
	"fmt"
	"slices"
	"time"
)

// death is how a start of the program is meant to end.
type death struct {
	how   string        // one of those below
	point string        // of a failpoint
	n     int           // at the nth hit, or trigger of this start
	after time.Duration // from the start, or from the nth trigger
}

// The ways to die.
const (
	byTime      = "at a random instant"
	bySeen      = "after a send, before its answer"
	byAnswered  = "after an answer"
	byFailpoint = "failpoint"
	byTaking    = "ledger taken away" // not a kill: the program must notice and send nothing more
	byCut       = "power cut"
)

// failpoint is a named instant in the program: failpoint.Hit there.
type failpoint struct {
	name string
	most int // a hit up to this one is drawn
	when phase
	what string // the state that it leaves behind
}

// phase is when a failpoint can be met at all.
type phase string

const (
	always     phase = "always"
	firstStart phase = "first start"
	planning   phase = "plan"
	spooling   phase = "plan with a spool"
	deadening  phase = "plan with dead letters"
	sending    phase = "delivery"
	recovering phase = "recovery"
	finishing  phase = "end of the run"
	moving     phase = "when_done"
	resolving  phase = "resolve"
)

// failpoints are all of them, as docs/reliability.md lists them.
var failpoints = []failpoint{
	{"migrate", 1, firstStart, "the ledger's file exists, its tables do not"},
	{"migrated", 1, firstStart, "the tables exist, nothing is in them"},
	{"commit", 40, always, "a transaction is complete, its commit has not begun"},
	{"committed", 40, always, "a commit has returned, its caller does not know yet"},
	{"group", 40, sending, "one write of a group commit is made, the others are not"},
	{"dead-letter", 1500, deadening, "within the dead letters of a piece of the plan"},
	{"plan-part", 2, planning, "a piece of the plan is committed, the plan is not"},
	{"plan-end", 1, planning, "all pieces are committed, the plan is not"},
	{"spool-frame", 20, spooling, "a frame of the spool is written"},
	{"spool-sync", 1, spooling, "the spool's bytes are on the disk, its name is not"},
	{"before-intent", 30, sending, "the body is built, the intent is not committed"},
	{"after-intent", 30, sending, "the intent is committed, nothing is sent"},
	{"mid-body", 60, sending, "a part of the body is sent"},
	{"after-answer", 30, sending, "the answer was read, its outcome is not committed"},
	{"body-kept", 2, sending, "the body of an unknown or failed chunk is written under another name"},
	{"before-outcome", 30, sending, "what is to be kept is kept, the outcome is not committed"},
	{"after-outcome", 30, sending, "the outcome is committed, nobody acted on it"},
	{"recovery", 2, recovering, "one attempt that a crash left is unknown, the others are not"},
	{"settle", 1, finishing, "nothing is left to send, the run has no end"},
	{"settled", 1, finishing, "the run has its end, its spool is still there"},
	{"done-marked", 1, moving, "files are noted as gone, none is moved"},
	{"done-moved", 2, moving, "a file is moved, where to is not noted"},
	{"resolved", 1, resolving, "a chunk's decision is committed, the run's state is not"},
}

// meets says whether a start with this command can come to a phase.
func (r *round) meets(p phase, command string) bool {
	switch p {
	case firstStart:
		return r.ledger == nil
	case planning:
		return !r.planned()
	case spooling:
		return !r.planned() && r.packed
	case deadening:
		return !r.planned() && r.bad > 0
	case sending:
		return command != "resolve"
	case recovering:
		return !r.clean && r.ledger.openAttempts() > 0
	case moving:
		return r.move
	case resolving:
		return command == "resolve"
	case always, finishing:
	}
	return true
}

// drawDeath picks how a start ends. Half of those without a plan end in it: there is
// but one plan a round.
func (r *round) drawDeath(command string) death {
	if !r.planned() && r.rand.IntN(2) == 0 {
		return r.drawFailpoint(command, firstStart, planning, spooling, deadening)
	}
	switch n := r.rand.IntN(100); {
	case n < 25:
		return death{how: byTime, after: time.Duration(r.rand.IntN(pick(r.rand, 40, 150, 400))) * time.Millisecond}
	case n < 35:
		return death{how: bySeen, n: 1 + r.rand.IntN(20), after: r.moment()}
	case n < 45:
		return death{how: byAnswered, n: 1 + r.rand.IntN(20), after: r.moment()}
	case n < 48:
		return death{how: byTaking, n: 1 + r.rand.IntN(20)}
	}
	return r.drawFailpoint(command)
}

// drawFailpoint picks one of some phases that the start can come to; of all phases
// if there are none.
func (r *round) drawFailpoint(command string, phases ...phase) death {
	var meet []failpoint
	for _, p := range failpoints {
		if r.meets(p.when, command) && (len(phases) == 0 || slices.Contains(phases, p.when)) {
			meet = append(meet, p)
		}
	}
	p := meet[r.rand.IntN(len(meet))]
	if p.when == deadening {
		p.most = min(p.most, r.bad)
	}
	return death{how: byFailpoint, point: p.name, n: 1 + r.rand.IntN(1+r.rand.IntN(p.most))}
}

func (r *round) planned() bool {
	return r.ledger != nil && len(r.ledger.runs) > 0 && r.ledger.runs[0].planned
}

// moment is up to two milliseconds, or nothing.
func (r *round) moment() time.Duration {
	return time.Duration(r.rand.IntN(pick(r.rand, 1, 2000))) * time.Microsecond
}

// fromStart says whether the instant is counted from the start, and not from a
// trigger or a hit.
func (d death) fromStart() bool { return d.how == byTime || d.how == byCut && d.n == 0 }

func (d death) String() string {
	switch {
	case d.how == "":
		return "left alone"
	case d.fromStart():
		return fmt.Sprintf("%s: after %s", d.how, d.after)
	case d.how == byFailpoint:
		return fmt.Sprintf("at the failpoint %s, hit %d", d.point, d.n)
	}
	return fmt.Sprintf("%s, trigger %d, %s later", d.how, d.n, d.after)
}
