package batch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"worqcron/store"
)

// bodiesByRun checks the bodies of several runs as they arrive: each is whole and
// holds records of its own run alone.
type bodiesByRun struct {
	t    *testing.T
	mu   sync.Mutex
	seen map[string]int // records, by what they hold
}

func (b *bodiesByRun) answer(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(body), `"job":"`)
	job, _, _ := strings.Cut(rest, `"`)
	records := strings.Count(string(body), `{"a":"`)
	if own := strings.Count(string(body), `{"a":"`+strings.Repeat(job, 50)+`"`); own != records || records == 0 {
		b.t.Errorf("a body of job %s has %d records, %d of them its own", job, records, own)
	}
	b.mu.Lock()
	b.seen[job] += records
	b.mu.Unlock()
	r.Body = http.NoBody
	return accepted(r)
}

// Runs of one daemon share buffers: while some end, and one whose source changed
// stops, the others' bodies stay theirs.
func TestRunsSideBySide(t *testing.T) {
	box := &bodiesByRun{t: t, seen: map[string]int{}}
	r := testRunner(t, &wire{script: []answering{box.answer}})
	want := map[string]int{}
	var wait sync.WaitGroup
	for i, mode := range []string{ModeChunks, ModeRecords, ModeChunks, ModeRecords, ModeChunks} {
		name, n := string(rune('p'+i)), 40*(i+1)
		job := testJob(t, 0)
		job.Schedule, job.FlowID = "job-"+name, fmt.Sprint("flow-", name)
		job.Payload = mustCompile(t, map[string]any{"job": name})
		job.Chunk.Mode, job.Chunk.MaxRecords = mode, i%3+1
		suffix := []string{"", ".gz"}[i%2]
		put(t, job, map[string]string{"in.csv" + suffix: "a\n" + strings.Repeat(strings.Repeat(name, 50)+"\n", n)})
		want[name] = n
		wait.Go(func() {
			if c, err := r.Run(context.Background(), job, Order{Origin: "manual"}); err != nil || c.Status != store.Succeeded {
				t.Errorf("job %s: %+v, %v", name, c, err)
			}
		})
	}
	want["z"] = 1
	job := testJob(t, 0)
	job.Schedule, job.FlowID, job.Payload = "job-z", "flow-z", mustCompile(t, map[string]any{"job": "z"})
	put(t, job, map[string]string{"in.csv": "a\n" + strings.Repeat(strings.Repeat("z", 50)+"\n", 9)})
	wait.Go(func() { stopsWithItsSource(t, r, job) })
	wait.Wait()
	if fmt.Sprint(box.seen) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", box.seen, want)
	}
	if r.buffers.users != 0 || r.buffers.free != nil {
		t.Errorf("%d runs still use buffers, %d are free", r.buffers.users, len(r.buffers.free))
	}
}

// stopsWithItsSource sends one chunk of a run and then finds its source changed.
func stopsWithItsSource(t *testing.T, r *Runner, job *Job) {
	if c, err := r.Run(context.Background(), job, Order{Origin: "manual", Limit: 1}); err != nil || c.Chunks.Accepted != 1 {
		t.Errorf("got %+v, %v", c, err)
		return
	}
	path := filepath.Join(filepath.Dir(job.Source.Path), "in.csv")
	info, err := os.Stat(path)
	if err == nil {
		err = os.WriteFile(path, []byte("a\n"+strings.Repeat(strings.Repeat("y", 50)+"\n", 9)), 0o600)
	}
	if err == nil { // so that only its chunks' hashes tell
		err = os.Chtimes(path, info.ModTime(), info.ModTime())
	}
	if err != nil {
		t.Error(err)
		return
	}
	if c, err := r.Run(context.Background(), job, Order{Origin: "manual"}); err != nil || c.Status != store.Stopped || c.Chunks.Accepted != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
}
