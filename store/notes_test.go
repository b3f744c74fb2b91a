package store

import (
	"context"
	"slices"
	"testing"
	"time"
)

// noted are the notes of a run as its receipt has them.
func noted(t *testing.T, l *Ledger, r *Run) []string {
	t.Helper()
	return get[*Receipt](t)(l.Receipt(context.Background(), r)).Notes
}

func wantNotes(t *testing.T, l *Ledger, r *Run, want ...string) {
	t.Helper()
	if got := noted(t, l, r); !slices.Equal(got, want) {
		t.Errorf("notes: got %q, want %q", got, want)
	}
}

func TestNotes(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	if got := noted(t, l, r); got == nil || len(got) > 0 {
		t.Errorf("a run without notes has %#v, want an empty list", got)
	}
	must(t, l.StartPlan(ctx, r, PlanHead{Files: []SnapshotFile{file(1)}}))
	must(t, l.AddToPlan(ctx, r, PlanPart{Notes: []string{"a", "b"}}))
	wantNotes(t, l, r, "a", "b")
	must(t, l.DiscardPlan(ctx, r))
	wantNotes(t, l, r, "a", "b") // they say why it failed

	plan(t, l, r, 1) // anew
	wantNotes(t, l, r)
	wantErr(t, l.AddToPlan(ctx, r, PlanPart{Notes: []string{"late"}}), ErrState)
	try(t, l, r, 1, ChunkAccepted)
	settle(t, l, r, Succeeded)
	must(t, l.NoteDone(ctx, r, []string{"one", "two"}))
	wantNotes(t, l, r, "one", "two")
	must(t, l.NoteDone(ctx, r, []string{"two"}))
	wantNotes(t, l, r, "two")
	must(t, l.NoteDone(ctx, r, nil))
	wantNotes(t, l, r)
}

func TestLastWithHeader(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	hour := func(n int) NewRun { return handRun("orders", slotTime.Add(time.Duration(n)*time.Hour)) }
	before := planned(t, l, hour(1), 1)
	planned(t, l, handRun("others", slotTime.Add(2*time.Hour)), 1)

	bare := get[*Run](t)(l.BeginRun(ctx, hour(3)))
	must(t, l.StartPlan(ctx, bare, PlanHead{Files: []SnapshotFile{{Path: "a.ndjson", Size: 1}}}))
	must(t, l.FinishPlan(ctx, bare, PlanTotals{}))
	broken := get[*Run](t)(l.BeginRun(ctx, hour(4)))
	must(t, l.StartPlan(ctx, broken, PlanHead{Files: []SnapshotFile{file(1)}}))

	now := planned(t, l, hour(5), 1)
	got := get[*Run](t)(l.LastWithHeader(ctx, now))
	if got == nil || got.RunID != before.RunID {
		t.Errorf("got %+v, want run %s", got, before.RunID)
	}
	if got := get[*Run](t)(l.LastWithHeader(ctx, before)); got != nil {
		t.Errorf("before the first run: got %+v", got)
	}
}
