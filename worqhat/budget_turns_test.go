package worqhat

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counter counts the triggers of schedules that send as fast as they may.
type counter struct {
	mu   sync.Mutex
	sent map[string]int
	all  []string // in order
}

// send has so many workers of a schedule send until ctx ends; each trigger takes
// so long.
func (c *counter) send(ctx context.Context, b *Budget, schedule string, workers int, takes time.Duration) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				release, err := b.Acquire(ctx, schedule)
				if err != nil {
					return
				}
				c.mu.Lock()
				if c.sent == nil {
					c.sent = map[string]int{}
				}
				c.sent[schedule]++
				c.all = append(c.all, schedule)
				c.mu.Unlock()
				time.Sleep(takes)
				release()
			}
		})
	}
	all.Wait()
}

func TestBudgetSchedulesTakeTurns(t *testing.T) {
	tests := []struct {
		name string
		o    Options
	}{
		{"by places", Options{MaxInFlight: 4}},
		{"by the rate", Options{MaxInFlight: 100, Rate: 10, Burst: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBudget(tt.o)
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				var c counter
				var all sync.WaitGroup
				all.Go(func() { c.send(ctx, b, "large", 64, time.Second) })
				synctest.Wait()
				all.Go(func() { c.send(ctx, b, "small", 8, time.Second) })
				all.Go(func() { c.send(ctx, b, "other", 8, time.Second) })
				all.Wait()
				total := len(c.all)
				for _, name := range []string{"small", "other", "large"} {
					if n := c.sent[name]; n < total/3-5 || n > total/3+9 {
						t.Errorf("%s had %d of %d turns, want a third", name, n, total)
					}
				}
			})
		})
	}
}

// TestBudgetOneWorkerIsNotStarved: with one worker a schedule cannot use its
// turns all the time, but never waits for more than one round.
func TestBudgetOneWorkerIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{MaxInFlight: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		var c counter
		var all sync.WaitGroup
		all.Go(func() { c.send(ctx, b, "large", 64, time.Second) })
		synctest.Wait()
		all.Go(func() { c.send(ctx, b, "small", 1, time.Second) })
		all.Wait()
		if text := strings.Join(c.all, " "); strings.Contains(text, "large large large large") {
			t.Errorf("small waits for more than its turn: %s", text)
		}
	})
}

func TestBudgetOwnRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{MaxInFlight: 10, Rate: 10, Burst: 1})
		b.SetRates(map[string]float64{"slow": 1, "off": 0})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second-time.Millisecond)
		defer cancel()
		var c counter
		var all sync.WaitGroup
		for _, name := range []string{"slow", "off", "fast"} {
			all.Go(func() { c.send(ctx, b, name, 10, time.Millisecond) })
		}
		all.Wait()
		// What slow may not take is the others': no token of the key is lost to it.
		if c.sent["slow"] != 100 || len(c.all) != 1000 {
			t.Errorf("slow sent %d in 100 s at 1/s, all together %d at 10/s", c.sent["slow"], len(c.all))
		}
		if n := c.sent["off"] - c.sent["fast"]; n < -2 || n > 2 {
			t.Errorf("off sent %d, fast %d", c.sent["off"], c.sent["fast"])
		}
	})
}

// TestBudgetOwnRateKeepsItsTurn: who waits for its own token goes first when it
// is there.
func TestBudgetOwnRateKeepsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{MaxInFlight: 1}), time.Now()
		b.SetRates(map[string]float64{"slow": 0.1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var times []time.Duration
		var all sync.WaitGroup
		all.Go(func() {
			for {
				release, err := b.Acquire(ctx, "slow")
				if err != nil {
					return
				}
				times = append(times, since(start))
				release()
			}
		})
		synctest.Wait()
		var c counter
		all.Go(func() { c.send(ctx, b, "large", 64, 3*time.Second) })
		all.Wait()
		if len(times) < 5 {
			t.Fatalf("slow went at %v, want each ten seconds and a bit", times)
		}
		for i := range times[1:] {
			// A place is free every three seconds.
			if wait := times[i+1] - times[i]; wait < 10*time.Second || wait > 13*time.Second {
				t.Errorf("slow waits %s, want from 10 s to 13 s: %v", wait, times)
			}
		}
	})
}

func TestBudgetSetRatesReachesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{MaxInFlight: 10}), time.Now()
		b.SetRates(map[string]float64{"orders": 1e-6})
		acquire(t, b)
		went := make(chan time.Duration)
		for range 3 {
			go func() {
				acquire(t, b)
				went <- since(start)
			}()
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		b.SetRates(map[string]float64{"orders": 1})
		for _, want := range []time.Duration{11, 12} {
			if got := <-went; got != want*time.Second {
				t.Errorf("goes after %s, want %ds", got, want)
			}
		}
		b.SetRates(map[string]float64{"orders": 0})
		if got := <-went; got != 12*time.Second {
			t.Errorf("goes after %s although it has no rate any more", got)
		}
	})
}

// TestBudgetLeave: who gives up in a queue takes nothing along, and the others go on.
func TestBudgetLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{MaxInFlight: 1, Rate: 1, Burst: 1})
		release := acquire(t, b)
		var all sync.WaitGroup
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		for _, schedule := range []string{"orders", "orders", "report"} {
			all.Go(func() {
				if _, err := b.Acquire(ctx, schedule); !errors.Is(err, gone) {
					t.Errorf("got %v, want the cause", err)
				}
			})
			synctest.Wait()
		}
		var order []string
		for _, schedule := range []string{"report", "orders"} {
			all.Go(func() {
				free, err := b.Acquire(t.Context(), schedule)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, schedule)
				free()
			})
			synctest.Wait()
		}
		cancel(gone)
		synctest.Wait()
		time.Sleep(time.Minute)
		release()
		all.Wait()
		if want := []string{"orders", "report"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v: the queues keep their turns", order, want)
		}
		if len(b.ring) != 0 || b.inFlight != 0 {
			t.Errorf("%d queues and %d triggers are left", len(b.ring), b.inFlight)
		}
	})
}

// TestBudgetKeepsTheRateOfWhatIsGone: a schedule that a reload took away may have a
// run under way.
func TestBudgetKeepsTheRateOfWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{MaxInFlight: 10}), time.Now()
		b.SetRates(map[string]float64{"orders": 1})
		acquire(t, b)
		b.SetRates(map[string]float64{"report": 2})
		acquire(t, b)
		if got := since(start); got != time.Second {
			t.Errorf("goes after %s, want 1s", got)
		}
		b.SetRates(map[string]float64{"orders": 0})
		acquire(t, b)
		acquire(t, b)
		if got := since(start); got != time.Second {
			t.Errorf("without a rate it goes after %s", got)
		}
	})
}
