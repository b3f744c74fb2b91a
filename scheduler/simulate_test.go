package scheduler

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// start runs a loop until the returned function stops it and waits for it.
func start(t *testing.T, host Host, schedules []Schedule) (s *Scheduler, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	s = New(host, quiet())
	s.Set(schedules)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestRunClaimsOnTheInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newMemory()
		_, stop := start(t, host, []Schedule{schedule(t, "a", "*/15 * * * *"), schedule(t, "s", "*/20 0 0 * * *")})
		defer stop()
		time.Sleep(31 * time.Minute) // the bubble's clock starts at midnight
		synctest.Wait()
		host.check(t, "a", "00:15!", "00:30!")
		host.check(t, "s", "00:00!", "00:00!") // 20 and 40; second 0 was there at the start
		for _, due := range host.order["a"] {
			if due.Late != 0 {
				t.Errorf("%v is %v late", due.At, due.Late)
			}
		}
	})
}

func TestSetWakesTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newMemory()
		s, stop := start(t, host, nil)
		defer stop()
		time.Sleep(time.Hour + time.Second)
		s.Set([]Schedule{schedule(t, "a", "*/10 * * * * *")})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		host.check(t, "a", "01:00!")
	})
}

func TestRunTwiceIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := start(t, newMemory(), nil)
		defer stop()
		synctest.Wait()
		if err := s.Run(t.Context()); err == nil {
			t.Error("got no error")
		}
	})
}

func TestIdleLoopSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newMemory()
		_, stop := start(t, host, []Schedule{schedule(t, "a", "0 0 29 2 *")})
		defer stop()
		host.breakWith(nil)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if host.claims != 0 || host.advances != 1 {
			t.Errorf("a day without slots: %d claims, %d marks stored, want 0 and 1", host.claims, host.advances)
		}
	})
}

// A month with the daemon going down and up at random, over the change of the
// clock in spring: each slot has exactly one row, in order, and with catch_up =
// "all" each one runs.
func TestMonthWithRestarts(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			time.Sleep(time.Until(time.Date(2000, 3, 20, 12, 34, 56, 0, time.UTC)))
			var schedules []Schedule
			for name, expr := range map[string]string{
				"nightly": "30 2 * * *", "quarter": "*/15 * * * *", "early": "30 1 * * *", "weekdays": "0 9-17 * * 1-5",
				"seven": "@every 7m", "last": "0 0 L * *", "seconds": "30 15,45 * * * *",
			} {
				schedules = append(schedules, Schedule{
					Name: name, Spec: mustParse(t, expr, "America/New_York", SpecOptions{}), CatchUp: CatchUpAll, CatchUpWindow: 1000 * time.Hour,
				})
			}
			host := newMemory()
			begun := time.Now()
			for end := begun.AddDate(0, 1, 0); time.Now().Before(end); {
				_, stop := start(t, host, schedules)
				time.Sleep(time.Duration(1 + r.Int64N(int64(60*time.Hour))))
				flaky(host, r)
				stop()
				time.Sleep(time.Duration(r.Int64N(int64(9 * time.Hour))))
			}
			_, stop := start(t, host, schedules)
			time.Sleep(time.Minute)
			synctest.Wait()
			stop()
			for _, s := range schedules {
				want := slices.Collect(s.Spec.Between(begun.Add(1), time.Now().Add(1)))
				checkRows(t, s.Name, host.order[s.Name], want)
			}
		})
	}
}

// A year in zones whose clocks change, with a Host that decides slots together and
// leaves some: what was claimed is what the oracle says was due, each slot once.
func TestYearWithRestartsAgainstOracle(t *testing.T) {
	exprs := []string{"30 2 * * *", "0 0 * * *", "30 1 * * *", "0 */2 * * *", "15 2 L,13 * 5", "45 23 * * 5-7"}
	zones := []string{"America/New_York", "America/Santiago", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham"}
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 7))
		leaves := rand.New(rand.NewPCG(9, 8)) // the loop's own
		host := &gathering{memory: newMemory(), leave: func(Due) bool { return leaves.IntN(4) == 0 }}
		var schedules []Schedule
		for i, zone := range zones {
			for k, expr := range exprs {
				o := SpecOptions{Gap: []string{GapRun, GapShift, GapSkip}[(i+k)%3], Fold: []string{FoldFirst, FoldSecond, FoldBoth}[(i+2*k)%3]}
				schedules = append(schedules, Schedule{
					Name: expr + " " + zone, Spec: mustParse(t, expr, zone, o), CatchUp: CatchUpAll, CatchUpWindow: 10000 * time.Hour, Jitter: time.Duration(k%2) * time.Hour,
				})
			}
		}
		begun := time.Now()
		for end := begun.AddDate(1, 0, 0); time.Now().Before(end); {
			_, stop := start(t, host, schedules)
			time.Sleep(time.Duration(1 + r.Int64N(int64(20*24*time.Hour))))
			flaky(host.memory, r)
			stop()
			time.Sleep(time.Duration(r.Int64N(int64(30 * time.Hour))))
		}
		_, stop := start(t, host, schedules)
		time.Sleep(2 * time.Hour) // what waits for its jitter starts
		synctest.Wait()
		stop()
		until := time.Now().Add(-2 * time.Hour)
		for _, s := range schedules {
			var want []time.Time
			spans := spansOf(s.Spec.zone, begun.AddDate(0, 0, -3), until.AddDate(0, 0, 3))
			for _, at := range oracleSlots(spans, newOracleExpr(s.Spec.expr), SpecOptions{Gap: s.Spec.gap, Fold: s.Spec.fold}) {
				if due := time.Unix(at, 0); due.After(begun) && due.Before(until) {
					want = append(want, due)
				}
			}
			rows := slices.DeleteFunc(host.order[s.Name], func(due Due) bool { return !due.At.Before(until) })
			checkRows(t, s.Name, rows, want)
		}
	})
}

// flaky lets the ledger refuse everything for a while.
func flaky(host *memory, r *rand.Rand) {
	host.breakWith(errDisk)
	time.Sleep(time.Duration(r.Int64N(int64(3 * time.Hour))))
	if r.IntN(2) == 0 {
		host.breakWith(nil)
		time.Sleep(time.Duration(r.Int64N(int64(20 * time.Second))))
	}
	host.breakWith(nil)
}

func checkRows(t *testing.T, name string, rows []Due, want []time.Time) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: nothing was due", name)
	}
	var got []time.Time
	for _, due := range rows {
		got = append(got, due.At)
		if due.Missed != "" {
			t.Errorf("%s: %v was missed: %s", name, due.At, due.Missed)
		}
	}
	if !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("%s: got %d rows, want %d; first difference:", name, len(got), len(want))
		for i := range min(len(got), len(want)) {
			if !got[i].Equal(want[i]) {
				t.Errorf("row %d: got %v, want %v", i, got[i], want[i])
				break
			}
		}
	}
}
