package worqhat

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestBudgetRemembers: a budget that knows what was sent goes on where another
// one stopped, in the key's rate and in each schedule's.
func TestBudgetRemembers(t *testing.T) {
	tests := []struct {
		name  string
		o     Options
		own   float64
		ago   []time.Duration // when orders sent, before the restart
		since time.Duration   // before the restart; what was before is not known
		want  time.Duration   // when it may send next
	}{
		{"nothing", Options{Rate: 1, Burst: 1}, 0, nil, time.Hour, 0},
		{"one a minute", Options{Rate: 1.0 / 60, Burst: 1}, 0, []time.Duration{50 * time.Second}, time.Hour, 10 * time.Second},
		{"one an hour, long ago", Options{Rate: 1.0 / 3600, Burst: 1}, 0, []time.Duration{59 * time.Minute}, time.Hour, time.Minute},
		{"longer ago", Options{Rate: 1, Burst: 1}, 0, []time.Duration{2 * time.Second}, time.Hour, 0},
		{"burst left", Options{Rate: 1, Burst: 3}, 0, []time.Duration{200 * time.Millisecond, 100 * time.Millisecond}, time.Hour, 0},
		{"burst used up", Options{Rate: 1, Burst: 2}, 0, []time.Duration{200 * time.Millisecond, 100 * time.Millisecond}, time.Hour, 800 * time.Millisecond},
		{"what was before is not known", Options{Rate: 1, Burst: 10}, 0, nil, 250 * time.Millisecond, 750 * time.Millisecond},
		{"the schedule's own", Options{}, 0.1, []time.Duration{4 * time.Second}, time.Hour, 6 * time.Second},
		{"the longer of the two", Options{Rate: 1, Burst: 1}, 0.1, []time.Duration{100 * time.Millisecond}, time.Hour, 9900 * time.Millisecond},
		{"no rate at all", Options{}, 0, []time.Duration{0, 0}, time.Hour, 0},
		{"the clock was set back", Options{Rate: 1, Burst: 1}, 0, []time.Duration{-time.Hour}, time.Hour, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				tt.o.MaxInFlight = 10
				b := NewBudget(tt.o)
				b.SetRates(map[string]float64{"orders": tt.own})
				var sent []Sent
				for _, ago := range tt.ago {
					sent = append(sent, Sent{"orders", start.Add(-ago).Round(0)})
				}
				b.Remember(start.Add(-tt.since), sent)
				acquire(t, b)
				if got := since(start); got != tt.want {
					t.Errorf("goes after %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// TestBudgetOtherSchedulesSentIt: what one schedule sent counts for the key and
// not for another's own rate.
func TestBudgetOtherSchedulesSentIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(Options{Rate: 1, Burst: 1, MaxInFlight: 10}), time.Now()
		b.SetRates(map[string]float64{"orders": 0.01, "report": 0.01})
		b.Remember(start.Add(-time.Hour), []Sent{{"report", start}})
		acquire(t, b)
		if got := since(start); got != time.Second {
			t.Errorf("orders goes after %s, want 1s", got)
		}
		if _, err := b.Acquire(t.Context(), "report"); err != nil {
			t.Fatal(err)
		}
		if got := since(start); got != 100*time.Second {
			t.Errorf("report goes after %s, want 1m40s", got)
		}
	})
}

func TestBudgetMemory(t *testing.T) {
	b := NewBudget(Options{Rate: 10, Burst: 50})
	if got := b.Memory(); got != 5*time.Second {
		t.Errorf("got %s, want 5s", got)
	}
	b.SetRates(map[string]float64{"orders": 1.0 / 60})
	if got := b.Memory().Round(time.Second); got != time.Minute {
		t.Errorf("got %s, want 1m", got)
	}
	b.SetRates(map[string]float64{"orders": 1e-300})
	if got := b.Memory(); got != maxFill {
		t.Errorf("got %s, want a year", got)
	}
	if got := NewBudget(Options{Burst: 50}).Memory(); got != 0 {
		t.Errorf("got %s without a rate", got)
	}
}

// TestBudgetRestartsWinNothing restarts at random: over all processes together no
// stretch of time has more triggers than rate and burst allow.
func TestBudgetRestartsWinNothing(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			o := Options{Rate: []float64{0.2, 1, 7}[random.IntN(3)], Burst: 1 + random.IntN(20), MaxInFlight: 1000}
			var sent []Sent
			for range 20 {
				b := NewBudget(o)
				from := time.Now().Add(-b.Memory())
				var known []Sent
				for _, s := range sent {
					if !s.At.Before(from) {
						known = append(known, s)
					}
				}
				b.Remember(from, known)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(10_000))*time.Millisecond)
				for {
					if _, err := b.Acquire(ctx, "orders"); err != nil {
						break
					}
					sent = append(sent, Sent{"orders", time.Now()})
					if random.IntN(4) == 0 {
						time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
					}
				}
				cancel()
			}
			if len(sent) < 10 {
				t.Errorf("seed %d: only %d triggers went", seed, len(sent))
			}
			for i := range sent {
				for j := i; j < len(sent); j++ {
					allowed := float64(o.Burst) + o.Rate*sent[j].At.Sub(sent[i].At).Seconds()
					if n := float64(j - i + 1); n > allowed+1e-6 {
						t.Fatalf("seed %d: %g triggers within %s at %g/s and burst %d", seed, n, sent[j].At.Sub(sent[i].At), o.Rate, o.Burst)
					}
				}
			}
		})
	}
}
