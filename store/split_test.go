package store

import (
	"context"
	"slices"
	"testing"
	"time"
)

// halves splits a chunk of the fixture into the next two numbers.
func halves(r *Run, chunk int64) *Split {
	first, second := chunkOf(r, chunk), chunkOf(r, chunk)
	middle := first.Ranges[0].ByteStart + 50
	for n, c := range []*Chunk{&first, &second} {
		c.Chunk, c.Parent, c.Records, c.BodyBytes = 2*chunk+int64(n), chunk, 5, 120
		c.Ranges = slices.Clone(c.Ranges)
		c.Ranges[0].Records = 5
	}
	first.Ranges[0].ByteEnd, first.Ranges[0].LastLine = middle, first.Ranges[0].FirstLine+4
	second.Ranges[0].ByteStart, second.Ranges[0].FirstLine = middle, first.Ranges[0].LastLine+1
	return &Split{Run: r, Children: []Chunk{first, second}, Limit: 120}
}

func TestSplitCountsWithItsChildren(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
	must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "refused", StatusCode: 413, Next: ChunkSplit, ChunkReason: "413", Split: halves(r, 1)}))
	c := get[*Receipt](t)(l.Receipt(ctx, r))
	if !c.Balanced || c.Chunks.Split != 1 || c.Chunks.Pending != 2 || c.Chunks.Planned != 3 || c.Records.Pending != 10 {
		t.Errorf("got %+v, %+v", c.Chunks, c.Records)
	}
	if got := get[[]int64](t)(l.Children(ctx, r.ID, 1)); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("children %v, want 2 and 3", got)
	}
	if got := get[*Chunk](t)(l.Chunk(ctx, r.ID, 3)); got.Parent != 1 {
		t.Errorf("the parent of 3 is %d", got.Parent)
	}
	_, err := l.BeginAttempt(ctx, r.ID, 1, "h", 1)
	wantErr(t, err, ErrState)
	if limit := get[Limit](t)(l.FlowLimit(ctx, Destination{r.FlowID, r.BaseURL})); limit.MaxBytes != 120 {
		t.Errorf("learnt %d, want 120", limit.MaxBytes)
	}
}

// A split whose children cannot be written leaves the attempt open and the chunk
// as it was.
func TestSplitIsOneTransaction(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 2) // 2 is taken
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
	if err := l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "refused", Next: ChunkSplit, Split: halves(r, 1)}); err == nil {
		t.Fatal("a chunk was written over another")
	}
	if got := chunkState(t, l, r, 1); got != ChunkSending {
		t.Errorf("the chunk is %s", got)
	}
	if limit := get[Limit](t)(l.FlowLimit(ctx, Destination{r.FlowID, r.BaseURL})); limit.MaxBytes != 0 {
		t.Errorf("learnt %d", limit.MaxBytes)
	}
}

func TestSplitChunkWithoutAttempt(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	s := halves(r, 1)
	s.Limit = 0
	must(t, l.SplitChunk(ctx, 1, "why", s))
	wantErr(t, l.SplitChunk(ctx, 1, "why", s), ErrState)
	must(t, l.SplitChunk(ctx, 2, "why", &Split{Run: r, Children: []Chunk{
		{Chunk: 4, Parent: 2, Records: 2, BodyBytes: 9}, {Chunk: 5, Parent: 2, Records: 3, BodyBytes: 9},
	}}))
	want := []Part{{4, 1}, {5, 1}, {3, 1}} // in the order of their records
	if got := get[[]Part](t)(l.PlannedParts(ctx, r.ID)); !slices.Equal(got, want) {
		t.Errorf("parts %v, want %v", got, want)
	}
	if n := get[int64](t)(l.LastChunk(ctx, r.ID)); n != 5 {
		t.Errorf("the last chunk is %d, want 5", n)
	}
}

func TestLearntLimit(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	to := Destination{r.FlowID, r.BaseURL}
	learn := func(limit int64) {
		t.Helper()
		must(t, l.SplitChunk(ctx, 1, "", &Split{Run: r, Limit: limit}))
		_, err := l.rw.Exec(`UPDATE chunks SET state = 'planned'`)
		must(t, err)
	}
	want := func(name string, bytes int64) {
		t.Helper()
		if got := get[Limit](t)(l.FlowLimit(ctx, to)); got.MaxBytes != bytes {
			t.Errorf("%s: got %d, want %d", name, got.MaxBytes, bytes)
		}
	}
	want("nothing learnt", 0)
	learn(1000)
	want("the first", 1000)
	learn(2000)
	want("a larger one comes late", 1000)
	learn(500)
	want("a smaller one", 500)
	if got := get[Limit](t)(l.FlowLimit(ctx, Destination{r.FlowID, "https://other"})); got.MaxBytes != 0 {
		t.Errorf("another destination has the limit %d", got.MaxBytes)
	}
	_, err := l.rw.Exec(`UPDATE flow_limits SET learnt_at = ?`, ms(time.Now().Add(-LimitHolds-time.Minute)))
	must(t, err)
	want("seven days are over", 0)
	learn(2000)
	want("learnt anew", 2000)
}
