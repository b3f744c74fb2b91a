package store

import (
	"context"
	"reflect"
	"testing"
	"time"
)

// A receipt that is read is the one that would be counted, whatever happened to
// the run since it came to rest.
func TestReceiptIsReadWhileItIsTrue(t *testing.T) {
	ctx := context.Background()
	audit := Audit{Action: "resolved", Reason: "seen", Actor: "ann"}
	for _, c := range []struct {
		name   string
		change func(*testing.T, *Ledger, *Run)
		stored bool // afterwards
	}{
		{"nothing", func(*testing.T, *Ledger, *Run) {}, true},
		{"a note", func(t *testing.T, l *Ledger, r *Run) { must(t, l.NoteDone(ctx, r, []string{"when_done: no"})) }, true},
		{"a decision", func(t *testing.T, l *Ledger, r *Run) {
			must(t, l.ResolveChunk(ctx, r, ChunkAccepted, Audit{audit.Action, r.RunID, 2, audit.Actor, audit.Reason}))
		}, false},
		{"a chunk taken over", func(t *testing.T, l *Ledger, r *Run) {
			next := get[*Run](t)(l.BeginRun(ctx, later("orders")))
			must(t, l.StartPlan(ctx, next, PlanHead{Shape: "shape", Files: []SnapshotFile{file(4)}}))
			must(t, l.FinishPlan(ctx, next, PlanTotals{TakenOver: []TakenOver{{Run: r.ID, Chunk: 4}}}))
		}, false},
		{"delivery goes on", func(t *testing.T, l *Ledger, r *Run) {
			must(t, l.ReopenRun(ctx, r))
			try(t, l, r, 4, ChunkAccepted)
		}, false},
		{"delivery went on and ended", func(t *testing.T, l *Ledger, r *Run) {
			must(t, l.ReopenRun(ctx, r))
			try(t, l, r, 4, ChunkAccepted)
			settle(t, l, r, Held)
		}, true},
		{"a crash", func(t *testing.T, l *Ledger, r *Run) {
			must(t, l.ReopenRun(ctx, r))
			must(t, l.InterruptRun(ctx, r, "crashed"))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 4)
			for i, s := range []ChunkState{ChunkAccepted, ChunkUnknown, ChunkFailed, ChunkPlanned} {
				try(t, l, r, int64(i+1), s)
			}
			settle(t, l, r, Stopped)
			c.change(t, l, r)
			read, counted := get[*Receipt](t)(l.Receipt(ctx, r)), get[*Receipt](t)(l.CountReceipt(ctx, r))
			if !reflect.DeepEqual(read, counted) {
				t.Errorf("read    %+v\ncounted %+v", read, counted)
			}
			if got := count(t, l, `SELECT receipt IS NOT NULL FROM runs WHERE id = ?`, r.ID) == 1; got != c.stored {
				t.Errorf("stored: got %t", got)
			}
		})
	}
}

func TestInterruptRun(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 2)
	try(t, l, r, 1, ChunkAccepted)
	left, others, err := l.Left(ctx, r)
	if n := get[int64](t)(l.CountLeft(ctx, r)); n != 1 || !left || !others || err != nil {
		t.Errorf("left %d: %t %t %v", n, left, others, err)
	}
	must(t, l.InterruptRun(ctx, r, "crashed"))
	wantErr(t, l.InterruptRun(ctx, r, "crashed"), ErrState)
	if got := get[[]*Run](t)(l.Interrupted(ctx, "crashed", "")); len(got) != 1 || got[0].State != Stopped || got[0].FinishedAt == nil {
		t.Errorf("got %+v", got)
	}
	segments := segmented(t, l, later("orders"), 2)
	left, others, err = l.Left(ctx, segments)
	if n := get[int64](t)(l.CountLeft(ctx, segments)); n != 20 || !left || others || err != nil {
		t.Errorf("left %d: %t %t %v", n, left, others, err)
	}
	must(t, l.InterruptRun(ctx, segments, "crashed"))
	all := planned(t, l, handRun("orders", slotTime.Add(time.Hour)), 1)
	try(t, l, all, 1, ChunkAccepted)
	wantErr(t, l.InterruptRun(ctx, all, "crashed"), ErrState) // nothing is left: it is settled
}
