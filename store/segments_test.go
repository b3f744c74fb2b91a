package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
)

// segmented begins a run and commits a plan of segments of 10 records.
func segmented(t testing.TB, l *Ledger, n NewRun, segments int) *Run {
	t.Helper()
	ctx := context.Background()
	r := get[*Run](t)(l.BeginRun(ctx, n))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Job: "{}", Payload: "{}", Files: []SnapshotFile{file(segments)}}))
	var part PlanPart
	for i := range segments {
		part.Segments = append(part.Segments, withPlaces(int64(i+1)))
	}
	must(t, l.AddToPlan(ctx, r, part))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: int64(segments) * 10, BytesRead: int64(segments) * 100}))
	return r
}

func segmentOf(number int64) Segment {
	n := number - 1
	return Segment{
		Segment: number, State: ChunkPlanned, FirstChunk: n*10 + 1, Records: 10, SourceHash: fmt.Sprint("xxh3:", number), KeyPrefix: prefixOf(number), Spool: &SpoolRange{Start: n * 7, End: n*7 + 7},
		Ranges: []ChunkRange{{ByteStart: n * 100, ByteEnd: n*100 + 100, FirstLine: n*10 + 1, LastLine: n*10 + 10, Records: 10}},
	}
}

// withPlaces is the same as it is planned.
func withPlaces(number int64) Segment {
	s := segmentOf(number)
	s.Places = placesOf(number)
	return s
}

func prefixOf(segment int64) string { return fmt.Sprintf("%024d", segment) }

// placesOf are the places of a segment's records.
func placesOf(number int64) []byte {
	var p Places
	for n := (number - 1) * 10; n < number*10; n++ {
		p.Add(ChunkRange{ByteStart: n * 10, ByteEnd: n*10 + 10, FirstLine: n + 1, LastLine: n + 1})
	}
	return p.Packed()
}

// recordOf is a chunk of a segmented run, after an attempt that left it planned.
func recordOf(number int64) *Chunk {
	n := number - 1
	return &Chunk{
		Chunk: number, State: ChunkPlanned, Records: 1, BodyBytes: 20, SourceHash: fmt.Sprint("xxh3:", n/10+1), Key: Key(prefixOf(n/10+1), number),
		Segment: n/10 + 1, BodyHash: "h", NotBefore: fromMS(0), Spool: &SpoolRange{Start: n / 10 * 7, End: n/10*7 + 7, Line: n%10 + 1},
		Ranges: []ChunkRange{{ByteStart: n * 10, ByteEnd: n*10 + 10, FirstLine: number, LastLine: number, Records: 1}},
	}
}

// intentOf is the first intent of a chunk.
func intentOf(r *Run, number int64) Intent {
	return Intent{Run: r.ID, Chunk: number, Segment: (number-1)/10 + 1, BodyHash: "h", BodyBytes: 20}
}

// tryRecord makes the first attempt of a chunk.
func tryRecord(t testing.TB, l *Ledger, r *Run, number int64, next ChunkState) {
	t.Helper()
	id := get[int64](t)(l.BeginRecord(context.Background(), intentOf(r, number)))
	must(t, l.FinishAttempt(context.Background(), id, ends[next]))
}

func TestSegmentsCountAsTheirChunks(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 2)
	balance := func(want ChunkBalance) {
		t.Helper()
		c := get[*Receipt](t)(l.Receipt(ctx, r))
		records := RecordBalance{Read: 20, Accepted: want.Accepted, Failed: want.Failed, Unknown: want.Unknown, Pending: want.Pending}
		if c.Chunks != want || c.Records != records || !c.Balanced {
			t.Errorf("got %+v, %+v\nwant %+v", c.Chunks, c.Records, want)
		}
	}
	balance(ChunkBalance{Planned: 20, Pending: 20})
	if n := count(t, l, `SELECT count(*) FROM chunks`); n != 0 {
		t.Fatalf("the plan wrote %d chunk rows", n)
	}
	tryRecord(t, l, r, 2, ChunkAccepted)
	tryRecord(t, l, r, 1, ChunkFailed)
	tryRecord(t, l, r, 20, ChunkUnknown)
	tryRecord(t, l, r, 11, ChunkPlanned)
	get[int64](t)(l.BeginRecord(ctx, intentOf(r, 10)))
	balance(ChunkBalance{Planned: 20, Accepted: 1, Failed: 1, Unknown: 1, Pending: 17})

	got := get[*Chunk](t)(l.Chunk(ctx, r.ID, 11))
	want := recordOf(11)
	want.Reason = ends[ChunkPlanned].ChunkReason
	if !reflect.DeepEqual(got, want) {
		t.Errorf("stored %+v\nwant   %+v", got, want)
	}
	first, second := segmentOf(1), segmentOf(2)
	first.Begun, second.Begun = 2, 2
	if got := get[[]Segment](t)(l.OpenSegments(ctx, r.ID, 0, 9)); !reflect.DeepEqual(got, []Segment{first, second}) {
		t.Errorf("got segments %+v", got)
	}
	if got := get[[]int64](t)(l.BegunChunks(ctx, r.ID, &first)); !reflect.DeepEqual(got, []int64{1, 2, 10}) {
		t.Errorf("got %v", got)
	}
	if got := get[[]Chunk](t)(l.PlannedChunks(ctx, r.ID, 0, 9)); len(got) != 1 || got[0].Chunk != 11 {
		t.Errorf("planned are %+v", got)
	}
}

func TestSegmentOf(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 2)
	for chunk, want := range map[int64]int64{1: 1, 10: 1, 11: 2, 20: 2} {
		if got := get[*Segment](t)(l.SegmentOf(ctx, r.ID, chunk)); got.Segment != want {
			t.Errorf("chunk %d is in segment %d, want %d", chunk, got.Segment, want)
		}
	}
	for _, chunk := range []int64{0, 21} {
		_, err := l.SegmentOf(ctx, r.ID, chunk)
		wantErr(t, err, sql.ErrNoRows)
	}
}

func TestBeginRecordOnceAndOfASegment(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 1)
	tryRecord(t, l, r, 3, ChunkPlanned)
	other := planned(t, l, handRun("bills", slotTime), 1)
	for name, c := range map[string]Intent{"has a row": intentOf(r, 3), "behind the last": intentOf(r, 11), "before the first": intentOf(r, 0)} {
		_, err := l.BeginRecord(ctx, c)
		if err == nil {
			t.Errorf("%s: begun", name)
		}
		wantErr(t, err, ErrState)
	}
	_, err := l.BeginRecord(ctx, intentOf(other, 2))
	wantErr(t, err, ErrState)
	settle(t, l, r, Stopped) // nothing goes out of a run that has ended
	_, err = l.BeginRecord(ctx, intentOf(r, 4))
	wantErr(t, err, ErrState)
	if n := count(t, l, `SELECT sum(begun) FROM segments`); n != 1 {
		t.Errorf("%d chunks count as begun, want 1: a refusal leaves nothing", n)
	}
	if n := count(t, l, `SELECT count(*) FROM chunks WHERE run = ?`, r.ID); n != 1 {
		t.Errorf("%d chunk rows, want 1", n)
	}
	must(t, l.ReopenRun(ctx, r))
	try(t, l, r, 3, ChunkAccepted) // the retried one by its row
}

func TestRunWithOpenSegmentsIsUnfinished(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 1)
	settle(t, l, r, Stopped)
	if got := get[*Run](t)(l.Unfinished(ctx, "orders")); got == nil || got.ID != r.ID {
		t.Fatalf("got %+v", got)
	}
	must(t, l.ReopenRun(ctx, r))
	for n := range int64(10) {
		tryRecord(t, l, r, n+1, ChunkAccepted)
	}
	settle(t, l, r, Succeeded)
	if got := get[*Run](t)(l.Unfinished(ctx, "orders")); got != nil {
		t.Errorf("got %+v", got)
	}
}

func TestFileOfSegmentsIsDeliveredWithItsLastRecord(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 1)
	delivered := func() string { return get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(1).ContentHash)) }
	for n := range int64(9) {
		tryRecord(t, l, r, n+1, ChunkAccepted)
	}
	settle(t, l, r, Stopped)
	if got := delivered(); got != "" {
		t.Errorf("delivered by %q with a record left", got)
	}
	must(t, l.ReopenRun(ctx, r))
	tryRecord(t, l, r, 10, ChunkAccepted)
	settle(t, l, r, Succeeded)
	if got := delivered(); got != r.RunID {
		t.Errorf("delivered by %q, want %q", got, r.RunID)
	}
}

func TestEarlierSegmentsAreTakenOver(t *testing.T) {
	ctx, l := context.Background(), open(t)
	old := segmented(t, l, slotRun("orders"), 3)
	for n := range int64(10) {
		tryRecord(t, l, old, n+1, ChunkAccepted)
	}
	tryRecord(t, l, old, 12, ChunkAccepted)
	tryRecord(t, l, old, 13, ChunkAccepted)
	tryRecord(t, l, old, 14, ChunkFailed)
	settle(t, l, old, Stopped)
	r := get[*Run](t)(l.BeginRun(ctx, later("orders")))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Files: []SnapshotFile{file(3)}}))

	f := file(3)
	ranges := get[[]Earlier](t)(l.EarlierRanges(ctx, r, f.Size, f.ContentHash))
	want := []Earlier{
		{Run: old.ID, RunID: old.RunID, Chunk: 1, State: ChunkAccepted, Start: 0, End: 100, Records: 10},
		{Run: old.ID, RunID: old.RunID, Chunk: 12, State: ChunkAccepted, Start: 110, End: 130, Records: 2},
	}
	if !reflect.DeepEqual(ranges, want) {
		t.Errorf("got ranges %+v\nwant %+v", ranges, want)
	}
	taken := get[[]TakenOver](t)(l.EarlierSegments(ctx, r, f.Size, f.ContentHash, ChunkPlanned))
	if !reflect.DeepEqual(taken, []TakenOver{{Run: old.ID, Segment: 2}, {Run: old.ID, Segment: 3}}) {
		t.Errorf("got segments %+v", taken)
	}
	if got := get[[]TakenOver](t)(l.EarlierSegments(ctx, r, f.Size, "blake3:other", ChunkPlanned)); len(got) > 0 {
		t.Errorf("another content has segments %+v", got)
	}
	must(t, l.AddToPlan(ctx, r, PlanPart{Segments: []Segment{withPlaces(1)}}))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 22, RecordsUnchanged: 12, TakenOver: taken}))
	c := get[*Receipt](t)(l.Receipt(ctx, old))
	if c.Chunks.Pending != 0 || c.Chunks.Failed != 1+7+10 || c.Chunks.Accepted != 12 || !c.Balanced {
		t.Errorf("the earlier run stands at %+v", c.Chunks)
	}
	must(t, l.ReopenRun(ctx, old))
	_, err := l.BeginRecord(ctx, intentOf(old, 15))
	wantErr(t, err, ErrState)
}

func TestSegmentsGoWithTheirPlan(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 2)
	tryRecord(t, l, r, 1, ChunkPlanned)
	must(t, l.ReplanRun(ctx, r, Destination{FlowID: "flow", BaseURL: "url"}))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	rows := `SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM segments) + (SELECT count(*) FROM segment_ranges)`
	if n := count(t, l, rows); n != 0 {
		t.Errorf("%d rows of the first plan stayed", n)
	}
	must(t, l.AddToPlan(ctx, r, PlanPart{Segments: []Segment{withPlaces(1)}}))
	must(t, l.DiscardPlan(ctx, r))
	if n := count(t, l, rows); n != 0 {
		t.Errorf("%d rows of the discarded plan stayed", n)
	}
}

// What a crash leaves of a record's first intent is found like any other.
func TestRecordBegunBeforeACrash(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 1)
	id := get[int64](t)(l.BeginRecord(ctx, intentOf(r, 7)))
	open := get[[]Attempt](t)(l.OpenAttempts(ctx))
	if len(open) != 1 || open[0].AttemptID != id || open[0].Chunk != 7 || open[0].Number != 1 {
		t.Fatalf("got %+v", open)
	}
	must(t, l.FinishAttempt(ctx, id, ends[ChunkUnknown]))
	if c := get[*Receipt](t)(l.Receipt(ctx, r)); !c.Balanced || c.Chunks.Unknown != 1 || c.Chunks.Pending != 9 {
		t.Errorf("got %+v", c.Chunks)
	}
	must(t, l.ResolveChunk(ctx, r, ChunkPlanned, Audit{Action: "resolved as resend", RunID: r.RunID, Chunk: 7, Actor: "ann", Reason: "seen"}))
	try(t, l, r, 7, ChunkAccepted)
}

// The same with a new process, which knows of the attempt from the ledger alone.
func TestRecordsBegunByAnEarlierProcess(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(t, err)
	r := segmented(t, l, slotRun("orders"), 2)
	tryRecord(t, l, r, 1, ChunkAccepted)
	ids := []int64{get[int64](t)(l.BeginRecord(ctx, intentOf(r, 12))), get[int64](t)(l.BeginRecord(ctx, intentOf(r, 13)))}
	tryRecord(t, l, r, 14, ChunkPlanned)
	ids = append(ids, get[int64](t)(l.BeginAttempt(ctx, r.ID, 14, "h", 20)))
	must(t, l.Close())

	l = openAt(t, path)
	second := segmentOf(2)
	if got := get[[]int64](t)(l.BegunChunks(ctx, r.ID, &second)); !reflect.DeepEqual(got, []int64{12, 13, 14}) {
		t.Errorf("begun are %v", got)
	}
	_, err = l.BeginRecord(ctx, intentOf(r, 12)) // it may have been accepted
	wantErr(t, err, ErrState)
	for _, id := range ids {
		must(t, l.FinishAttempt(ctx, id, ends[ChunkUnknown]))
		wantErr(t, l.FinishAttempt(ctx, id, ends[ChunkUnknown]), ErrState)
	}
	if got := get[[]Chunk](t)(l.ChunksInState(ctx, r.ID, ChunkUnknown, 0, 9)); len(got) != 3 || got[0].Chunk != 12 || got[2].Chunk != 14 {
		t.Errorf("unknown are %+v", got)
	}
	c := get[*Receipt](t)(l.Receipt(ctx, r))
	if !c.Balanced || c.Chunks.Unknown != 3 || c.Chunks.Accepted != 1 || c.Chunks.Pending != 16 || c.Attempts != 5 || c.Bytes.Sent != 100 {
		t.Errorf("got %+v, %d attempts, %+v", c.Chunks, c.Attempts, c.Bytes)
	}
	if n := count(t, l, `SELECT begun FROM segments WHERE segment = 2`); n != 3 {
		t.Errorf("%d chunks of the segment count as begun, want 3", n)
	}
}

func TestTraceRecords(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 2)
	// The next ids are on both sides of a border between blocks of the index.
	if _, err := l.rw.Exec(`INSERT INTO sqlite_sequence (name, seq) VALUES ('attempts', 5 * 1024 - 2)`); err != nil {
		t.Fatal(err)
	}
	for n := int64(8); n <= 12; n++ {
		id := get[int64](t)(l.BeginRecord(ctx, intentOf(r, n)))
		end := ends[ChunkAccepted]
		end.AnalyticsID = fmt.Sprint("an id that ends like others ", n%2, "-0123456789")
		must(t, l.FinishAttempt(ctx, id, end))
	}
	numbers := func(places []Place, err error) (list []int64) {
		t.Helper()
		must(t, err)
		for _, p := range places {
			if p.Run.ID != r.ID {
				t.Errorf("got run %d", p.Run.ID)
			}
			list = append(list, p.Chunk)
		}
		return list
	}
	for name, c := range map[string]struct{ got, want []int64 }{
		"id":                  {numbers(l.ByAnalyticsID(ctx, "an id that ends like others 0-0123456789")), []int64{8, 10, 12}},
		"no such id":          {numbers(l.ByAnalyticsID(ctx, "another id ends like them -0123456789")), nil},
		"key":                 {numbers(l.ByKey(ctx, recordOf(9).Key)), []int64{9}},
		"key without a row":   {numbers(l.ByKey(ctx, recordOf(20).Key)), []int64{20}},
		"of another segment":  {numbers(l.ByKey(ctx, Key(prefixOf(1), 20))), nil},
		"line":                {numbers(l.ByLine(ctx, "orders.csv", 11)), []int64{11}},
		"line without a row":  {numbers(l.ByLine(ctx, "inbox/orders.csv", 1)), []int64{1}},
		"line behind the end": {numbers(l.ByLine(ctx, "orders.csv", 21)), nil},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	if n := count(t, l, `SELECT max(attempt_id) - min(attempt_id) FROM attempts`); n != 4 {
		t.Errorf("ids do not follow each other: %d", n)
	}
}
