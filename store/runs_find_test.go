package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestFindRun(t *testing.T) {
	ctx, l := context.Background(), open(t)
	first := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	byHand := slotRun("orders")
	byHand.Origin, byHand.ByHand = "manual", true
	second := get[*Run](t)(l.BeginRun(ctx, byHand))
	exact := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(5*time.Second))))
	for _, c := range []struct {
		name string
		want *Run // nil: not found
	}{
		{first.RunID, first},
		{"orders@2026-11-24T02:30", first},
		{"orders@2026-11-24T02:30:00", first},
		{"orders@2026-11-24T02:30#1", first},
		{"orders@2026-11-24T02:30#2", second},
		{"orders@2026-11-24T02:30:05", exact},
		{"orders@2026-11-24T02:30#3", nil},
		{"orders@2026-11-24T02:30#0", nil},
		{"orders@2026-11-24T02:30#-1", nil},
		{"orders@2026-11-24T02:30#two", nil},
		{"orders@2026-11-24T07:30", nil}, // UTC is not the schedule's zone
		{"bills@2026-11-24T02:30", nil},
		{"orders@yesterday", nil},
		{first.RunID[:8], nil},
		{"", nil},
	} {
		got, err := l.FindRun(ctx, c.name)
		var missing *NotFoundError
		switch {
		case c.want == nil && !errors.As(err, &missing):
			t.Errorf("%q: got %v, %v, want not found", c.name, got, err)
		case c.want != nil && (err != nil || got.RunID != c.want.RunID):
			t.Errorf("%q: got %v, %v, want %s", c.name, got, err, c.want.RunID)
		}
	}
}

// On 1 November 2026 the clock in New York shows 01:30 twice.
func TestFindRunInFold(t *testing.T) {
	ctx, l := context.Background(), open(t)
	early := get[*Run](t)(l.BeginRun(ctx, handRun("orders", time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC))))
	late := get[*Run](t)(l.BeginRun(ctx, handRun("orders", time.Date(2026, 11, 1, 6, 30, 0, 0, time.UTC))))
	_, err := l.FindRun(ctx, "orders@2026-11-01T01:30")
	var missing *NotFoundError
	if err == nil || errors.As(err, &missing) || !strings.Contains(err.Error(), early.RunID) || !strings.Contains(err.Error(), late.RunID) {
		t.Errorf("got %v, want an error that names both runs", err)
	}
}

func TestRunsNewestFirst(t *testing.T) {
	ctx, l := context.Background(), open(t)
	var begun []*Run
	for i, schedule := range []string{"orders", "bills", "orders"} {
		begun = append(begun, get[*Run](t)(l.BeginRun(ctx, handRun(schedule, slotTime.Add(time.Duration(i)*time.Minute)))))
	}
	for _, c := range []struct {
		schedule string
		limit    int
		want     []int
	}{
		{"", 10, []int{2, 1, 0}}, {"", 2, []int{2, 1}}, {"orders", 10, []int{2, 0}}, {"none", 10, nil},
	} {
		got := get[[]*Run](t)(l.Runs(ctx, c.schedule, c.limit))
		if len(got) != len(c.want) {
			t.Fatalf("%q: got %d runs, want %d", c.schedule, len(got), len(c.want))
		}
		for i, w := range c.want {
			if got[i].ID != begun[w].ID {
				t.Errorf("%q: run %d is %s, want %s", c.schedule, i, got[i].Name(), begun[w].Name())
			}
		}
	}
}

func TestLatestOfSlot(t *testing.T) {
	ctx, l := context.Background(), open(t)
	if got := get[*Run](t)(l.LatestOfSlot(ctx, "orders", slotTime)); got != nil {
		t.Errorf("got %v, want none", got)
	}
	get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	n := slotRun("orders")
	n.ByHand = true
	second := get[*Run](t)(l.BeginRun(ctx, n))
	if got := get[*Run](t)(l.LatestOfSlot(ctx, "orders", slotTime)); got.ID != second.ID {
		t.Errorf("got %s, want %s", got.Name(), second.Name())
	}
}

func TestOpenAndInterruptedRuns(t *testing.T) {
	ctx, l := context.Background(), open(t)
	at := func(i int) NewRun { return handRun("orders", slotTime.Add(time.Duration(i)*time.Minute)) }
	killed := planned(t, l, at(0), 1)
	term := planned(t, l, at(1), 1)
	limit := planned(t, l, at(2), 1)
	open := planned(t, l, at(3), 1)
	planning := get[*Run](t)(l.BeginRun(ctx, at(4)))
	for r, reason := range map[*Run]string{killed: "killed", term: "term", limit: "limit"} {
		get[*Receipt](t)(l.SettleRun(ctx, r, func(*Receipt) End { return End{Stopped, reason} }))
	}
	check := func(what string, got []*Run, want ...*Run) {
		if len(got) != len(want) {
			t.Fatalf("%s: got %d runs, want %d", what, len(got), len(want))
		}
		for i := range want {
			if got[i].ID != want[i].ID {
				t.Errorf("%s: run %d is %s, want %s", what, i, got[i].Name(), want[i].Name())
			}
		}
	}
	check("open", get[[]*Run](t)(l.OpenRuns(ctx)), open, planning)
	check("interrupted", get[[]*Run](t)(l.Interrupted(ctx, "term", "killed")), killed, term)
}

func TestUnfinished(t *testing.T) {
	type state struct {
		chunks []ChunkState // of a planned run; nil: never planned
		end    RunState     // "": still open
	}
	held := state{[]ChunkState{ChunkAccepted, ChunkUnknown}, Held}
	stopped := state{[]ChunkState{ChunkAccepted, ChunkPlanned}, Stopped}
	done := state{[]ChunkState{ChunkAccepted}, Succeeded}
	partial := state{[]ChunkState{ChunkAccepted, ChunkFailed}, Partial}
	for _, c := range []struct {
		name string
		runs []state
		want int // index; -1: none
	}{
		{"no run", nil, -1},
		{"all done", []state{done, partial}, -1},
		{"stopped", []state{stopped, done}, 0},
		{"latest of two stopped", []state{stopped, stopped}, 1},
		{"held", []state{held, done}, 0},
		{"stopped before held", []state{stopped, held}, 0},
		{"stopped after held", []state{held, stopped}, 1},
		{"open", []state{held, {[]ChunkState{ChunkPlanned}, ""}}, 1},
		{"stopped in its plan", []state{{nil, Stopped}}, 0},
		{"plan failed", []state{{nil, Failed}}, -1},
		{"skipped", []state{{nil, Skipped}}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, l := context.Background(), open(t)
			planned(t, l, handRun("other", slotTime), 1)
			var runs []*Run
			for i, s := range c.runs {
				r := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(time.Duration(i)*time.Minute))))
				runs = append(runs, r)
				if s.chunks != nil {
					plan(t, l, r, len(s.chunks))
				}
				for n, next := range s.chunks {
					if next != ChunkPlanned {
						try(t, l, r, int64(n+1), next)
					}
				}
				if s.end != "" {
					settle(t, l, r, s.end)
				}
			}
			got := get[*Run](t)(l.Unfinished(ctx, "orders"))
			switch {
			case c.want < 0 && got != nil:
				t.Errorf("got %s, want none", got.Name())
			case c.want >= 0 && (got == nil || got.ID != runs[c.want].ID):
				t.Errorf("got %v, want %s", got, runs[c.want].Name())
			}
		})
	}
}
