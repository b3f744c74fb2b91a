package scheduler

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// jittered is an hourly schedule, and when its slot of 09:00 starts.
func jittered(t *testing.T) (Schedule, time.Time) {
	t.Helper()
	s := schedule(t, "a", "0 * * * *")
	s.Jitter = time.Hour
	start := s.StartOf(instantOf(t, "2026-11-24T09:00"))
	if !start.After(instantOf(t, "2026-11-24T09:10")) || !start.Before(instantOf(t, "2026-11-24T09:50")) {
		t.Fatalf("the tests want another slot: it starts at %v", start)
	}
	return s, start
}

func TestPendingJitteredSlotKeepsItsStart(t *testing.T) {
	s, start := jittered(t)
	edited := s
	edited.Spec = mustParse(t, "0 23 * * *", "UTC", SpecOptions{})
	other := s
	other.CatchUp = CatchUpNone
	for name, after := range map[string]Schedule{"nothing changes": s, "an edit that does not concern it": other, "another cron": edited} {
		t.Run(name+", reload", func(t *testing.T) {
			d := drive(t, newMemory())
			d.Set([]Schedule{s})
			d.lookAt("08:59")
			d.lookAt("09:00")
			d.Set([]Schedule{after})
			d.lookAt("09:05")
			d.look(t.Context(), start.Add(-time.Millisecond))
			d.host.check(t, "a")
			d.look(t.Context(), start)
			d.host.check(t, "a", "09:00!")
		})
		t.Run(name+", restart", func(t *testing.T) {
			host := newMemory()
			d := drive(t, host)
			d.Set([]Schedule{s})
			d.lookAt("08:59")
			d.lookAt("09:00")
			d = drive(t, host)
			d.Set([]Schedule{after})
			d.lookAt("09:05")
			host.check(t, "a")
			d.look(t.Context(), start)
			host.check(t, "a", "09:00!")
		})
	}
}

func TestPendingSlotStartsBeforeTheNextOfAnEdit(t *testing.T) {
	s, _ := jittered(t)
	d := drive(t, newMemory())
	d.Set([]Schedule{s})
	d.lookAt("08:59")
	d.lookAt("09:00")
	s.Spec, s.Jitter = mustParse(t, "7 * * * *", "UTC", SpecOptions{}), 0
	d.Set([]Schedule{s})
	d.lookAt("09:05")
	d.host.check(t, "a")
	d.lookAt("09:07")
	d.host.check(t, "a", "09:00!", "09:07!")
}

func TestPendingSlotOfAScheduleThatIsTakenOff(t *testing.T) {
	s, _ := jittered(t)
	d := drive(t, newMemory())
	d.Set([]Schedule{s})
	d.lookAt("08:59")
	d.lookAt("09:00")
	d.Set(nil)
	d.lookAt("09:05")
	d.host.check(t, "a", "09:00 "+SkippedRemoved)
	if len(d.table.entries) != 0 || !d.host.marks["a"].Waiting.At.IsZero() {
		t.Errorf("still there: %v, %v", d.table.entries, d.host.marks["a"])
	}
}

func TestPendingSlotAndTheClock(t *testing.T) {
	s, start := jittered(t)
	d := drive(t, newMemory())
	d.Set([]Schedule{s})
	d.lookAt("08:59")
	d.lookAt("09:00")
	d.lookAt("08:40") // it comes again
	d.lookAt("09:00:01")
	d.host.check(t, "a")
	d.look(t.Context(), start)
	d.host.check(t, "a", "09:00!")
}

func TestPausesInTheLoop(t *testing.T) {
	d := drive(t, newMemory())
	s := schedule(t, "a", "0 * * * *")
	d.Set([]Schedule{s})
	d.lookAt("08:30")
	s.Pauses = []Pause{{From: instantOf(t, "2026-11-24T08:40"), Reason: "holiday"}}
	d.Set([]Schedule{s})
	d.lookAt("09:00")
	d.lookAt("10:00")
	s.Pauses[0].Until = instantOf(t, "2026-11-24T10:30")
	d.Set([]Schedule{s})
	d.lookAt("10:30") // fires nothing of the past
	d.lookAt("11:00") // the next slot is never skipped
	d.host.check(t, "a", "09:00 paused (holiday)", "10:00 paused (holiday)", "11:00!")
}

func TestPauseThatEndedByAWrongClock(t *testing.T) {
	d := drive(t, newMemory())
	s := schedule(t, "a", "0 * * * *")
	s.Pauses = []Pause{{From: instantOf(t, "2026-11-24T08:00"), Until: instantOf(t, "2030-01-01")}}
	d.Set([]Schedule{s})
	d.look(t.Context(), instantOf(t, "2030-01-02"))
	d.lookAt("08:30")
	d.lookAt("09:00")
	if got := d.host.claimed("a"); got[len(got)-1] != "09:00!" {
		t.Errorf("got %q", got)
	}
}

// A month with jitter, calendars and pauses, the daemon going down and up at
// random: each slot has exactly one row, none starts before its time, and those
// that ran on time started when they were to.
func TestMonthWithJitterAndRestarts(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			begun := time.Now()
			schedules := []Schedule{
				{Name: "nightly", Spec: mustParse(t, "30 2 * * *", "America/New_York", SpecOptions{}), Jitter: 3 * time.Hour},
				{Name: "quarter", Spec: mustParse(t, "*/15 * * * *", "UTC", SpecOptions{}), Jitter: time.Hour},
				{Name: "hourly", Spec: mustParse(t, "0 * * * *", "UTC", SpecOptions{}), Jitter: 10 * time.Minute},
				{Name: "once", Spec: onceAt(t, begun.AddDate(0, 0, 10)), Jitter: time.Hour},
			}
			for i := range schedules {
				s := &schedules[i]
				s.CatchUp, s.CatchUpWindow = CatchUpAll, 1000*time.Hour
				s.Exclude = []Exclusion{{Name: "calendar x", Dates: map[string]bool{begun.AddDate(0, 0, 5).Format(time.DateOnly): true}}}
				s.Pauses = []Pause{{From: begun.AddDate(0, 0, 12), Until: begun.AddDate(0, 0, 13)}}
			}
			host := &starting{memory: newMemory(), starts: map[string]time.Time{}}
			for end := begun.AddDate(0, 1, 0); time.Now().Before(end); {
				_, stop := start(t, host, schedules)
				time.Sleep(time.Duration(1 + r.Int64N(int64(50*time.Hour))))
				flaky(host.memory, r)
				stop()
				time.Sleep(time.Duration(r.Int64N(int64(3 * time.Hour))))
			}
			_, stop := start(t, host, schedules)
			time.Sleep(24 * time.Hour) // what waits starts
			synctest.Wait()
			stop()
			for _, s := range schedules {
				checkStarts(t, s, host, slices.Collect(s.Spec.Between(begun.Add(1), time.Now().Add(-3*time.Hour))))
			}
		})
	}
}

func onceAt(t *testing.T, at time.Time) Spec {
	t.Helper()
	s, err := Once(at.UTC().Format("2006-01-02T15:04:05"), time.UTC, SpecOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// starting also keeps when each slot was first claimed.
type starting struct {
	*memory
	starts map[string]time.Time
}

func (h *starting) Claim(ctx context.Context, due Due) error {
	err := h.memory.Claim(ctx, due)
	h.mu.Lock()
	defer h.mu.Unlock()
	if key := due.Schedule + due.At.Format(time.RFC3339); err == nil && h.starts[key].IsZero() {
		h.starts[key] = time.Now()
	}
	return err
}

func checkStarts(t *testing.T, s Schedule, host *starting, want []time.Time) {
	t.Helper()
	rows := map[time.Time]Due{}
	for _, due := range host.order[s.Name] {
		if _, twice := rows[due.At]; twice {
			t.Errorf("%s: %v has two rows", s.Name, due.At)
		}
		rows[due.At] = due
	}
	for _, slot := range want {
		due, ok := rows[slot]
		if !ok {
			t.Errorf("%s: %v has no row", s.Name, slot)
			continue
		}
		started, planned := host.starts[s.Name+slot.Format(time.RFC3339)], s.StartOf(slot)
		switch reason := s.SkipReason(slot); {
		case due.Skipped != reason || due.Missed != "":
			t.Errorf("%s: %v is %q %q, want %q", s.Name, slot, due.Skipped, due.Missed, reason)
		case reason == "" && started.Before(planned):
			t.Errorf("%s: %v started %v before its time", s.Name, slot, planned.Sub(started))
		case reason == "" && !due.CatchUp && started.Sub(planned) > LateAfter:
			t.Errorf("%s: %v started at %v instead of %v", s.Name, slot, started, planned)
		}
	}
	if len(want) == 0 {
		t.Fatalf("%s: nothing was due", s.Name)
	}
}

// Once decides what is due and claims it, without a loop.
func TestOnceLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newMemory()
		s := schedule(t, "a", "0 * * * *")
		host.marks["a"] = Mark{At: time.Now(), Spec: s.Spec.Fingerprint()}
		s.Pauses = []Pause{{From: time.Now()}}
		time.Sleep(3*time.Hour + time.Minute)
		if err := New(host, quiet()).Once(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		host.check(t, "a", "01:00 paused", "02:00 paused", "03:00 paused")
		if mark := host.marks["a"]; !mark.At.Equal(time.Now()) {
			t.Errorf("mark: got %v", mark)
		}
		host.breakWith(errDisk)
		if err := New(host, quiet()).Once(t.Context(), s); err == nil {
			t.Error("a ledger that cannot be read: got no error")
		}
	})
}
