package store

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAlertsAndWhatIsTold(t *testing.T) {
	ctx, l := context.Background(), open(t)
	run := planned(t, l, slotRun("orders"), 1)
	try(t, l, run, 1, ChunkFailed)
	settle(t, l, run, Failed)
	a := Alert{
		Schedule: "orders", State: "failed", Since: slotTime, RunID: run.RunID, Reason: "run failed", Told: true,
		JudgedRun: run.RunID, JudgedEnd: *run.FinishedAt, Spec: "spec", StartedTo: slotTime.Add(time.Minute),
	}
	c := AlertChange{
		Alert: a, Notes: []RunNote{{run, "12 records read"}, {run, "began late"}},
		Messages: []NewNotification{{"slack", "failed", "text"}, {"ntfy", "failed", "text"}},
	}
	other := AlertChange{Alert: Alert{Schedule: "users", State: "ok", Since: slotTime}}
	must(t, l.SetAlerts(ctx, []AlertChange{other, c}))
	if got := get[[]Alert](t)(l.Alerts(ctx)); !slices.Equal(got, []Alert{a, other.Alert}) {
		t.Errorf("got  %+v\nwant %+v", got, a)
	}
	c.Messages = nil
	must(t, l.SetAlerts(ctx, []AlertChange{c})) // the notes are there already
	if got := get[*Receipt](t)(l.Receipt(ctx, run)).Notes; !slices.Equal(got, []string{"12 records read", "began late"}) {
		t.Errorf("notes %q", got)
	}
	waiting := get[[]Notification](t)(l.WaitingNotifications(ctx))
	if len(waiting) != 2 || waiting[0].Service != "slack" || waiting[0].Schedule != "orders" || waiting[0].Text != "text" || waiting[0].State != NotificationWaiting {
		t.Fatalf("got %+v", waiting)
	}
	until := time.Now().Add(time.Hour)
	must(t, l.DelayNotifications(ctx, waiting[:1], until, "503"))
	must(t, l.NotificationsSent(ctx, waiting[1:]))
	wantErr(t, l.NotificationsSent(ctx, waiting[1:]), ErrState)
	waiting = get[[]Notification](t)(l.WaitingNotifications(ctx))
	if len(waiting) != 1 || waiting[0].Attempts != 1 || waiting[0].Error != "503" || ms(waiting[0].NotBefore) != ms(until) {
		t.Fatalf("got %+v", waiting)
	}
	must(t, l.GiveUpNotifications(ctx, waiting, "too old", true))
	all := get[[]Notification](t)(l.Notifications(ctx, 10))
	if len(all) != 2 || all[1].State != NotificationGivenUp || all[1].Attempts != 2 || all[1].Error != "too old" || all[0].State != NotificationSent || all[0].FinishedAt == nil {
		t.Errorf("got %+v", all)
	}
	must(t, l.DropAlerts(ctx, []string{"users", "nobody"}))
	if got := get[[]Alert](t)(l.Alerts(ctx)); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

// All or nothing: a change that cannot be stored tells nothing either.
func TestSetAlertsIsOneTransaction(t *testing.T) {
	ctx, l := context.Background(), open(t)
	good := AlertChange{Alert: Alert{Schedule: "a", State: "failed", Since: slotTime}, Messages: []NewNotification{{"slack", "failed", "text"}}}
	bad := AlertChange{Alert: Alert{Schedule: "b", State: "broken", Since: slotTime}}
	if err := l.SetAlerts(ctx, []AlertChange{good, bad}); err == nil {
		t.Fatal("no error")
	}
	if n := count(t, l, `SELECT count(*) FROM alerts`) + count(t, l, `SELECT count(*) FROM notifications`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestSchedulesToJudge(t *testing.T) {
	ctx, l := context.Background(), open(t)
	set := func(r *Run) {
		t.Helper()
		a := Alert{Schedule: "orders", State: "ok", Since: slotTime}
		if r != nil {
			a.JudgedRun, a.JudgedEnd = r.RunID, *r.FinishedAt
		}
		must(t, l.SetAlerts(ctx, []AlertChange{{Alert: a}}))
	}
	want := func(what string, judge bool) {
		t.Helper()
		if got := get[[]string](t)(l.SchedulesToJudge(ctx)); (len(got) == 1) != judge {
			t.Errorf("%s: got %q", what, got)
		}
	}
	set(nil)
	want("never ran", false)
	first := planned(t, l, slotRun("orders"), 2)
	want("under way", false)
	try(t, l, first, 1, ChunkUnknown)
	try(t, l, first, 2, ChunkAccepted)
	settle(t, l, first, Held)
	want("ended", true)
	set(first)
	want("looked at", false)
	must(t, execSQL(l, `UPDATE runs SET finished_at = finished_at + 1`))
	want("ended anew", true)
	first.FinishedAt = new(first.FinishedAt.Add(time.Millisecond))
	set(first)
	old := handRun("orders", slotTime.Add(-time.Hour))
	settle(t, l, planned(t, l, old, 0), Failed)
	want("an older slot", false)
	if got := get[*Run](t)(l.NewestSlotRun(ctx, "orders")); got.RunID != first.RunID {
		t.Errorf("newest is %s", got.Name())
	}
	settle(t, l, planned(t, l, handRun("orders", slotTime), 0), Failed)
	want("the second of the slot", true)
	if got := get[*Run](t)(l.NewestSlotRun(ctx, "users")); got != nil {
		t.Errorf("got %s", got.Name())
	}
}

func TestLeftToRedrive(t *testing.T) {
	ctx, l := context.Background(), open(t)
	run := planned(t, l, slotRun("orders"), 3)
	try(t, l, run, 1, ChunkFailed)
	try(t, l, run, 2, ChunkFailed)
	try(t, l, run, 3, ChunkAccepted)
	settle(t, l, run, Partial)
	left := func() int64 { t.Helper(); return get[int64](t)(l.LeftToRedrive(ctx, run.RunID)) }
	if n := left(); n != 2 {
		t.Errorf("got %d", n)
	}
	for chunk := int64(1); chunk <= 2; chunk++ {
		n := handRun("orders", slotTime)
		n.RedriveOf, n.RedriveWhat = run.RunID, "{}"
		again := planned(t, l, n, 1)
		must(t, execSQL(l, `UPDATE chunks SET redrive_of = `+string(rune('0'+chunk))+` WHERE run = (SELECT max(id) FROM runs)`))
		if n := left(); n != 3-chunk {
			t.Errorf("planned: got %d", n)
		}
		try(t, l, again, 1, ChunkAccepted)
		if n := left(); n != 2-chunk {
			t.Errorf("accepted: got %d", n)
		}
	}
}

func TestAlertQueriesUseIndexes(t *testing.T) {
	l := open(t)
	for _, c := range []struct {
		name, query string
		args        int
		uses        []string
	}{
		{"NewestSlotRun", runNewestSlot, 1, []string{"runs_by_schedule (schedule=?)"}},
		{"SchedulesToJudge", schedulesToJudge, 0, []string{"r USING INTEGER PRIMARY KEY (rowid=?)", "runs_by_schedule (schedule=?)"}},
		{"LeftToRedrive", leftToRedrive, 1, []string{"(run_id=?)", "chunks_by_state (run=? AND state=?)", "runs_by_redrive (redrive_of=?)", "chunks_by_redrive (run=? AND redrive_of=?)"}},
		{"WaitingNotifications", waitingNotifications, 0, []string{"notifications_waiting"}},
		{"Notifications", lastNotifications, 1, []string{"notifications"}},
		{"removed notifications", removeNotifications, 1, []string{"notifications_by_end (finished_at<?)"}},
	} {
		got := explain(t, l, c.query, c.args)
		for _, want := range c.uses {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got\n%s want %q", c.name, got, want)
			}
		}
		if strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s sorts:\n%s", c.name, got)
		}
	}
}
