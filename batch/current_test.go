package batch

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
	"worqcron/worqhat"
)

// TestOptionsAreCurrent: what a reload says counts for runs under way.
func TestOptionsAreCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &crowd{answer: always(accepted)}
		r, job := testRunner(t, &wire{script: []answering{s.serve}}), testJob(t, 200)
		r.Budget = worqhat.NewBudget(worqhat.Options{MaxInFlight: 100})
		job.Delivery.MaxInFlight = 1
		var c *store.Receipt
		var wg sync.WaitGroup
		wg.Go(func() { c = runOf(t, r, job) })
		for _, n := range []int{1, 8, 3, 1, 5} {
			o := job.Delivery
			o.MaxInFlight = n
			r.UpdateDelivery("orders", o)
			r.UpdateDelivery("other", DeliveryOptions{MaxInFlight: 50})
			time.Sleep(2550 * time.Millisecond) // those too many have gone
			s.mu.Lock()
			got := s.now
			s.mu.Unlock()
			if got != n {
				t.Errorf("%d triggers at once, want %d", got, n)
			}
		}
		o := job.Delivery
		o.MaxInFlight, o.OnUnknown = 2, "accept"
		r.UpdateDelivery("orders", o)
		time.Sleep(2500 * time.Millisecond)
		s.forget(always(refusing(502)))
		time.Sleep(2 * time.Second)
		s.forget(always(accepted))
		wg.Wait()
		if c.Status != store.Succeeded || c.Chunks.Assumed == 0 || c.Chunks.Unknown != 0 {
			t.Errorf("%s (%s): %+v", c.Status, c.Reason, c.Chunks)
		}
	})
}

// A reload while a run is planned counts for its delivery.
func TestOptionsFromBeforeTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &crowd{answer: always(accepted)}
		r, job := testRunner(t, &wire{script: []answering{s.serve}}), testJob(t, 20)
		o := job.Delivery
		o.MaxInFlight = 2
		r.UpdateDelivery("orders", o)
		if c := runOf(t, r, job); c.Status != store.Succeeded || s.most != 2 {
			t.Errorf("%s with %d at once, want 2", c.Status, s.most)
		}
	})
}

func TestTimeoutIsCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRunner(t, &wire{script: []answering{accepted, func(q *http.Request) (*http.Response, error) {
			answer, err := accepted(q)
			if err != nil {
				return nil, err
			}
			select {
			case <-time.After(10 * time.Second):
				return answer, nil
			case <-q.Context().Done():
				return nil, q.Context().Err()
			}
		}}})
		job := testJob(t, 10)
		job.Delivery.MaxInFlight, job.Delivery.OnUnknown = 1, "accept"
		var c *store.Receipt
		var wg sync.WaitGroup
		wg.Go(func() { c = runOf(t, r, job) })
		time.Sleep(45 * time.Second)
		o := job.Delivery
		o.Timeout = time.Second
		r.UpdateDelivery("orders", o)
		wg.Wait()
		if c.Chunks.Assumed < 3 || c.Chunks.Assumed > 5 || c.Chunks.Accepted != 10 {
			t.Errorf("got %+v", c.Chunks)
		}
	})
}

func TestMaxFailed(t *testing.T) {
	percent := func(p float64) Share { return Share{Percent: p, IsPercent: true} }
	for _, c := range []struct {
		name    string
		limit   Share
		every   int // each so many fail
		stopped bool
		failed  int64 // when it stops
		reason  string
	}{
		{"10 % of each tenth", percent(10), 10, false, 0, ""},
		{"10 % of each fourth", percent(10), 4, true, 5, "max_failed: 5 of 20 triggers failed (25 %), the last one: 400"},
		{"0 % counts from the sample on", percent(0), 19, true, 2, "max_failed: 2 of 38 triggers failed (5 %)"},
		{"a count", Share{Count: 2}, 4, true, 3, "max_failed: 3 of 12 triggers failed (25 %)"},
		{"none", Share{}, 3, true, 1, "max_failed: 1 of 3 triggers failed (33 %)"},
		{"off", percent(100), 1, false, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				r := testRunner(t, &wire{script: []answering{func(q *http.Request) (*http.Response, error) {
					if sent++; sent%c.every == 0 {
						return refusing(400)(q)
					}
					return accepted(q)
				}}})
				job := testJob(t, 60)
				job.Delivery.MaxFailed, job.Delivery.MaxInFlight = c.limit, 1
				got := runOf(t, r, job)
				if stopped := got.Status == store.Stopped; stopped != c.stopped || !strings.HasPrefix(got.Reason, c.reason) && c.stopped {
					t.Fatalf("%s (%s)", got.Status, got.Reason)
				}
				if c.stopped && (got.Chunks.Failed != c.failed || got.Chunks.Pending == 0) {
					t.Errorf("%+v, want %d failed", got.Chunks, c.failed)
				}
				if again := runOf(t, r, job); c.stopped && again.Chunks.Accepted <= got.Chunks.Accepted {
					t.Errorf("it did not go on with fresh counts: %+v", again.Chunks)
				}
			})
		})
	}
}

// TestOrdered: chunks arrive in order, whatever is retried, and nothing overtakes
// one that may have been accepted.
func TestOrdered(t *testing.T) {
	for _, mode := range []string{ModeChunks, ModeRecords} {
		synctest.Test(t, func(t *testing.T) {
			ctx, box, sent := context.Background(), &inbox{}, 0
			r := testRunner(t, &wire{script: []answering{func(q *http.Request) (*http.Response, error) {
				switch sent++; sent {
				case 4:
					return answer(429, http.Header{"Retry-After": {"20"}}, "")(q)
				case 7:
					return refusedConnection(q)
				case 10:
					return refusing(502)(q)
				}
				return box.accept(q)
			}}})
			job := testJob(t, 15)
			job.Chunk.Mode, job.Delivery.Ordered = mode, true
			if mode == ModeRecords {
				job.Chunk.MaxRecords = 0
			}
			for range 2 { // the second goes no further
				c := runOf(t, r, job)
				if c.Status != store.Stopped || c.Chunks.Unknown != 1 || c.Chunks.Accepted != 7 || !strings.Contains(c.Reason, "ordered = true") {
					t.Fatalf("mode %s: %s (%s): %+v", mode, c.Status, c.Reason, c.Chunks)
				}
			}
			runs, err := r.Ledger.Runs(ctx, "orders", 1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Resolve(ctx, runs[0], Resolution{Decision: DecideResend, Actor: "ann", Reason: "x"}); err != nil {
				t.Fatal(err)
			}
			if c := runOf(t, r, job); c.Status != store.Succeeded {
				t.Fatalf("mode %s: %s (%s)", mode, c.Status, c.Reason)
			}
			var got []string
			for _, body := range box.bodies {
				batch, _ := about(t, body)
				got = append(got, batch["chunk"])
			}
			if want := strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"); !slices.Equal(got, want) {
				t.Errorf("mode %s: arrived in the order %v", mode, got)
			}
		})
	}
}

func TestSameIDIsAlarmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRunner(t, &wire{script: []answering{accepted, answer(200, http.Header{}, `{"success":true,"analytics_id":"twin"}`)}})
		c := runOf(t, r, testJob(t, 3))
		if c.Status != store.Succeeded || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "twin") {
			t.Errorf("%s, notes %q", c.Status, c.Notes)
		}
		if again := runOf(t, r, testJob(t, 1)); len(again.Notes) != 1 || !strings.Contains(again.Notes[0], "to chunk 2 of run") && !strings.Contains(again.Notes[0], "to chunk 3 of run") {
			t.Errorf("an id of another run: notes %q", again.Notes)
		}
	})
}
