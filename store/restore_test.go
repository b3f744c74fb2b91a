package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAcceptRestore(t *testing.T) {
	ctx, path := context.Background(), sentSince(t)
	missed := []time.Time{slotTime.Add(24 * time.Hour), slotTime.Add(48 * time.Hour)}
	restore := &Restore{Actor: "ann", Slots: func(schedule, spec string, after time.Time) []time.Time {
		if schedule != "orders" || spec != "spec" || !after.Equal(slotTime) {
			t.Errorf("asked for the slots of %s %s after %s", schedule, spec, after)
		}
		return missed
	}}
	began := time.Now().Truncate(time.Millisecond)
	l := get[*Ledger](t)(OpenRestored(ctx, path, "serve", restore))
	if restore.Own != 1 || restore.Made != 3 || restore.Runs != 1 || restore.Chunks != 4 || restore.Missed != 2 {
		t.Errorf("got %+v", restore)
	}
	runs := get[[]*Run](t)(l.OpenRuns(ctx))
	if len(runs) != 1 {
		t.Fatalf("got %d open runs, want the one for recovery to settle", len(runs))
	}
	c := settle(t, l, runs[0], Held)
	if c.Chunks != (ChunkBalance{Planned: 5, Accepted: 1, Unknown: 4}) || !c.Balanced {
		t.Errorf("got %+v", c.Chunks)
	}
	for _, at := range missed {
		s, ok, err := l.Slot(ctx, "orders", at)
		if err != nil || !ok || s.State != SlotMissed || s.Reason != restoredReason {
			t.Errorf("slot %s: got %+v %t %v", at, s, ok, err)
		}
	}
	if m, _, err := l.Mark(ctx, "orders"); err != nil || m.At.Before(began) || m.Spec != "spec" || !m.WaitingFor.IsZero() {
		t.Errorf("got mark %+v %v, want now", m, err)
	}
	rows := get[[]AuditRow](t)(l.Audit(ctx, runs[0].RunID))
	if len(rows) != 1 || rows[0].Action != "accept-restore" || rows[0].Actor != "ann" {
		t.Errorf("audit of the run: %+v", rows)
	}
	all := get[[]AuditRow](t)(l.Audit(ctx, ""))
	if len(all) != 1 || !strings.Contains(all[0].Reason, "up to 1, of 3") {
		t.Errorf("audit: %+v", all)
	}
	must(t, l.ResolveChunk(ctx, runs[0], ChunkPlanned, Audit{Action: "resend", RunID: runs[0].RunID, Chunk: 2}))
	must(t, l.ReopenRun(ctx, runs[0]))
	if id := try(t, l, runs[0], 2, ChunkAccepted); id != 3+syncEvery+1 {
		t.Errorf("the next attempt is %d", id)
	}
	must(t, l.Close())
	must(t, get[*Ledger](t)(Open(ctx, path, "serve")).Close())
}

// What was under way when the copy was made is unknown whatever the policy, and a
// run without a plan is not begun anew.
func TestAcceptRestoreOfOpenRuns(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	l := get[*Ledger](t)(Open(ctx, path, "run"))
	sending := planned(t, l, handRun("a", slotTime), 2)
	open := get[int64](t)(l.BeginAttempt(ctx, sending.ID, 1, "h", 1))
	planning := get[*Run](t)(l.BeginRun(ctx, handRun("b", slotTime)))
	must(t, l.StartPlan(ctx, planning, PlanHead{Files: []SnapshotFile{file(3)}}))
	must(t, l.AddToPlan(ctx, planning, PlanPart{Chunks: []Chunk{chunkOf(planning, 1)}}))
	must(t, l.SetFollowers(ctx, []Follower{{Schedule: "report", Other: "c"}, {Schedule: "later", Other: "d"}}))
	done := planned(t, l, handRun("c", slotTime), 1)
	try(t, l, done, 1, ChunkAccepted)
	settle(t, l, done, Succeeded)
	records := segmented(t, l, handRun("d", slotTime), 2)
	tryRecord(t, l, records, 3, ChunkAccepted)
	tryRecord(t, l, records, 4, ChunkPlanned)
	settle(t, l, records, Stopped)
	must(t, l.Close())
	must(t, os.Remove(path+".high"))

	restore := &Restore{Actor: "ann"}
	l = get[*Ledger](t)(OpenRestored(ctx, path, "run", restore))
	defer func() { must(t, l.Close()) }()
	if restore.Runs != 3 || restore.Chunks != 2+19 || restore.Missed != 1 {
		t.Errorf("got %+v", restore)
	}
	if s, _, err := l.Slot(ctx, "report", slotTime); err != nil || s.State != SlotMissed || s.Reason != restoredReason {
		t.Errorf("what followed run c: got %+v %v", s, err)
	}
	if a := get[[]Attempt](t)(l.Attempts(ctx, sending.ID, 1)); a[0].AttemptID != open || a[0].Outcome != "unknown" || a[0].FinishedAt == nil {
		t.Errorf("the open attempt: %+v", a[0])
	}
	for _, c := range []struct {
		run    *Run
		state  RunState
		chunks ChunkBalance
	}{
		{sending, Delivering, ChunkBalance{Planned: 2, Unknown: 2}},
		{planning, Failed, ChunkBalance{}},
		{done, Succeeded, ChunkBalance{Planned: 1, Accepted: 1}},
		{records, Delivering, ChunkBalance{Planned: 20, Accepted: 1, Unknown: 19}},
	} {
		now := get[*Run](t)(l.FindRun(ctx, c.run.RunID))
		if got := get[*Receipt](t)(l.Receipt(ctx, now)); got.Status != c.state || got.Chunks != c.chunks || !got.Balanced {
			t.Errorf("%s: got %s %+v", now.Schedule, got.Status, got.Chunks)
		}
	}
	if n := get[int64](t)(l.ResolveSegments(ctx, records, ChunkAccepted, Audit{Action: "resolved", RunID: records.RunID})); n != 18 {
		t.Errorf("resolved %d chunks without a row, want 18", n)
	}
	if c := get[*Receipt](t)(l.Receipt(ctx, records)); c.Chunks.Accepted != 19 || c.Chunks.Unknown != 1 {
		t.Errorf("got %+v", c.Chunks)
	}
	if r := get[*Run](t)(l.Unfinished(ctx, "b")); r != nil {
		t.Errorf("run %s would go on", r.RunID)
	}
}
