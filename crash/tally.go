package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// tally counts what the rounds of one policy came to.
type tally struct {
	mu       sync.Mutex
	kills    int
	starts   int
	rounds   int
	requests int
	accepts  int
	unknown  int // attempts
	refused  int // chunks
	twice    int // accepts beyond a chunk's first, each behind an unknown attempt: declared
	took     []time.Duration
	ways     map[string]int // kills by how, or by failpoint
}

func newTally() *tally { return &tally{ways: map[string]int{}} }

// start counts a start and how it ended. bySignal says that the harness sent the
// signal, and not the program itself at a failpoint.
func (t *tally) start(d death, killed, bySignal bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.starts++
	switch {
	case d.how == byTaking:
		t.ways[d.how]++
		if killed {
			t.kills++
		}
	case !killed:
	case d.how == byFailpoint && !bySignal:
		t.kills++
		t.ways[d.point]++
	case d.how == byFailpoint: // its point was never hit
		t.kills++
		t.ways[byTime]++
	default:
		t.kills++
		t.ways[d.how]++
	}
}

func (t *tally) recovered(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, took)
}

// round counts what a round came to in the end.
func (t *tally) round(r *round) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rounds++
	accepts := map[string]int{}
	for _, x := range r.server.triggers() {
		t.requests++
		if x.given.accepts {
			t.accepts++
			accepts[x.Key]++
		}
	}
	for _, n := range accepts {
		t.twice += n - 1
	}
	for _, c := range r.ledger.chunks {
		t.unknown += c.unknown()
		if c.state == "failed" {
			t.refused++
		}
	}
}

func (t *tally) killsSoFar() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kills
}

// print writes the figures. What is lost or doubled undeclared fails its round at
// once, so they are zero here.
func (t *tally) print(w io.Writer, policy string, elapsed time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.took)
	median, slowest := time.Duration(0), time.Duration(0)
	if n := len(t.took); n > 0 {
		median, slowest = t.took[n/2], t.took[n-1]
	}
	fmt.Fprintf(w, `on_unknown = %s
  kills %d  starts %d  rounds %d
  requests %d  accepts %d  unknown attempts %d  chunks refused %d
  duplicates declared %d  undeclared 0  lost 0
  recovery: median %s, slowest %s
  took %s
`, policy, t.kills, t.starts, t.rounds, t.requests, t.accepts, t.unknown, t.refused, t.twice,
		median.Round(time.Millisecond), slowest.Round(time.Millisecond), elapsed.Round(time.Second))
}

// printWays writes how often each way to die was taken.
func (t *tally) printWays(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, way := range slices.Sorted(maps.Keys(t.ways)) {
		fmt.Fprintf(w, "  %-32s %6d\n", way, t.ways[way])
	}
}

// never lists the failpoints at which nothing was killed.
func (t *tally) never() (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range failpoints {
		if t.ways[p.name] == 0 {
			list = append(list, p.name)
		}
	}
	return list
}

// add takes the ways of another tally over.
func (t *tally) add(other *tally) {
	t.kills += other.kills
	for way, n := range other.ways {
		t.ways[way] += n
	}
}
