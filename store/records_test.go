package store

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// Of a record under way the copy has an attempt and no row: it is unknown like all
// others, also where its segment was given up meanwhile.
func TestAcceptRestoreOfRecordsUnderWay(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	l := get[*Ledger](t)(Open(ctx, path, "run"))
	r := segmented(t, l, slotRun("orders"), 2)
	for _, n := range []int64{4, 5, 15} {
		get[int64](t)(l.BeginRecord(ctx, intentOf(r, n)))
	}
	_, err := l.rw.Exec(`UPDATE segments SET state = 'failed', reason = 'cancelled' WHERE segment = 2`)
	must(t, err)
	must(t, l.Close())
	must(t, os.Remove(path+".high"))
	restore := &Restore{Actor: "ann"}
	l = get[*Ledger](t)(OpenRestored(ctx, path, "serve", restore))
	if restore.Runs != 1 || restore.Chunks != 11 {
		t.Errorf("got %+v", restore)
	}
	c := settle(t, l, r, Held)
	if c.Chunks != (ChunkBalance{Planned: 20, Failed: 9, Unknown: 11}) || !c.Balanced {
		t.Errorf("got %+v", c.Chunks)
	}
	if n := count(t, l, `SELECT count(*) FROM attempts WHERE outcome = 'unknown' AND over = 1`); n != 3 {
		t.Errorf("%d attempts are unknown", n)
	}
	must(t, l.View(ctx, func(v *View) error {
		for _, check := range get[[]LedgerCheck](t)(v.CheckLedger(ctx, r.ID)) {
			if check.Broken > 0 {
				t.Errorf("%s: %q", check.Name, check.Examples)
			}
		}
		return nil
	}))
	must(t, l.ResolveChunk(ctx, r, ChunkAccepted, Audit{Action: "resolved as accepted", RunID: r.RunID, Chunk: 15, Actor: "ann", Reason: "seen"}))
	must(t, l.Close())
}

// A later run of the same content leaves to an earlier one what that has accepted,
// does not know, or is sending; the others it may take over.
func TestEarlierRangesOfRecords(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 1)
	for n, state := range map[int64]ChunkState{1: ChunkAccepted, 2: ChunkAccepted, 3: ChunkFailed, 4: ChunkUnknown} {
		tryRecord(t, l, r, n, state)
	}
	get[int64](t)(l.BeginRecord(ctx, intentOf(r, 5)))
	next := get[*Run](t)(l.BeginRun(ctx, later("orders")))
	next.Shape = "shape"
	f := file(1)
	got := get[[]Earlier](t)(l.EarlierRanges(ctx, next, f.Size, f.ContentHash))
	want := []Earlier{
		{Run: r.ID, RunID: r.RunID, Chunk: 1, State: ChunkAccepted, Start: 0, End: 20, Records: 2},
		{Run: r.ID, RunID: r.RunID, Chunk: 4, State: ChunkUnknown, Start: 30, End: 40, Records: 1},
		{Run: r.ID, RunID: r.RunID, Chunk: 5, State: ChunkSending, Start: 40, End: 50, Records: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	unbegun := get[[]Earlier](t)(l.UnbegunRanges(ctx, TakenOver{Run: r.ID, Segment: 1}))
	if len(unbegun) != 1 || unbegun[0].Start != 50 || unbegun[0].End != 100 {
		t.Errorf("not begun are %+v", unbegun)
	}
	if got := get[[]Earlier](t)(l.AcceptedRanges(ctx, r, 0)); len(got) != 1 || got[0].Start != 0 || got[0].End != 20 || got[0].Records != 2 {
		t.Errorf("accepted are %+v", got)
	}
}

func TestRecordsAreDeliveredByARedrive(t *testing.T) {
	ctx, l := context.Background(), open(t)
	of := segmented(t, l, slotRun("orders"), 1)
	for n := int64(1); n <= 10; n++ {
		state := ChunkAccepted
		if n == 3 || n == 8 {
			state = ChunkFailed
		}
		tryRecord(t, l, of, n, state)
	}
	settle(t, l, of, Partial)
	for _, n := range []int64{3, 8} {
		r := redriveRun(t, l, of, n)
		try(t, l, r, 1, ChunkAccepted)
		settle(t, l, r, Succeeded)
		if got := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(1).ContentHash)); (got != "") != (n == 8) {
			t.Errorf("after chunk %d: delivered by %q", n, got)
		}
	}
}

// An open attempt is none whose execution is looked up.
func TestRemoteOfRecordsUnderWay(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := segmented(t, l, slotRun("orders"), 1)
	tryRecord(t, l, r, 1, ChunkAccepted)
	tryRecord(t, l, r, 2, ChunkFailed)
	get[int64](t)(l.BeginRecord(ctx, intentOf(r, 3)))
	if b := get[RemoteBalance](t)(l.countRemote(ctx, r.ID)); b != (RemoteBalance{NotLookedUp: 1}) {
		t.Errorf("got %+v", b)
	}
	must(t, l.MarkNotListed(ctx, r.ID, time.Now()))
	if b := get[RemoteBalance](t)(l.countRemote(ctx, r.ID)); b.NotListed != 1 || b.NotLookedUp != 0 {
		t.Errorf("got %+v", b)
	}
}

// jumpTo gives the next attempt a number.
func jumpTo(t *testing.T, l *Ledger, id int64) {
	t.Helper()
	_, err := l.rw.Exec(`UPDATE sqlite_sequence SET seq = ? WHERE name = 'attempts'`, id-1)
	must(t, err)
}

// An execution's attempt is found wherever it is, whatever is looked at first.
func TestClaimantsNearAndFar(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 3)
	ids := []int64{1, 5 << idBlock, 9 << idBlock}
	for n, id := range ids {
		if n > 0 {
			jumpTo(t, l, id)
		}
		attempt := get[int64](t)(l.BeginAttempt(ctx, r.ID, int64(n+1), "h", 1))
		must(t, l.FinishAttempt(ctx, attempt, AttemptEnd{Outcome: "accepted", AnalyticsID: string(rune('a' + n)), Next: ChunkAccepted}))
	}
	for n, id := range ids {
		for _, near := range append(ids, 0, 20<<idBlock) {
			got := get[[]Claimant](t)(l.Claimants(ctx, string(rune('a'+n)), near))
			if len(got) != 1 || got[0].AttemptID != id {
				t.Errorf("%d near %d: got %+v", id, near, got)
			}
		}
	}
	if got := get[[]Claimant](t)(l.Claimants(ctx, "d", 1)); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestSameIDsFarApart(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 3)
	accept := func(chunk int64) int64 {
		id := get[int64](t)(l.BeginAttempt(ctx, r.ID, chunk, "h", 1))
		must(t, l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "accepted", AnalyticsID: "a", Next: ChunkAccepted}))
		return id
	}
	accept(1)
	jumpTo(t, l, sameIDsBefore+2)
	if id := accept(2); len(get[[]SameID](t)(l.SameIDs(ctx, r, id-1, 9))) != 0 {
		t.Error("an id that is farther away than what is looked at was found")
	}
	if got := get[[]SameID](t)(l.SameIDs(ctx, r, accept(3)-1, 9)); len(got) != 1 || got[0].OtherChunk != 2 {
		t.Errorf("got %+v", got)
	}
}
