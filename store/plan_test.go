package store

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestPlanIsStoredAsGiven(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	a, b := file(2), SnapshotFile{File: 1, Path: "b.csv.gz", Size: 9, ModTime: time.Unix(7, 0), Format: "csv", Compression: "gzip", UnchangedSince: "run"}
	a.Header, a.ContentHash, a.Records = "", "", 0 // known when it was read
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Job: "{}", Payload: `"p":1`, Files: []SnapshotFile{a, b}}))
	two := chunkOf(r, 2)
	two.Spool = &SpoolRange{Start: 10, End: 30}
	two.Ranges = append(two.Ranges, ChunkRange{File: 1, ByteStart: 0, ByteEnd: 5, FirstLine: 1, LastLine: 1, Records: 1})
	dead := DeadLetter{Number: 1, Line: 4, Column: 2, ByteStart: 30, ByteEnd: 40, Reason: "quote", Detail: "missing closing quote"}
	must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{chunkOf(r, 1)}, Dead: []DeadLetter{dead}}))
	must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{two}, Files: []SnapshotFile{file(2)}}))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 24, RecordsFiltered: 1, RecordsUnchanged: 1, RecordsElsewhere: 1, BytesRead: 209}))

	if stored := get[*Run](t)(l.FindRun(ctx, r.RunID)); !reflect.DeepEqual(stored, r) || stored.State != Delivering || stored.PlannedAt == nil {
		t.Errorf("run: got\n %+v, want\n %+v", stored, r)
	}
	want := []Chunk{chunkOf(r, 1), two}
	for i := range want {
		want[i].State, want[i].NotBefore = ChunkPlanned, fromMS(0)
	}
	if got := get[[]Chunk](t)(l.PlannedChunks(ctx, r.ID, 0, 10)); !reflect.DeepEqual(got, want) {
		t.Errorf("chunks: got\n %+v, want\n %+v", got, want)
	}
	if got := get[[]Chunk](t)(l.PlannedChunks(ctx, r.ID, 1, 10)); len(got) != 1 || got[0].Chunk != 2 {
		t.Errorf("after 1: got %+v", got)
	}
	if got := get[[]Chunk](t)(l.Chunks(ctx, r.ID, 0, 1)); len(got) != 1 || got[0].Chunk != 1 {
		t.Errorf("first page: got %+v", got)
	}
	if got := get[[]SnapshotFile](t)(l.Files(ctx, r.ID)); !reflect.DeepEqual(got, []SnapshotFile{file(2), b}) {
		t.Errorf("files: got %+v", got)
	}
	if got := get[[]DeadLetter](t)(l.DeadLetters(ctx, r.ID, 0, 10)); !reflect.DeepEqual(got, []DeadLetter{dead}) {
		t.Errorf("dead letters: got %+v", got)
	}
	if _, err := l.Chunk(ctx, r.ID, 3); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a chunk that is not there: got %v", err)
	}
}

func TestStartPlanDiscardsWhatACrashLeft(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	head := PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}
	must(t, l.StartPlan(ctx, r, head))
	must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{chunkOf(r, 1)}, Dead: []DeadLetter{{Number: 1}}}))
	must(t, l.StartPlan(ctx, r, head))
	for _, table := range []string{"chunks", "chunk_ranges", "dead_letters"} {
		if n := count(t, l, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%s: got %d rows, want none", table, n)
		}
	}
	if n := count(t, l, `SELECT count(*) FROM snapshots`); n != 1 {
		t.Errorf("snapshots: got %d rows, want 1", n)
	}
}

func TestPlanTransitionsAreRefused(t *testing.T) {
	ctx := context.Background()
	head := PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}
	for _, c := range []struct {
		name string
		do   func(l *Ledger, r *Run) error
	}{
		{"start twice", func(l *Ledger, r *Run) error { return l.StartPlan(ctx, r, head) }},
		{"finish twice", func(l *Ledger, r *Run) error { return l.FinishPlan(ctx, r, PlanTotals{}) }},
		{"discard what is finished", func(l *Ledger, r *Run) error { return l.DiscardPlan(ctx, r) }},
		{"add to what is finished", func(l *Ledger, r *Run) error {
			return l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{chunkOf(r, 2)}})
		}},
		{"add to what is settled", func(l *Ledger, r *Run) error {
			if _, err := l.SettleRun(ctx, r, func(*Receipt) End { return End{Stopped, "limit"} }); err != nil {
				return err
			}
			return l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{chunkOf(r, 2)}})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 1)
			wantErr(t, c.do(l, r), ErrState)
			if got := get[[]Chunk](t)(l.Chunks(ctx, r.ID, 0, 10)); len(got) != 1 || len(got[0].Ranges) != 1 {
				t.Errorf("the plan changed: %+v", got)
			}
		})
	}
}

func TestAddToPlanRefusesRows(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	with := func(change func(*Chunk)) PlanPart {
		c := chunkOf(r, 1)
		change(&c)
		return PlanPart{Chunks: []Chunk{c}}
	}
	for name, part := range map[string]PlanPart{
		"number 0":             with(func(c *Chunk) { c.Chunk = 0 }),
		"no body":              with(func(c *Chunk) { c.BodyBytes = 0 }),
		"negative records":     with(func(c *Chunk) { c.Records = -1 }),
		"empty range":          with(func(c *Chunk) { c.Ranges[0].ByteEnd = c.Ranges[0].ByteStart }),
		"range without record": with(func(c *Chunk) { c.Ranges[0].Records = 0 }),
		"empty spool range":    with(func(c *Chunk) { c.Spool = &SpoolRange{Start: 5, End: 5} }),
		"range of no file":     with(func(c *Chunk) { c.Ranges[0].File = 7 }),
		"dead of no file":      {Dead: []DeadLetter{{Number: 1, File: 7}}},
		"file of no snapshot":  {Files: []SnapshotFile{{File: 7}}},
		"same number twice":    {Chunks: []Chunk{chunkOf(r, 1), chunkOf(r, 1)}},
	} {
		if err := l.AddToPlan(ctx, r, part); !errors.Is(err, ErrState) {
			t.Errorf("%s: got %v, want ErrState", name, err)
		}
	}
	if n := count(t, l, `SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM chunk_ranges)`); n != 0 {
		t.Errorf("%d rows of refused parts stayed", n)
	}
}

func TestFinishPlanTakesChunksOver(t *testing.T) {
	ctx, l := context.Background(), open(t)
	old := planned(t, l, handRun("orders", slotTime), 2)
	try(t, l, old, 1, ChunkAccepted)
	settle(t, l, old, Stopped)
	r := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(time.Hour))))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Files: []SnapshotFile{file(2)}}))
	must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{chunkOf(r, 1)}}))

	// A chunk that was sent meanwhile is not there to be taken over.
	sent := PlanTotals{RecordsRead: 20, RecordsUnchanged: 10, TakenOver: []TakenOver{{Run: old.ID, Chunk: 2}, {Run: old.ID, Chunk: 1}}}
	wantErr(t, l.FinishPlan(ctx, r, sent), ErrState)
	if got := chunkState(t, l, old, 2); got != ChunkPlanned || r.State != Planning {
		t.Fatalf("after a refusal: chunk is %s, run %s", got, r.State)
	}

	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 20, RecordsUnchanged: 10, TakenOver: []TakenOver{{Run: old.ID, Chunk: 2}}}))
	if got := chunkState(t, l, old, 2); got != ChunkFailed {
		t.Errorf("the chunk that was taken over is %s", got)
	}
	must(t, l.ReopenRun(ctx, old))
	_, err := l.BeginAttempt(ctx, old.ID, 2, "h", 1)
	wantErr(t, err, ErrState)
}

func TestDiscardPlanKeepsDeadLetters(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{chunkOf(r, 1)}, Dead: []DeadLetter{{Number: 1}, {Number: 2}}}))
	must(t, l.DiscardPlan(ctx, r))
	if n := count(t, l, `SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM chunk_ranges)`); n != 0 {
		t.Errorf("%d rows of the plan stayed", n)
	}
	c := settle(t, l, r, Failed)
	if !c.Balanced || c.Records.Read != 2 || c.Records.Dead != 2 || r.RecordsRead != 2 {
		t.Errorf("got %+v, run read %d", c.Records, r.RecordsRead)
	}
}

func TestReplanRun(t *testing.T) {
	to := Destination{FlowID: "other", BaseURL: "https://other"}
	for _, c := range []struct {
		name string
		tail ChunkState // of its one attempt
		want error
	}{
		{"never tried", "", nil},
		{"throttled", ChunkPlanned, nil},
		{"accepted", ChunkAccepted, ErrState},
		{"failed", ChunkFailed, ErrState},
		{"unknown", ChunkUnknown, ErrState},
		{"under way", ChunkSending, ErrState},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, l := context.Background(), open(t)
			r := planned(t, l, slotRun("orders"), 2)
			switch c.tail {
			case "":
			case ChunkSending:
				get[int64](t)(l.BeginAttempt(ctx, r.ID, 2, "h", 1))
			default:
				try(t, l, r, 2, c.tail)
			}
			err := l.ReplanRun(ctx, r, to)
			wantErr(t, err, c.want)
			stored := get[*Run](t)(l.FindRun(ctx, r.RunID))
			if !reflect.DeepEqual(stored, r) {
				t.Errorf("stored\n %+v, in memory\n %+v", stored, r)
			}
			if err != nil {
				if stored.State != Delivering || stored.FlowID != "flow" {
					t.Errorf("refused, but got %+v", stored)
				}
				return
			}
			if stored.State != Planning || stored.PlannedAt != nil || stored.FlowID != "other" || stored.BaseURL != "https://other" {
				t.Errorf("got %+v", stored)
			}
			plan(t, l, r, 1)
			try(t, l, r, 1, ChunkAccepted)
			settle(t, l, r, Succeeded)
		})
	}
}

// What WorqHat may have is never planned anew, also when a policy or a person
// put the chunk back to planned.
func TestReplanRunAfterUnknown(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		back func(l *Ledger, r *Run) error
	}{
		{"resolved as resend", func(l *Ledger, r *Run) error {
			try(t, l, r, 1, ChunkUnknown)
			return l.ResolveChunk(ctx, r, ChunkPlanned, Audit{Action: "resolved as resend", RunID: r.RunID, Chunk: 1, Actor: "ann", Reason: "lost"})
		}},
		{"on_unknown = resend", func(l *Ledger, r *Run) error {
			id, err := l.BeginAttempt(ctx, r.ID, 1, "h", 1)
			if err != nil {
				return err
			}
			return l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "unknown", Next: ChunkPlanned})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 1)
			must(t, c.back(l, r))
			wantErr(t, l.ReplanRun(ctx, r, Destination{}), ErrState)
			if got := get[[]Attempt](t)(l.Attempts(ctx, r.ID, 1)); len(got) != 1 || got[0].Outcome != "unknown" {
				t.Errorf("attempts: got %+v", got)
			}
		})
	}
}

// Each request that WorqHat received stays in the ledger, also when its chunk
// is replaced by a new plan, or by none.
func TestRefusedAttemptsOutliveTheirPlan(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 3)
	first, last := try(t, l, r, 1, ChunkPlanned), try(t, l, r, 3, ChunkPlanned)
	must(t, l.ReplanRun(ctx, r, Destination{"flow", "https://api.worqhat.com"}))
	must(t, l.DiscardPlan(ctx, r))
	if n := count(t, l, `SELECT count(*) FROM attempts WHERE attempt_id IN (?, ?)`, first, last); n != 2 {
		t.Fatalf("got %d attempts after the plan was discarded, want 2", n)
	}
	plan(t, l, r, 1)
	try(t, l, r, 1, ChunkAccepted)
	got := get[[]Attempt](t)(l.Attempts(ctx, r.ID, 1))
	if len(got) != 2 || got[0].AttemptID != first || got[1].Number != 2 {
		t.Errorf("attempts of chunk 1: got %+v", got)
	}
	if c := settle(t, l, r, Succeeded); c.Attempts != 3 {
		t.Errorf("the receipt counts %d attempts, want 3", c.Attempts)
	}
}
