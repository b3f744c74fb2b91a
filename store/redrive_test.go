package store

import (
	"context"
	"testing"
)

// redriveRun begins a run that sends chunks of another one again, and plans it.
func redriveRun(t *testing.T, l *Ledger, of *Run, chunks ...int64) *Run {
	t.Helper()
	ctx := context.Background()
	n := slotRun(of.Schedule)
	n.Slot, n.Origin, n.RedriveOf, n.RedriveWhat, n.Redrive, n.Actor = false, "redrive", of.RunID, "{}", "chunks", "ann"
	r := get[*Run](t)(l.BeginRun(ctx, n))
	files := get[[]SnapshotFile](t)(l.Files(ctx, of.ID))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: of.Shape, Job: "{}", Payload: "{}", Files: files}))
	var part PlanPart
	for i, chunk := range chunks {
		c := chunkOf(r, chunk)
		c.Chunk, c.RedriveOf = int64(i+1), chunk
		if of.RedriveOf != "" {
			c.Ranges = nil
		}
		part.Chunks = append(part.Chunks, c)
	}
	must(t, l.AddToPlan(ctx, r, part))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: int64(len(chunks)) * 10}))
	return r
}

func TestRedriveIsARunOfItsOwn(t *testing.T) {
	ctx, l := context.Background(), open(t)
	of := planned(t, l, slotRun("orders"), 2)
	try(t, l, of, 1, ChunkAccepted)
	try(t, l, of, 2, ChunkFailed)
	before := settle(t, l, of, Partial)
	r := redriveRun(t, l, of, 2)
	if r.Number != 2 || r.Generation != of.Generation+1 || r.RedriveOf != of.RunID {
		t.Errorf("got number %d, generation %d, redrive of %q", r.Number, r.Generation, r.RedriveOf)
	}
	stored := get[*Run](t)(l.FindRun(ctx, r.RunID))
	if stored.RedriveOf != of.RunID || stored.RedriveWhat != "{}" {
		t.Errorf("stored as redrive of %q, %q", stored.RedriveOf, stored.RedriveWhat)
	}
	try(t, l, r, 1, ChunkAccepted)
	if c := settle(t, l, r, Succeeded); c.RedriveOf != of.RunID || !c.Balanced || c.Records.Accepted != 10 {
		t.Errorf("got %+v", c)
	}
	again := get[[]Again](t)(l.SentAgain(ctx, of, 2))
	if len(again) != 1 || again[0].Run.ID != r.ID || again[0].Chunk != 1 || again[0].State != ChunkAccepted {
		t.Errorf("chunk 2 was sent again as %+v", again)
	}
	if again := get[[]Again](t)(l.SentAgain(ctx, of, 1)); len(again) != 0 {
		t.Errorf("chunk 1 was sent again as %+v", again)
	}
	audit := get[[]AuditRow](t)(l.Audit(ctx, of.RunID))
	if len(audit) != 1 || audit[0].Action != "redrive" || audit[0].Reason != "chunks, as run "+r.Name() {
		t.Errorf("audit %+v", audit)
	}
	if c := get[*Receipt](t)(l.Receipt(ctx, of)); c.Chunks != before.Chunks || c.Status != Partial {
		t.Errorf("the earlier run became %+v", c)
	}
	if got := get[*Run](t)(l.LatestOfSlot(ctx, "orders", slotTime)); got.ID != of.ID {
		t.Errorf("the slot's run is %s", got.Name())
	}
}

// A redrive counts for its slot only while it can go on.
func TestLatestOfSlotWithARedrive(t *testing.T) {
	ctx, l := context.Background(), open(t)
	of := planned(t, l, slotRun("orders"), 1)
	try(t, l, of, 1, ChunkFailed)
	settle(t, l, of, Failed)
	r := redriveRun(t, l, of, 1)
	settle(t, l, r, Stopped)
	if got := get[*Run](t)(l.LatestOfSlot(ctx, "orders", slotTime)); got.ID != r.ID {
		t.Errorf("got %s while the redrive can go on", got.Name())
	}
}

func TestFileIsDeliveredByItsLastRedrive(t *testing.T) {
	ctx, l := context.Background(), open(t)
	delivered := func() string { return get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(3).ContentHash)) }
	of := planned(t, l, slotRun("orders"), 3)
	try(t, l, of, 1, ChunkAccepted)
	try(t, l, of, 2, ChunkFailed)
	try(t, l, of, 3, ChunkFailed)
	settle(t, l, of, Partial)
	first := redriveRun(t, l, of, 2, 3)
	try(t, l, first, 1, ChunkAccepted)
	try(t, l, first, 2, ChunkFailed)
	settle(t, l, first, Partial)
	if got := delivered(); got != "" {
		t.Fatalf("delivered by %q while chunk 3 failed twice", got)
	}
	second := redriveRun(t, l, first, 2)
	try(t, l, second, 1, ChunkAccepted)
	settle(t, l, second, Succeeded)
	if got := delivered(); got != second.RunID {
		t.Errorf("delivered by %q, want the redrive of the redrive", got)
	}
}

func TestSegmentsAreDeliveredByARedrive(t *testing.T) {
	ctx, l := context.Background(), open(t)
	of := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, of, PlanHead{Shape: "shape", Job: "{}", Payload: "{}", Files: []SnapshotFile{file(1)}}))
	seg := withPlaces(1)
	seg.Records, seg.Ranges, seg.Spool = 2, []ChunkRange{{ByteEnd: 20, FirstLine: 1, LastLine: 2, Records: 2}}, nil
	must(t, l.AddToPlan(ctx, of, PlanPart{Segments: []Segment{seg}}))
	must(t, l.FinishPlan(ctx, of, PlanTotals{RecordsRead: 2}))
	_, err := l.rw.Exec(`UPDATE segments SET state = 'failed', reason = 'cancelled'`)
	must(t, err)
	settle(t, l, of, Failed)
	for chunk := int64(1); chunk <= 2; chunk++ {
		r := redriveRun(t, l, of, chunk)
		try(t, l, r, 1, ChunkAccepted)
		settle(t, l, r, Succeeded)
		if got := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(1).ContentHash)); (got != "") != (chunk == 2) {
			t.Errorf("after chunk %d: delivered by %q", chunk, got)
		}
	}
}

func TestFailedRemotely(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 3)
	var ids []int64
	for chunk := range int64(3) {
		ids = append(ids, try(t, l, r, chunk+1, ChunkAccepted))
	}
	if get[bool](t)(l.LookedUp(ctx, r.ID)) {
		t.Error("looked up, although nobody did")
	}
	for i, status := range []string{"completed", "failed", "running"} {
		_, err := l.rw.Exec(`INSERT INTO remote_status (attempt_id, status, looked_up_at) VALUES (?, ?, 1)`, ids[i], status)
		must(t, err)
	}
	list := get[[]Chunk](t)(l.FailedRemotely(ctx, r.ID, 0, 10))
	if len(list) != 1 || list[0].Chunk != 2 || !get[bool](t)(l.LookedUp(ctx, r.ID)) {
		t.Errorf("got %+v", list)
	}
	if list := get[[]Chunk](t)(l.FailedRemotely(ctx, r.ID, 2, 10)); len(list) != 0 {
		t.Errorf("after the last: %+v", list)
	}
	_, err := l.rw.Exec(`DELETE FROM runs`)
	must(t, err)
	if n := count(t, l, `SELECT count(*) FROM remote_status`); n != 0 {
		t.Errorf("%d rows are left of a run that is gone", n)
	}
}

func TestMendings(t *testing.T) {
	ctx, l := context.Background(), open(t)
	of := planned(t, l, slotRun("orders"), 1)
	n := slotRun("orders")
	n.Slot, n.RedriveOf, n.RedriveWhat = false, of.RunID, "{}"
	r := get[*Run](t)(l.BeginRun(ctx, n))
	now := file(1)
	now.Size, now.ContentHash = 107, "blake3:mended"
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Job: "{}", Payload: "{}", Files: []SnapshotFile{now}}))
	places := []Mended{{Number: 1, OldStart: 5, OldEnd: 7, ByteStart: 5, ByteEnd: 14}, {Number: 2, OldStart: 9, OldEnd: 10, ByteStart: 16, ByteEnd: 16}}
	must(t, l.AddToPlan(ctx, r, PlanPart{Mended: places}))
	if list := get[[]Mending](t)(l.Mendings(ctx, of)); len(list) != 0 {
		t.Errorf("%+v before the plan is whole", list)
	}
	must(t, l.FinishPlan(ctx, r, PlanTotals{}))
	list := get[[]Mending](t)(l.Mendings(ctx, of))
	if len(list) != 1 || list[0].Before != (Content{100, file(1).ContentHash}) || list[0].Now != (Content{107, "blake3:mended"}) ||
		len(list[0].Places) != 2 || list[0].Places[0] != places[0] || list[0].Places[1] != places[1] {
		t.Errorf("got %+v", list)
	}
}
