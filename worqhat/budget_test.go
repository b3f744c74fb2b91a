package worqhat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// acquire gets a place or fails the test.
func acquire(t *testing.T, b *Budget) (release func()) {
	t.Helper()
	release, err := b.Acquire(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// since is how much of the bubble's time has passed, to the millisecond.
func since(start time.Time) time.Duration { return time.Since(start).Round(time.Millisecond) }

func TestBudgetRate(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want []time.Duration // when the n-th trigger may go
	}{
		{"50 a minute", Options{Rate: 50.0 / 60, Burst: 1, MaxInFlight: 100}, []time.Duration{0, 1200 * time.Millisecond, 2400 * time.Millisecond, 3600 * time.Millisecond}},
		{"burst", Options{Rate: 1, Burst: 3, MaxInFlight: 100}, []time.Duration{0, 0, 0, time.Second, 2 * time.Second}},
		{"burst of zero is one", Options{Rate: 2, MaxInFlight: 100}, []time.Duration{0, 500 * time.Millisecond, time.Second}},
		{"no limit", Options{MaxInFlight: 100}, []time.Duration{0, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, start := NewBudget(tt.o), time.Now()
				for i, want := range tt.want {
					acquire(t, b)
					if got := since(start); got != want {
						t.Errorf("trigger %d goes after %s, want %s", i, got, want)
					}
				}
			})
		})
	}
}

func TestBudgetPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{MaxInFlight: 2}), time.Now()
		first := acquire(t, b)
		acquire(t, b)
		go func() {
			time.Sleep(time.Minute)
			first()
			first() // more calls do nothing
		}()
		acquire(t, b)
		if got := since(start); got != time.Minute {
			t.Errorf("the third goes after %s, want 1m", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := b.Acquire(ctx, "orders"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a fourth went: a place was given back twice (%v)", err)
		}
	})
}

func TestBudgetServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Rate: 1, Burst: 1, MaxInFlight: 3})
		var (
			mu    sync.Mutex
			order []int
			wg    sync.WaitGroup
		)
		for i := range 100 {
			wg.Go(func() {
				release, err := b.Acquire(context.Background(), "orders")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(5 * time.Second)
				release()
			})
			synctest.Wait() // it stands in the queue
		}
		wg.Wait()
		if len(order) != 100 || !slices.IsSorted(order) {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestBudgetPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{Rate: 1000, Burst: 1000, MaxInFlight: 100}), time.Now()
		if until, reason := b.Paused(); !until.IsZero() || reason != "" {
			t.Errorf("paused until %s: %q", until, reason)
		}
		b.Pause(start.Add(time.Minute), "http_429")
		b.Pause(start.Add(30*time.Second), "shorter")
		b.Pause(start.Add(-time.Hour), "over")
		if until, reason := b.Paused(); !until.Equal(start.Add(time.Minute)) || reason != "http_429" {
			t.Errorf("paused until %s: %q", until, reason)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := b.Acquire(context.Background(), "orders"); err != nil {
					t.Error(err)
				}
				if got := since(start); got != 90*time.Second {
					t.Errorf("a worker of the key goes after %s, want 1m30s", got)
				}
			})
		}
		synctest.Wait()
		time.Sleep(45 * time.Second)
		b.Pause(start.Add(90*time.Second), "longer") // while they wait
		wg.Wait()
		if until, _ := b.Paused(); !until.IsZero() {
			t.Errorf("still paused until %s", until)
		}
		now := time.Now()
		b.Pause(now.AddDate(30, 0, 0), "far")
		if until, _ := b.Paused(); !until.Equal(now.Add(time.Hour)) {
			t.Errorf("paused until %s, want an hour at most", until)
		}
	})
}

// TestBudgetSpendsNoTokenEarly: who waits for a pause or a place holds no token,
// so that after an hour exactly one trigger a token goes.
func TestBudgetSpendsNoTokenEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{Rate: 1, Burst: 1, MaxInFlight: 1}), time.Now()
		release := acquire(t, b)
		second := make(chan time.Duration)
		go func() {
			free, err := b.Acquire(context.Background(), "orders")
			if err != nil {
				t.Error(err)
				return
			}
			second <- since(start)
			free()
		}()
		synctest.Wait()
		time.Sleep(500 * time.Millisecond)
		b.Pause(start.Add(10*time.Second), "x") // while it waits for the place
		release()
		if got := <-second; got != 10*time.Second {
			t.Errorf("the second goes after %s, want 10s", got)
		}
		acquire(t, b)
		if got := since(start); got != 11*time.Second {
			t.Errorf("the third goes after %s, want 11s: one token a second", got)
		}
	})
}

func TestBudgetGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{Rate: 0.1, Burst: 1, MaxInFlight: 1}), time.Now()
		release := acquire(t, b)
		cause := errors.New("shutting down")
		for range 5 { // one in turn, four behind it
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				time.Sleep(time.Second)
				cancel(cause)
			}()
			if free, err := b.Acquire(ctx, "orders"); !errors.Is(err, cause) || free != nil {
				t.Errorf("Acquire = %v, want the cause", err)
			}
			if free, err := b.Acquire(ctx, "orders"); !errors.Is(err, cause) || free != nil {
				t.Errorf("Acquire of an ended context = %v, want the cause", err)
			}
		}
		release()
		acquire(t, b)
		if got := since(start); got != 10*time.Second {
			t.Errorf("goes after %s, want 10s: a token was lost or won", got)
		}
	})
}

func TestBudgetSetLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{Rate: 1e-6, Burst: 1, MaxInFlight: 1}), time.Now()
		release := acquire(t, b)
		went := make(chan time.Duration)
		for range 3 {
			go func() {
				if _, err := b.Acquire(context.Background(), "orders"); err != nil {
					t.Error(err)
				}
				went <- since(start)
			}()
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		b.SetLimits(Options{Rate: 1, Burst: 1, MaxInFlight: 3}) // reaches those who wait
		for i, want := range []time.Duration{11, 12} {
			if got := <-went; got != want*time.Second {
				t.Errorf("waiter %d goes after %s, want %ds", i, got, want)
			}
		}
		time.Sleep(8 * time.Second)
		b.SetLimits(Options{MaxInFlight: 1}) // below what is under way: nobody is stopped
		release()
		synctest.Wait()
		select {
		case got := <-went:
			t.Errorf("went after %s, over the new limit", got)
		default:
		}
		b.SetLimits(Options{MaxInFlight: 3})
		if got := <-went; got != 20*time.Second {
			t.Errorf("goes after %s, want 20s", got)
		}
	})
}

// TestBudgetAndClientTogether: a 429 holds all workers of the key, and the rate
// holds over all of them.
func TestBudgetAndClientTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu   sync.Mutex
			seen []time.Duration
		)
		start := time.Now()
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			mu.Lock()
			seen = append(seen, since(start))
			n := len(seen)
			mu.Unlock()
			resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(okBody))}
			if n == 3 {
				resp.StatusCode, resp.Header = 429, http.Header{"Retry-After": {"100"}}
			}
			return resp, nil
		})
		o := Options{BaseURL: "http://127.0.0.1", Rate: 1, Burst: 1, MaxInFlight: 4}
		c, err := NewClient(o, mustKey(t, secret), transport)
		if err != nil {
			t.Fatal(err)
		}
		b := NewBudget(o)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for {
					release, err := b.Acquire(context.Background(), "orders")
					if err != nil {
						t.Error(err)
						return
					}
					r := c.Trigger(context.Background(), Trigger{FlowID: testFlow, Body: bodyOf(small)})
					if r.Outcome == Throttled {
						b.Pause(r.Finished.Add(r.RetryAfter), string(r.Reason))
					}
					release()
					if r.Outcome == Accepted {
						return
					}
				}
			})
		}
		wg.Wait()
		want := []time.Duration{0, 1, 2, 102, 103, 104, 105}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(seen, want) {
			t.Errorf("requests at %v, want %v", seen, want)
		}
	})
}
