package batch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"worqcron/store"
)

// A run that is planned anew from files that need no spool reads those, and not
// the spool of its plan before.
func TestReplanDropsTheSpool(t *testing.T) {
	for _, mode := range []string{ModeChunks, ModeRecords} {
		synctest.Test(t, func(t *testing.T) {
			box := &inbox{}
			r := testRunner(t, &wire{script: []answering{box.accept}})
			job := recordsJob(t, map[string]string{"in.csv.gz": "a\n1\n2\n3\n"})
			job.Chunk.Mode, job.Chunk.MaxRecords = mode, 1
			runJob(t, r, job, Order{PlanOnly: true})
			job.Payload = mustCompile(t, map[string]any{"kind": "other"})
			put(t, job, map[string]string{"in.csv": "a\n4\n5\n6\n"})
			first := runJob(t, r, job, Order{Limit: 1})
			wantBalance(t, first, store.Stopped, store.RecordBalance{Read: 3, Accepted: 1, Pending: 2})
			if left, err := filepath.Glob(filepath.Dir(spoolPath(r.Ledger.Path(), "")) + "/*"); len(left) > 0 || err != nil {
				t.Errorf("mode %s: %v is left, %v", mode, left, err)
			}
			c := runJob(t, r, job, Order{})
			wantBalance(t, c, store.Succeeded, store.RecordBalance{Read: 3, Accepted: 3})
			if len(box.bodies) != 3 || c.RunID != first.RunID {
				t.Errorf("mode %s: sent %q", mode, box.bodies)
			}
		})
	}
}

// The bodies of a spooled run whose spool is gone are not to be had; standard
// input is not read instead.
func TestLostSpool(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted}})
	job := recordsJob(t, map[string]string{"in.csv.gz": "a\n1\n2\n3\n"})
	c := runJob(t, r, job, Order{Limit: 1})
	if err := os.Remove(spoolPath(r.Ledger.Path(), c.RunID)); err != nil {
		t.Fatal(err)
	}
	wantBalance(t, runJob(t, r, job, Order{}), store.Stopped, store.RecordBalance{Read: 3, Accepted: 1, Pending: 2})
	run, err := r.Ledger.FindRun(context.Background(), c.RunID)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := FindChunk(t.Context(), &r.Ledger.Reader, run, 2); err != nil || c.BodyBytes != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
}
