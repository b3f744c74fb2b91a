package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// renamable is a ledger with something in each table that names schedules.
func renamable(t *testing.T) (*Ledger, *Run) {
	t.Helper()
	ctx, l := context.Background(), open(t)
	run := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	get[bool](t)(l.WaitSlot(ctx, Slot{Schedule: "orders", ScheduledFor: slotTime.Add(time.Hour), Reason: "behind run x"}, false))
	must(t, l.SetMark(ctx, "orders", Mark{At: slotTime, Spec: "spec", WaitingFor: slotTime, WaitingUntil: slotTime.Add(time.Minute)}))
	must(t, l.PauseSchedule(ctx, Pause{Schedule: "orders", Source: PausedByCommand, Reason: "move"}))
	must(t, execSQL(l, `INSERT INTO delivered_files VALUES ('orders', 'h', 's', 'r', 'p', 0, 1, 7)`))
	must(t, execSQL(l, `INSERT INTO delivered_ranges VALUES ('orders', 's', 7, 'h', 'r', 0, 5, 1)`))
	must(t, execSQL(l, `INSERT INTO requests (kind, body, created_at, run_id, message) VALUES ('backfill', '{"schedule":"orders","only":"all"}', 1, '', '')`))
	must(t, execSQL(l, `INSERT INTO arrivals VALUES ('orders', 7, 'in.csv', 1, 1, 1, 1, 'h', 1)`))
	must(t, execSQL(l, `INSERT INTO followers VALUES ('orders', 'stock', 0, 1), ('report', 'orders', 1, 1)`))
	must(t, execSQL(l, `INSERT INTO alerts VALUES ('orders', 'failed', 7, '', 'r', 1, '', 0, 'spec', NULL, NULL)`))
	must(t, execSQL(l, `INSERT INTO notifications (service, schedule, kind, text, created_at, not_before, attempts, error, state) VALUES ('slack', 'orders', 'failed', 't', 1, 1, 0, '', 'waiting')`))
	return l, run
}

func rename(t *testing.T, l *Ledger, from, to string) bool {
	t.Helper()
	return len(get[[]Rename](t)(l.RenameSchedules(context.Background(), []Rename{{from, to}}))) == 1
}

func TestRenameSchedule(t *testing.T) {
	ctx := context.Background()
	l, run := renamable(t)
	if renamed := rename(t, l, "orders", "sales"); !renamed {
		t.Fatal("nothing was renamed")
	}
	for _, table := range tablesOfSchedules(t, l) {
		if n := count(t, l, fmt.Sprintf(`SELECT count(*) FROM %s WHERE schedule = ?`, table), "orders"); n != 0 {
			t.Errorf("%s: %d rows have the old name", table, n)
		}
		if n := count(t, l, fmt.Sprintf(`SELECT count(*) FROM %s WHERE schedule = ?`, table), "sales"); n == 0 {
			t.Errorf("%s: no row has the new name", table)
		}
	}
	if n := count(t, l, `SELECT count(*) FROM followers WHERE schedule = 'report' AND other = 'sales' AND any_end`); n != 1 {
		t.Error("what follows it does not follow the new name")
	}
	if m := get[map[string]Mark](t)(l.Marks(ctx)); len(m) != 1 || m["sales"].Spec != "spec" || !m["sales"].WaitingUntil.Equal(slotTime.Add(time.Minute)) {
		t.Errorf("marks: got %+v", m)
	}
	if get[bool](t)(l.HasSchedule(ctx, "orders")) || !get[bool](t)(l.HasSchedule(ctx, "sales")) {
		t.Error("HasSchedule disagrees")
	}
	list := get[[]Request](t)(l.OpenRequests(ctx, 0))
	if len(list) != 1 || !strings.Contains(list[0].Body, `"schedule":"sales"`) {
		t.Errorf("requests: got %+v", list)
	}
	for _, name := range []string{"orders@2026-11-24T02:30", "sales@2026-11-24T02:30", run.RunID} {
		got := get[*Run](t)(l.FindRun(ctx, name))
		if got.RunID != run.RunID || got.Name() != "sales@2026-11-24T02:30" || got.NameInBodies() != "orders" {
			t.Errorf("%s: got %s, %s in bodies", name, got.Name(), got.NameInBodies())
		}
	}
	if list := get[[]*Run](t)(l.Runs(ctx, "orders", 5)); len(list) != 1 || list[0].Schedule != "sales" {
		t.Errorf("runs by the old name: got %v", list)
	}
	if _, err := l.FindRun(ctx, "orders@2026-11-25T02:30"); err == nil {
		t.Error("a run that never was is found")
	}
	if m, ok, err := l.Mark(ctx, "sales"); err != nil || !ok || m.Spec != "spec" || !m.WaitingFor.Equal(slotTime) {
		t.Errorf("mark: got %+v, %v, %v", m, ok, err)
	}
	if rename(t, l, "orders", "sales") {
		t.Error("renamed a second time")
	}
	rename(t, l, "sales", "turnover")
	if got := get[*Run](t)(l.FindRun(ctx, "orders@2026-11-24T02:30")); got.Schedule != "turnover" || got.NameInBodies() != "orders" {
		t.Errorf("renamed twice: got %s, %s in bodies", got.Schedule, got.NameInBodies())
	}
	whole(t, l)
}

// Both names have a past: the key was added after the new one had run.
func TestRenameScheduleMerges(t *testing.T) {
	ctx := context.Background()
	l, old := renamable(t)
	young := get[*Run](t)(l.BeginRun(ctx, slotRun("sales")))
	must(t, l.SetMark(ctx, "sales", Mark{At: slotTime.Add(time.Hour), Spec: "young"}))
	must(t, execSQL(l, `INSERT INTO delivered_files VALUES ('sales', 'h', 's', 'young', 'p', 0, 1, 7)`))
	must(t, l.PauseSchedule(ctx, Pause{Schedule: "sales", Source: PausedByCommand, Reason: "young"}))
	rename(t, l, "orders", "sales")
	if got := get[*Run](t)(l.FindRun(ctx, young.RunID)); got.Number != 1 || got.NameInBodies() != "sales" {
		t.Errorf("the young run: got %s", got.Name())
	}
	if got := get[*Run](t)(l.FindRun(ctx, old.RunID)); got.Name() != "sales@2026-11-24T02:30#2" {
		t.Errorf("the old run: got %s", got.Name())
	}
	if m, _, err := l.Mark(ctx, "sales"); err != nil || m.Spec != "young" {
		t.Errorf("mark: got %+v, %v", m, err)
	}
	if list := get[[]Pause](t)(l.Pauses(ctx, "sales")); len(list) != 1 || list[0].Reason != "young" {
		t.Errorf("pauses: got %+v", list)
	}
	if rows := get[[]Slot](t)(l.Slots(ctx, "sales", slotTime, slotTime.Add(2*time.Hour))); len(rows) != 2 {
		t.Errorf("slots: got %+v", rows)
	}
}

// A schedule that was taken off left a mark that says nothing.
func TestRenameScheduleToATakenOffName(t *testing.T) {
	ctx := context.Background()
	l, _ := renamable(t)
	must(t, l.SetMark(ctx, "sales", Mark{At: slotTime.Add(time.Hour)}))
	rename(t, l, "orders", "sales")
	if m, _, err := l.Mark(ctx, "sales"); err != nil || m.Spec != "spec" {
		t.Errorf("got %+v, %v", m, err)
	}
}

// tablesOfSchedules are those with a column `schedule`, but for the one that is
// about names.
func tablesOfSchedules(t *testing.T, l *Ledger) []string {
	t.Helper()
	list, err := texts(l, `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'schedule' ORDER BY 1`)
	must(t, err)
	return slices.DeleteFunc(list, func(name string) bool { return name == "former_names" })
}

func TestLoaded(t *testing.T) {
	ctx, l := context.Background(), open(t)
	if _, _, ok, err := l.Loaded(ctx); ok || err != nil {
		t.Errorf("before: got %v, %v", ok, err)
	}
	for _, text := range []string{"a", "b"} {
		must(t, l.SetLoaded(ctx, text))
		if got, at, ok, err := l.Loaded(ctx); got != text || !ok || err != nil || time.Since(at) > time.Minute {
			t.Errorf("got %q at %v, %v, %v", got, at, ok, err)
		}
	}
}

func TestRemovePauses(t *testing.T) {
	ctx, l := context.Background(), open(t)
	now := time.Now()
	for _, name := range []string{"decided", "undecided", "waiting", "open"} {
		must(t, l.PauseSchedule(ctx, Pause{Schedule: name, Source: PausedByCommand}))
		if name != "open" {
			get[int64](t)(l.ResumeSchedule(ctx, name, PausedByCommand, "me", MissedSkip))
		}
		must(t, l.SetMark(ctx, name, Mark{At: now.Add(time.Hour), Spec: "s"}))
	}
	must(t, l.SetMark(ctx, "undecided", Mark{At: now.Add(-time.Hour), Spec: "s"}))
	must(t, l.SetMark(ctx, "waiting", Mark{At: now.Add(time.Hour), Spec: "s", WaitingFor: now.Add(-time.Hour), WaitingUntil: now.Add(2 * time.Hour)}))
	if n := get[int64](t)(l.RemovePauses(ctx, now.Add(-time.Minute), 10)); n != 0 {
		t.Errorf("%d young ones went", n)
	}
	if n := get[int64](t)(l.RemovePauses(ctx, time.Now().Add(time.Minute), 10)); n != 1 {
		t.Errorf("%d went, want that of the decided one", n)
	}
	left, err := texts(l, `SELECT schedule FROM pauses ORDER BY schedule`)
	must(t, err)
	if !slices.Equal(left, []string{"open", "undecided", "waiting"}) {
		t.Errorf("left: %q", left)
	}
}
