package batch

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"worqcron/store"
)

// Redrives meet what else happens to chunks: splits, learnt limits, retention.

// A chunk that is sent again is split as any other, with its records at their
// places, also when it is not read from its file but from what a redrive kept.
func TestRedriveIsSplit(t *testing.T) {
	for _, name := range []string{"in.csv", "in.ndjson", "in.csv.gz"} {
		synctest.Test(t, func(t *testing.T) {
			j, flow := &judge{status: 400, refuse: `"`}, &narrow{most: 700}
			w := &wire{script: []answering{j.RoundTrip}}
			r := testRunner(t, w)
			job := splitJob(t, 100, name)
			job.Delivery.Ordered = true
			first := runJob(t, r, job, Order{})
			wantBalance(t, first, store.Failed, store.RecordBalance{Read: 100, Failed: 100})
			w.script = []answering{flow.answer}
			again := redrive(t, r, job, first, Redrive{})
			if strings.HasSuffix(name, ".gz") { // its records lie nowhere any more: only the body was kept
				if again.Records.Failed != 100 || flow.refused != 1 {
					t.Errorf("%s: got %+v after %d refusals", name, again.Records, flow.refused)
				}
				failed := chunksOf(t, r, findRun(t, r, again.RunID))
				if !strings.Contains(failed[0].Reason, "cannot be split: its records were taken from a kept body") {
					t.Errorf("%s: failed for %q", name, failed[0].Reason)
				}
				return
			}
			wantBalance(t, again, store.Succeeded, store.RecordBalance{Read: 100, Accepted: 100})
			checkParts(t, r, findRun(t, r, again.RunID))
			n := 0
			for _, body := range flow.bodies {
				n += strings.Count(body, `"a":`)
			}
			if n != 100 || flow.refused < 2 {
				t.Errorf("%s: %d records arrived, after %d refusals", name, n, flow.refused)
			}
			for _, c := range verified(t, &r.Ledger.Reader, findRun(t, r, again.RunID)) {
				if !c.OK || !c.Made {
					t.Errorf("%s: %+v", name, c)
				}
			}
		})
	}
}

// A limit that was learnt meanwhile does not stop a redrive of what cannot be split.
func TestRedriveGoesOnAboveALearntLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, flow := &judge{status: 400, refuse: `"`}, &narrow{most: 700}
		w := &wire{script: []answering{j.RoundTrip}}
		r := testRunner(t, w)
		job := splitJob(t, 100, "in.csv.gz")
		job.Records.Unchanged = "send"
		first := runJob(t, r, job, Order{})
		w.script = []answering{flow.answer}
		wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 100, Accepted: 100})
		w.script = []answering{accepted} // the flow takes more again
		wantBalance(t, redrive(t, r, job, first, Redrive{}), store.Succeeded, store.RecordBalance{Read: 100, Accepted: 100})
	})
}

// What parts of a split redrive were sent again is not sent a second time.
func TestPartsOfARedriveGoOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, flow := &judge{status: 400, refuse: `"`}, &narrow{most: 700}
		w := &wire{script: []answering{j.RoundTrip}}
		r := testRunner(t, w)
		job := splitJob(t, 100, "in.csv")
		job.Delivery.Ordered, job.Records.Unchanged = true, "send"
		first := runJob(t, r, job, Order{})
		w.script = []answering{func(q *http.Request) (*http.Response, error) {
			if q.ContentLength > int64(flow.most) {
				return flow.answer(q)
			}
			return j.RoundTrip(q)
		}}
		second := redrive(t, r, job, first, Redrive{}) // in parts, each of which fails
		if second.Chunks.Split < 3 || second.Records.Failed != 100 {
			t.Fatalf("got %+v, %+v", second.Chunks, second.Records)
		}
		parts, err := r.Ledger.ChunksInState(t.Context(), findRun(t, r, second.RunID).ID, store.ChunkFailed, 0, 100)
		if err != nil || len(parts) < 4 {
			t.Fatal(parts, err)
		}
		j.refuse = ""
		for _, p := range parts[:2] {
			wantBalance(t, redrive(t, r, job, second, Redrive{Chunk: p.Chunk}), store.Succeeded, store.RecordBalance{Read: p.Records, Accepted: p.Records})
			wantNothing(t, r, job, second, Redrive{Chunk: p.Chunk}, "sent again as chunk 1 of run")
		}
		wantNothing(t, r, job, first, Redrive{}, "in parts: what of them failed is sent again by 'worqcron redrive "+second.Name)
		j.take()
		third := redrive(t, r, job, second, Redrive{})
		if want := 100 - parts[0].Records - parts[1].Records; third.Records.Accepted != want || third.Records.Read != want {
			t.Errorf("sent %+v, want the other %d records", third.Records, want)
		}
		_, err = r.StartRedrive(t.Context(), job, findRun(t, r, second.RunID), Redrive{Chunk: 1}, "ann")
		if err == nil || !strings.Contains(err.Error(), "they are the chunks 2 and 3") {
			t.Errorf("a redrive of what was split: %v", err)
		}
	})
}

// A redrive has a part of its file's records, also when the run that had all of
// them is gone: the others are not taken for delivered.
func TestRedriveOfARunThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := redriveJob(t, ModeChunks)
		j.refuse = `"a"`
		first := runJob(t, r, job, Order{})
		j.status = 502
		held := redrive(t, r, job, first, Redrive{Chunk: 3})
		if held.Status != store.Held {
			t.Fatalf("got %s", held.Status)
		}
		j.refuse = ""
		if gone := retainAll(t, r); gone.Runs != 1 {
			t.Fatalf("%d runs were removed, want the first", gone.Runs)
		}
		run := findRun(t, r, held.RunID)
		if _, err := r.Resolve(t.Context(), run, Resolution{Decision: DecideAccepted, Actor: "ann", Reason: "seen"}); err != nil {
			t.Fatal(err)
		}
		c := runJob(t, r, job, Order{New: true})
		wantBalance(t, c, store.Succeeded, store.RecordBalance{Read: 4, Accepted: 3, Unchanged: 1})
	})
}
