package batch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"worqcron/source"
	"worqcron/store"
)

func neverBusy(ctx context.Context) error { return ctx.Err() }

// retainAll removes whatever may go.
func retainAll(t *testing.T, r *Runner) Removed {
	t.Helper()
	gone, err := r.Retain(t.Context(), time.Now().Add(time.Hour), neverBusy)
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

// What runs did that are gone counts for a later one as if they were there.
func TestLaterRunsAreTheSameAfterRetention(t *testing.T) {
	no := answer(400, http.Header{}, `{"success":false,"message":"no"}`)
	const rows = "day,n\n24,1\n25,2\n24,3\n25,4\n24,5\n24,6\n"
	byDay := source.Mapping{Where: `day == strftime(scheduled_for, '%d') or n == "3"`}
	slot := func(day int) Order { return Order{ScheduledFor: time.Date(2026, 11, day, 7, 30, 0, 0, time.UTC)} }
	for _, c := range []struct {
		name   string
		file   string
		script func(accept answering) []answering
		job    func(*Job)
		runs   []Order // of which all but the last may be removed
		gone   int64
		then   []Order
	}{
		{name: "delivered whole", runs: []Order{slot(1), slot(2)}, gone: 2, then: []Order{slot(24), {Force: true}}},
		{
			name: "delivered in part", runs: []Order{slot(1)}, gone: 1, then: []Order{slot(2), slot(3)},
			script: func(a answering) []answering { return []answering{a, no, a, a, no, a} },
		},
		{
			name: "delivered in part, compressed", file: "in.csv.gz", runs: []Order{slot(1)}, gone: 1, then: []Order{slot(2), slot(3)},
			script: func(a answering) []answering { return []answering{no, a} },
		},
		{
			name: "nothing accepted", runs: []Order{slot(1)}, gone: 1, then: []Order{slot(2)},
			script: func(answering) []answering { return []answering{no, no, no, no, no, no, accepted} },
		},
		{name: "where reads the run", job: func(j *Job) { j.Source.Mapping = byDay }, runs: []Order{slot(24), slot(25)}, gone: 2, then: []Order{slot(24), slot(25), slot(26)}},
		{
			name: "stopped half way", runs: []Order{{ScheduledFor: slot(1).ScheduledFor, Limit: 2}}, then: []Order{slot(2), slot(1)},
		},
	} {
		for _, mode := range []string{ModeChunks, ModeRecords} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				results := map[bool]string{}
				for _, retain := range []bool{false, true} {
					box := &inbox{}
					script := []answering{box.accept}
					if c.script != nil {
						script = c.script(box.accept)
					}
					r := testRunner(t, &wire{script: script})
					file := c.file
					if file == "" {
						file = "in.csv"
					}
					job := recordsJob(t, map[string]string{file: rows})
					job.Chunk.Mode, job.Chunk.MaxRecords, job.Delivery.MaxInFlight = mode, 1, 1
					if c.job != nil {
						c.job(job)
					}
					for _, o := range c.runs {
						runJob(t, r, job, o)
					}
					other, src := *job, *job.Source // so that the last one of job is not the schedule's latest
					other.Source = &src
					put(t, &other, map[string]string{"in.csv": "day,n\n1,77\n"})
					runJob(t, r, &other, Order{})
					if retain {
						if gone := retainAll(t, r); gone.Runs != c.gone {
							t.Errorf("%d runs went, want %d", gone.Runs, c.gone)
						}
					}
					box.bodies = nil
					for _, o := range c.then {
						o.New = true
						got := runJob(t, r, job, o)
						results[retain] += fmt.Sprintf("%s %+v\n", got.Status, got.Records)
					}
					for _, body := range box.bodies {
						_, rest := about(t, body)
						results[retain] += rest["n"] + rest["records"] + "\n"
					}
				}
				if results[true] != results[false] {
					t.Errorf("with retention:\n%s\nwithout:\n%s", results[true], results[false])
				}
			})
		}
	}
}

// The bodies and the spool of a run go with it; those of others stay.
func TestRetentionRemovesWhatLiesBeside(t *testing.T) {
	no := answer(400, http.Header{}, `{"success":false,"message":"no"}`)
	r := testRunner(t, &wire{script: []answering{no, accepted, no, accepted}})
	job := recordsJob(t, map[string]string{"in.csv.gz": "a\n1\n2\n"})
	job.Delivery.MaxInFlight = 1
	first := runJob(t, r, job, Order{})
	put(t, job, map[string]string{"in.csv.gz": "a\n3\n4\n"})
	second := runJob(t, r, job, Order{})
	// As a crash between the end of a run and its spool's would leave it.
	for _, c := range []*store.Receipt{first, second} {
		if err := os.WriteFile(spoolPath(r.Ledger.Path(), c.RunID), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := FindBeside(r.Ledger.Path())
	if err != nil || before.KeptBodies.Files != 2 || before.Spools.Files != 2 {
		t.Fatalf("got %+v, %v", before, err)
	}
	if gone := retainAll(t, r); gone.Runs != 1 || gone.Rows == 0 {
		t.Errorf("got %+v", gone)
	}
	after, err := FindBeside(r.Ledger.Path())
	if err != nil || after.KeptBodies.Files != 1 || after.Spools.Files != 1 || after.KeptBodies.Bytes != r.keptBodies().used {
		t.Errorf("got %+v (%d bytes counted), %v", after, r.keptBodies().used, err)
	}
	if _, err := os.Stat(filepath.Join(keptDir(r.Ledger.Path()), second.RunID)); err != nil {
		t.Error(err)
	}
}

// Each transaction asks first. What an end leaves is taken up later.
func TestRetentionWaitsAndGoesOn(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted}})
	job := testJob(t, 50)
	for range 3 {
		runJob(t, r, job, Order{Force: true})
	}
	ended := errors.New("ended")
	total, calls := Removed{}, 0
	for steps := 1; ; steps++ {
		left := steps
		gone, err := r.Retain(t.Context(), time.Now().Add(time.Hour), func(context.Context) error {
			calls++
			if left--; left < 0 {
				return ended
			}
			return nil
		})
		total.Runs, total.Rows = total.Runs+gone.Runs, total.Rows+gone.Rows
		if err == nil {
			break
		}
		if !errors.Is(err, ended) {
			t.Fatal(err)
		}
	}
	if want := int64(2 * (50 + 50 + 50 + 1 + 1)); total.Runs != 2 || total.Rows != want { // attempts, chunks, ranges, a file, the sum of attempts
		t.Errorf("got %+v, want 2 runs and %d rows", total, want)
	}
	if calls < 10 {
		t.Errorf("only %d transactions asked", calls)
	}
	if begun, err := r.Ledger.Removing(t.Context()); len(begun) > 0 || err != nil {
		t.Errorf("left half gone: %v %v", begun, err)
	}
	if gone, err := r.Retain(t.Context(), time.Now().Add(-time.Hour), neverBusy); gone != (Removed{}) || err != nil {
		t.Errorf("young runs: %+v %v", gone, err)
	}
}
