package worqhat

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestBudgetBackfillHasAShare sends a backfill beside schedules, and alone, as fast
// as the budget lets them.
func TestBudgetBackfillHasAShare(t *testing.T) {
	byRate := Options{MaxInFlight: 100, Rate: 10, Burst: 1, BackfillShare: 0.25}
	byPlaces := Options{MaxInFlight: 8, BackfillShare: 0.25}
	tests := []struct {
		name     string
		o        Options
		live     []string
		own      float64 // the schedule's own rate
		backfill int     // triggers of it in 100 s
		others   int     // of each schedule
	}{
		{"alone, by the rate", byRate, nil, 0, 250, 0},
		{"alone, by places", byPlaces, nil, 0, 200, 0},
		{"beside one, by the rate", byRate, []string{"a"}, 0, 250, 750},
		{"beside one, by places", byPlaces, []string{"a"}, 0, 200, 600},
		{"beside four, by the rate", byRate, []string{"a", "b", "c", "d"}, 0, 200, 200},
		{"its schedule's own rate", byRate, nil, 0.5, 50, 0},
		{"beside its own schedule, which has a rate", byRate, []string{"orders"}, 0.5, 25, 25},
		{"all of it", Options{MaxInFlight: 100, Rate: 10, Burst: 1}, nil, 0, 1000, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBudget(tt.o)
				b.SetRates(map[string]float64{"orders": tt.own})
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				var live counter
				var all sync.WaitGroup
				sent := 0
				var mu sync.Mutex
				for range 64 {
					all.Go(func() {
						for {
							release, err := b.AcquireBackfill(ctx, "orders")
							if err != nil {
								return
							}
							mu.Lock()
							sent++
							mu.Unlock()
							time.Sleep(time.Second)
							release()
						}
					})
				}
				synctest.Wait()
				for _, name := range tt.live {
					all.Go(func() { live.send(ctx, b, name, 16, time.Second) })
				}
				all.Wait()
				near := func(got, want int) bool { return got >= want-want/20-3 && got <= want+want/20+3 }
				if !near(sent, tt.backfill) {
					t.Errorf("the backfill sent %d, want about %d", sent, tt.backfill)
				}
				for _, name := range tt.live {
					if n := live.sent[name]; !near(n, tt.others) {
						t.Errorf("%s sent %d, want about %d", name, n, tt.others)
					}
				}
			})
		})
	}
}
