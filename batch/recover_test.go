package batch

import (
	"net/http"
	"testing"

	"worqcron/store"
)

// A crash between a person's decision and the run's new state must not leave the
// run held for ever.
func TestRecoverHalfResolved(t *testing.T) {
	for _, c := range []struct {
		decision store.ChunkState
		want     store.RunState
		goesOn   int
	}{
		{store.ChunkAccepted, store.Succeeded, 0},
		{store.ChunkFailed, store.Partial, 0},
		{store.ChunkPlanned, store.Stopped, 1},
	} {
		t.Run(string(c.decision), func(t *testing.T) {
			r := testRunner(t, &wire{script: []answering{accepted, answer(502, http.Header{}, "")}})
			job := testJob(t, 2)
			job.Delivery.MaxInFlight = 1 // so that chunk 2 is the second
			held := mustRun(t, r, job, Order{})
			run, err := r.Ledger.FindRun(t.Context(), held.RunID)
			if err != nil || run.State != store.Held {
				t.Fatalf("got %+v, %v", run, err)
			}
			if err := r.Ledger.ResolveChunk(t.Context(), run, c.decision, store.Audit{Action: "resolved", RunID: run.RunID, Chunk: 2}); err != nil {
				t.Fatal(err)
			}
			again, err := r.Recover(t.Context(), func(string) string { return "hold" })
			if err != nil || len(again) != c.goesOn {
				t.Errorf("%d runs go on, %v", len(again), err)
			}
			if run, err = r.Ledger.FindRun(t.Context(), held.RunID); err != nil || run.State != c.want {
				t.Errorf("got %+v, %v", run, err)
			}
		})
	}
}
