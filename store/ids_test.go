package store

import (
	"context"
	"testing"
)

func TestSameIDs(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 4)
	end := func(run *Run, chunk int64, e AttemptEnd) {
		t.Helper()
		id := get[int64](t)(l.BeginAttempt(ctx, run.ID, chunk, "h", 1))
		must(t, l.FinishAttempt(ctx, id, e))
	}
	accepted := func(id string) AttemptEnd {
		return AttemptEnd{Outcome: "accepted", AnalyticsID: id, Next: ChunkAccepted}
	}
	end(r, 1, accepted("a"))
	end(r, 2, AttemptEnd{Outcome: "flow_failed", AnalyticsID: "b", Next: ChunkFailed})
	end(r, 3, accepted("b")) // only one of the two was accepted
	before := get[int64](t)(l.LastAttempt(ctx))
	if got := get[[]SameID](t)(l.SameIDs(ctx, r, 0, 9)); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	other := planned(t, l, slotRun("others"), 1)
	end(other, 1, accepted("a"))
	end(r, 4, accepted("a"))
	got := get[[]SameID](t)(l.SameIDs(ctx, r, before, 1))
	if len(got) != 1 || got[0].AnalyticsID != "a" || got[0].Chunk != 4 || got[0].OtherChunk != 1 {
		t.Errorf("got %+v", got)
	}
	if got := get[[]SameID](t)(l.SameIDs(ctx, other, before, 9)); len(got) != 1 || got[0].OtherRun != r.RunID {
		t.Errorf("of the other run: %+v", got)
	}
	if got := get[[]SameID](t)(l.SameIDs(ctx, r, get[int64](t)(l.LastAttempt(ctx)), 9)); len(got) != 0 {
		t.Errorf("an earlier delivery was looked at again: %+v", got)
	}
}
