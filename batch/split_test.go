package batch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"worqcron/source"
	"worqcron/store"
)

// narrow is a flow that takes bodies up to a size.
type narrow struct {
	most int

	mu      sync.Mutex
	bodies  []string // accepted, in their order
	refused int
}

func (f *narrow) answer(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(nil))
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(body) > f.most {
		f.refused++
		return answer(413, http.Header{}, `{"success":false,"message":"Payload too large"}`)(r)
	}
	f.bodies = append(f.bodies, string(body))
	return accepted(r)
}

// splitJob is a job of one chunk with n records, in files that in names.
func splitJob(t *testing.T, n int, name string) *Job {
	t.Helper()
	job := testJob(t, 0)
	job.Chunk.MaxRecords, job.Chunk.MaxBytes = 0, 100_000
	var csv, lines strings.Builder
	csv.WriteString("a,b\n")
	for i := range n {
		fmt.Fprintf(&csv, "%d,\"x\n%s\"\n", i, strings.Repeat("y", i%7)) // records of two lines
		fmt.Fprintf(&lines, "{\"a\":%d,\"b\":\"%s\"}\n", i, strings.Repeat("y", i%7))
	}
	text := csv.String()
	if strings.Contains(name, "ndjson") {
		text = lines.String()
	}
	put(t, job, map[string]string{name: text})
	return job
}

// TestSplit: whatever a chunk is made of, its parts have its records, once each,
// in order, at their places; and what show says of them is what was sent.
func TestSplit(t *testing.T) {
	const records = 100
	for _, c := range []struct {
		name, file string
		change     func(*Job)
	}{
		{"CSV", "in.csv", func(*Job) {}},
		{"NDJSON", "in.ndjson", func(*Job) {}},
		{"NDJSON, compressed", "in.ndjson.gz", func(*Job) {}},
		{"CSV, compressed", "in.csv.gz", func(*Job) {}},
		{"columns", "in.csv", func(j *Job) { j.Source.RecordsAs = source.RecordsAsColumns }},
		{"columns, compressed", "in.csv.gz", func(j *Job) { j.Source.RecordsAs = source.RecordsAsColumns }},
		{"string", "in.csv", func(j *Job) { j.Source.RecordsAs = source.RecordsAsString }},
		{"string, compressed", "in.ndjson.gz", func(j *Job) { j.Source.RecordsAs = source.RecordsAsString }},
		{"a filter", "in.csv", func(j *Job) { j.Source.Where = `b != "x\ny"` }},
		{"a filter, compressed", "in.ndjson.gz", func(j *Job) { j.Source.Where = `b != "y"` }},
		{"a filter that reads the run", "in.csv", func(j *Job) { j.Source.Where = `b != "x\ny" and schedule == "orders"` }},
		{"two workers", "in.csv", func(j *Job) { j.Delivery.Ordered, j.Delivery.MaxInFlight = false, 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				job := splitJob(t, records, c.file)
				job.Delivery.Ordered = true
				c.change(job)
				whole := sendAll(t, job, 1<<20)
				if len(whole.bodies) != 1 {
					t.Fatalf("%d bodies where one takes all", len(whole.bodies))
				}
				parts := sendAll(t, job, 700)
				if parts.refused < 2 || len(parts.bodies) < 4 {
					t.Fatalf("refused %d, accepted %d", parts.refused, len(parts.bodies))
				}
				if !job.Delivery.Ordered {
					return // the order is any
				}
				var texts []string
				for _, body := range parts.bodies {
					texts = append(texts, recordsText(t, body))
				}
				if got, want := strings.Join(texts, ","), recordsText(t, whole.bodies[0]); got != want {
					t.Errorf("records arrived as\n%.500s, want\n%.500s", got, want)
				}
			})
		})
	}
}

// recordsText is the records of a body, as they stand there.
func recordsText(t *testing.T, body string) string {
	t.Helper()
	for _, ends := range [][2]string{{`"records":[`, `],"_batch"`}, {`"rows":[`, `],"_batch"`}, {`"records":"[`, `]","_batch"`}} {
		_, rest, found := strings.Cut(body, ends[0])
		text, _, closed := strings.Cut(rest, ends[1])
		if found && closed {
			return text
		}
	}
	t.Fatalf("no records in %s", body)
	return ""
}

// sendAll runs a job on a new ledger against a flow that takes so many bytes, and
// checks all that the ledger then says.
func sendAll(t *testing.T, job *Job, most int) *narrow {
	t.Helper()
	ctx, flow := context.Background(), &narrow{most: most}
	r := testRunner(t, &wire{script: []answering{flow.answer}})
	run, err := r.Start(ctx, job, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Execute(ctx, job, run, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Status != store.Succeeded || !c.Balanced || c.Chunks.Split != int64(flow.refused)+preSplit(t, r, run) {
		t.Fatalf("%s (%s): %+v, %+v after %d refusals", c.Status, c.Reason, c.Chunks, c.Records, flow.refused)
	}
	checkParts(t, r, run)
	return flow
}

// preSplit is how many chunks were split without an attempt.
func preSplit(t *testing.T, r *Runner, run *store.Run) (n int64) {
	t.Helper()
	for _, c := range chunksOf(t, r, run) {
		if c.State == store.ChunkSplit && strings.Contains(c.Reason, "before") {
			n++
		}
	}
	return n
}

func chunksOf(t *testing.T, r *Runner, run *store.Run) []store.Chunk {
	t.Helper()
	list, err := r.Ledger.Chunks(context.Background(), run.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// checkParts checks that the parts of each split chunk follow each other and are
// all of it.
func checkParts(t *testing.T, r *Runner, run *store.Run) {
	t.Helper()
	all := chunksOf(t, r, run)
	for _, c := range all {
		var parts []store.Chunk
		for _, p := range all {
			if p.Parent == c.Chunk {
				parts = append(parts, p)
			}
		}
		if c.State != store.ChunkSplit {
			if len(parts) > 0 {
				t.Errorf("chunk %d is %s and has parts", c.Chunk, c.State)
			}
			continue
		}
		if len(parts) != 2 || parts[0].Records+parts[1].Records != c.Records || parts[0].Key == parts[1].Key {
			t.Fatalf("chunk %d: parts %+v", c.Chunk, parts)
		}
		first, last := c.Ranges[0], c.Ranges[len(c.Ranges)-1]
		begin, end := parts[0].Ranges[0], parts[1].Ranges[len(parts[1].Ranges)-1]
		before, after := parts[0].Ranges[len(parts[0].Ranges)-1], parts[1].Ranges[0]
		if begin.ByteStart != first.ByteStart || begin.FirstLine != first.FirstLine || end.ByteEnd != last.ByteEnd || end.LastLine != last.LastLine ||
			before.ByteEnd > after.ByteStart || before.LastLine >= after.FirstLine {
			t.Errorf("chunk %d at %+v has parts at %+v and %+v", c.Chunk, c.Ranges, parts[0].Ranges, parts[1].Ranges)
		}
		if diff := parts[0].BodyBytes - parts[1].BodyBytes; diff > 60 || diff < -60 {
			t.Errorf("chunk %d has parts of %d and %d bytes", c.Chunk, parts[0].BodyBytes, parts[1].BodyBytes)
		}
	}
}

// A run that stops between the parts of a chunk goes on in the order of the
// records, and sends what the ledger shows.
func TestSplitIsResumedInOrder(t *testing.T) {
	for _, name := range []string{"in.csv", "in.csv.gz"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, job := context.Background(), splitJob(t, 100, name)
			job.Chunk.MaxBytes, job.Delivery.Ordered, job.Delivery.MaxAttempts = 2000, true, 1
			flow := &narrow{most: 700}
			refuse, sent := false, 0
			r := testRunner(t, &wire{script: []answering{func(q *http.Request) (*http.Response, error) {
				if sent++; refuse || sent%3 == 0 { // each third stops the run
					return refusedConnection(q)
				}
				return flow.answer(q)
			}}})
			var c *store.Receipt
			var run *store.Run
			for range 100 {
				var err error
				if run, err = r.Start(ctx, job, Order{Origin: "manual"}); err != nil {
					t.Fatal(err)
				}
				if c, err = r.Execute(ctx, job, run, Order{Origin: "manual"}); err != nil {
					t.Fatal(err)
				}
				if c.Status == store.Succeeded {
					break
				}
				bodiesCanBeShown(t, r, run)
			}
			if c.Status != store.Succeeded || !c.Balanced {
				t.Fatalf("%s (%s): %+v", c.Status, c.Reason, c.Chunks)
			}
			checkParts(t, r, run)
			n := 0
			for _, body := range flow.bodies {
				for _, record := range strings.Split(body, `{"a":"`)[1:] {
					if want := fmt.Sprint(n) + `"`; !strings.HasPrefix(record, want) {
						t.Fatalf("record %d is %s", n, record)
					}
					n++
				}
			}
			if n != 100 {
				t.Errorf("%d records arrived", n)
			}
		})
	}
}

// bodiesCanBeShown builds the body of each chunk that has not been accepted.
func bodiesCanBeShown(t *testing.T, r *Runner, run *store.Run) {
	t.Helper()
	for _, c := range chunksOf(t, r, run) {
		body, err := Body(context.Background(), &r.Ledger.Reader, run, &c)
		if err != nil || int64(len(body)) != c.BodyBytes || !strings.Contains(string(body), c.Key) {
			t.Fatalf("chunk %d (%s): %v", c.Chunk, c.State, err)
		}
	}
}

// What was learnt counts for chunks that are planned already, and for new plans; a
// shape stays as it is.
func TestLearntLimitIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, job := context.Background(), splitJob(t, 400, "in.csv")
		job.Chunk.MaxBytes, job.Delivery.MaxInFlight = 4000, 1
		flow := &narrow{most: 1300}
		r := testRunner(t, &wire{script: []answering{flow.answer}})
		first, err := r.Run(ctx, job, Order{Origin: "manual"})
		if err != nil || first.Status != store.Succeeded {
			t.Fatalf("%v, %+v", err, first)
		}
		if flow.refused != 2 { // 4000, 2000; then 1000
			t.Errorf("%d bodies were refused, want 2: the limit halves until it fits", flow.refused)
		}
		if first.Chunks.Split < 6 {
			t.Errorf("%d chunks were split: planned ones above the limit were not", first.Chunks.Split)
		}
		again, err := r.Run(ctx, job, Order{Origin: "manual", Force: true})
		if err != nil || again.Status != store.Succeeded || again.Chunks.Split != 0 || flow.refused != 2 {
			t.Fatalf("%v, %s, %+v, %d refused", err, again.Status, again.Chunks, flow.refused)
		}
		if len(again.Notes) != 1 || !strings.Contains(again.Notes[0], "instead of max_bytes") {
			t.Errorf("notes %q", again.Notes)
		}
		runs, err := r.Ledger.Runs(ctx, "orders", 2)
		if err != nil || runs[0].Shape != runs[1].Shape {
			t.Errorf("%v; shapes %s and %s", err, runs[0].Shape, runs[1].Shape)
		}
	})
}

func TestRecordTooLargeForTheFlowFails(t *testing.T) {
	for _, mode := range []string{ModeChunks, ModeRecords} {
		synctest.Test(t, func(t *testing.T) {
			job := splitJob(t, 0, "none.csv")
			put(t, job, map[string]string{"in.csv": "a\n1\n" + strings.Repeat("2", 900) + "\n3\n"})
			job.Chunk.Mode, job.Delivery.MaxFailed = mode, Share{Percent: 100, IsPercent: true}
			flow := &narrow{most: 700}
			r := testRunner(t, &wire{script: []answering{flow.answer}})
			c, err := r.Run(context.Background(), job, Order{Origin: "manual"})
			if err != nil || c.Status != store.Partial || c.Records.Failed != 1 || c.Records.Accepted != 2 || !c.Balanced {
				t.Fatalf("mode %s: %v, %+v", mode, err, c)
			}
			runs, err := r.Ledger.Runs(context.Background(), "orders", 1)
			if err != nil {
				t.Fatal(err)
			}
			failed, err := r.Ledger.ChunksInState(context.Background(), runs[0].ID, store.ChunkFailed, 0, 9)
			if err != nil || len(failed) != 1 || !strings.HasPrefix(failed[0].Reason, "the record is too large for the flow: 413") {
				t.Errorf("mode %s: %v, %+v", mode, err, failed)
			}
		})
	}
}

// One refusal tells enough of chunks that are as long but for some bytes: each is
// split once.
func TestChunksOfOneLengthAreSplitOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := splitJob(t, 400, "in.csv")
		job.Chunk.MaxRecords, job.Delivery.MaxInFlight = 40, 1 // later ones are longer: their records' numbers are
		flow := &narrow{most: 800}
		r := testRunner(t, &wire{script: []answering{flow.answer}})
		c, err := r.Run(context.Background(), job, Order{Origin: "manual"})
		if err != nil || c.Status != store.Succeeded || flow.refused != 1 {
			t.Fatalf("%v, %+v after %d refusals", err, c, flow.refused)
		}
		if c.Chunks.Split != 10 || c.Chunks.Accepted != 20 {
			t.Errorf("10 chunks became %+v", c.Chunks)
		}
	})
}

// Chunks that wait while the first one goes alone know what was learnt of it.
func TestWhoWaitsLearnsTheLimitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := splitJob(t, 400, "in.csv")
		job.Chunk.MaxRecords, job.Delivery.MaxInFlight = 40, 4
		flow := &narrow{most: 800}
		s := &crowd{answer: always(flow.answer)} // its answers take a second
		r := testRunner(t, &wire{script: []answering{s.serve}})
		c, err := r.Run(context.Background(), job, Order{Origin: "manual"})
		if err != nil || c.Status != store.Succeeded || flow.refused != 1 {
			t.Errorf("%v, %+v after %d refusals, want one", err, c, flow.refused)
		}
	})
}

func TestLearntFrom(t *testing.T) {
	for _, c := range []struct{ refused, part, want int64 }{{1447, 822, 924}, {1000, 990, 999}, {1000, 999, 999}, {9_500_000, 4_750_000, 5_343_750}} {
		if got := learntFrom(c.refused, c.part); got != c.want {
			t.Errorf("of %d bytes and a part of %d: got %d, want %d", c.refused, c.part, got, c.want)
		}
	}
}

func TestMiddleOf(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		want  int
	}{
		{[]int64{5, 5}, 1},
		{[]int64{1, 1, 1, 1}, 2},
		{[]int64{1, 1, 1}, 2},
		{[]int64{9, 1, 1, 1}, 1},
		{[]int64{1, 1, 1, 9}, 3},
		{[]int64{1, 9, 1}, 2},
		{[]int64{1, 1, 9, 1}, 2},
		{[]int64{100, 1}, 1},
		{[]int64{1, 100}, 1},
		{[]int64{2, 2, 2, 2, 2, 90}, 5},
	} {
		var list []located
		for _, size := range c.sizes {
			list = append(list, located{size: size})
		}
		if got := middleOf(list); got != c.want {
			t.Errorf("%v: the second half begins at %d, want %d", c.sizes, got, c.want)
		}
	}
}
