package batch

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
	"worqcron/worqhat"
)

// crowd is a server whose answers take a second, and counts how many triggers it
// has at once.
type crowd struct {
	mu       sync.Mutex
	now      int
	most     int // since forget
	triggers int // since forget
	answer   func(n int, r *http.Request) answering
}

func (s *crowd) serve(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.now++
	s.triggers++
	s.most = max(s.most, s.now)
	answer := s.answer(s.triggers, r)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return answer(r)
}

func (s *crowd) forget(answer func(int, *http.Request) answering) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most, s.triggers, s.answer = 0, 0, answer
}

func always(a answering) func(int, *http.Request) answering {
	return func(int, *http.Request) answering { return a }
}

func refusing(status int) answering { return answer(status, http.Header{}, `{"message":"no"}`) }

func runOf(t *testing.T, r *Runner, job *Job) *store.Receipt {
	t.Helper()
	c, err := r.Run(context.Background(), job, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Balanced {
		t.Errorf("the receipt does not balance: %+v", c.Records)
	}
	return c
}

// TestRefusalIsProbed: after a refusal of the key or the flow, each next run costs
// one trigger until one is answered well; then all workers send.
func TestRefusalIsProbed(t *testing.T) {
	for _, status := range []int{401, 402, 403, 404} {
		synctest.Test(t, func(t *testing.T) {
			s := &crowd{answer: always(accepted)}
			r, job := testRunner(t, &wire{script: []answering{s.serve}}), testJob(t, 20)
			s.forget(func(n int, _ *http.Request) answering {
				if n > 5 {
					return refusing(status)
				}
				return accepted
			})
			first := runOf(t, r, job)
			if first.Status != store.Stopped || first.Chunks.Accepted != 5 || first.Chunks.Failed != 0 || s.triggers > 5+job.Delivery.MaxInFlight {
				t.Fatalf("%d: %s (%s), %+v after %d triggers", status, first.Status, first.Reason, first.Chunks, s.triggers)
			}
			for range 3 {
				s.forget(always(refusing(status)))
				if c := runOf(t, r, job); c.Status != store.Stopped || s.triggers != 1 {
					t.Fatalf("%d: %s after %d triggers, want one", status, c.Status, s.triggers)
				}
			}
			began := time.Now()
			s.forget(always(accepted))
			c := runOf(t, r, job)
			if c.Status != store.Succeeded || s.most != job.Delivery.MaxInFlight {
				t.Errorf("%d: %s with %d at once, want %d", status, c.Status, s.most, job.Delivery.MaxInFlight)
			}
			if took := time.Since(began); took < 5*time.Second || took > 5500*time.Millisecond { // 1 alone, 14 by four
				t.Errorf("%d: took %s", status, took)
			}
		})
	}
}

// TestRefusalReachesOtherRuns: a refused key stops all runs, a refused flow those
// of the flow, anything else the one run.
func TestRefusalReachesOtherRuns(t *testing.T) {
	const other = "0b6e2c1d-5a0f-4c3e-8a55-7c9d2f1e6b34"
	for _, c := range []struct {
		name            string
		refused         answering
		sameFlow, stops bool
	}{
		{"401", refusing(401), false, true},
		{"402", refusing(402), false, true},
		{"403", refusing(403), false, true},
		{"404, another flow", refusing(404), false, false},
		{"404, the same flow", refusing(404), true, true},
		{"400", refusing(400), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &crowd{answer: always(accepted)}
				r := testRunner(t, &wire{script: []answering{s.serve}})
				r.Budget = worqhat.NewBudget(worqhat.Options{MaxInFlight: 100})
				calm, hit := testJob(t, 40), testJob(t, 1)
				calm.Delivery.MaxFailed, hit.Schedule = Share{Percent: 100, IsPercent: true}, "hit"
				hit.FlowID = other
				if c.sameFlow {
					hit.FlowID = calm.FlowID
				}
				var receipt *store.Receipt
				var wg sync.WaitGroup
				wg.Go(func() { receipt = runOf(t, r, calm) })
				time.Sleep(2500 * time.Millisecond) // it is in the middle of it
				s.mu.Lock()
				begun := s.triggers
				s.answer = func(n int, _ *http.Request) answering {
					if n == begun+1 {
						return c.refused
					}
					return accepted
				}
				s.mu.Unlock()
				runOf(t, r, hit)
				wg.Wait()
				if stopped := receipt.Status == store.Stopped; stopped != c.stops {
					t.Fatalf("the other run is %s (%s)", receipt.Status, receipt.Reason)
				}
				if c.stops && (!strings.Contains(receipt.Reason, "as run hit@") || receipt.Chunks.Unknown != 0 || receipt.Chunks.Accepted < 8) {
					t.Errorf("the other run: %s, %+v", receipt.Reason, receipt.Chunks)
				}
			})
		})
	}
}

// TestNewKeyIsProbed: with a new key the next trigger goes alone, also of a run
// under way.
func TestNewKeyIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &crowd{answer: always(accepted)}
		r, job := testRunner(t, &wire{script: []answering{s.serve}}), testJob(t, 40)
		var c *store.Receipt
		var wg sync.WaitGroup
		wg.Go(func() { c = runOf(t, r, job) })
		time.Sleep(2500 * time.Millisecond)
		s.forget(always(refusing(401)))
		r.Connect(r.client(), nil)
		wg.Wait()
		if c.Status != store.Stopped || s.triggers != 1 {
			t.Errorf("%s after %d triggers with the new key, want one", c.Status, s.triggers)
		}
	})
}

func TestGateLetsOneGoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gates
		ctx, cancel := context.WithCancel(context.Background())
		probe, err := g.pass(ctx, "a", "s")
		if !probe || err != nil {
			t.Fatalf("got %v, %v", probe, err)
		}
		if probe, _ := g.pass(ctx, "b", "s"); !probe {
			t.Error("another flow waits")
		}
		passed := make(chan bool)
		go func() {
			p, err := g.pass(ctx, "a", "s")
			if err != nil {
				t.Error(err)
			}
			passed <- p
		}()
		synctest.Wait()
		select {
		case <-passed:
			t.Fatal("two go at once")
		default:
		}
		g.leave("a", "s", true) // no answer said anything
		if !<-passed {
			t.Error("the next is no probe")
		}
		g.prove("a", 0)
		if probe, err := g.pass(ctx, "a", "s"); probe || err != nil {
			t.Errorf("through an open gate: %v, %v", probe, err)
		}
		g.doubtAll()
		g.prove("a", 0) // the answer to an earlier trigger
		g.leave("a", "s", true)
		if probe, _ := g.pass(ctx, "a", "s"); !probe {
			t.Error("a closed gate lets all through")
		}
		cancel()
		if _, err := g.pass(ctx, "a", "s"); err == nil {
			t.Error("no error after the end of the context")
		}
	})
}

// TestProbesOfSeveralSchedules: who has a place first goes alone, and the others go
// when it came home.
func TestProbesOfSeveralSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gates
		ctx, cancel := context.WithCancel(context.Background())
		for _, schedule := range []string{"slow", "quick"} {
			if probe, err := g.pass(ctx, "a", schedule); !probe || err != nil {
				t.Fatalf("%s: got %v, %v", schedule, probe, err)
			}
		}
		first, ok, err := g.enter(ctx, "a", true)
		if !first.alone || first.waited || !ok || err != nil {
			t.Fatalf("got %+v, %v, %v", first, ok, err)
		}
		entered := make(chan entry)
		enter := func() {
			e, ok, err := g.enter(ctx, "a", true)
			if !ok || err != nil {
				t.Errorf("got %v, %v", ok, err)
			}
			entered <- e
		}
		go enter()
		synctest.Wait()
		select {
		case e := <-entered:
			t.Fatalf("two go at once: %+v", e)
		default:
		}
		g.land("a", first) // no answer said anything
		second := <-entered
		if !second.alone || !second.waited {
			t.Errorf("the next is %+v", second)
		}
		go enter()
		synctest.Wait()
		g.prove("a", second.closed)
		if third := <-entered; third.alone || !third.waited {
			t.Errorf("through an open gate: %+v", third)
		}
		g.land("a", second)
		g.doubt("a")
		if _, ok, err := g.enter(ctx, "a", false); ok || err != nil {
			t.Errorf("no probe, and a closed gate: %v, %v", ok, err)
		}
		if e, ok, err := g.enter(ctx, "a", true); !e.alone || !ok || err != nil {
			t.Errorf("a probe that retries: %+v, %v, %v", e, ok, err)
		}
		cancel()
		if _, _, err := g.enter(ctx, "a", true); err == nil {
			t.Error("no error after the end of the context")
		}
	})
}

// TestSlowScheduleHoldsNobodyUp: a schedule that waits for its own rate, or for its
// window, is in nobody's way at the same flow, and costs no second probe.
func TestSlowScheduleHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &crowd{answer: always(accepted)}
		r := testRunner(t, &wire{script: []answering{s.serve}})
		slow, quick := testJob(t, 2), testJob(t, 4)
		quick.Schedule = "quick"
		r.Budget.SetRates(map[string]float64{"orders": 1.0 / 3600})
		release, err := r.Budget.Acquire(t.Context(), "orders") // its token of this hour
		if err != nil {
			t.Fatal(err)
		}
		release()
		var wg sync.WaitGroup
		wg.Go(func() { runOf(t, r, slow) })
		synctest.Wait()
		began := time.Now()
		if c := runOf(t, r, quick); c.Status != store.Succeeded {
			t.Errorf("got %s", c.Status)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it waited for the other schedule: %s", took)
		}
		wg.Wait()
		if took := time.Since(began); took < 2*time.Hour-time.Minute || took > 2*time.Hour+time.Minute {
			t.Errorf("the slow one took %s", took)
		}
	})
}
