package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// slotTime is the due time that the tests use: 02:30 in New York.
var slotTime = time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)

func open(t testing.TB) *Ledger {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "worqcron.db"))
}

func openAt(t testing.TB, path string) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), path, "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// get unpacks a result that must come without an error.
func get[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func slotRun(schedule string) NewRun {
	return NewRun{
		Schedule: schedule, ScheduledFor: slotTime, Origin: "slot", Zone: "America/New_York",
		FlowID: "flow", BaseURL: "https://api.worqhat.com", Slot: true,
	}
}

func handRun(schedule string, at time.Time) NewRun {
	n := slotRun(schedule)
	n.Origin, n.ScheduledFor, n.Slot = "manual", at, false
	return n
}

// file is the source of the fixture's runs: 10 records of 10 bytes a chunk.
func file(chunks int) SnapshotFile {
	return SnapshotFile{
		Path: "inbox/orders.csv", Size: int64(chunks) * 100, ModTime: time.Unix(1, 5), Format: "csv", Compression: "none",
		Header: `["id"]`, ContentHash: fmt.Sprintf("blake3:%d", chunks), Records: int64(chunks) * 10,
	}
}

func chunkOf(r *Run, number int64) Chunk {
	n := number - 1
	return Chunk{
		Chunk: number, Records: 10, BodyBytes: 200, SourceHash: fmt.Sprintf("xxh3:%d", number), Key: fmt.Sprintf("%s-key-%d", r.RunID, number),
		Ranges: []ChunkRange{{ByteStart: n * 100, ByteEnd: n*100 + 100, FirstLine: n*10 + 1, LastLine: n*10 + 10, Records: 10}},
	}
}

// planned begins a run and commits a plan with so many chunks.
func planned(t testing.TB, l *Ledger, n NewRun, chunks int) *Run {
	t.Helper()
	r := get[*Run](t)(l.BeginRun(context.Background(), n))
	plan(t, l, r, chunks)
	return r
}

func plan(t testing.TB, l *Ledger, r *Run, chunks int) {
	t.Helper()
	ctx := context.Background()
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Job: "{}", Payload: "{}", Files: []SnapshotFile{file(chunks)}}))
	var part PlanPart
	for i := range chunks {
		part.Chunks = append(part.Chunks, chunkOf(r, int64(i+1)))
	}
	must(t, l.AddToPlan(ctx, r, part))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: int64(chunks) * 10, BytesRead: int64(chunks) * 100}))
}

// ends are the ends of an attempt by the state that follows for its chunk.
var ends = map[ChunkState]AttemptEnd{
	ChunkAccepted: {Outcome: "accepted", StatusCode: 200, Answer: []byte(`{}`), Next: ChunkAccepted},
	ChunkFailed:   {Outcome: "refused", Reason: "status", StatusCode: 400, Next: ChunkFailed, ChunkReason: "400 Bad Request"},
	ChunkUnknown:  {Outcome: "unknown", Reason: "timeout", Next: ChunkUnknown, ChunkReason: "no answer"},
	ChunkPlanned:  {Outcome: "throttled", Reason: "status", StatusCode: 429, Next: ChunkPlanned, ChunkReason: "429"},
}

// try makes an attempt that leaves the chunk in a state.
func try(t testing.TB, l *Ledger, r *Run, chunk int64, next ChunkState) int64 {
	t.Helper()
	ctx := context.Background()
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, chunk, "xxh3:body", 200))
	end := ends[next]
	if next == ChunkAccepted {
		end.AnalyticsID = fmt.Sprintf("analytics-%d", id)
	}
	must(t, l.FinishAttempt(ctx, id, end))
	return id
}

func settle(t testing.TB, l *Ledger, r *Run, state RunState) *Receipt {
	t.Helper()
	return get[*Receipt](t)(l.SettleRun(context.Background(), r, func(*Receipt) End { return End{State: state} }))
}

func chunkState(t testing.TB, l *Ledger, r *Run, chunk int64) ChunkState {
	t.Helper()
	return get[*Chunk](t)(l.Chunk(context.Background(), r.ID, chunk)).State
}

// count runs a query of the test's own.
func count(t testing.TB, l *Ledger, query string, args ...any) (n int64) {
	t.Helper()
	must(t, l.ro.QueryRow(query, args...).Scan(&n))
	return n
}
