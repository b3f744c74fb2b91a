package store

import (
	"context"
	"reflect"
	"testing"
)

// A page of chunks has the ranges that each of them has alone, whether few or
// many others lie between them.
func TestPagesOfChunks(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	var part PlanPart
	for _, number := range []int64{1, 2, 3, 5, 100, 200} {
		c := chunkOf(r, number)
		g := c.Ranges[0]
		for i := range number % 3 { // some have several, none is empty
			g.ByteStart, g.ByteEnd = g.ByteEnd+i, g.ByteEnd+i+10
			c.Ranges = append(c.Ranges, g)
		}
		part.Chunks = append(part.Chunks, c)
	}
	must(t, l.AddToPlan(ctx, r, part))
	for after := int64(0); after < 100; after += 2 {
		for limit := 1; limit < 7; limit++ {
			for _, c := range get[[]Chunk](t)(l.Chunks(ctx, r.ID, after, limit)) {
				if one := get[*Chunk](t)(l.Chunk(ctx, r.ID, c.Chunk)); !reflect.DeepEqual(c, *one) {
					t.Fatalf("after %d, %d chunks: got %+v, want %+v", after, limit, c, *one)
				}
			}
		}
	}
}

func TestSent(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 4)
	send := func(chunk int64, hash, id string, outcome string, next ChunkState) {
		attempt := get[int64](t)(l.BeginAttempt(ctx, r.ID, chunk, hash, 10))
		must(t, l.FinishAttempt(ctx, attempt, AttemptEnd{Outcome: outcome, AnalyticsID: id, Next: next}))
	}
	send(1, "a", "", "not_sent", ChunkPlanned)
	send(1, "b", "id-1", "accepted", ChunkAccepted)
	send(2, "c", "id-2", "flow_failed", ChunkPlanned)
	send(2, "d", "", "unknown", ChunkUnknown)
	send(4, "e", "id-4", "accepted", ChunkAccepted)
	want := map[int64]Sent{1: {"b", "id-1"}, 2: {"d", "id-2"}}
	if got := get[map[int64]Sent](t)(l.Sent(ctx, r.ID, 1, 3)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
