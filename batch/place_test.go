package batch

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
	"worqcron/worqhat"
)

// In a bubble the clock begins at midnight UTC.

// runBalanced runs a job and wants a balanced receipt.
func runBalanced(ctx context.Context, t *testing.T, r *Runner, job *Job) *store.Receipt {
	t.Helper()
	c, err := r.Run(ctx, job, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Balanced {
		t.Errorf("the receipt does not balance: %+v", c.Records)
	}
	return c
}

// clocks are times as a clock on the wall shows them.
func clocks(times []time.Time) string {
	var list []string
	for _, at := range times {
		list = append(list, at.UTC().Format("15:04:05"))
	}
	return strings.Join(list, " ")
}

func TestWindowHoldsSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := &wire{script: []answering{accepted}}
		r := testRunner(t, w)
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		job := testJob(t, 5)
		job.Delivery.Window = windowOf(t, "22:00-22:01", "23:00-06:00")
		r.Budget.SetRates(map[string]float64{"orders": 1.0 / 20})
		time.Sleep(7 * time.Hour)
		if c := runBalanced(t.Context(), t, r, job); c.Status != store.Succeeded {
			t.Errorf("got %s: %s", c.Status, c.Reason)
		}
		// Three of them fit before 22:01; the fourth would be due then.
		if got, want := clocks(w.times), "22:00:00 22:00:20 22:00:40 23:00:00 23:00:20"; got != want {
			t.Errorf("sent at %s, want %s", got, want)
		}
		if n := strings.Count(log.String(), "outside its window"); n != 2 {
			t.Errorf("it says %d times that it waits, want once a wait:\n%s", n, log.String())
		}
	})
}

func TestWindowInItsZone(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answering{accepted}}
		r := testRunner(t, w)
		job := testJob(t, 1)
		job.Zone = zone
		job.Delivery.Window = windowOf(t, "22:00-06:00")
		time.Sleep(7 * time.Hour)
		runBalanced(t.Context(), t, r, job)
		if got := clocks(w.times); got != "16:30:00" {
			t.Errorf("sent at %s, want 16:30:00", got)
		}
	})
}

// TestWindowClosesWhileTheKeyWaits: a pause that ends outside the window costs
// no token and no trigger.
func TestWindowClosesWhileTheKeyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answering{answer(429, http.Header{"Retry-After": {"3600"}}, ""), accepted}}
		r := testRunner(t, w)
		job := testJob(t, 2)
		job.Delivery.Window = windowOf(t, "23:30-00:30")
		if c := runBalanced(t.Context(), t, r, job); c.Status != store.Succeeded {
			t.Errorf("got %s: %s", c.Status, c.Reason)
		}
		if got, want := clocks(w.times), "00:00:00 23:30:00 23:30:00"; got != want {
			t.Errorf("sent at %s, want %s", got, want)
		}
	})
}

func TestStopInTheWindowsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answering{accepted}}
		r := testRunner(t, w)
		job := testJob(t, 3)
		job.Delivery.Window = windowOf(t, "22:00-06:00")
		time.Sleep(7 * time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		start := time.Now()
		c := runBalanced(ctx, t, r, job)
		if c.Status != store.Stopped || c.Chunks.Pending != 3 || len(w.times) != 0 || time.Since(start) != time.Hour {
			t.Errorf("got %s with %d pending and %d triggers after %s", c.Status, c.Chunks.Pending, len(w.times), time.Since(start))
		}
		if c := runBalanced(t.Context(), t, r, job); c.Status != store.Succeeded || clocks(w.times[:1]) != "22:00:00" {
			t.Errorf("goes on with %s, sent at %s", c.Status, clocks(w.times))
		}
	})
}

// TestStopEndsWaitsForTheBudget: workers that wait for a place do not keep a run
// that has stopped.
func TestStopEndsWaitsForTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answering{accepted, answer(429, http.Header{"Retry-After": {"3000"}}, ""), answer(401, http.Header{}, "")}}
		// The 429 comes when the other one is under way too, and the 401 a second
		// later, when all others wait out the pause.
		for i, after := range []time.Duration{1: time.Millisecond, 2: time.Second} {
			soon := w.script[i]
			w.script[i] = func(r *http.Request) (*http.Response, error) {
				time.Sleep(after)
				return soon(r)
			}
		}
		r := testRunner(t, w)
		start := time.Now()
		c := runBalanced(t.Context(), t, r, testJob(t, 9))
		if c.Status != store.Stopped || time.Since(start) > 2*time.Second {
			t.Errorf("got %s after %s", c.Status, time.Since(start))
		}
	})
}

// again is another process on the same ledger.
func again(t *testing.T, r *Runner, o worqhat.Options, rates map[string]float64) *Runner {
	t.Helper()
	next := &Runner{Ledger: r.Ledger, Budget: worqhat.NewBudget(o), Log: r.Log, Workers: 2, KeepBodies: 1 << 20}
	next.Budget.SetRates(rates)
	next.Connect(r.client(), nil)
	if _, err := next.Recover(t.Context(), func(string) string { return "hold" }); err != nil {
		t.Fatal(err)
	}
	return next
}

func TestPauseSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answering{answer(429, http.Header{"Retry-After": {"600"}}, `{"message":"slow down"}`), accepted}}
		r := testRunner(t, w)
		job := testJob(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		start := time.Now()
		if c := runBalanced(ctx, t, r, job); c.Status != store.Stopped || len(w.times) != 1 {
			t.Fatalf("got %s after %d triggers", c.Status, len(w.times))
		}
		r = again(t, r, worqhat.Options{MaxInFlight: 4}, nil)
		until, reason := r.Budget.Paused()
		if wait := until.Sub(start); wait < 600*time.Second || wait > 600*time.Second+time.Millisecond || !strings.Contains(reason, "slow down") {
			t.Errorf("paused for %s: %q", wait, reason)
		}
		if c := runBalanced(t.Context(), t, r, job); c.Status != store.Succeeded {
			t.Errorf("got %s: %s", c.Status, c.Reason)
		}
		for _, at := range w.times[1:] {
			if wait := at.Sub(start); wait < 600*time.Second || wait > 601*time.Second {
				t.Errorf("goes after %s, want 10m", wait)
			}
		}
		if again(t, r, worqhat.Options{MaxInFlight: 4}, nil); len(w.times) != 4 {
			t.Errorf("%d triggers", len(w.times))
		}
		if until, _ := r.Budget.Paused(); !until.IsZero() {
			t.Errorf("a pause that is over comes back, until %s", until)
		}
	})
}

// TestPauseOfAnotherClock: a stored pause that a wrong clock made holds for an
// hour at most.
func TestPauseOfAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRunner(t, &wire{script: []answering{accepted}})
		if err := r.Ledger.KeepPause(t.Context(), time.Now().AddDate(3, 0, 0), "far"); err != nil {
			t.Fatal(err)
		}
		r = again(t, r, worqhat.Options{MaxInFlight: 4}, nil)
		if until, _ := r.Budget.Paused(); time.Until(until) != time.Hour {
			t.Errorf("paused for %s, want an hour", time.Until(until))
		}
	})
}

func TestRateSurvivesARestart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		key   float64
		rates map[string]float64
	}{
		{"the key's", 0.01, nil},
		{"the schedule's own", 0, map[string]float64{"orders": 0.01}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{script: []answering{accepted}}
				o := worqhat.Options{Rate: tt.key, Burst: 1, MaxInFlight: 4}
				first := testRunner(t, w)
				job := testJob(t, 4)
				for i := range 6 { // each lasts for 50 s
					r := again(t, first, o, tt.rates)
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(50*time.Second-time.Duration(i)*time.Millisecond, cancel)
					runBalanced(ctx, t, r, job)
				}
				c := runBalanced(t.Context(), t, again(t, first, o, tt.rates), job)
				if c.Status != store.Succeeded || len(w.times) != 4 {
					t.Fatalf("got %s after %d triggers", c.Status, len(w.times))
				}
				for i := range w.times[1:] {
					if wait := w.times[i+1].Sub(w.times[i]); wait < 100*time.Second || wait > 101*time.Second {
						t.Errorf("trigger %d goes %s after the one before, want 100 s", i+1, wait)
					}
				}
			})
		})
	}
}

// TestTwoRunsTakeTurns: a run with many chunks and workers leaves a small one
// its turns.
func TestTwoRunsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []answering{func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return accepted(r)
		}}}
		r := testRunner(t, w)
		large, small := testJob(t, 400), testJob(t, 5)
		large.Delivery.MaxInFlight = 64
		small.Schedule = "small"
		start := time.Now()
		var both sync.WaitGroup
		both.Go(func() { runBalanced(t.Context(), t, r, large) })
		both.Go(func() {
			time.Sleep(10 * time.Second)
			runBalanced(t.Context(), t, r, small)
			if took := time.Since(start) - 10*time.Second; took > 6*time.Second {
				t.Errorf("the small run took %s", took)
			}
		})
		both.Wait()
		if took := time.Since(start); took < 100*time.Second {
			t.Errorf("405 triggers of a second, four at once, took %s", took)
		}
	})
}
