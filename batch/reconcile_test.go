package batch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"worqcron/store"
	"worqcron/worqhat"
)

func TestDaysOf(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	run := func(from, until time.Time) *store.Run {
		r := &store.Run{StartedAt: from}
		if !until.IsZero() {
			r.FinishedAt = &until
		}
		return r
	}
	for _, c := range []struct {
		name string
		runs []*store.Run
		want [][2]int // days of November
	}{
		{name: "none"},
		{"one hour", []*store.Run{run(at(10, 3), at(10, 4))}, [][2]int{{9, 11}}},
		{"over midnight", []*store.Run{run(at(10, 23), at(11, 1))}, [][2]int{{9, 12}}},
		{"still under way", []*store.Run{run(at(19, 3), time.Time{})}, [][2]int{{18, 21}}},
		{"neighbours share a request", []*store.Run{run(at(3, 1), at(3, 2)), run(at(5, 1), at(5, 2))}, [][2]int{{2, 6}}},
		{"far apart", []*store.Run{run(at(3, 1), at(3, 2)), run(at(10, 1), at(10, 2))}, [][2]int{{2, 4}, {9, 11}}},
		{"two weeks in pieces", []*store.Run{run(at(3, 1), at(15, 2))}, [][2]int{{2, 8}, {9, 15}, {16, 16}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got [][2]int
			for _, s := range daysOf(c.runs, at(20, 5)) {
				got = append(got, [2]int{s.first.Day(), s.last.Day()})
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMayHaveStarted(t *testing.T) {
	start := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	timedOut, daysLater := start.Add(5*time.Minute), start.Add(72*time.Hour)
	for _, c := range []struct {
		name  string
		until *time.Time
		flow  string
		at    time.Duration
		want  bool
	}{
		{"at once", &timedOut, "f", 0, true},
		{"clocks apart", &timedOut, "f", -time.Minute, true},
		{"before it", &timedOut, "f", -3 * time.Minute, false},
		{"just before the time-out", &timedOut, "f", 5 * time.Minute, true},
		{"after it", &timedOut, "f", 8 * time.Minute, false},
		{"another flow", &timedOut, "g", time.Minute, false},
		{"a crash that was found days later", &daysLater, "f", 30 * time.Minute, true},
		{"too long after the intent", &daysLater, "f", 2 * time.Hour, false},
		{"open", nil, "f", time.Minute, true},
	} {
		d := doubt{store.Attempt{StartedAt: start, FinishedAt: c.until}, "f"}
		if got := d.mayHaveStarted(worqhat.Execution{FlowID: c.flow, Started: start.Add(c.at)}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Two attempts without an id and one execution: nobody knows whose it is.
func TestReconcileAmbiguous(t *testing.T) {
	at := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	l := &lookUp{candidates: map[int64][]worqhat.Execution{}, claimed: map[string]int{}}
	for id := range int64(2) {
		l.doubtful = append(l.doubtful, doubt{store.Attempt{AttemptID: id, StartedAt: at, FinishedAt: &at, Outcome: "accepted_no_id"}, "f"})
	}
	e := worqhat.Execution{ID: "x", FlowID: "f", Started: at}
	l.consider(e)
	l.consider(e) // listed twice
	if l.claimed["x"] != 2 || len(l.candidates[0]) != 1 || len(l.candidates[1]) != 1 {
		t.Errorf("claimed %v, candidates %v", l.claimed, l.candidates)
	}
}
