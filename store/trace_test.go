package store

import (
	"context"
	"testing"
	"time"
)

func TestTrace(t *testing.T) {
	ctx, l := context.Background(), open(t)
	first := planned(t, l, slotRun("orders"), 3)
	second := planned(t, l, later("orders"), 3)
	try(t, l, first, 1, ChunkAccepted)
	id := get[int64](t)(l.BeginAttempt(ctx, second.ID, 2, "h", 1))
	must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "accepted", AnalyticsID: "a-2", Next: ChunkAccepted}))
	line := func(path string, n int64) func() ([]Place, error) {
		return func() ([]Place, error) { return l.ByLine(ctx, path, n) }
	}
	type place struct{ run, chunk int64 }
	for _, c := range []struct {
		name string
		find func() ([]Place, error)
		want []place
	}{
		{"analytics id", func() ([]Place, error) { return l.ByAnalyticsID(ctx, "a-2") }, []place{{second.ID, 2}}},
		{"no such id", func() ([]Place, error) { return l.ByAnalyticsID(ctx, "a-3") }, nil},
		{"an empty id is no id", func() ([]Place, error) { return l.ByAnalyticsID(ctx, "") }, nil},
		{"key", func() ([]Place, error) { return l.ByKey(ctx, first.RunID+"-key-3") }, []place{{first.ID, 3}}},
		{"first line", line("inbox/orders.csv", 1), []place{{first.ID, 1}, {second.ID, 1}}},
		{"last line of a chunk", line("inbox/orders.csv", 10), []place{{first.ID, 1}, {second.ID, 1}}},
		{"first line of the next", line("inbox/orders.csv", 11), []place{{first.ID, 2}, {second.ID, 2}}},
		{"from a slash on", line("orders.csv", 30), []place{{first.ID, 3}, {second.ID, 3}}},
		{"behind the end", line("orders.csv", 31), nil},
		{"not from a slash on", line("ders.csv", 1), nil},
		{"no pattern", line("%.csv", 1), nil},
		{"longer than the path", line("/srv/inbox/orders.csv", 1), nil},
	} {
		got, err := c.find()
		must(t, err)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %+v, want %v", c.name, got, c.want)
			continue
		}
		for i, w := range c.want {
			if got[i].Run.ID != w.run || got[i].Chunk != w.chunk {
				t.Errorf("%s: got run %d chunk %d, want %v", c.name, got[i].Run.ID, got[i].Chunk, w)
			}
		}
	}
}

func TestLatestWithFile(t *testing.T) {
	ctx, l := context.Background(), open(t)
	planned(t, l, slotRun("orders"), 1)
	second := planned(t, l, later("orders"), 1)
	for path, want := range map[string]*Run{"inbox/orders.csv": second, "orders.csv": second, "ders.csv": nil, "": nil} {
		got, err := l.LatestWithFile(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if (got == nil) != (want == nil) || got != nil && got.ID != want.ID {
			t.Errorf("%q: got %+v, want %+v", path, got, want)
		}
	}
}

// WorqHat may give an id twice; both are found.
func TestTraceIDGivenTwice(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 2)
	for chunk := int64(1); chunk <= 2; chunk++ {
		id := get[int64](t)(l.BeginAttempt(ctx, r.ID, chunk, "h", 1))
		must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "accepted", AnalyticsID: "same", Next: ChunkAccepted}))
	}
	if got := get[[]Place](t)(l.ByAnalyticsID(ctx, "same")); len(got) != 2 || got[0].Chunk != 1 || got[1].Chunk != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestDeadByLine(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(time.Second))))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	dead := DeadLetter{Number: 1, Line: 7, Column: 3, ByteStart: 60, ByteEnd: 70, Reason: "quote", Detail: "missing closing quote"}
	must(t, l.AddToPlan(ctx, r, PlanPart{Dead: []DeadLetter{dead}}))
	got := get[[]DeadPlace](t)(l.DeadByLine(ctx, "orders.csv", 7))
	if len(got) != 1 || got[0].Run.ID != r.ID || got[0].Path != "inbox/orders.csv" || got[0].DeadLetter != dead {
		t.Errorf("got %+v", got)
	}
	for path, line := range map[string]int64{"orders.csv": 8, "ders.csv": 7} {
		if got := get[[]DeadPlace](t)(l.DeadByLine(ctx, path, line)); len(got) != 0 {
			t.Errorf("%s:%d: got %+v", path, line, got)
		}
	}
}
