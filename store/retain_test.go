package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// ended begins and ends runs of schedule orders, each with so many chunks.
func ended(t *testing.T, l *Ledger, at time.Time, chunks int) *Run {
	t.Helper()
	r := planned(t, l, handRun("orders", at), chunks)
	for i := range chunks {
		try(t, l, r, int64(i+1), ChunkAccepted)
	}
	settle(t, l, r, Succeeded)
	return r
}

func removeAll(t *testing.T, l *Ledger, r *Run, limit int64) {
	t.Helper()
	for gone := false; !gone; {
		rows, last, err := l.RemoveRows(context.Background(), r, limit)
		must(t, err)
		if gone = last; rows > limit {
			t.Fatalf("%d rows at once, want %d at most", rows, limit)
		}
	}
}

func whole(t *testing.T, l *Ledger) {
	t.Helper()
	for _, check := range []string{"integrity_check", "foreign_key_check"} {
		if got := get[[]string](t)(texts(l, "PRAGMA "+check)); strings.Join(got, "") != "ok" && len(got) > 0 {
			t.Errorf("%s: %v", check, got)
		}
	}
}

func TestRemovable(t *testing.T) {
	ctx, l := context.Background(), open(t)
	future := time.Now().Add(time.Hour)
	hour := func(n int) NewRun { return handRun("orders", slotTime.Add(time.Duration(n)*time.Hour)) }
	first := ended(t, l, slotTime, 2)
	delivering := planned(t, l, hour(1), 1)
	held := planned(t, l, hour(2), 2)
	try(t, l, held, 1, ChunkUnknown)
	try(t, l, held, 2, ChunkAccepted)
	settle(t, l, held, Held)
	stopped := planned(t, l, hour(3), 1)
	settle(t, l, stopped, Stopped)
	partial := planned(t, l, hour(4), 2)
	try(t, l, partial, 1, ChunkFailed)
	try(t, l, partial, 2, ChunkAccepted)
	settle(t, l, partial, Partial)
	unplanned := get[*Run](t)(l.BeginRun(ctx, hour(5)))
	settle(t, l, unplanned, Stopped)
	failed := get[*Run](t)(l.BeginRun(ctx, hour(6)))
	settle(t, l, failed, Failed)
	segments := segmented(t, l, hour(7), 1)
	settle(t, l, segments, Stopped)
	ended(t, l, slotTime.Add(8*time.Hour), 1) // the latest

	var got []string
	var last *Run
	for {
		page := get[[]*Run](t)(l.Removable(ctx, future, last, 1))
		if len(page) == 0 {
			break
		}
		last = page[0]
		got = append(got, last.RunID)
	}
	if want := []string{first.RunID, partial.RunID, failed.RunID}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if page := get[[]*Run](t)(l.Removable(ctx, *first.FinishedAt, nil, 10)); len(page) != 0 {
		t.Errorf("one that ended at the instant itself: %+v", page)
	}
	for _, r := range []*Run{delivering, held, stopped, segments} {
		wantErr(t, l.BeginRemoval(ctx, r), ErrState)
	}
}

func TestRemoval(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 40)
	for i := range int64(40) {
		try(t, l, r, i+1, []ChunkState{ChunkAccepted, ChunkFailed}[i%2])
	}
	settle(t, l, r, Partial)
	records := segmented(t, l, handRun("orders", slotTime.Add(time.Hour)), 2)
	for i := range int64(20) {
		tryRecord(t, l, records, i+1, ChunkAccepted)
	}
	dead := DeadLetter{Number: 1, Line: 7, Reason: "bad"}
	other := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(2*time.Hour))))
	must(t, l.StartPlan(ctx, other, PlanHead{Files: []SnapshotFile{file(1)}}))
	must(t, l.AddToPlan(ctx, other, PlanPart{Chunks: []Chunk{chunkOf(other, 1)}, Dead: []DeadLetter{dead}, Notes: []string{"a note"}}))
	must(t, l.FinishPlan(ctx, other, PlanTotals{RecordsRead: 11}))
	try(t, l, other, 1, ChunkAccepted)
	for _, run := range []*Run{records, other} {
		settle(t, l, run, Partial)
	}
	latest := ended(t, l, slotTime.Add(3*time.Hour), 3)

	_, err := l.rw.Exec(`DELETE FROM attempts WHERE run = ?`, r.ID)
	if err == nil || !strings.Contains(err.Error(), "goes only with its run") {
		t.Errorf("an attempt of a run that stays went: %v", err)
	}
	for _, run := range []*Run{r, records, other} {
		must(t, l.BeginRemoval(ctx, run))
		wantErr(t, l.BeginRemoval(ctx, run), ErrState)
		rows, gone, err := l.RemoveRows(ctx, run, 3)
		if err != nil || rows != 3 || gone {
			t.Fatalf("got %d %t %v", rows, gone, err)
		}
		whole(t, l)
	}
	// A kill here leaves them to the next start, unseen by all others.
	if begun := get[[]*Run](t)(l.Removing(ctx)); len(begun) != 3 {
		t.Errorf("%d runs are being removed, want 3", len(begun))
	}
	wantHidden(t, l, r)
	for _, run := range []*Run{r, records, other} {
		removeAll(t, l, run, 7)
	}
	whole(t, l)
	for _, table := range tablesOfRuns(t, l) {
		if n := count(t, l, fmt.Sprintf(`SELECT count(*) FROM %s WHERE run <> ?`, table), latest.ID); n != 0 {
			t.Errorf("%s: %d rows stayed", table, n)
		}
	}
	if n := count(t, l, `SELECT count(*) FROM runs`); n != 1 {
		t.Errorf("%d runs, want the latest", n)
	}
	if c := get[*Receipt](t)(l.CountReceipt(ctx, latest)); c.Chunks.Accepted != 3 || c.Attempts != 3 {
		t.Errorf("another run lost rows: %+v", c)
	}
}

// wantHidden looks for a run in all ways that there are.
func wantHidden(t *testing.T, l *Ledger, r *Run) {
	t.Helper()
	ctx := context.Background()
	has := func(list []*Run) bool { return slices.ContainsFunc(list, func(o *Run) bool { return o.ID == r.ID }) }
	if has(get[[]*Run](t)(l.Runs(ctx, "", 100))) || has(get[[]*Run](t)(l.Runs(ctx, r.Schedule, 100))) {
		t.Error("it is listed")
	}
	for _, name := range []string{r.RunID, r.Name()} {
		if _, err := l.FindRun(ctx, name); err == nil {
			t.Errorf("it is found as %s", name)
		}
	}
	if got := get[*Run](t)(l.LatestOfSlot(ctx, r.Schedule, r.ScheduledFor)); got != nil {
		t.Error("it is its slot's latest")
	}
	for what, list := range map[string][]Place{
		"key": get[[]Place](t)(l.ByKey(ctx, r.RunID+"-key-40")), "line": get[[]Place](t)(l.ByLine(ctx, "inbox/orders.csv", 395)),
		"id": get[[]Place](t)(l.ByAnalyticsID(ctx, "analytics-39")),
	} {
		if slices.ContainsFunc(list, func(p Place) bool { return p.Run.ID == r.ID }) {
			t.Errorf("it is traced by its %s", what)
		}
	}
	next := planned(t, l, handRun("orders", slotTime.Add(9*time.Hour)), 1)
	if got := get[[]Earlier](t)(l.EarlierRanges(ctx, next, file(40).Size, file(40).ContentHash)); len(got) != 0 {
		t.Errorf("a later run sees what is half gone: %+v", got)
	}
	try(t, l, next, 1, ChunkAccepted)
	settle(t, l, next, Succeeded)
	must(t, l.BeginRemoval(ctx, next))
	removeAll(t, l, next, 100)
}

// tablesOfRuns are all tables with rows that belong to a run.
func tablesOfRuns(t *testing.T, l *Ledger) []string {
	t.Helper()
	return get[[]string](t)(texts(l, `
SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'run') ORDER BY 1`))
}

// A table that comes later must be among those that retention empties: rows that a
// cascade takes go in one transaction, however many they are.
func TestRemovalKnowsAllTables(t *testing.T) {
	for _, table := range tablesOfRuns(t, open(t)) {
		if !slices.ContainsFunc(removeRows, func(q string) bool { return strings.HasPrefix(q, "DELETE FROM "+table+" ") }) {
			t.Errorf("removeRows leaves %s out", table)
		}
	}
}

func TestWhatALaterRunNeedsStays(t *testing.T) {
	ctx, l := context.Background(), open(t)
	f := file(4)
	r := planned(t, l, handRun("orders", slotTime), 4)
	for i, s := range []ChunkState{ChunkAccepted, ChunkAccepted, ChunkFailed, ChunkAccepted} {
		try(t, l, r, int64(i+1), s)
	}
	settle(t, l, r, Partial)
	next := get[*Run](t)(l.BeginRun(ctx, handRun("orders", slotTime.Add(time.Hour))))
	next.Shape = "shape"
	before := get[[]Earlier](t)(l.EarlierRanges(ctx, next, f.Size, f.ContentHash))
	ranges := get[[]Earlier](t)(l.AcceptedRanges(ctx, r, 0))
	for range 2 { // as after a kill
		must(t, l.KeepRanges(ctx, r, Content{f.Size, f.ContentHash}, ranges))
	}
	must(t, l.BeginRemoval(ctx, r))
	removeAll(t, l, r, 100)
	after := get[[]Earlier](t)(l.EarlierRanges(ctx, next, f.Size, f.ContentHash))
	for i := range before {
		before[i].Run, before[i].Chunk = 0, 0
	}
	if len(after) != 2 || !reflect.DeepEqual(before, after) {
		t.Errorf("got %+v\nwant %+v", after, before)
	}
	if !get[bool](t)(l.KnowsSize(ctx, "orders", "shape", f.Size)) {
		t.Error("nothing would look for it")
	}
	whole := ended(t, l, slotTime.Add(2*time.Hour), 7)
	must(t, l.BeginRemoval(ctx, whole))
	removeAll(t, l, whole, 100)
	if by := get[string](t)(l.DeliveredBy(ctx, "orders", "shape", file(7).ContentHash)); by != whole.RunID {
		t.Errorf("delivered by %q", by)
	}
	if !get[bool](t)(l.KnowsSize(ctx, "orders", "shape", file(7).Size)) || get[bool](t)(l.KnowsSize(ctx, "orders", "shape", 1)) {
		t.Error("sizes of files that were delivered whole are not known, or others are")
	}
}

func TestRemoveSlots(t *testing.T) {
	ctx, l := context.Background(), open(t)
	at := func(n int) time.Time { return slotTime.Add(time.Duration(n) * time.Minute) }
	for _, schedule := range []string{"a", "b", "c"} {
		for i := range 10 {
			get[bool](t)(l.CloseSlot(ctx, Slot{Schedule: schedule, ScheduledFor: at(i), State: SlotSkipped, Reason: "overlap"}))
		}
	}
	must(t, l.SetMark(ctx, "a", Mark{At: at(100), Spec: ""}))
	must(t, l.SetMark(ctx, "b", Mark{At: at(4), Spec: ""})) // the clock went back: slots ahead of it are claimed again
	n := slotRun("a")
	n.ScheduledFor, n.ByHand = at(3), true
	planned(t, l, n, 1)
	future := time.Now().Add(24 * 365 * time.Hour)
	total, behind := map[string]int64{}, ""
	for {
		schedule, rows, err := l.RemoveSlots(ctx, behind, future, 4)
		must(t, err)
		if schedule == "" {
			break
		}
		if total[schedule] += rows; rows == 0 {
			behind = schedule
		}
	}
	if want := map[string]int64{"a": 9, "b": 4, "c": 10}; !reflect.DeepEqual(total, want) {
		t.Errorf("removed %v, want %v", total, want)
	}
	if _, ok, err := l.Slot(ctx, "a", at(3)); !ok || err != nil {
		t.Error("the slot of a run went")
	}
	get[bool](t)(l.CloseSlot(ctx, Slot{Schedule: "d", ScheduledFor: at(0), State: SlotSkipped}))
	if schedule, rows, err := l.RemoveSlots(ctx, "c", at(5), 4); schedule != "d" || rows != 0 || err != nil {
		t.Errorf("a slot that was decided a moment ago went: %s %d %v", schedule, rows, err)
	}
}

func TestRemoveRequests(t *testing.T) {
	ctx, l := context.Background(), open(t)
	answered := get[int64](t)(Ask(ctx, l.Path(), "run", "{}"))
	get[int64](t)(Ask(ctx, l.Path(), "run", "{}"))
	must(t, l.FinishRequest(ctx, answered, 0, ""))
	if n := get[int64](t)(l.RemoveRequests(ctx, time.Now().Add(-time.Hour), 10)); n != 0 {
		t.Errorf("%d young requests went", n)
	}
	if n := get[int64](t)(l.RemoveRequests(ctx, time.Now().Add(time.Hour), 10)); n != 1 {
		t.Errorf("%d requests went, want the answered one", n)
	}
}

func TestGiveBack(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := ended(t, l, slotTime, 1)
	ended(t, l, slotTime.Add(time.Hour), 1)
	big := make([]byte, 64<<10)
	_, err := l.rw.Exec(`UPDATE attempts SET answer = ? WHERE run = ?`, big, r.ID)
	must(t, err)
	must(t, l.BeginRemoval(ctx, r))
	removeAll(t, l, r, 100)
	free, size, err := l.FreePages(ctx)
	if err != nil || free < 16 || size != 4096 {
		t.Fatalf("%d free pages of %d bytes, %v", free, size, err)
	}
	pages := count(t, l, `PRAGMA page_count`)
	must(t, l.GiveBack(ctx, free-3))
	if left, _, err := l.FreePages(ctx); left != 3 || err != nil {
		t.Errorf("%d free pages, want 3, %v", left, err)
	}
	if now := count(t, l, `PRAGMA page_count`); now != pages-(free-3) {
		t.Errorf("%d pages of %d are left", now, pages)
	}
	whole(t, l)
}
