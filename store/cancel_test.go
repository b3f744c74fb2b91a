package store

import (
	"context"
	"testing"
)

func TestCancelRun(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 4)
	try(t, l, r, 1, ChunkAccepted)
	try(t, l, r, 2, ChunkUnknown)
	if _, cancelled, err := l.Cancelled(ctx, r); cancelled || err != nil {
		t.Errorf("cancelled before it was: %v, %v", cancelled, err)
	}
	must(t, l.CancelRun(ctx, r, "ann", "wrong file"))
	for chunk, want := range map[int64]ChunkState{1: ChunkAccepted, 2: ChunkUnknown, 3: ChunkFailed, 4: ChunkFailed} {
		if got := chunkState(t, l, r, chunk); got != want {
			t.Errorf("chunk %d is %s, want %s", chunk, got, want)
		}
	}
	if c := get[*Chunk](t)(l.Chunk(ctx, r.ID, 3)); c.Reason != "cancelled: wrong file" {
		t.Errorf("reason %q", c.Reason)
	}
	reason, cancelled, err := l.Cancelled(ctx, r)
	if !cancelled || reason != "wrong file" || err != nil {
		t.Errorf("got %q, %v, %v", reason, cancelled, err)
	}
	rows := get[[]AuditRow](t)(l.Audit(ctx, r.RunID))
	if len(rows) != 1 || rows[0].Actor != "ann" || rows[0].Action != "cancel" {
		t.Errorf("audit %+v", rows)
	}
	wantErr(t, l.CancelRun(ctx, r, "ann", "again"), ErrState)
	if rows := get[[]AuditRow](t)(l.Audit(ctx, r.RunID)); len(rows) != 1 {
		t.Errorf("a cancel that did nothing is in the audit: %+v", rows)
	}
}

func TestCancelRunWithoutPlan(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	settle(t, l, r, Stopped)
	must(t, l.CancelRun(ctx, r, "ann", "no"))
	settle(t, l, r, Failed)
	wantErr(t, l.CancelRun(ctx, r, "ann", "no"), ErrState)
}
