package batch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	_ "modernc.org/sqlite"

	"worqcron/source"
	"worqcron/store"
)

// judge accepts triggers but those whose body has a text, and keeps what it
// accepted.
type judge struct {
	mu       sync.Mutex
	refuse   string // "": none
	status   int    // of a refusal
	accepted []string
}

func (j *judge) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	again := &http.Request{Body: http.NoBody}
	if j.refuse != "" && strings.Contains(string(body), j.refuse) {
		return answer(j.status, http.Header{}, "")(again)
	}
	j.accepted = append(j.accepted, string(body))
	return accepted(again)
}

// take returns what was accepted since, in order, and forgets it.
func (j *judge) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.accepted
	j.accepted = nil
	slices.Sort(list)
	return list
}

func judgedRunner(t *testing.T) (*Runner, *judge) {
	j := &judge{status: 400}
	return testRunner(t, &wire{script: []answering{j.RoundTrip}}), j
}

// redriveJob is a job of one record a chunk: 1, 2, 3, 4.
func redriveJob(t *testing.T, mode string) *Job {
	t.Helper()
	job := recordsJob(t, map[string]string{"in.csv": "a\n1\n2\n3\n4\n"})
	job.Chunk.Mode, job.Chunk.MaxRecords = mode, 1
	return job
}

func findRun(t *testing.T, r *Runner, runID string) *store.Run {
	t.Helper()
	run, err := r.Ledger.FindRun(context.Background(), runID)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// redrive sends something of a run again.
func redrive(t *testing.T, r *Runner, job *Job, of *store.Receipt, what Redrive) *store.Receipt {
	t.Helper()
	run, err := r.StartRedrive(context.Background(), job, findRun(t, r, of.RunID), what, "ann")
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Execute(context.Background(), job, run, Order{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Balanced {
		t.Errorf("the receipt does not balance: %+v", c.Records)
	}
	return c
}

func wantNothing(t *testing.T, r *Runner, job *Job, of *store.Receipt, what Redrive, why string) {
	t.Helper()
	_, err := r.StartRedrive(context.Background(), job, findRun(t, r, of.RunID), what, "ann")
	var nothing *NothingToRedriveError
	if !errors.As(err, &nothing) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want nothing to redrive: %s", err, why)
	}
}

var bothModes = []string{ModeChunks, ModeRecords}

func TestRedriveSendsTheSameRecordsWithANewKey(t *testing.T) {
	for _, mode := range bothModes {
		synctest.Test(t, func(t *testing.T) {
			r, j := judgedRunner(t)
			job := redriveJob(t, mode)
			j.refuse = `"a":"3"`
			first := runJob(t, r, job, Order{})
			wantBalance(t, first, store.Partial, store.RecordBalance{Read: 4, Accepted: 3, Failed: 1})
			j.take()
			old, err := r.Ledger.Chunk(t.Context(), findRun(t, r, first.RunID).ID, 3)
			if err != nil {
				t.Fatal(err)
			}
			j.refuse = ""
			c := redrive(t, r, job, first, Redrive{})
			wantBalance(t, c, store.Succeeded, store.RecordBalance{Read: 1, Accepted: 1})
			sent := j.take()
			run := findRun(t, r, c.RunID)
			again, err := r.Ledger.Chunk(t.Context(), run.ID, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(sent) != 1 || !strings.Contains(sent[0], `"a":"3"`) || !strings.Contains(sent[0], again.Key) || again.Key == old.Key || again.RedriveOf != 3 {
				t.Errorf("mode %s: sent %q with key %s, the old one is %s", mode, sent, again.Key, old.Key)
			}
			if body, err := Body(t.Context(), &r.Ledger.Reader, run, again); err != nil || string(body) != sent[0] {
				t.Errorf("mode %s: its body is now %s, %v", mode, body, err) // its spool is gone
			}
			wantNothing(t, r, job, first, Redrive{}, "sent again as chunk 1 of run "+c.Name+": accepted")
			if c := runJob(t, r, job, Order{New: true}); c.Status != store.Skipped {
				t.Errorf("mode %s: a later run is %s (%s)", mode, c.Status, c.Reason)
			}
			if sent := j.take(); len(sent) != 0 {
				t.Errorf("mode %s: sent twice: %q", mode, sent)
			}
		})
	}
}

// Whatever order runs and redrives come in, each record is accepted once.
func TestRedrivesOfRedrives(t *testing.T) {
	for _, mode := range bothModes {
		synctest.Test(t, func(t *testing.T) {
			r, j := judgedRunner(t)
			job := redriveJob(t, mode)
			j.refuse = `"`
			first := runJob(t, r, job, Order{})
			second := redrive(t, r, job, first, Redrive{})
			third := redrive(t, r, job, first, Redrive{Limit: 3})
			wantBalance(t, third, store.Failed, store.RecordBalance{Read: 3, Failed: 3})
			j.refuse = ""
			redrive(t, r, job, third, Redrive{Chunk: 1})
			wantNothing(t, r, job, second, Redrive{Chunk: 1}, "sent again as chunk 1")
			wantNothing(t, r, job, first, Redrive{Chunk: 1}, "sent again as chunk 1")
			redrive(t, r, job, second, Redrive{Chunk: 2})
			wantNothing(t, r, job, third, Redrive{Chunk: 2}, "sent again as chunk 1")
			wantBalance(t, redrive(t, r, job, first, Redrive{}), store.Succeeded, store.RecordBalance{Read: 2, Accepted: 2})
			if sent := j.take(); len(sent) != 4 {
				t.Errorf("mode %s: %d records were accepted: %q", mode, len(sent), sent)
			}
			for _, of := range []*store.Receipt{first, second, third} {
				wantNothing(t, r, job, of, Redrive{}, "went out since")
			}
			if c := runJob(t, r, job, Order{New: true}); c.Status != store.Skipped {
				t.Errorf("mode %s: a later run is %s (%s)", mode, c.Status, c.Reason)
			}
		})
	}
}

// Where each run sends all of a list, another night's run has not sent this one's.
func TestRedriveOfAListThatIsSentEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := redriveJob(t, ModeChunks)
		job.Records.Unchanged = "send"
		j.refuse = `"a":"3"`
		first := runJob(t, r, job, Order{})
		j.refuse = ""
		wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 4, Accepted: 4})
		j.take()
		wantBalance(t, redrive(t, r, job, first, Redrive{}), store.Succeeded, store.RecordBalance{Read: 1, Accepted: 1})
		wantNothing(t, r, job, first, Redrive{}, "sent again as chunk 1")
	})
}

// A later run that cut its chunks otherwise has a part of one that failed.
func TestRedriveLeavesOutWhatALaterRunHasInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := redriveJob(t, ModeChunks)
		j.refuse = `"a":"2"`
		first := runJob(t, r, job, Order{}) // chunk 2 failed
		second := runJob(t, r, job, Order{New: true})
		wantBalance(t, second, store.Failed, store.RecordBalance{Read: 4, Failed: 1, Unchanged: 3})
		j.refuse, j.status = `"a":"2"`, 502
		held := redrive(t, r, job, second, Redrive{})
		if held.Status != store.Held {
			t.Fatalf("got %s", held.Status)
		}
		wantNothing(t, r, job, first, Redrive{}, "has records of it: unknown")
	})
}

// What a later run took over from an earlier one is that run's, until it fails there.
func TestRedriveOfWhatWasTakenOver(t *testing.T) {
	for _, mode := range bothModes {
		synctest.Test(t, func(t *testing.T) {
			r, j := judgedRunner(t)
			job := redriveJob(t, mode)
			first := runJob(t, r, job, Order{Limit: 1})
			j.refuse = `"a":"3"`
			second := runJob(t, r, job, Order{New: true})
			if second.Records.Failed != 1 || second.Records.Accepted != 2 {
				t.Fatalf("mode %s: got %+v", mode, second.Records)
			}
			s, err := SelectRedrive(t.Context(), &r.Ledger.Reader, job, findRun(t, r, first.RunID), Redrive{})
			if err != nil || len(s.Chosen) != 1 || s.Chosen[0].Chunk != 3 || s.Chosen[0].Reason != reasonTakenOver || len(s.LeftOut) != 2 {
				t.Fatalf("mode %s: got %+v, %v", mode, s, err)
			}
			j.refuse = ""
			redrive(t, r, job, first, Redrive{})
			if sent := j.take(); len(sent) != 4 {
				t.Errorf("mode %s: accepted %d: %q", mode, len(sent), sent)
			}
			wantNothing(t, r, job, second, Redrive{}, "has records of it: accepted")
			wantNothing(t, r, job, first, Redrive{Reason: "taken over"}, "went out since")
		})
	}
}

// A later run takes over what a redrive has only planned.
func TestPlannedRedriveIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := redriveJob(t, ModeChunks)
		j.refuse = `"a"`
		first := runJob(t, r, job, Order{})
		run, err := r.StartRedrive(t.Context(), job, findRun(t, r, first.RunID), Redrive{}, "ann")
		if err != nil {
			t.Fatal(err)
		}
		j.refuse = ""
		if c, err := r.Execute(t.Context(), job, run, Order{Limit: 1}); err != nil || c.Chunks.Pending != 3 {
			t.Fatalf("got %+v, %v", c, err)
		}
		wantNothing(t, r, job, first, Redrive{}, "planned")
		wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 4, Accepted: 3, Unchanged: 1})
		if sent := j.take(); len(sent) != 4 {
			t.Errorf("accepted %d: %q", len(sent), sent)
		}
	})
}

// A redrive that was interrupted before its plan was whole goes on with what it was
// asked for, also when its options are others by then.
func TestRedriveIsResumed(t *testing.T) {
	for _, mode := range bothModes {
		synctest.Test(t, func(t *testing.T) {
			r, j := judgedRunner(t)
			job := redriveJob(t, mode)
			j.refuse = `"a"`
			first := runJob(t, r, job, Order{})
			run, err := r.StartRedrive(t.Context(), job, findRun(t, r, first.RunID), Redrive{Limit: 3}, "ann")
			if err != nil {
				t.Fatal(err)
			}
			j.refuse = ""
			if _, err := r.Recover(t.Context(), func(string) string { return "hold" }); err != nil { // killed here
				t.Fatal(err)
			}
			other := *job
			other.Chunk.MaxRecords, other.Chunk.RecordsKey = 7, "rows"
			c := runJob(t, r, &other, Order{Limit: 1})
			if c.RunID != run.RunID || c.Chunks.Pending != 2 || c.Chunks.Accepted != 1 {
				t.Fatalf("mode %s: got %+v of run %s", mode, c.Chunks, c.Name)
			}
			if err := os.Remove(strings.TrimSuffix(job.Source.Path, "*") + ".csv"); err != nil { // the spool has them
				t.Fatal(err)
			}
			wantBalance(t, runJob(t, r, &other, Order{}), store.Succeeded, store.RecordBalance{Read: 3, Accepted: 3})
			for _, body := range j.take() {
				if mode == ModeChunks && !strings.HasPrefix(body, `{"records":[{"a":"`) {
					t.Errorf("sent in another form: %s", body)
				}
			}
			other.FlowID = "00000000-371f-40cb-9bed-b325531ead4a"
			if _, err := r.StartRedrive(t.Context(), &other, findRun(t, r, first.RunID), Redrive{}, "ann"); err == nil || !strings.Contains(err.Error(), "flow_id is now 00000000") {
				t.Errorf("to another flow: %v", err)
			}
		})
	}
}

// More records than a frame of the spool has.
func TestRedriveOfManyRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3*frameRecords + 5
		r, j := judgedRunner(t)
		text := "a,b\n"
		for i := range n {
			text += fmt.Sprintf("%d,\"x\n%d\"\n", i, i)
		}
		job := recordsJob(t, map[string]string{"in.csv": text})
		job.Delivery.MaxFailed = Share{Percent: 100, IsPercent: true}
		j.refuse = `"a"`
		first := runJob(t, r, job, Order{})
		j.refuse = ""
		wantBalance(t, redrive(t, r, job, first, Redrive{}), store.Succeeded, store.RecordBalance{Read: n, Accepted: n})
		seen := map[string]bool{}
		for _, body := range j.take() {
			batch, rest := about(t, body)
			if want := fmt.Sprintf(`"x\n%s`, strings.TrimPrefix(rest["a"], `"`)); rest["b"] != want {
				t.Errorf("chunk %s: b is %s, want %s", batch["chunk"], rest["b"], want)
			}
			seen[rest["a"]] = true
		}
		if len(seen) != n {
			t.Errorf("%d of %d records", len(seen), n)
		}
	})
}

// What failed at WorqHat after it was accepted goes out again, once.
func TestRedriveOfWhatFailedRemotely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := redriveJob(t, ModeChunks)
		first := runJob(t, r, job, Order{})
		j.take()
		run := findRun(t, r, first.RunID)
		remote := Redrive{FailedRemotely: true}
		if _, err := r.StartRedrive(t.Context(), job, run, remote, "ann"); err == nil || !strings.Contains(err.Error(), "worqcron reconcile") {
			t.Fatalf("before anything was looked up: %v", err)
		}
		db, err := sql.Open("sqlite", r.Ledger.Path())
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(`INSERT INTO remote_status (attempt_id, status, looked_up_at)
			SELECT attempt_id, CASE chunk WHEN 2 THEN 'failed' ELSE 'completed' END, 1 FROM attempts WHERE run = ?`, run.ID)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := SelectRedrive(t.Context(), &r.Ledger.Reader, job, run, remote)
		if err != nil || len(s.Chosen) != 1 || s.Chosen[0].Chunk != 2 || s.MayHaveRun()[reasonFailedRemotely] != 1 {
			t.Fatalf("got %+v, %v", s, err)
		}
		c := redrive(t, r, job, first, remote)
		wantBalance(t, c, store.Succeeded, store.RecordBalance{Read: 1, Accepted: 1})
		if sent := j.take(); len(sent) != 1 || !strings.Contains(sent[0], `"a":"2"`) {
			t.Errorf("sent %q", sent)
		}
		wantNothing(t, r, job, first, remote, "sent again as chunk 1 of run "+c.Name)
		if again, err := r.Ledger.Receipt(t.Context(), run); err != nil || again.Chunks != first.Chunks {
			t.Errorf("the earlier run has %+v, %v", again.Chunks, err)
		}
		if c := runJob(t, r, job, Order{New: true}); c.Status != store.Skipped {
			t.Errorf("a later run is %s (%s)", c.Status, c.Reason)
		}
	})
}

// The records of every form are cut out of a body exactly, whatever is in them.
func TestRecordsAreCutOutOfBodies(t *testing.T) {
	records := []string{`{}`, `{"a":"},{"}`, `{"b":[1,{"c":"\\\",["}], "d":"\u0022"}`, "{\t}", `{"e":"\\"}`}
	rows := []string{`[]`, `["],["]`, `[1,[2],{"c":"\\\",["}]`}
	for _, payload := range []string{"", `"kind":"t"`} {
		for _, key := range []string{"", "_batch"} {
			for _, as := range []string{"", source.RecordsAsString, source.RecordsAsColumns} {
				s := shape{HasSource: true, BatchKey: key, RecordsKey: "records"}
				s.RecordsAs = as
				env, err := newEnvelope(s, testRun(payload))
				if err != nil {
					t.Fatal(err)
				}
				list := records
				if as == source.RecordsAsColumns {
					env, list = env.withColumns(`["a"]`), rows
				}
				for n := 1; n <= len(list); n++ {
					want := slices.Clone(list[:n])
					if as == source.RecordsAsString {
						for i := range want {
							quoted := fmt.Sprintf("%q", want[i])
							want[i] = quoted[1 : len(quoted)-1]
						}
					}
					c := &store.Chunk{Chunk: 12, Records: int64(n), Key: strings.Repeat("0", keyLen)}
					body := env.appendTail(append(slices.Clone(env.head), strings.Join(want, ",")...), c)
					joined, ok := env.cut(body, c)
					got := splitRecords(joined, as == source.RecordsAsString)
					if !ok || got != int64(n) || string(joined) != strings.Join(want, "\n") {
						t.Errorf("as %q: got %d records %q, want %q", as, got, joined, want)
					}
				}
			}
			env, err := newEnvelope(shape{HasSource: true, Mode: ModeRecords, BatchKey: key}, testRun(payload))
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range records {
				c := &store.Chunk{Chunk: 12, Records: 1, Key: strings.Repeat("0", keyLen)}
				got, ok := env.cut(env.appendRecord(nil, []byte(record), c), c)
				if !ok || string(got) != record {
					t.Errorf("one record: got %q, want %q", got, record)
				}
			}
		}
	}
}

// A kept body that is not the run's is no chunk's.
func TestForeignBodyIsNotCut(t *testing.T) {
	env, err := newEnvelope(shape{HasSource: true, BatchKey: "_batch", RecordsKey: "records"}, testRun(""))
	if err != nil {
		t.Fatal(err)
	}
	c := &store.Chunk{Chunk: 1, Records: 1, Key: strings.Repeat("0", keyLen)}
	body := env.appendTail(append(slices.Clone(env.head), `{}`...), c)
	c.Key = strings.Repeat("1", keyLen)
	if joined, ok := env.cut(body, c); ok {
		t.Errorf("cut %q out of a body with another key", joined)
	}
}

func TestOverlaps(t *testing.T) {
	list := []store.Earlier{{Start: 10, End: 20}, {Start: 30, End: 100}, {Start: 40, End: 50}, {Start: 60, End: 61}}
	o := newOverlaps(slices.Clone(list))
	for start := int64(0); start < 110; start++ {
		for end := start + 1; end < 112; end++ {
			want := slices.ContainsFunc(list, func(g store.Earlier) bool { return g.Start < end && start < g.End })
			if got := o.find(start, end); (got != nil) != want {
				t.Fatalf("[%d,%d): got %v, want %v", start, end, got, want)
			}
		}
	}
}

func TestLostChunkSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := redriveJob(t, ModeChunks)
		j.refuse = `"a"`
		first := runJob(t, r, job, Order{})
		run := findRun(t, r, first.RunID)
		path := filepath.Join(filepath.Dir(job.Source.Path), "in.csv")
		if err := errors.Join(r.keptBodies().remove(run.RunID, 2), os.Remove(path)); err != nil {
			t.Fatal(err)
		}
		j.refuse = ""
		c := redrive(t, r, job, first, Redrive{})
		if c.Status != store.Failed || !strings.Contains(c.Reason, "chunk 2: source changed") || len(j.take()) != 0 {
			t.Errorf("got %s (%s)", c.Status, c.Reason)
		}
		if used, err := os.ReadDir(r.Ledger.Path() + ".spool"); err != nil || len(used) != 0 {
			t.Errorf("the spool has %v, %v", used, err)
		}
		s, err := SelectRedrive(t.Context(), &r.Ledger.Reader, job, run, Redrive{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := PreviewRedrive(t.Context(), &r.Ledger.Reader, run, s)
		if err != nil || p.Chunks != 3 || len(p.Lost) != 1 || p.Lost[0].Chunk != 2 {
			t.Errorf("got %+v, %v", p, err)
		}
		wantBalance(t, redrive(t, r, job, first, Redrive{Chunk: 3}), store.Succeeded, store.RecordBalance{Read: 1, Accepted: 1})
		if sent := j.take(); len(sent) != 1 || int64(len(sent[0])) != p.ChunkList[1].BodyBytes {
			t.Errorf("sent %q, %d bytes were announced", sent, p.ChunkList[1].BodyBytes)
		}
	})
}

func TestMayHaveRun(t *testing.T) {
	for _, c := range []struct {
		last store.LastAttempt
		want bool
	}{
		{store.LastAttempt{}, false},
		{store.LastAttempt{Outcome: "refused", StatusCode: 400}, true},
		{store.LastAttempt{Outcome: "refused", StatusCode: 422}, true},
		{store.LastAttempt{Outcome: "refused", StatusCode: 413}, false},
		{store.LastAttempt{Outcome: "refused", StatusCode: 307}, false},
		{store.LastAttempt{Outcome: "flow_failed", StatusCode: 200}, true},
		{store.LastAttempt{Outcome: "unknown"}, true},
		{store.LastAttempt{Outcome: "not_sent"}, false},
		{store.LastAttempt{Outcome: "refused", StatusCode: 413, Unknown: true}, true},
	} {
		if got := mayHaveRun(c.last); got != c.want {
			t.Errorf("%+v: got %v", c.last, got)
		}
	}
}
