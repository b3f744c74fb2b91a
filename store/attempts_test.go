package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAttemptFromIntentToOutcome(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 2)
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "xxh3:body", 200))
	if got := chunkState(t, l, r, 1); got != ChunkSending {
		t.Errorf("after the intent the chunk is %s", got)
	}
	list := get[[]Attempt](t)(l.OpenAttempts(ctx))
	if len(list) != 1 || list[0].AttemptID != id || list[0].Run != r.ID || list[0].Chunk != 1 || list[0].Number != 1 ||
		list[0].BodyHash != "xxh3:body" || list[0].BodyBytes != 200 || list[0].Outcome != "" || list[0].FinishedAt != nil {
		t.Errorf("open: got %+v", list)
	}
	end := AttemptEnd{
		Outcome: "accepted", Reason: "accepted", Detail: "accepted", StatusCode: 200, AnalyticsID: "a-1",
		Answer: []byte(`{"success":true}`), Next: ChunkAccepted,
	}
	must(t, l.FinishAttempt(ctx, id, end))
	if list := get[[]Attempt](t)(l.OpenAttempts(ctx)); len(list) != 0 {
		t.Errorf("still open: %+v", list)
	}
	a := get[[]Attempt](t)(l.Attempts(ctx, r.ID, 1))[0]
	if a.Outcome != "accepted" || a.AnalyticsID != "a-1" || string(a.Answer) != `{"success":true}` || a.StatusCode != 200 || a.FinishedAt == nil {
		t.Errorf("stored: got %+v", a)
	}
	if got := chunkState(t, l, r, 1); got != ChunkAccepted {
		t.Errorf("the chunk is %s", got)
	}
}

func TestAttemptsAreNumbered(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	at := time.Now().Add(time.Minute).Truncate(time.Millisecond)
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
	must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "not_sent", Next: ChunkPlanned, NotBefore: at, ChunkReason: "refused"}))
	c := get[*Chunk](t)(l.Chunk(ctx, r.ID, 1))
	if !c.NotBefore.Equal(at) || c.Reason != "refused" || c.State != ChunkPlanned {
		t.Errorf("chunk: got %+v", c)
	}
	try(t, l, r, 1, ChunkPlanned)
	last := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
	must(t, l.FinishAttempt(ctx, last, AttemptEnd{Outcome: "unknown", Next: ChunkPlanned}))
	for i, a := range get[[]Attempt](t)(l.Attempts(ctx, r.ID, 1)) {
		if a.Number != i+1 {
			t.Errorf("attempt %d has number %d", i+1, a.Number)
		}
	}
	if n := get[int](t)(l.CountUnknown(ctx, r.ID, 1)); n != 1 {
		t.Errorf("got %d unknown, want 1", n)
	}
}

func TestBeginAttemptIsRefused(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		before func(t *testing.T, l *Ledger, r *Run)
	}{
		{"under way", func(t *testing.T, l *Ledger, r *Run) { get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1)) }},
		{"accepted", func(t *testing.T, l *Ledger, r *Run) { try(t, l, r, 1, ChunkAccepted) }},
		{"failed", func(t *testing.T, l *Ledger, r *Run) { try(t, l, r, 1, ChunkFailed) }},
		{"unknown", func(t *testing.T, l *Ledger, r *Run) { try(t, l, r, 1, ChunkUnknown) }},
		{"run stopped", func(t *testing.T, l *Ledger, r *Run) { settle(t, l, r, Stopped) }},
		{"run planned anew", func(t *testing.T, l *Ledger, r *Run) { must(t, l.ReplanRun(ctx, r, Destination{})) }},
		{"accepted behind the program's back", func(t *testing.T, l *Ledger, r *Run) {
			_, err := l.rw.Exec(`UPDATE chunks SET state = 'sending';
				INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, finished_at, outcome, reason, detail, status_code)
				VALUES (?, 1, 1, '', 1, 1, 1, 'accepted', '', '', 200);
				UPDATE chunks SET state = 'planned'`, r.ID)
			must(t, err)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 1)
			c.before(t, l, r)
			rows := count(t, l, `SELECT count(*) FROM attempts`)
			_, err := l.BeginAttempt(ctx, r.ID, 1, "h", 1)
			wantErr(t, err, ErrState)
			if now := count(t, l, `SELECT count(*) FROM attempts`); now != rows {
				t.Errorf("a refused intent left a row: %d, then %d", rows, now)
			}
		})
	}
	t.Run("no such chunk", func(t *testing.T) {
		l := open(t)
		r := planned(t, l, slotRun("orders"), 1)
		_, err := l.BeginAttempt(ctx, r.ID, 2, "h", 1)
		wantErr(t, err, ErrState)
	})
}

func TestFinishAttemptIsRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome string
		next    ChunkState
		want    error
	}{
		{"accepted, sent again", "accepted", ChunkPlanned, ErrState},
		{"accepted without id, held", "accepted_no_id", ChunkUnknown, ErrState},
		{"accepted, failed", "accepted", ChunkFailed, ErrState},
		{"refused, accepted", "refused", ChunkAccepted, ErrState},
		{"throttled, accepted", "throttled", ChunkAccepted, ErrState},
		{"still sending", "not_sent", ChunkSending, ErrState},
		{"nowhere", "not_sent", "", ErrState},
		{"no such outcome", "maybe", ChunkPlanned, ErrState},
		{"unknown, assumed accepted", "unknown", ChunkAccepted, nil},
		{"too large, split", "refused", ChunkSplit, nil},
		{"unknown, split", "unknown", ChunkSplit, ErrState},
		{"accepted, split", "accepted", ChunkSplit, ErrState},
		{"split into nothing", "refused", ChunkSplit, ErrState},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, l := context.Background(), open(t)
			r := planned(t, l, slotRun("orders"), 1)
			id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
			end := AttemptEnd{Outcome: c.outcome, Next: c.next}
			if c.next == ChunkSplit && c.name != "split into nothing" {
				end.Split = halves(r, 1)
			}
			wantErr(t, l.FinishAttempt(ctx, id, end), c.want)
			open := get[[]Attempt](t)(l.OpenAttempts(ctx))
			if wasRefused := len(open) == 1; wasRefused != (c.want != nil) {
				t.Errorf("open attempts: %+v", open)
			}
		})
	}
}

func TestOutcomeIsDecidedOnce(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 1)
	id := try(t, l, r, 1, ChunkUnknown)
	wantErr(t, l.FinishAttempt(ctx, id, ends[ChunkAccepted]), ErrState)
	wantErr(t, l.FinishAttempt(ctx, id+1, ends[ChunkAccepted]), ErrState)
	if got := chunkState(t, l, r, 1); got != ChunkUnknown {
		t.Errorf("the chunk is %s", got)
	}
}

// The schema holds these whoever writes.
func TestSchemaRefuses(t *testing.T) {
	for _, c := range []struct{ name, sql, says string }{
		{"leaving accepted", `UPDATE chunks SET state = 'planned' WHERE chunk = 1`, "stays accepted"},
		{"a second outcome", `UPDATE attempts SET outcome = 'unknown' WHERE chunk = 1`, "decided once"},
		{"no outcome any more", `UPDATE attempts SET outcome = NULL, finished_at = NULL WHERE chunk = 1`, "decided once"},
		{"two live attempts", `UPDATE chunks SET state = 'sending' WHERE chunk = 2;
			INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, reason, detail, status_code)
			VALUES (1, 2, 1, '', 1, 1, '', '', 0), (1, 2, 2, '', 1, 1, '', '', 0)`, "UNIQUE"},
		{"an attempt of a chunk that is not sent", `INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, reason, detail, status_code)
			VALUES (1, 2, 1, '', 1, 1, '', '', 0)`, "is being sent"},
		{"accepted, and another may follow", `UPDATE attempts SET over = 1 WHERE chunk = 1`, "CHECK"},
		{"refused, and no other may follow", `UPDATE chunks SET state = 'sending' WHERE chunk = 2;
			INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, finished_at, outcome, reason, detail, status_code)
			VALUES (1, 2, 1, '', 1, 1, 1, 'refused', '', '', 0)`, "CHECK"},
		{"an outcome without an end", `UPDATE chunks SET state = 'sending' WHERE chunk = 2; INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, outcome, reason, detail, status_code)
			VALUES (1, 2, 1, '', 1, 1, 'refused', '', '', 0)`, "CHECK"},
		{"an outcome that is none", `UPDATE chunks SET state = 'sending' WHERE chunk = 2; INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, finished_at, outcome, reason, detail, status_code)
			VALUES (1, 2, 1, '', 1, 1, 1, 'lost', '', '', 0)`, "CHECK"},
		{"an attempt of no chunk", `INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, reason, detail, status_code)
			VALUES (1, 9, 1, '', 1, 1, '', '', 0)`, "needs a chunk"},
		{"an attempt of no run", `UPDATE attempts SET run = 9`, "FOREIGN KEY"},
		{"dropping an accepted chunk", `DELETE FROM chunks WHERE chunk = 1`, "goes only with its run"},
		{"dropping an attempt", `DELETE FROM attempts WHERE chunk = 1`, "goes only with its run"},
		{"a chunk state", `UPDATE chunks SET state = 'done' WHERE chunk = 2`, "CHECK"},
		{"a run state", `UPDATE runs SET state = 'done'`, "CHECK"},
		{"a slot state", `INSERT INTO slots VALUES ('a', 1, 'late', '', 1)`, "CHECK"},
		{"a slot's second row", `INSERT INTO slots SELECT schedule, scheduled_for, 'missed', '', 1 FROM slots`, "UNIQUE"},
		{"a range of no chunk", `UPDATE chunk_ranges SET chunk = 9 WHERE chunk = 2`, "FOREIGN KEY"},
		{"a range of no file", `UPDATE chunk_ranges SET file = 9 WHERE chunk = 2`, "FOREIGN KEY"},
		{"a text for a time", `UPDATE runs SET started_at = 'yesterday'`, "INTEGER column"},
		{"a request of no kind", `INSERT INTO requests (kind, body, created_at, run_id, message) VALUES ('erase', '', 1, '', '')`, "CHECK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 2)
			try(t, l, r, 1, ChunkAccepted)
			_, err := l.rw.Exec(c.sql)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want an error with %q", err, c.says)
			}
			if err := l.judge(err); !errors.Is(err, ErrState) {
				t.Errorf("judged as %v, want ErrState", err)
			}
		})
	}
}

// Retention removes runs; all that is theirs goes with them.
func TestRunGoesWithItsRows(t *testing.T) {
	l := open(t)
	r := planned(t, l, slotRun("orders"), 2)
	try(t, l, r, 1, ChunkAccepted)
	_, err := l.rw.Exec(`DELETE FROM runs WHERE id = ?`, r.ID)
	must(t, err)
	for _, table := range []string{"chunks", "chunk_ranges", "attempts", "snapshots"} {
		if n := count(t, l, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%s: %d rows stayed", table, n)
		}
	}
}
