package batch

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
)

var cancellation = Cancellation{Actor: "ann", Reason: "wrong file"}

func latest(t *testing.T, r *Runner) *store.Run {
	t.Helper()
	runs, err := r.Ledger.Runs(context.Background(), "orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	return runs[0]
}

// TestCancelUnderWay: nothing new goes out, what is under way comes home, the rest
// is given up, and the next run starts afresh.
func TestCancelUnderWay(t *testing.T) {
	for _, mode := range []string{ModeChunks, ModeRecords} {
		synctest.Test(t, func(t *testing.T) {
			ctx, s := context.Background(), &crowd{answer: always(accepted)}
			r, job := testRunner(t, &wire{script: []answering{s.serve}}), testJob(t, 30)
			job.Chunk.Mode = mode
			var c *store.Receipt
			var wg sync.WaitGroup
			wg.Go(func() { c = runOf(t, r, job) })
			time.Sleep(2500 * time.Millisecond)
			s.mu.Lock()
			begun := s.triggers
			s.mu.Unlock()
			done, err := r.Cancel(ctx, latest(t, r), cancellation)
			if err != nil || done == nil {
				t.Fatalf("%v, %v", done, err)
			}
			if again, err := r.Cancel(ctx, latest(t, r), cancellation); err != nil || again == nil {
				t.Errorf("a second cancel: %v, %v", again, err)
			}
			<-done
			wg.Wait()
			if s.triggers != begun || c.Chunks.Accepted != int64(begun) || c.Chunks.Unknown+c.Chunks.Pending != 0 {
				t.Errorf("mode %s: %d triggers after %d: %+v", mode, s.triggers, begun, c.Chunks)
			}
			if c.Status != store.Partial || !strings.HasPrefix(c.Reason, "cancelled: wrong file; ") {
				t.Errorf("mode %s: %s (%s)", mode, c.Status, c.Reason)
			}
			if _, err := r.Cancel(ctx, latest(t, r), cancellation); !errors.Is(err, ErrNothingPlanned) {
				t.Errorf("mode %s: a settled run: %v", mode, err)
			}
			next := runOf(t, r, job)
			if next.RunID == c.RunID || next.Status != store.Succeeded || next.Records.Unchanged != int64(begun) {
				t.Errorf("mode %s: the next run: %s %+v", mode, next.Status, next.Records)
			}
		})
	}
}

// A trigger that does not come home within ShutdownTimeout is unknown and stays so;
// the next run starts afresh all the same.
func TestCancelLeavesUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r := testRunner(t, &wire{script: []answering{accepted, func(q *http.Request) (*http.Response, error) {
			if _, err := accepted(q); err != nil {
				return nil, err
			}
			<-q.Context().Done()
			return nil, q.Context().Err()
		}}})
		job := testJob(t, 9)
		var c *store.Receipt
		var wg sync.WaitGroup
		wg.Go(func() { c = runOf(t, r, job) })
		synctest.Wait()
		done, err := r.Cancel(ctx, latest(t, r), cancellation)
		if err != nil {
			t.Fatal(err)
		}
		<-done
		wg.Wait()
		if c.Status != store.Held || c.Chunks.Unknown != 4 || c.Chunks.Failed != 4 || !strings.HasPrefix(c.Reason, "cancelled: wrong file; 4 chunks may") {
			t.Errorf("%s (%s): %+v", c.Status, c.Reason, c.Chunks)
		}
		run := latest(t, r)
		if _, err := r.Cancel(ctx, run, cancellation); !errors.Is(err, ErrNothingPlanned) {
			t.Errorf("a held run: %v", err)
		}
		if next, err := r.Start(ctx, job, Order{Origin: "manual"}); err != nil || next.RunID == run.RunID {
			t.Errorf("the next run: %+v, %v", next, err)
		}
		if _, err := r.Resolve(ctx, run, Resolution{Decision: DecideAccepted, Actor: "ann", Reason: "seen"}); err != nil {
			t.Fatal(err)
		}
		if now, err := r.Ledger.FindRun(ctx, run.RunID); err != nil || now.State != store.Partial || !strings.HasPrefix(now.Reason, "cancelled: wrong file; ") {
			t.Errorf("after resolve: %+v, %v", now, err)
		}
	})
}

func TestCancelStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r, job := testRunner(t, &wire{script: []answering{accepted}}), testJob(t, 9)
		if _, err := r.Run(ctx, job, Order{Origin: "manual", Limit: 2}); err != nil {
			t.Fatal(err)
		}
		run := latest(t, r)
		if done, err := r.Cancel(ctx, run, cancellation); err != nil || done != nil {
			t.Fatalf("%v, %v", done, err)
		}
		c, err := r.Ledger.Receipt(ctx, run)
		if err != nil || c.Status != store.Partial || c.Chunks.Failed != 7 || !c.Balanced || c.Reason != "cancelled: wrong file; 7 chunks failed" {
			t.Errorf("%v: %s (%s): %+v", err, c.Status, c.Reason, c.Chunks)
		}
	})
}

// A run that is cancelled before its plan is whole has failed, and is not planned
// again.
func TestCancelWithoutPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r, job := testRunner(t, &wire{script: []answering{accepted}}), testJob(t, 3)
		job.Files = FilePolicy{Settle: time.Hour, SettleTimeout: 24 * time.Hour}
		var c *store.Receipt
		var wg sync.WaitGroup
		wg.Go(func() { c = runOf(t, r, job) })
		synctest.Wait()
		done, err := r.Cancel(ctx, latest(t, r), cancellation)
		if err != nil {
			t.Fatal(err)
		}
		<-done
		wg.Wait()
		if c.Status != store.Failed || c.Reason != "cancelled: wrong file" {
			t.Errorf("%s (%s)", c.Status, c.Reason)
		}
		job.Files = FilePolicy{}
		if next := runOf(t, r, job); next.RunID == c.RunID || next.Status != store.Succeeded {
			t.Errorf("the next run: %s (%s)", next.Status, next.Reason)
		}
	})
}

// What somebody decided to send again after the cancel goes on with 'run', for it is
// left of a run that is over else.
func TestCancelledRunGoesOnWithWhatIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := &wire{script: []answering{answer(502, http.Header{}, "")}}
		r, job := testRunner(t, w), testJob(t, 9)
		c := runOf(t, r, job) // stops after five in a row
		run := latest(t, r)
		if _, err := r.Cancel(ctx, run, cancellation); err != nil {
			t.Fatal(err)
		}
		unknown := c.Chunks.Unknown
		if _, err := r.Resolve(ctx, run, Resolution{Decision: DecideResend, Actor: "ann", Reason: "not there"}); err != nil {
			t.Fatal(err)
		}
		w.script = []answering{accepted}
		again := runOf(t, r, job)
		if again.RunID != c.RunID || again.Chunks.Accepted != unknown || again.Status != store.Partial || !strings.HasPrefix(again.Reason, "cancelled: wrong file; ") {
			t.Errorf("%s (%s): %+v", again.Status, again.Reason, again.Chunks)
		}
		if next := runOf(t, r, job); next.RunID == c.RunID {
			t.Error("a cancelled run of which nothing is left goes on")
		}
	})
}
