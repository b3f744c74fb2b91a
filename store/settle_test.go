package store

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// mixed is a run with a chunk of each state: 1 accepted, 2 assumed accepted,
// 3 failed, 4 unknown, 5 planned, 6 sending; one dead letter, and records that
// were filtered, unchanged and elsewhere.
func mixed(t *testing.T, l *Ledger) *Run {
	t.Helper()
	ctx := context.Background()
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Files: []SnapshotFile{file(6)}}))
	part := PlanPart{Dead: []DeadLetter{{Number: 1, Line: 61}}}
	for i := int64(1); i <= 6; i++ {
		part.Chunks = append(part.Chunks, chunkOf(r, i))
	}
	must(t, l.AddToPlan(ctx, r, part))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 70, RecordsFiltered: 4, RecordsUnchanged: 3, RecordsElsewhere: 2, BytesRead: 700}))
	try(t, l, r, 1, ChunkPlanned)
	try(t, l, r, 1, ChunkAccepted)
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 2, "h", 200))
	must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "unknown", Next: ChunkAccepted, ChunkReason: AssumedReason}))
	try(t, l, r, 3, ChunkFailed)
	try(t, l, r, 4, ChunkUnknown)
	id = get[int64](t)(l.BeginAttempt(ctx, r.ID, 5, "h", 200))
	must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "not_sent", Next: ChunkPlanned}))
	get[int64](t)(l.BeginAttempt(ctx, r.ID, 6, "h", 200))
	return r
}

func TestReceiptCountsEachState(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := mixed(t, l)
	got := get[*Receipt](t)(l.Receipt(ctx, r))
	if want := (ChunkBalance{Planned: 6, Accepted: 2, Assumed: 1, Failed: 1, Unknown: 1, Pending: 2}); got.Chunks != want {
		t.Errorf("chunks: got %+v, want %+v", got.Chunks, want)
	}
	want := RecordBalance{Read: 70, Accepted: 20, Failed: 10, Dead: 1, Filtered: 4, Unchanged: 3, Unknown: 12, Pending: 20}
	if got.Records != want || !got.Balanced {
		t.Errorf("records: got %+v balanced %v, want %+v", got.Records, got.Balanced, want)
	}
	if got.Attempts != 7 || got.Bytes != (ByteCount{Read: 700, Sent: 1200}) {
		t.Errorf("got %d attempts and %+v, want 7 and 700 read, 1200 sent (one of 7 was not)", got.Attempts, got.Bytes)
	}
}

// The balance does not follow from how it is computed: what is lost or counted
// twice between plan and chunks shows.
func TestReceiptShowsWhatDoesNotBalance(t *testing.T) {
	ctx := context.Background()
	for name, sql := range map[string]string{
		"a chunk is gone":              `DELETE FROM chunks WHERE chunk = 5`,
		"a chunk lost a record":        `UPDATE chunks SET records = 9 WHERE chunk = 1`,
		"a dead letter is gone":        `DELETE FROM dead_letters`,
		"the plan read one more":       `UPDATE runs SET records_read = 71`,
		"a record counts twice":        `UPDATE runs SET records_unchanged = 4`,
		"split without its successors": `UPDATE chunks SET state = 'split' WHERE chunk = 3`,
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			r := mixed(t, l)
			_, err := l.rw.Exec(sql)
			must(t, err)
			if c := get[*Receipt](t)(l.Receipt(ctx, r)); c.Balanced {
				t.Errorf("balanced: %+v", c.Records)
			}
		})
	}
}

func TestSettleRunStoresItsReceipt(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := mixed(t, l)
	stale := *r
	stale.RecordsRead = 0 // the ledger counts, not what a caller holds
	c := get[*Receipt](t)(l.SettleRun(ctx, &stale, func(*Receipt) End { return End{Stopped, "limit reached"} }))
	if c.Status != Stopped || c.Reason != "limit reached" || c.FinishedAt == nil || !c.Balanced {
		t.Errorf("got %+v", c)
	}
	stored := get[*Run](t)(l.FindRun(ctx, r.RunID))
	if stored.State != Stopped || stored.Reason != "limit reached" || !stored.FinishedAt.Equal(*c.FinishedAt) {
		t.Errorf("run: got %+v", stored)
	}
	var text string
	must(t, l.ro.QueryRow(`SELECT receipt FROM runs`).Scan(&text))
	var back Receipt
	must(t, json.Unmarshal([]byte(text), &back))
	if !reflect.DeepEqual(back, *c) {
		t.Errorf("stored\n %+v, want\n %+v", back, *c)
	}
	if again := get[*Receipt](t)(l.Receipt(ctx, stored)); !reflect.DeepEqual(again, c) {
		t.Errorf("computed again\n %+v, want\n %+v", again, c)
	}
}

func TestSettleRunRefusesUntruth(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		prep func(t *testing.T, l *Ledger, r *Run)
		end  RunState
		want error
	}{
		{"succeeded", func(t *testing.T, l *Ledger, r *Run) { try(t, l, r, 1, ChunkAccepted) }, Succeeded, nil},
		{"nothing was sent", func(*testing.T, *Ledger, *Run) {}, Succeeded, ErrState},
		{"a chunk failed", func(t *testing.T, l *Ledger, r *Run) { try(t, l, r, 1, ChunkFailed) }, Succeeded, ErrState},
		{"a chunk is unknown", func(t *testing.T, l *Ledger, r *Run) { try(t, l, r, 1, ChunkUnknown) }, Succeeded, ErrState},
		{"a chunk is under way", func(t *testing.T, l *Ledger, r *Run) { get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1)) }, Succeeded, ErrState},
		{"does not balance", func(t *testing.T, l *Ledger, r *Run) {
			try(t, l, r, 1, ChunkAccepted)
			_, err := l.rw.Exec(`UPDATE runs SET records_read = 11`)
			must(t, err)
		}, Succeeded, ErrState},
		{"a record stays elsewhere", func(t *testing.T, l *Ledger, r *Run) {
			try(t, l, r, 1, ChunkAccepted)
			_, err := l.rw.Exec(`UPDATE runs SET records_read = 11, records_elsewhere = 1`)
			must(t, err)
		}, Succeeded, ErrState},
		{"a record is dead", func(t *testing.T, l *Ledger, r *Run) {
			try(t, l, r, 1, ChunkAccepted)
			_, err := l.rw.Exec(`UPDATE runs SET records_read = 11; INSERT INTO dead_letters VALUES (1, 1, 0, 1, 1, 0, 1, '', '')`)
			must(t, err)
		}, Succeeded, ErrState},
		{"not an end", func(*testing.T, *Ledger, *Run) {}, Delivering, ErrState},
		{"no state", func(*testing.T, *Ledger, *Run) {}, "finished", ErrState},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 1)
			c.prep(t, l, r)
			_, err := l.SettleRun(ctx, r, func(*Receipt) End { return End{State: c.end} })
			wantErr(t, err, c.want)
			want := Delivering
			if c.want == nil {
				want = c.end
			}
			if stored := get[*Run](t)(l.FindRun(ctx, r.RunID)); stored.State != want || r.State != want {
				t.Errorf("stored %s, in memory %s, want %s", stored.State, r.State, want)
			}
		})
	}
}

func TestReopenRun(t *testing.T) {
	ctx, l := context.Background(), open(t)
	unplanned := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime)))
	settle(t, l, unplanned, Stopped)
	must(t, l.ReopenRun(ctx, unplanned))
	stopped := planned(t, l, handRun("orders", slotTime.Add(time.Hour)), 1)
	settle(t, l, stopped, Stopped)
	must(t, l.ReopenRun(ctx, stopped))
	for r, want := range map[*Run]RunState{unplanned: Planning, stopped: Delivering} {
		stored := get[*Run](t)(l.FindRun(ctx, r.RunID))
		if stored.State != want || stored.FinishedAt != nil || stored.Reason != "" || !reflect.DeepEqual(stored, r) {
			t.Errorf("got %+v, in memory %+v, want %s", stored, r, want)
		}
	}
	wantErr(t, l.ReopenRun(ctx, &Run{ID: 99}), ErrState)
}

func TestResolveChunk(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		is   ChunkState
		next ChunkState
		want error
	}{
		{"accepted", ChunkUnknown, ChunkAccepted, nil},
		{"resend", ChunkUnknown, ChunkPlanned, nil},
		{"abandon", ChunkUnknown, ChunkFailed, nil},
		{"to sending", ChunkUnknown, ChunkSending, ErrState},
		{"to unknown", ChunkUnknown, ChunkUnknown, ErrState},
		{"of planned", ChunkPlanned, ChunkAccepted, ErrState},
		{"of accepted", ChunkAccepted, ChunkPlanned, ErrState},
		{"of failed", ChunkFailed, ChunkPlanned, ErrState},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			r := planned(t, l, slotRun("orders"), 1)
			try(t, l, r, 1, c.is)
			a := Audit{Action: "resolved as " + c.name, RunID: r.RunID, Chunk: 1, Actor: "ann", Reason: "seen in the dashboard"}
			wantErr(t, l.ResolveChunk(ctx, r, c.next, a), c.want)
			rows := get[[]AuditRow](t)(l.Audit(ctx, r.RunID))
			if c.want != nil {
				if got := chunkState(t, l, r, 1); got != c.is || len(rows) != 0 {
					t.Errorf("refused, but the chunk is %s, audit %+v", got, rows)
				}
				return
			}
			if got := chunkState(t, l, r, 1); got != c.next || len(rows) != 1 || rows[0].Audit != a {
				t.Errorf("the chunk is %s, audit %+v", got, rows)
			}
		})
	}
}
