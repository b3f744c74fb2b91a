package main

import (
	"slices"
	"testing"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// followedDaemon has report, due after orders.
func followedDaemon(t *testing.T) *daemon {
	t.Helper()
	d := quietDaemon(t)
	c := *d.config
	report := c.Schedules[0]
	report.Name, report.Job.Schedule, report.After, report.Cron, report.Spec = "report", "report", "orders", "", config.Schedule{}.Spec
	c.Schedules = append(slices.Clone(c.Schedules), report)
	d.config = &c
	if err := d.setFollowers(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// runOrders runs a slot as a process would that dies at the end of the run, before
// it looks who follows.
func runOrders(t *testing.T, d *daemon, hour int, origin string) {
	t.Helper()
	o := batch.Order{Origin: origin, ScheduledFor: hourAt(hour)}
	c, err := d.runner.Run(t.Context(), &d.config.Schedules[0].Job, o)
	if err != nil || c.Status != store.Succeeded {
		t.Fatalf("got %+v, %v", c, err)
	}
	for !time.Now().Truncate(time.Millisecond).After(*c.FinishedAt) { // the ledger has no finer times
	}
}

func wantReport(t *testing.T, d *daemon, hour int, want string) {
	t.Helper()
	wantSlotOf(t, d, "report", hour, want)
}

// A run that ended and a process that died before it looked: the next look finds
// it, and none finds it twice.
func TestFollowerAfterACrash(t *testing.T) {
	d := followedDaemon(t)
	runOrders(t, d, 1, "slot")
	wantReport(t, d, 1, "none")
	for range 3 {
		if !d.lookAtFollowers(t.Context(), "") {
			t.Fatal("the look failed")
		}
		d.runs.Wait()
	}
	wantReport(t, d, 1, "ran")
	runs, err := d.ledger.Runs(t.Context(), "report", 10)
	if err != nil || len(runs) != 1 || runs[0].Origin != "slot" || !runs[0].ScheduledFor.Equal(hourAt(1)) {
		t.Errorf("got %+v, %v", runs, err)
	}
}

// Ends of many runs at once, each looked at by its own goroutine.
func TestFollowerWithManyLooks(t *testing.T) {
	d := followedDaemon(t)
	for hour := range 8 {
		claim(t, d, hour, true)
	}
	d.runs.Wait()
	d.lookAtFollowers(t.Context(), "")
	d.runs.Wait()
	runs, err := d.ledger.Runs(t.Context(), "report", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		if run.Number != 1 || run.State != store.Succeeded {
			t.Errorf("run %s %s", run.Name(), run.State)
		}
		if i > 0 && run.FinishedAt.After(runs[i-1].StartedAt) {
			t.Errorf("run %s went on beside %s", run.Name(), runs[i-1].Name())
		}
	}
	rows, err := d.ledger.Slots(t.Context(), "report", hourAt(0), hourAt(8))
	if err != nil || len(rows) != 8 {
		t.Errorf("got %d rows, want one for each of 8 runs: %+v, %v", len(rows), rows, err)
	}
}

func TestFollowerOverlap(t *testing.T) {
	d := followedDaemon(t)
	claim(t, d, 1, false)
	d.runs.Wait()
	wantReport(t, d, 1, "ran")
	name, release := blockRunOf(t, d, "report")
	claim(t, d, 2, false)
	d.runs.Wait()
	wantReport(t, d, 2, "skipped: overlap with run "+name)
	for hour := 3; hour <= 4; hour++ { // each run of a backfill is followed
		runOrders(t, d, hour, batch.OriginBackfill)
		d.lookAtFollowers(t.Context(), "orders")
		wantReport(t, d, hour, "waiting: behind run "+name)
	}
	// A restart, long after those slots: it counts since when they wait.
	if err := d.missOldWaiting(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
	wantReport(t, d, 3, "ran")
	wantReport(t, d, 4, "ran")
	runs, err := d.ledger.Runs(t.Context(), "report", 2)
	if err != nil || !runs[0].ScheduledFor.Equal(hourAt(4)) || runs[0].StartedAt.Before(*runs[1].FinishedAt) {
		t.Errorf("got %+v, %v", runs, err)
	}
}

// A schedule that has times no more, and then again, fires nothing of the past.
func TestFollowerThatHadTimes(t *testing.T) {
	d := followedDaemon(t)
	mark := store.Mark{At: hourAt(1), Spec: d.config.Schedules[0].Spec.Fingerprint()}
	for _, name := range []string{"orders", "report"} {
		if err := d.ledger.SetMark(t.Context(), name, mark); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.takeOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, _, err := d.ledger.Mark(t.Context(), "report"); err != nil || m.Spec != "" || time.Since(m.At) > time.Minute {
		t.Errorf("report: got %+v, %v", m, err)
	}
	if m, _, err := d.ledger.Mark(t.Context(), "orders"); err != nil || m != mark {
		t.Errorf("orders: got %+v, %v", m, err)
	}
	// It follows no more, and then again.
	runOrders(t, d, 1, "slot")
	all := d.config.Schedules
	for _, schedules := range [][]config.Schedule{all[:1], all} {
		d.config.Schedules = schedules
		if err := d.setFollowers(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.lookAtFollowers(t.Context(), "")
	wantReport(t, d, 1, "none")
}

func TestAskedForOfAFollower(t *testing.T) {
	run := &store.Run{ScheduledFor: hourAt(1), StartedAt: hourAt(9)}
	if at := askedFor(config.Schedule{After: "orders"}, run); !at.Equal(hourAt(9)) {
		t.Errorf("a follower's: got %v", at)
	}
	if at := askedFor(config.Schedule{}, run); !at.Equal(hourAt(1)) {
		t.Errorf("a slot's own: got %v", at)
	}
}
