package batch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"worqcron/source"
	"worqcron/store"
	"worqcron/worqhat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is one answer of a script.
type answering func(*http.Request) (*http.Response, error)

// wire answers triggers by a script, one entry each; the last one repeats.
type wire struct {
	mu     sync.Mutex
	script []answering
	times  []time.Time
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	answer := w.script[min(len(w.times), len(w.script)-1)]
	w.times = append(w.times, time.Now())
	w.mu.Unlock()
	return answer(r)
}

func answer(status int, header http.Header, body string) answering {
	return func(r *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		return &http.Response{
			StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	}
}

// acceptedIDs makes each id of a process another one.
var acceptedIDs atomic.Int64

func accepted(r *http.Request) (*http.Response, error) {
	return answer(200, http.Header{}, fmt.Sprintf(`{"success":true,"analytics_id":"id-%d"}`, acceptedIDs.Add(1)))(r)
}

func refusedConnection(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// testRunner is a runner on a new ledger whose triggers go to w.
func testRunner(t *testing.T, w *wire) *Runner {
	t.Helper()
	ledger, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "worqcron.db"), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	key, err := worqhat.NewKey("wh_test")
	if err != nil {
		t.Fatal(err)
	}
	o := worqhat.Options{BaseURL: "https://worqhat.test", MaxInFlight: 4, Burst: 1, Timeout: time.Minute}
	client, err := worqhat.NewClient(o, key, w)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Ledger: ledger, Budget: worqhat.NewBudget(o), Log: slog.New(slog.DiscardHandler), Workers: 2, KeepBodies: 1 << 20}
	r.Connect(client, nil)
	return r
}

// testJob is a job of n chunks with one record each.
func testJob(t *testing.T, n int) *Job {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.csv")
	text := "a\n"
	for i := range n {
		text += fmt.Sprintln(i)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	payload, err := CompilePayload(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Job{
		Schedule: "orders", FlowID: "f825ab82-371f-40cb-9bed-b325531ead4a", BaseURL: "https://worqhat.test", Zone: time.UTC,
		Payload: payload, Source: &source.Options{Path: path},
		Records: RecordPolicy{OnBad: "quarantine", MaxBad: Share{Percent: 1, IsPercent: true}, Empty: "fail", Unchanged: "skip"},
		Chunk:   ChunkOptions{MaxBytes: 10_000, MaxRecords: 1, RecordsKey: "records", BatchKey: "_batch"},
		Delivery: DeliveryOptions{
			MaxInFlight: 4, MaxAttempts: 3, MaxFailed: Share{Percent: 10, IsPercent: true}, OnUnknown: "hold",
			Timeout: time.Minute, ShutdownTimeout: time.Second,
		},
	}
}

// deliverScript runs a job of n chunks against a script, in a bubble with a
// clock of its own.
func deliverScript(t *testing.T, n int, script []answering) (*store.Receipt, *wire) {
	t.Helper()
	w := &wire{script: script}
	c, err := testRunner(t, w).Run(context.Background(), testJob(t, n), Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Balanced {
		t.Errorf("the receipt does not balance: %+v", c.Records)
	}
	return c, w
}

func TestThrottledKeyWaitsAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := deliverScript(t, 5, []answering{accepted, answer(429, http.Header{"Retry-After": {"90"}}, ""), accepted})
		if c.Status != store.Succeeded || c.Chunks.Accepted != 5 {
			t.Fatalf("got %s: %+v", c.Status, c.Chunks)
		}
		for i, at := range w.times[2:] {
			// Those under way with the throttled one may come before its answer.
			if wait := at.Sub(w.times[1]); wait > 0 && wait < 90*time.Second {
				t.Errorf("trigger %d went %s after the 429, before the 90 s were over", i+3, wait)
			}
		}
		if last := w.times[len(w.times)-1].Sub(w.times[1]); last < 90*time.Second {
			t.Errorf("the throttled chunk went again after %s", last)
		}
	})
}

func TestNotSentIsTriedAgainThenStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := deliverScript(t, 1, []answering{refusedConnection, refusedConnection, accepted})
		if c.Status != store.Succeeded || c.Attempts != 3 || len(w.times) != 3 {
			t.Errorf("got %s after %d attempts and %d tries", c.Status, c.Attempts, len(w.times))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, w := deliverScript(t, 5, []answering{refusedConnection})
		if c.Status != store.Stopped || c.Chunks.Pending != 5 || len(w.times) != 3 {
			t.Errorf("got %s with %d pending after %d tries, want stopped, all pending, 3 tries", c.Status, c.Chunks.Pending, len(w.times))
		}
	})
}

func TestWrongKeyCostsOneTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := deliverScript(t, 9, []answering{answer(401, http.Header{}, `{"success":false,"message":"Invalid API key"}`)})
		if c.Status != store.Stopped || len(w.times) != 1 || c.Chunks.Pending != 9 || !strings.Contains(c.Reason, "Invalid API key") {
			t.Errorf("got %s (%s) with %d pending after %d triggers", c.Status, c.Reason, c.Chunks.Pending, len(w.times))
		}
	})
}

func TestUnknownsInARowStopTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := deliverScript(t, 30, []answering{answer(502, http.Header{}, "")})
		// The four under way together may go beyond the fifth.
		if c.Status != store.Stopped || len(w.times) < maxUnknownInRow || len(w.times) > maxUnknownInRow+3 {
			t.Errorf("got %s after %d triggers", c.Status, len(w.times))
		}
		if int(c.Chunks.Unknown) != len(w.times) {
			t.Errorf("%d chunks are unknown after %d triggers", c.Chunks.Unknown, len(w.times))
		}
	})
}

func TestNoAnswerIsUnknownAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := deliverScript(t, 1, []answering{func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}})
		if c.Status != store.Held || c.Chunks.Unknown != 1 {
			t.Errorf("got %s: %+v", c.Status, c.Chunks)
		}
	})
}
