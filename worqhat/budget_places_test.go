package worqhat

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// story feeds places with sights that are a minute apart, each begun a while
// before it ended.
type story struct {
	p   *places
	now time.Time
}

func (s *story) tell(one sight, takes time.Duration) (why string) {
	s.now = s.now.Add(time.Minute)
	one.began, one.ended = s.now.Add(-takes), s.now
	return s.p.learn(one, s.p.limit)
}

func (s *story) accepted(n int, takes time.Duration) (why []string) {
	for range n {
		if one := s.tell(sight{accepted: true}, takes); one != "" {
			why = append(why, one)
		}
	}
	return why
}

func newStory(ceiling int) *story {
	p := &places{}
	p.set(ceiling, true)
	return &story{p, time.Unix(1e9, 0)}
}

func TestPlacesHalveAndGrow(t *testing.T) {
	tests := []struct {
		name string
		tell func(*story)
		want int
	}{
		{"the beginning", func(*story) {}, 16},
		{"good answers", func(s *story) { s.accepted(1000, time.Second) }, 16},
		{"throttled", func(s *story) { s.tell(sight{throttled: true}, time.Second) }, 8},
		{"a time-out", func(s *story) { s.tell(sight{timedOut: true}, time.Second) }, 8},
		{"failed and refused say nothing", func(s *story) { s.tell(sight{}, time.Second) }, 16},
		{"never below one", func(s *story) {
			for range 9 {
				s.tell(sight{throttled: true}, time.Second)
			}
		}, 1},
		{"seven good answers of eight", func(s *story) {
			s.tell(sight{throttled: true}, time.Second)
			s.accepted(7, time.Second)
		}, 8},
		{"eight good answers", func(s *story) {
			s.tell(sight{throttled: true}, time.Second)
			s.accepted(8, time.Second)
		}, 9},
		{"all the way back", func(s *story) {
			s.tell(sight{throttled: true}, time.Second)
			s.accepted(8+9+10+11+12+13+14+15, time.Second)
		}, 16},
		{"one cut for those under way together", func(s *story) {
			for i := range 16 {
				s.tell(sight{throttled: true}, time.Duration(i+1)*time.Minute+time.Second)
			}
		}, 8},
		{"two cuts for two rounds", func(s *story) {
			s.tell(sight{throttled: true}, time.Second)
			s.tell(sight{throttled: true}, time.Second)
		}, 4},
		{"half of those under way", func(s *story) { s.p.learn(sight{throttled: true, began: s.now}, 6) }, 3},
		{"a lower ceiling", func(s *story) { s.p.set(5, true) }, 5},
		{"a higher ceiling", func(s *story) { s.p.set(20, true) }, 20},
		{"a higher ceiling after a cut", func(s *story) {
			s.tell(sight{throttled: true}, time.Second)
			s.p.set(20, true)
		}, 8},
		{"switched off after a cut", func(s *story) {
			s.tell(sight{throttled: true}, time.Second)
			s.p.set(16, false)
		}, 16},
		{"switched off", func(s *story) {
			s.p.set(16, false)
			s.tell(sight{throttled: true}, time.Second)
		}, 16},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(16)
			tt.tell(s)
			if s.p.limit != tt.want {
				t.Errorf("the limit is %d, want %d", s.p.limit, tt.want)
			}
		})
	}
}

func TestPlacesFollowLatency(t *testing.T) {
	const usual = time.Second
	tests := []struct {
		name string
		tell func(*story) (why []string)
		want int
		cuts int
	}{
		{"as usual", func(s *story) []string { return s.accepted(1000, usual) }, 16, 0},
		{"a little slower", func(s *story) []string { return s.accepted(1000, usual*3/2) }, 16, 0},
		{"twice as long", func(s *story) []string { return s.accepted(2*minSample, 2*usual) }, 8, 1},
		{"twice as long, once", func(s *story) []string {
			why := s.accepted(minSample, 2*usual)
			return append(why, s.accepted(10*minSample, usual)...)
		}, 16, 0},
		{"the cut does not help", func(s *story) []string { return s.accepted(10*minSample, 3*usual) }, 16, 1},
		{"the cut helps", func(s *story) []string {
			why := s.accepted(2*minSample, 3*usual)
			return append(why, s.accepted(minSample, usual*3/2)...)
		}, 8, 1},
		{"it helps, but not enough", func(s *story) []string {
			why := s.accepted(2*minSample, 8*usual)
			why = append(why, s.accepted(2*minSample, 4*usual)...)
			return append(why, s.accepted(minSample, usual*3/2)...)
		}, 6, 2}, // it grew by three before the second cut
		{"and grows again", func(s *story) []string {
			why := s.accepted(2*minSample, 3*usual)
			return append(why, s.accepted(minSample+8+9, usual)...)
		}, 10, 1},
		{"one slow answer in three", func(s *story) (why []string) {
			for range 100 {
				why = append(why, s.accepted(2, usual)...)
				why = append(why, s.accepted(1, 10*usual)...)
			}
			return why
		}, 16, 0},
		{"of another flow", func(s *story) (why []string) {
			for range 10 * minSample {
				why = append(why, s.tell(sight{accepted: true, like: likeness{flow: "b"}}, 10*usual))
			}
			return slices.DeleteFunc(why, func(one string) bool { return one == "" })
		}, 16, 0},
		{"of larger bodies", func(s *story) (why []string) {
			for range 10 * minSample {
				why = append(why, s.tell(sight{accepted: true, like: likeness{size: 9}}, 10*usual))
			}
			return slices.DeleteFunc(why, func(one string) bool { return one == "" })
		}, 16, 0},
		{"the trial's flow sends no more", func(s *story) []string {
			why := s.accepted(2*minSample, 3*usual)
			for range 1000 {
				s.tell(sight{accepted: true, like: likeness{flow: "b"}}, usual)
			}
			return why
		}, 16, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(16)
			s.accepted(minSample, usual)
			why := tt.tell(s)
			if s.p.limit != tt.want || len(why) != tt.cuts {
				t.Errorf("the limit is %d after the cuts %q, want %d and %d", s.p.limit, why, tt.want, tt.cuts)
			}
			for _, one := range why {
				if !strings.Contains(one, "usual were 1s") {
					t.Errorf("a cut says %q", one)
				}
			}
		})
	}
}

// TestPlacesOnLoopback: on the same machine latency may rise a hundredfold and
// is still nothing to yield to.
func TestPlacesOnLoopback(t *testing.T) {
	s := newStory(64)
	if why := slices.Concat(s.accepted(1000, time.Millisecond), s.accepted(1000, 200*time.Millisecond)); why != nil || s.p.limit != 64 {
		t.Errorf("the limit is %d: %q", s.p.limit, why)
	}
}

// TestPlacesOfASlowFlow: a flow whose answers take minutes, and differ much,
// keeps its places. The latencies are lognormal, as those of real services.
func TestPlacesOfASlowFlow(t *testing.T) {
	for _, ceiling := range []int{4, 8, 64} {
		for _, sigma := range []float64{0.3, 0.6, 1} {
			random := rand.New(rand.NewPCG(1, uint64(ceiling)))
			s := newStory(ceiling)
			const answers = 20_000
			sum, least := 0, ceiling
			for range answers {
				takes := time.Duration(float64(2*time.Minute) * math.Exp(sigma*random.NormFloat64()))
				s.now = s.now.Add(time.Hour) // none of them under way with a cut
				s.tell(sight{accepted: true}, takes)
				sum, least = sum+s.p.limit, min(least, s.p.limit)
			}
			mean := float64(sum) / answers
			t.Logf("ceiling %d, sigma %g: mean %.2f, least %d", ceiling, sigma, mean, least)
			if mean < 0.85*float64(ceiling) || sigma < 1 && mean < 0.99*float64(ceiling) {
				t.Errorf("ceiling %d, sigma %g: %.2f places in the mean, least %d", ceiling, sigma, mean, least)
			}
		}
	}
}

// server is a model of WorqHat: it works on so many triggers at once, each for
// so long, and the others share it, or are throttled.
type server struct {
	mu        sync.Mutex
	capacity  int
	throttles bool
	underWay  int
	done      int
	throttled int
	deepest   int
}

const serviceTime = 300 * time.Millisecond

func (s *server) serve() (ok bool) {
	s.mu.Lock()
	s.underWay++
	s.deepest = max(s.deepest, s.underWay)
	n, capacity := s.underWay, s.capacity
	s.mu.Unlock()
	full := n > capacity
	switch {
	case full && s.throttles:
		time.Sleep(10 * time.Millisecond)
	case full:
		time.Sleep(serviceTime * time.Duration(n) / time.Duration(capacity))
	default:
		time.Sleep(serviceTime)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay--
	if full && s.throttles {
		s.throttled++
		return false
	}
	s.done++
	return true
}

// change sets the capacity and forgets what was counted.
func (s *server) change(capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity, s.done, s.throttled, s.deepest = capacity, 0, 0, 0
}

// drive sends to a server with 64 workers until ctx ends.
func drive(ctx context.Context, b *Budget, s *server) {
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for {
				release, err := b.Acquire(ctx, "orders")
				if err != nil {
					return
				}
				r := Result{Outcome: Accepted, Started: time.Now()}
				if !s.serve() {
					r.Outcome = Throttled
				}
				r.Finished = time.Now()
				b.Learn(Trigger{FlowID: testFlow, Body: []byte("{}")}, r)
				if r.Outcome == Throttled {
					b.Pause(r.Finished.Add(time.Second), "429")
				}
				release()
			}
		})
	}
	all.Wait()
}

// TestPlacesSettleNearCapacity: when a server bears less, the queue in front of
// it shrinks and its throughput stays; when it bears more again, it is used.
func TestPlacesSettleNearCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{MaxInFlight: 64, Adaptive: true})
		s := &server{capacity: 64}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { drive(ctx, b, s) })
		time.Sleep(time.Minute)
		for _, step := range []struct{ capacity, atMost int }{{64, 64}, {8, 24}, {64, 64}, {2, 12}, {64, 64}} {
			s.change(step.capacity)
			time.Sleep(5 * time.Minute) // it settles
			s.change(step.capacity)
			time.Sleep(time.Minute)
			s.mu.Lock()
			most := float64(step.capacity) * float64(time.Minute/serviceTime)
			t.Logf("capacity %d: %d of %.0f a minute, at most %d at once", step.capacity, s.done, most, s.deepest)
			if float64(s.done) < 0.9*most || s.deepest > step.atMost {
				t.Errorf("capacity %d: %d of %.0f a minute, %d at once; want 90 %% and at most %d", step.capacity, s.done, most, s.deepest, step.atMost)
			}
			s.mu.Unlock()
		}
		cancel()
		all.Wait()
	})
}

// TestPlacesSpareAServerThatThrottles: with fixed places each pause ends in
// another crowd.
func TestPlacesSpareAServerThatThrottles(t *testing.T) {
	share := map[bool]float64{}
	for _, adaptive := range []bool{false, true} {
		t.Run(fmt.Sprint("adaptive ", adaptive), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{capacity: 16, throttles: true}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				drive(ctx, NewBudget(Options{MaxInFlight: 64, Adaptive: adaptive}), s)
				share[adaptive] = float64(s.throttled) / float64(s.done)
				t.Logf("adaptive %v: %d done, %d throttled", adaptive, s.done, s.throttled)
			})
		})
	}
	if share[true] > share[false]/20 {
		t.Errorf("%.4f throttled for each that was done, %.4f with fixed places: want a twentieth", share[true], share[false])
	}
}
