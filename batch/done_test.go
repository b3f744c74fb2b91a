package batch

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"worqcron/store"
)

// doneJob is a job over a glob of these files, with one record a chunk, that
// moves what it delivered.
func doneJob(t *testing.T, files map[string]string) *Job {
	t.Helper()
	job := testJob(t, 0)
	dir := t.TempDir()
	job.Source.Path = filepath.Join(dir, "*.csv")
	job.Files = FilePolicy{WhenDone: DoneMove, Folder: filepath.Join(dir, "done")}
	job.Records.MaxBad = Share{Count: 10}
	job.Delivery.MaxInFlight = 1
	job.Records.Empty = "skip"
	addFiles(t, job, files)
	return job
}

func addFiles(t *testing.T, job *Job, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(filepath.Dir(job.Source.Path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lie says which files lie in the source's folder and in that for done ones.
func lie(t *testing.T, job *Job) (in, done string) {
	t.Helper()
	return namesIn(t, filepath.Dir(job.Source.Path)), namesIn(t, job.Files.Folder)
}

func namesIn(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

func wantLie(t *testing.T, job *Job, wantIn, wantDone string) {
	t.Helper()
	if in, done := lie(t, job); in != wantIn || done != wantDone {
		t.Errorf("in the folder: %q, done: %q; want %q and %q", in, done, wantIn, wantDone)
	}
}

func mustRun(t *testing.T, r *Runner, job *Job, o Order) *store.Receipt {
	t.Helper()
	o.Origin = "manual"
	c, err := r.Run(context.Background(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDoneFilesAreMoved(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted}})
	job := doneJob(t, map[string]string{"a.csv": "id\n1\n2\n", "b.csv": "id\n3\n4,5\n", "empty.csv": "id\n"})
	if c := mustRun(t, r, job, Order{PlanOnly: true}); c.Status != store.Stopped {
		t.Fatalf("plan: %+v", c)
	}
	wantLie(t, job, "a.csv b.csv empty.csv", "")
	c := mustRun(t, r, job, Order{})
	if c.Status != store.Partial || c.Records.Dead != 1 || len(c.Notes) != 1 {
		t.Errorf("got %+v", c)
	}
	wantLie(t, job, "b.csv empty.csv", "a.csv") // one has a dead letter, one no record at all

	// What was sent can still be looked at.
	run, err := r.Ledger.FindRun(t.Context(), c.RunID)
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := r.Ledger.Chunk(t.Context(), run.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := Body(t.Context(), &r.Ledger.Reader, run, chunk)
	if err != nil || !strings.HasPrefix(string(body), `{"records":[{"id":"1"}]`) {
		t.Errorf("body after the move: %s, %v", body, err)
	}
	if err := os.RemoveAll(job.Files.Folder); err != nil {
		t.Fatal(err)
	}
	if _, err := Body(t.Context(), &r.Ledger.Reader, run, chunk); err == nil || !strings.Contains(err.Error(), "a.csv was moved to "+job.Files.Folder) {
		t.Errorf("body after the archive went: %v", err)
	}
}

// TestStoppedRunGoesOnWithoutDoneFiles holds that a file which is done does not
// keep the rest of its run from being sent.
func TestStoppedRunGoesOnWithoutDoneFiles(t *testing.T) {
	for _, action := range []string{DoneMove, DoneDelete} {
		t.Run(action, func(t *testing.T) {
			r := testRunner(t, &wire{script: []answering{accepted}})
			job := doneJob(t, map[string]string{"a.csv": "id\n1\n2\n", "b.csv": "id\n3\n4\n"})
			job.Files.WhenDone = action
			archived := map[string]string{DoneMove: "a.csv"}[action]
			if c := mustRun(t, r, job, Order{Limit: 3}); c.Status != store.Stopped {
				t.Fatalf("got %+v", c)
			}
			wantLie(t, job, "b.csv", archived)
			if err := os.RemoveAll(job.Files.Folder); err != nil {
				t.Fatal(err)
			}
			if c := mustRun(t, r, job, Order{}); c.Status != store.Succeeded || c.Attempts != 4 {
				t.Errorf("got %+v", c)
			}
			if in, _ := lie(t, job); in != "" {
				t.Errorf("left: %s", in)
			}
		})
	}
}

// TestCrashBeforeTheMove holds that a file which a run delivered goes with the
// next one, of whatever origin.
func TestCrashBeforeTheMove(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted}})
	job := doneJob(t, map[string]string{"a.csv": "id\n1\n", "b.csv": "id\n2\n"})
	crashed := *job
	crashed.Files.WhenDone = DoneKeep // as far as that run came
	first := mustRun(t, r, &crashed, Order{})
	wantLie(t, job, "a.csv b.csv", "")
	c := mustRun(t, r, job, Order{})
	if c.Status != store.Skipped || c.Reason != "unchanged since run "+first.Name || c.Attempts != 0 {
		t.Errorf("got %+v", c)
	}
	wantLie(t, job, "", "a.csv b.csv")
}

// TestDoneAfterResolve holds that a decision counts with the next run.
func TestDoneAfterResolve(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted, answer(502, http.Header{}, "")}})
	job := doneJob(t, map[string]string{"a.csv": "id\n1\n", "b.csv": "id\n2\n"})
	held := mustRun(t, r, job, Order{})
	wantLie(t, job, "b.csv", "a.csv")
	run, err := r.Ledger.FindRun(t.Context(), held.RunID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), run, Resolution{Decision: DecideAccepted, Actor: "ann", Reason: "seen"}); err != nil {
		t.Fatal(err)
	}
	wantLie(t, job, "b.csv", "a.csv")
	if c := mustRun(t, r, job, Order{}); c.Status != store.Skipped {
		t.Errorf("got %+v", c)
	}
	wantLie(t, job, "", "a.csv b.csv")
}

// TestReplacedFileStays holds that a file which came while its predecessor was
// sent is left for the next run.
func TestReplacedFileStays(t *testing.T) {
	var job *Job
	replace := func(q *http.Request) (*http.Response, error) {
		addFiles(t, job, map[string]string{"new": "id\n1\n"})
		dir := filepath.Dir(job.Source.Path)
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "a.csv")); err != nil {
			t.Error(err)
		}
		return accepted(q)
	}
	r := testRunner(t, &wire{script: []answering{replace, accepted}})
	job = doneJob(t, map[string]string{"a.csv": "id\n1\n"})
	c := mustRun(t, r, job, Order{})
	want := []string{"when_done: " + filepath.Join(filepath.Dir(job.Source.Path), "a.csv") + ": was replaced since it was read; hint: the next run reads what lies there now"}
	if c.Status != store.Succeeded || !slices.Equal(c.Notes, want) {
		t.Errorf("got %s with %q, want %q", c.Status, c.Notes, want)
	}
	wantLie(t, job, "a.csv", "")
	mustRun(t, r, job, Order{})
	wantLie(t, job, "", "a.csv")
}

// TestMoveThatFails holds that the run stays what it is, and that asking for it
// again tries again.
func TestMoveThatFails(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted}})
	job := doneJob(t, map[string]string{"a.csv": "id\n1\n", "done": "in the way"})
	run, err := r.Start(t.Context(), job, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Execute(t.Context(), job, run, Order{})
	if err != nil || c.Status != store.Succeeded || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "not a directory") {
		t.Errorf("got %+v, %v", c, err)
	}
	if err := os.Remove(job.Files.Folder); err != nil {
		t.Fatal(err)
	}
	c, err = r.Execute(t.Context(), job, run, Order{})
	if err != nil || c.Status != store.Succeeded || len(c.Notes) > 0 {
		t.Errorf("again: %+v, %v", c, err)
	}
	wantLie(t, job, "", "a.csv")
}

// TestFilesInAGlob holds empty and unchanged for each file of several.
func TestFilesInAGlob(t *testing.T) {
	r := testRunner(t, &wire{script: []answering{accepted}})
	job := doneJob(t, map[string]string{"a.csv": "id\n1\n", "empty.csv": "id\n", "none.csv": ""})
	job.Files.WhenDone = DoneKeep
	first := mustRun(t, r, job, Order{})
	if first.Status != store.Succeeded || first.Records.Accepted != 1 {
		t.Fatalf("beside empty files: %+v", first)
	}
	addFiles(t, job, map[string]string{"b.csv": "id\n2\n3\n"})
	c := mustRun(t, r, job, Order{})
	if c.Status != store.Succeeded || c.Records.Read != 2 || c.Attempts != 2 {
		t.Errorf("with a new file: %+v", c)
	}
	run, err := r.Ledger.FindRun(t.Context(), c.RunID)
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.Ledger.Files(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{first.RunID, "", "", ""} {
		if files[i].UnchangedSince != want {
			t.Errorf("%s: unchanged since %q, want %q", files[i].Path, files[i].UnchangedSince, want)
		}
	}
	addFiles(t, job, map[string]string{"b.csv": "id\n2\n4\n"})
	if c := mustRun(t, r, job, Order{}); c.Records.Read != 2 || c.Records.Accepted != 2 {
		t.Errorf("with a changed file: %+v", c.Records)
	}
	// Only what is empty is left to read: that is no empty source.
	job.Records.Empty = "fail"
	if c := mustRun(t, r, job, Order{}); c.Status != store.Skipped || !strings.HasPrefix(c.Reason, "unchanged since run ") {
		t.Errorf("nothing new: %s, %s", c.Status, c.Reason)
	}
	job.Source.Path = filepath.Join(filepath.Dir(job.Source.Path), "*e*.csv")
	if c := mustRun(t, r, job, Order{}); c.Status != store.Failed || c.Attempts != 0 {
		t.Errorf("nothing at all: %s, %s", c.Status, c.Reason)
	}
}
