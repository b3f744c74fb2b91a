package main

import (
	"fmt"
	"math/rand/v2"
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
	when string
}

// failpoints are all of them, as docs/reliability.md lists them.
var failpoints = []failpoint{
	{"migrate", 1, "the ledger's file exists, its tables do not"},
	{"migrated", 1, "the tables exist, nothing is in them"},
	{"commit", 40, "a transaction is complete, its commit has not begun (also plan, recovery, receipt, when_done, resolve)"},
	{"committed", 40, "a commit has returned, its caller does not know yet"},
	{"group", 40, "one write of a group commit is made, the others are not"},
	{"dead-letter", 1500, "within the dead letters of a piece of the plan"},
	{"plan-part", 2, "a piece of the plan is committed, the plan is not"},
	{"plan-end", 1, "all pieces are committed, the plan is not"},
	{"spool-frame", 20, "a frame of the spool is written"},
	{"spool-sync", 1, "the spool's bytes are on the disk, its name is not"},
	{"before-intent", 30, "the body is built, the intent is not committed"},
	{"after-intent", 30, "the intent is committed, nothing is sent"},
	{"mid-body", 60, "a part of the body is sent"},
	{"after-answer", 30, "the answer was read, its outcome is not committed"},
	{"body-kept", 3, "the body of an unknown or failed chunk is written under another name"},
	{"before-outcome", 30, "what is to be kept is kept, the outcome is not committed"},
	{"after-outcome", 30, "the outcome is committed, nobody acted on it"},
	{"recovery", 2, "one attempt that a crash left is unknown, the others are not"},
	{"settle", 1, "nothing is left to send, the run has no end"},
	{"settled", 1, "the run has its end, its spool is there"},
	{"done-marked", 1, "files are noted as gone, none is moved"},
	{"done-moved", 2, "a file is moved, where to is not noted"},
	{"resolved", 2, "a chunk's decision is committed, the run's state is not"},
}

// drawDeath picks how a start ends.
func drawDeath(r *rand.Rand) death {
	switch n := r.IntN(100); {
	case n < 30:
		return death{how: byTime, after: time.Duration(r.IntN(pick(r, 40, 150, 400))) * time.Millisecond}
	case n < 45:
		return death{how: bySeen, n: 1 + r.IntN(20), after: time.Duration(r.IntN(pick(r, 1, 2000))) * time.Microsecond}
	case n < 57:
		return death{how: byAnswered, n: 1 + r.IntN(20), after: time.Duration(r.IntN(pick(r, 1, 2000))) * time.Microsecond}
	case n < 60:
		return death{how: byTaking, n: 1 + r.IntN(20)}
	}
	p := failpoints[r.IntN(len(failpoints))]
	return death{how: byFailpoint, point: p.name, n: 1 + r.IntN(1+r.IntN(p.most))}
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
