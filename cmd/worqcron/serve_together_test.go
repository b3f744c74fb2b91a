package main

import (
	"context"
	"slices"
	"testing"

	"worqcron/scheduler"
	"worqcron/store"
)

// withSchedules gives the daemon copies of its schedule, by these names, in order.
func withSchedules(d *daemon, names ...string) {
	c := *d.config
	one := c.Schedules[0]
	c.Schedules = nil
	for _, name := range names {
		one.Name, one.Job.Schedule = name, name
		c.Schedules = append(c.Schedules, one)
	}
	d.mu.Lock()
	d.config = &c
	d.mu.Unlock()
}

// What has nothing in its way is claimed together; the rest is left to Claim.
func TestClaimTogether(t *testing.T) {
	d := quietDaemon(t)
	s := slots{d, t.Context()}
	withSchedules(d, "busy", "decided", "free", "late", "locked", "paused", "waits")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Claim(t.Context(), scheduler.Due{Schedule: "decided", At: hourAt(3)}))
	d.runs.Wait()
	d.mu.Lock()
	d.busy["busy"] = &busyRun{run: &store.Run{Schedule: "busy"}, done: make(chan struct{})}
	d.mu.Unlock()
	defer d.turn("locked")()
	_, err := d.ledger.WaitSlot(t.Context(), store.Slot{Schedule: "waits", ScheduledFor: hourAt(2), Reason: "behind run x"}, false)
	must(err)

	dues := []scheduler.Due{
		{Schedule: "busy", At: hourAt(3)},
		{Schedule: "busy", At: hourAt(4), Missed: scheduler.MissedNone}, // behind one that is left
		{Schedule: "decided", At: hourAt(3)},
		{Schedule: "free", At: hourAt(3)},
		{Schedule: "gone", At: hourAt(3)},
		{Schedule: "late", At: hourAt(1), Missed: scheduler.MissedWindow, CatchUp: true},
		{Schedule: "late", At: hourAt(2), CatchUp: true},
		{Schedule: "late", At: hourAt(3)}, // has the one before in its way
		{Schedule: "locked", At: hourAt(3)},
		{Schedule: "paused", At: hourAt(3), Skipped: "paused (move)"},
		{Schedule: "waits", At: hourAt(3)},
	}
	want := []bool{false, false, true, true, false, true, true, false, false, true, false}
	if got := s.ClaimTogether(t.Context(), dues); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	d.runs.Wait()
	for i, text := range []string{"", "", "ran", "ran", "", "missed: outside window", "ran", "", "", "skipped: paused (move)", ""} {
		row, ok, err := d.ledger.Slot(t.Context(), dues[i].Schedule, dues[i].At)
		must(err)
		got := string(row.State)
		if row.Reason != "" {
			got += ": " + row.Reason
		}
		if ok != (text != "") || got != text {
			t.Errorf("%s %v: got %q, want %q", dues[i].Schedule, dues[i].At, got, text)
		}
	}
	runs, err := d.ledger.Runs(t.Context(), "", 100)
	must(err)
	if len(runs) != 3 {
		t.Errorf("got %d runs, want those of decided, free and late", len(runs))
	}
	for _, run := range runs {
		if run.State != store.Succeeded || run.Schedule == "late" && run.Origin != "catch-up" {
			t.Errorf("run %s (%s) is %s: %s", run.Name(), run.Origin, run.State, run.Reason)
		}
	}
	if end, ok := d.tryTurn("free"); ok {
		end()
	} else {
		t.Error("a turn was not ended")
	}
}

// A ledger that cannot be written leaves all slots to Claim, and begins nothing.
func TestClaimTogetherWithoutTheLedger(t *testing.T) {
	d := quietDaemon(t)
	ctx := t.Context()
	ended, end := context.WithCancel(ctx)
	end()
	done := (slots{d, ctx}).ClaimTogether(ended, []scheduler.Due{{Schedule: "orders", At: hourAt(3)}, {Schedule: "orders", At: hourAt(4), Skipped: "paused"}})
	if !slices.Equal(done, []bool{false, false}) {
		t.Errorf("got %v", done)
	}
	if _, ok, err := d.ledger.Slot(ctx, "orders", hourAt(3)); ok || err != nil {
		t.Errorf("a row: %v, %v", ok, err)
	}
}
