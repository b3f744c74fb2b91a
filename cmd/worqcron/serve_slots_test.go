package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

func quietDaemon(t testing.TB) *daemon {
	t.Helper()
	d := testDaemon(t, slog.New(slog.NewTextHandler(io.Discard, nil)))
	d.scheduler = scheduler.New(slots{d, t.Context()}, d.log)
	return d
}

func hourAt(hour int) time.Time { return time.Date(2020, 11, 24, hour, 0, 0, 0, time.UTC) }

// claim tells the daemon that a slot is due.
func claim(t *testing.T, d *daemon, hour int, catchUp bool) {
	t.Helper()
	if err := (slots{d, t.Context()}).Claim(t.Context(), scheduler.Due{Schedule: "orders", At: hourAt(hour), CatchUp: catchUp}); err != nil {
		t.Fatal(err)
	}
}

func wantSlot(t *testing.T, d *daemon, hour int, want string) {
	t.Helper()
	wantSlotOf(t, d, "orders", hour, want)
}

func wantSlotOf(t *testing.T, d *daemon, schedule string, hour int, want string) {
	t.Helper()
	row, ok, err := d.ledger.Slot(t.Context(), schedule, hourAt(hour))
	if err != nil {
		t.Fatal(err)
	}
	got := "none"
	if ok {
		got = string(row.State)
		if row.Reason != "" {
			got += ": " + row.Reason
		}
	}
	if got != want {
		t.Errorf("slot %02d of %s: got %q, want %q", hour, schedule, got, want)
	}
}

func setSchedule(d *daemon, change func(*config.Schedule)) {
	c := *d.config
	c.Schedules = slices.Clone(c.Schedules)
	change(&c.Schedules[0])
	d.mu.Lock()
	d.config = &c
	d.mu.Unlock()
}

// block makes the schedule's latest run the one under way, until release.
func block(t *testing.T, d *daemon) (name string, release func()) {
	t.Helper()
	return blockRunOf(t, d, "orders")
}

func blockRunOf(t *testing.T, d *daemon, schedule string) (name string, release func()) {
	t.Helper()
	runs, err := d.ledger.Runs(t.Context(), schedule, 1)
	if err != nil || len(runs) == 0 {
		t.Fatalf("no run: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[schedule] = &busyRun{run: runs[0], done: make(chan struct{})}
	return runs[0].Name(), func() {
		d.mu.Lock()
		delete(d.busy, schedule)
		d.mu.Unlock()
		d.runWaiting(context.WithoutCancel(t.Context()), schedule)
		d.runs.Wait()
	}
}

// Slots that come all at once after a time without a daemon run one behind the
// other, in order, whatever overlap says.
func TestCatchUpRunsInOrder(t *testing.T) {
	d := quietDaemon(t)
	for hour := 5; hour <= 10; hour++ {
		claim(t, d, hour, true)
	}
	d.runs.Wait()
	runs, err := d.ledger.Runs(t.Context(), "orders", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 6 {
		t.Fatalf("got %d runs, want 6", len(runs))
	}
	slices.Reverse(runs)
	for i, run := range runs {
		wantSlot(t, d, 5+i, "ran")
		if !run.ScheduledFor.Equal(hourAt(5+i)) || run.Origin != "catch-up" || run.State != store.Succeeded {
			t.Errorf("run %d: got %s (%s), %s", i, run.Name(), run.Origin, run.State)
		}
		if i > 0 && run.StartedAt.Before(*runs[i-1].FinishedAt) {
			t.Errorf("run %s began before %s ended", run.Name(), runs[i-1].Name())
		}
	}
}

func TestOverlap(t *testing.T) {
	t.Run("skip names the run", func(t *testing.T) {
		d := quietDaemon(t)
		claim(t, d, 1, false)
		d.runs.Wait()
		name, release := block(t, d)
		claim(t, d, 2, false)
		release()
		wantSlot(t, d, 2, "skipped: overlap with run "+name)
	})
	t.Run("queue keeps the newest", func(t *testing.T) {
		d := quietDaemon(t)
		setSchedule(d, func(s *config.Schedule) { s.Overlap = scheduler.OverlapQueue })
		claim(t, d, 1, false)
		d.runs.Wait()
		name, release := block(t, d)
		claim(t, d, 2, true) // late: it waits as well, but not in the queue
		claim(t, d, 3, false)
		wantSlot(t, d, 3, "waiting: queued behind run "+name)
		claim(t, d, 4, false)
		claim(t, d, 4, false) // asked again
		wantSlot(t, d, 3, "missed: superseded")
		wantSlot(t, d, 4, "waiting: queued behind run "+name)
		release()
		wantSlot(t, d, 2, "ran")
		wantSlot(t, d, 4, "ran")
		runs, err := d.ledger.Runs(t.Context(), "orders", 2)
		if err != nil || runs[0].Origin != "slot" || runs[1].Origin != "catch-up" || runs[0].StartedAt.Before(*runs[1].FinishedAt) {
			t.Errorf("got %+v, %v", runs, err)
		}
	})
	t.Run("a pause skips what waits", func(t *testing.T) {
		d := quietDaemon(t)
		claim(t, d, 1, false)
		d.runs.Wait()
		_, release := block(t, d)
		claim(t, d, 2, true)
		if err := pauseHere(t.Context(), d.ledger, pauseRequest{Schedule: "orders", Reason: "move"}); err != nil {
			t.Fatal(err)
		}
		claim(t, d, 3, true) // due just before the scheduler heard of it
		release()
		wantSlot(t, d, 2, "skipped: paused (move)")
		wantSlot(t, d, 3, "skipped: paused (move)")
	})
	t.Run("taken off while it waits", func(t *testing.T) {
		d := quietDaemon(t)
		claim(t, d, 1, false)
		d.runs.Wait()
		_, release := block(t, d)
		claim(t, d, 2, true)
		setSchedule(d, func(s *config.Schedule) { s.Name = "others" })
		release()
		wantSlot(t, d, 2, "skipped: "+scheduler.SkippedRemoved)
		claim(t, d, 3, false)
		wantSlot(t, d, 3, "skipped: "+scheduler.SkippedRemoved)
	})
}

func TestWaitingSlotsAfterARestart(t *testing.T) {
	d := quietDaemon(t)
	claim(t, d, 1, false)
	d.runs.Wait()
	_, release := block(t, d)
	claim(t, d, 2, true) // older than the window of a day, by the machine's clock or by far
	setSchedule(d, func(s *config.Schedule) { s.CatchUpWindow = time.Nanosecond })
	recent := time.Now().Truncate(time.Second)
	if _, err := d.ledger.WaitSlot(t.Context(), store.Slot{Schedule: "orders", ScheduledFor: recent, Reason: store.Resumed}, false); err != nil {
		t.Fatal(err)
	}
	if err := d.missOldWaiting(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, d, 2, "missed: outside window")
	release()
	row, _, err := d.ledger.Slot(t.Context(), "orders", recent)
	if err != nil || row.State != store.SlotRan {
		t.Errorf("what a person asked for: got %+v, %v", row, err)
	}
}

func TestResumeRunsMissedSlots(t *testing.T) {
	for missed, want := range map[string][]string{
		store.MissedSkip: {"skipped: paused", "skipped: paused", "skipped: paused"},
		store.MissedLast: {"skipped: paused", "skipped: paused", "ran"},
		store.MissedAll:  {"ran", "ran", "ran"},
	} {
		d := quietDaemon(t)
		if err := pauseHere(t.Context(), d.ledger, pauseRequest{Schedule: "orders"}); err != nil {
			t.Fatal(err)
		}
		for hour := 1; hour <= 3; hour++ {
			due := scheduler.Due{Schedule: "orders", At: hourAt(hour), Skipped: "paused"}
			if err := (slots{d, t.Context()}).Claim(t.Context(), due); err != nil {
				t.Fatal(err)
			}
		}
		body := `{"schedule":"orders","missed":"` + missed + `"}`
		id, err := store.Ask(t.Context(), d.ledger.Path(), "resume", body)
		if err != nil {
			t.Fatal(err)
		}
		d.serveRequest(t.Context(), store.Request{RequestID: id, Kind: "resume", Body: body})
		d.runs.Wait()
		if q, err := d.ledger.Request(t.Context(), id); err != nil || !q.Finished || q.Message != "" {
			t.Errorf("%s: got %+v, %v", missed, q, err)
		}
		for i, text := range want {
			wantSlot(t, d, 1+i, text)
		}
	}
}

// What the file pauses is in the ledger from then on, also what it paused before.
func TestPausesOfTheFile(t *testing.T) {
	d := quietDaemon(t)
	openReasons := func() (list []string) {
		t.Helper()
		if err := recordFilePauses(t.Context(), d.ledger, d.config); err != nil {
			t.Fatal(err)
		}
		table, err := timetableOf(t.Context(), &d.ledger.Reader, d.config)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range table[0].Pauses {
			if p.Until.IsZero() {
				list = append(list, p.String())
			}
		}
		return list
	}
	for _, tt := range []struct {
		paused bool
		note   string
		want   []string
	}{
		{false, "", nil},
		{true, "", []string{"paused"}},
		{true, "", []string{"paused"}},
		{true, "move", []string{"paused (move)"}},
		{false, "", nil},
	} {
		setSchedule(d, func(s *config.Schedule) { s.Paused, s.PausedNote = tt.paused, tt.note })
		if got := openReasons(); !slices.Equal(got, tt.want) {
			t.Errorf("%v %q: got %q, want %q", tt.paused, tt.note, got, tt.want)
		}
	}
}

func TestPauseThatEndsAheadOfNowEndsNow(t *testing.T) {
	now := hourAt(9)
	end := hourAt(12)
	if p := pauseOf(store.Pause{PausedAt: hourAt(8), ResumedAt: &end}, now); !p.Until.Equal(now) {
		t.Errorf("got %v", p.Until)
	}
	if p := pauseOf(store.Pause{PausedAt: hourAt(8)}, now); !p.Until.IsZero() {
		t.Errorf("a pause that holds: got %v", p.Until)
	}
}
