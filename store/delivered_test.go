package store

import (
	"context"
	"slices"
	"testing"
	"time"
)

func later(schedule string) NewRun { return handRun(schedule, slotTime.Add(time.Hour)) }

func TestFileIsDeliveredOnceAllItsChunksAre(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		second ChunkState
		end    RunState
		want   bool
	}{
		{"accepted", ChunkAccepted, Succeeded, true},
		{"failed", ChunkFailed, Partial, false},
		{"unknown", ChunkUnknown, Held, false},
		{"planned", ChunkPlanned, Stopped, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 2)
			try(t, l, r, 1, ChunkAccepted)
			try(t, l, r, 2, c.second)
			settle(t, l, r, c.end)
			want := ""
			if c.want {
				want = r.RunID
			}
			if got := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(2).ContentHash)); got != want {
				t.Errorf("delivered by %q, want %q", got, want)
			}
			for _, other := range [][3]string{
				{"bills", "shape", file(2).ContentHash}, {"orders", "other", file(2).ContentHash}, {"orders", "shape", "blake3:other"},
			} {
				if got := get[string](t)(l.DeliveredBy(ctx, other[0], other[1], other[2])); got != "" {
					t.Errorf("%v: delivered by %q", other, got)
				}
			}
		})
	}
}

func TestFileIsDeliveredAfterResolve(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	try(t, l, r, 1, ChunkUnknown)
	settle(t, l, r, Held)
	must(t, l.ResolveChunk(ctx, r, ChunkAccepted, Audit{Action: "resolved as accepted", RunID: r.RunID, Chunk: 1, Actor: "ann", Reason: "seen"}))
	settle(t, l, r, Succeeded)
	if got := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(1).ContentHash)); got != r.RunID {
		t.Errorf("delivered by %q, want %q", got, r.RunID)
	}
}

func TestWhichFilesOfARunAreDelivered(t *testing.T) {
	ctx := context.Background()
	one, two := file(1), file(1)
	two.File, two.ContentHash = 1, "blake3:two"
	unread, unhashed, empty := two, two, two
	unread.UnchangedSince, unhashed.ContentHash, empty.Records = "run", "", 0
	both := func(r *Run) Chunk {
		c := chunkOf(r, 1)
		c.Ranges = append(c.Ranges, ChunkRange{File: 1, ByteEnd: 10, FirstLine: 1, LastLine: 1, Records: 1})
		return c
	}
	only := func(r *Run) Chunk { return chunkOf(r, 1) }
	for _, c := range []struct {
		name      string
		second    SnapshotFile
		chunk     func(*Run) Chunk
		elsewhere int64
		want      []string
	}{
		{"a chunk of two files", two, both, 0, []string{one.ContentHash, "blake3:two"}},
		{"all of it was accepted before", two, only, 0, []string{one.ContentHash, "blake3:two"}},
		{"records stay elsewhere", two, only, 1, nil},
		{"left out as unchanged", unread, only, 0, []string{one.ContentHash}},
		{"not read to its end", unhashed, only, 0, []string{one.ContentHash}},
		{"without a record", empty, only, 0, []string{one.ContentHash}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
			must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Files: []SnapshotFile{one, c.second}}))
			must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{c.chunk(r)}}))
			must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 10 + c.elsewhere, RecordsElsewhere: c.elsewhere}))
			try(t, l, r, 1, ChunkAccepted)
			end := Succeeded
			if c.elsewhere > 0 {
				end = Held
			}
			settle(t, l, r, end)
			rows := get[[]string](t)(texts(l, `SELECT content_hash FROM delivered_files ORDER BY 1`))
			if !slices.Equal(rows, c.want) {
				t.Errorf("got %v, want %v", rows, c.want)
			}
		})
	}
}

func texts(l *Ledger, query string) (list []string, err error) {
	rows, err := l.ro.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// Chunks that a refusal for their size split count by what replaced them.
func TestSplitChunksCanDeliverAFile(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
	must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "refused", Next: ChunkSplit, Split: halves(r, 1)}))
	try(t, l, r, 3, ChunkAccepted)
	settle(t, l, r, Stopped)
	if got := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(1).ContentHash)); got != "" {
		t.Errorf("delivered by %q while its half is planned", got)
	}
	must(t, l.ReopenRun(ctx, r))
	try(t, l, r, 2, ChunkAccepted)
	settle(t, l, r, Succeeded)
	if got := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(1).ContentHash)); got != r.RunID {
		t.Errorf("delivered by %q, want %q", got, r.RunID)
	}
}

func TestKnowsSize(t *testing.T) {
	ctx, l := context.Background(), open(t)
	planned(t, l, slotRun("orders"), 2)
	for _, c := range []struct {
		schedule, shape string
		size            int64
		want            bool
	}{
		{"orders", "shape", 200, true}, {"orders", "shape", 201, false}, {"orders", "other", 200, false}, {"bills", "shape", 200, false},
	} {
		if got := get[bool](t)(l.KnowsSize(ctx, c.schedule, c.shape, c.size)); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestEarlierRanges(t *testing.T) {
	ctx, l := context.Background(), open(t)
	first := planned(t, l, slotRun("orders"), 5)
	for i, next := range []ChunkState{ChunkAccepted, ChunkFailed, ChunkUnknown} {
		try(t, l, first, int64(i+1), next)
	}
	get[int64](t)(l.BeginAttempt(ctx, first.ID, 4, "h", 1))
	planned(t, l, handRun("bills", slotTime), 5)
	planned(t, l, handRun("orders", slotTime.Add(time.Minute)), 4) // another content
	unfinished := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(2*time.Minute))))
	must(t, l.StartPlan(ctx, unfinished, PlanHead{Shape: "shape", Files: []SnapshotFile{file(5)}}))
	must(t, l.AddToPlan(ctx, unfinished, PlanPart{Chunks: []Chunk{chunkOf(unfinished, 1)}}))

	now := get[*Run](t)(l.BeginRun(ctx, later("orders")))
	now.Shape = "shape"
	got := get[[]Earlier](t)(l.EarlierRanges(ctx, now, 500, file(5).ContentHash))
	want := []Earlier{
		{first.ID, first.RunID, 1, ChunkAccepted, 0, 100, 10},
		{first.ID, first.RunID, 3, ChunkUnknown, 200, 300, 10},
		{first.ID, first.RunID, 4, ChunkSending, 300, 400, 10},
		{first.ID, first.RunID, 5, ChunkPlanned, 400, 500, 10},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n %+v, want\n %+v", got, want)
	}
	now.Shape = "other"
	if got := get[[]Earlier](t)(l.EarlierRanges(ctx, now, 500, file(5).ContentHash)); len(got) != 0 {
		t.Errorf("in another shape: got %+v", got)
	}
	if got := get[[]Earlier](t)(l.EarlierRanges(ctx, first, 500, file(5).ContentHash)); len(got) != 0 {
		t.Errorf("of itself: got %+v", got)
	}
}
