package batch

import (
	"fmt"
	"net/http"
	"testing"

	"worqcron/store"
)

func TestEarlierAt(t *testing.T) {
	e := &earlier{ranges: []store.Earlier{
		{Start: 0, End: 100, State: store.ChunkAccepted},
		{Start: 100, End: 200, State: store.ChunkUnknown},
		{Start: 150, End: 160, State: store.ChunkAccepted}, // a later run's, inside
		{Start: 300, End: 400, State: store.ChunkPlanned},
	}}
	for _, c := range []struct {
		offset int64
		want   known
	}{{0, knownAccepted}, {99, knownAccepted}, {100, knownElsewhere}, {150, knownAccepted}, {170, knownElsewhere}, {200, knownNothing}, {299, knownNothing}, {300, knownElsewhere}, {400, knownNothing}} {
		if got := e.at(c.offset); got != c.want {
			t.Errorf("at %d: got %d, want %d", c.offset, got, c.want)
		}
	}
}

// What --force sends again, an earlier run does not send as well.
func TestForceTakesOverWhatIsPlanned(t *testing.T) {
	for _, mode := range []string{ModeChunks, ModeRecords} {
		box := &inbox{}
		r := testRunner(t, &wire{script: []answering{box.accept}})
		job := recordsJob(t, map[string]string{"in.csv": "a\n1\n2\n3\n"})
		job.Chunk.Mode, job.Chunk.MaxRecords = mode, 1
		wantSent := func(what string, want int) {
			t.Helper()
			if len(box.bodies) != want {
				t.Errorf("mode %s, %s: %d triggers, want %d", mode, what, len(box.bodies), want)
			}
			box.bodies = nil
		}
		first := runJob(t, r, job, Order{Limit: 1})
		wantSent("first", 1)
		wantBalance(t, runJob(t, r, job, Order{Force: true}), store.Succeeded, store.RecordBalance{Read: 3, Accepted: 3})
		wantSent("forced", 3)
		if c := runJob(t, r, job, Order{}); c.Status != store.Skipped {
			t.Errorf("mode %s: got %s (%s)", mode, c.Status, c.Reason)
		}
		wantSent("after it", 0)
		for i, want := range []int{1, 3, 0} { // forced twice, though the file was delivered whole before
			runJob(t, r, job, []Order{{Force: true, Limit: 1}, {Force: true}, {}}[i])
			wantSent(fmt.Sprint("again ", i), want)
		}
		old, err := r.Ledger.FindRun(t.Context(), first.RunID)
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.Ledger.Receipt(t.Context(), old)
		if err != nil || c.Records != (store.RecordBalance{Read: 3, Accepted: 1, Failed: 2}) {
			t.Errorf("mode %s: the first run has %+v, %v", mode, c.Records, err)
		}
	}
}

// What WorqHat may have is sent again by its own run, under the key that it had: a
// later run does not take it over.
func TestWhatMayHaveBeenAcceptedIsNotTakenOver(t *testing.T) {
	box := &inbox{}
	lost := func(r *http.Request) (*http.Response, error) {
		if _, err := box.accept(r); err != nil {
			return nil, err
		}
		return answer(502, http.Header{}, "")(&http.Request{Body: http.NoBody})
	}
	w := &wire{script: []answering{lost, answer(401, http.Header{}, ""), box.accept}}
	r := testRunner(t, w)
	job := recordsJob(t, map[string]string{"in.csv": "a\n1\n2\n3\n"})
	job.Chunk.MaxRecords, job.Delivery.MaxInFlight, job.Delivery.OnUnknown = 1, 1, "resend"
	first := runJob(t, r, job, Order{}) // the first chunk is to be sent again, and the key is refused
	wantBalance(t, first, store.Stopped, store.RecordBalance{Read: 3, Pending: 3})
	second := runJob(t, r, job, Order{New: true})
	wantBalance(t, second, store.Held, store.RecordBalance{Read: 3, Accepted: 2, Unknown: 1})
	again := runJob(t, r, job, Order{})
	wantBalance(t, again, store.Partial, store.RecordBalance{Read: 3, Accepted: 1, Failed: 2})
	if again.RunID != first.RunID || len(box.bodies) != 4 || box.bodies[0] != box.bodies[3] {
		t.Errorf("run %s sent %q", again.Name, box.bodies)
	}
	wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 3, Unchanged: 3})
}
