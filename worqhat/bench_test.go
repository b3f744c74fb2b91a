package worqhat_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"worqcron/worqhat"
	"worqcron/worqhat/sandbox"
)

// BenchmarkTrigger posts over loopback; client and server share the machine.
func BenchmarkTrigger(b *testing.B) {
	for _, bm := range []struct {
		name     string
		size     int
		parallel int
	}{{"9.5MB/1", 9_500_000, 1}, {"9.5MB/3", 9_500_000, 3}, {"334B/1", 334, 1}, {"334B/64", 334, 32}} {
		b.Run(bm.name, func(b *testing.B) {
			s, err := sandbox.Start(sandbox.Options{Check: sandbox.CheckFast})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			key, err := worqhat.NewKey("wh_bench")
			if err != nil {
				b.Fatal(err)
			}
			c, err := worqhat.NewClient(worqhat.Options{BaseURL: s.URL()}, key, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			body := []byte(`{"r":"` + strings.Repeat("x", bm.size-8) + `"}`)
			b.SetBytes(int64(len(body)))
			b.SetParallelism(bm.parallel)
			b.ReportAllocs()
			run := func() {
				r := c.Trigger(context.Background(), worqhat.Trigger{FlowID: flow, Body: body})
				if r.Outcome != worqhat.Accepted {
					b.Errorf("%s: %s", r.Outcome, r.Detail)
				}
			}
			if bm.parallel == 1 {
				for b.Loop() {
					run()
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					run()
				}
			})
		})
	}
}

// BenchmarkBudget is what 64 workers of two schedules pay for their turns.
func BenchmarkBudget(b *testing.B) {
	for _, places := range []int{64, 4} {
		b.Run(strconv.Itoa(places), func(b *testing.B) {
			budget := worqhat.NewBudget(worqhat.Options{MaxInFlight: places, Adaptive: true})
			sent := worqhat.Trigger{FlowID: flow, Body: []byte("{}")}
			var workers atomic.Int64
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				schedule := []string{"orders", "report"}[workers.Add(1)%2]
				for pb.Next() {
					release, err := budget.Acquire(context.Background(), schedule)
					if err != nil {
						b.Error(err)
						return
					}
					now := time.Now()
					budget.Learn(sent, worqhat.Result{Outcome: worqhat.Accepted, Started: now, Finished: now})
					release()
				}
			})
		})
	}
}
