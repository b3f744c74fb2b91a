package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"worqcron/store"
)

func recordsJob(t *testing.T, files map[string]string) *Job {
	t.Helper()
	job := testJob(t, 0)
	job.Chunk.Mode, job.Chunk.MaxRecords = ModeRecords, 0
	job.Payload = mustCompile(t, map[string]any{"kind": "t"})
	put(t, job, files)
	return job
}

// about is what a body says of itself, and its other members.
func about(t *testing.T, body string) (batch map[string]string, rest map[string]string) {
	t.Helper()
	rest = members(t, body)
	batch = members(t, rest["_batch"])
	delete(rest, "_batch")
	return batch, rest
}

func TestRecordsMode(t *testing.T) {
	want := map[string]map[string]string{
		"1": {"a": `"1"`, "b": `"x, \"y\""`, "kind": `"t"`},
		"2": {"a": `"2"`, "b": `""`, "kind": `"t"`},
		"3": {"kind": `"t"`},
		"4": {"kind": `"t"`},
		"5": {"n": `[1, {"kind":2}]`, "t\\": `"kind"`, "kind": `"t"`},
	}
	for _, suffix := range []string{"", ".gz"} {
		for _, limit := range []int64{1, 3, 4} {
			synctest.Test(t, func(t *testing.T) {
				job := recordsJob(t, map[string]string{
					"in1.csv" + suffix:    "a,b\n1,\"x, \"\"y\"\"\"\n\n2,\n",
					"in2.ndjson" + suffix: "{}\n  { }\n{\"n\":[1, {\"kind\":2}], \"t\\\\\":\"kind\"} \n",
				})
				bodies := runTwice(t, job, limit)
				if len(bodies) != len(want) {
					t.Fatalf("got %d bodies: %q", len(bodies), bodies)
				}
				for _, body := range bodies {
					batch, rest := about(t, body)
					if !reflect.DeepEqual(rest, want[batch["chunk"]]) || batch["records"] != "1" {
						t.Errorf("chunk %s: got %s, want %s", batch["chunk"], body, want[batch["chunk"]])
					}
				}
			})
		}
	}
}

func TestRecordsModeWithoutOtherMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := recordsJob(t, map[string]string{"in.ndjson": "{}\n{\"a\":1}\n"})
		job.Payload, job.Chunk.BatchKey = mustCompile(t, nil), ""
		if got, want := runTwice(t, job, 1), []string{`{"a":1}`, `{}`}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestRecordBodies holds the lengths that the plan counts with against bodies.
func TestRecordBodies(t *testing.T) {
	for _, payload := range []string{"", `"kind":"t"`} {
		for _, key := range []string{"", "_batch"} {
			env, err := newEnvelope(shape{HasSource: true, Mode: ModeRecords, BatchKey: key}, testRun(payload))
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range []string{`{}`, "{ \t}", `{"a":{}}`, `{ "a":1 }`} {
				c := &store.Chunk{Chunk: 12345, Records: 1, Key: strings.Repeat("0", keyLen)}
				body := env.appendRecord([]byte("before"), []byte(record), c)[len("before"):]
				if !json.Valid(body) || env.recordSize([]byte(record), c.Chunk) != int64(len(body)) {
					t.Errorf("%s: %d bytes instead of %d: %s", record, env.recordSize([]byte(record), c.Chunk), len(body), body)
				}
				if most := env.size(int64(len(record))); most < int64(len(body)) || key == "" && record == `{"a":{}}` && most != int64(len(body)) {
					t.Errorf("%s: the plan counts %d bytes, the body has %d", record, most, len(body))
				}
			}
		}
	}
}

func TestTakenNames(t *testing.T) {
	taken, err := newTakenNames([]string{"a", "", "ü \"q\""})
	if err != nil {
		t.Fatal(err)
	}
	for object, want := range map[string]string{
		`{}`: "", `{"b":"a"}`: "", `{"b":{"a":1},"c":["a"]}`: "", `{"b":"\\","a":1}`: "a", `{"\u0061":1}`: "a",
		`{"x":1,"ü \"q\"":1}`: `ü "q"`, `{"":1}`: "", `{ "a" : 1}`: "a",
	} {
		if got := taken.in([]byte(object)); got != want {
			t.Errorf("%s: got %q, want %q", object, got, want)
		}
	}
	if got := taken.among([]string{"", "b"}) + taken.among([]string{"b", "a"}); got != "a" {
		t.Errorf("among names: got %q", got)
	}
}

func TestNameClash(t *testing.T) {
	box := &inbox{}
	job := recordsJob(t, map[string]string{
		"in1.csv":    "a,kind\n1,2\n3,4\n",
		"in2.ndjson": "{\"a\":1}\n{\"kind\":1}\n{\"k\\u0069nd\":1}\n{\"x\":{\"kind\":\"kind\"}}\n{\"a\":1,\"_batch\":2}\n",
	})
	job.Records.MaxBad = Share{Count: 5}
	r := testRunner(t, &wire{script: []answering{box.accept}})
	ctx := context.Background()
	c, err := r.Run(ctx, job, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Status != store.Partial || c.Records.Dead != 5 || c.Records.Accepted != 2 || len(box.bodies) != 2 {
		t.Fatalf("got %s (%s): %+v, %q", c.Status, c.Reason, c.Records, box.bodies)
	}
	run, err := r.Ledger.FindRun(ctx, c.RunID)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := r.Ledger.DeadLetters(ctx, run.ID, 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range dead {
		name := `"kind"`
		if d.Line == 5 {
			name = `"_batch"`
		}
		if d.Reason != reasonNameClash || !strings.Contains(d.Detail, name) {
			t.Errorf("got %+v", d)
		}
		got = append(got, fmt.Sprint(d.File, ":", d.Line))
	}
	if want := "[0:2 0:3 1:2 1:3 1:5]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// rowsOf counts the rows of a run's plan.
func rowsOf(t *testing.T, r *Runner, c *store.Receipt) (chunks int, segments []store.Segment) {
	t.Helper()
	ctx := context.Background()
	run, err := r.Ledger.FindRun(ctx, c.RunID)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Ledger.Chunks(ctx, run.ID, 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if segments, err = r.Ledger.OpenSegments(ctx, run.ID, 0, 1_000_000); err != nil {
		t.Fatal(err)
	}
	return len(list), segments
}

func TestRecordsModePlansSegments(t *testing.T) {
	const n = 1_000_000
	job := recordsJob(t, map[string]string{"in.csv": "a\n" + strings.Repeat("1\n", n)})
	r := testRunner(t, &wire{script: []answering{accepted}})
	c, err := r.Run(context.Background(), job, Order{Origin: "manual", PlanOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Balanced || c.Chunks.Planned != n || c.Chunks.Pending != n || c.Records.Pending != n {
		t.Errorf("got %+v, %+v", c.Chunks, c.Records)
	}
	chunks, segments := rowsOf(t, r, c)
	if chunks != 0 || len(segments) != n/segmentRecords {
		t.Fatalf("the plan has %d chunk rows and %d segments", chunks, len(segments))
	}
	for i, s := range segments {
		if s.FirstChunk != int64(i)*segmentRecords+1 || s.Records != segmentRecords || len(s.Ranges) != 1 {
			t.Fatalf("segment %d is %+v", i, s)
		}
	}
}

func TestSegmentsAreBoundByBytes(t *testing.T) {
	big := `{"a":"` + strings.Repeat("x", 3<<20) + "\"}\n"
	job := recordsJob(t, map[string]string{"in1.ndjson": strings.Repeat(big, 3), "in2.ndjson": big})
	job.Chunk.MaxBytes = 9_000_000
	r := testRunner(t, &wire{script: []answering{accepted}})
	c, err := r.Run(context.Background(), job, Order{Origin: "manual", PlanOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	_, segments := rowsOf(t, r, c)
	var records []int64
	for _, s := range segments {
		records = append(records, s.Records)
	}
	if fmt.Sprint(records) != "[2 1 1]" { // the last one is of another file
		t.Errorf("got segments of %v records", records)
	}
}

func TestRecordsModeKeepsThrottledChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := recordsJob(t, map[string]string{"in.csv": "a\n1\n2\n3\n"})
		job.Delivery.MaxInFlight = 1
		throttled := answer(429, http.Header{"Retry-After": {"3600"}}, "")
		box := &inbox{}
		r := testRunner(t, &wire{script: []answering{box.accept, throttled, box.accept}})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan *store.Receipt)
		go func() {
			c, err := r.Run(ctx, job, Order{Origin: "manual"})
			if err != nil {
				t.Error(err)
			}
			ended <- c
		}()
		synctest.Wait() // the key waits for an hour
		cancel()
		c := <-ended
		if c.Status != store.Stopped || c.Chunks.Pending != 2 || c.Chunks.Planned != 3 || !c.Balanced {
			t.Fatalf("got %s: %+v", c.Status, c.Chunks)
		}
		if chunks, open := rowsOf(t, r, c); chunks != 2 || len(open) != 1 || open[0].Begun != 2 {
			t.Fatalf("%d chunks have a row, segments %+v", chunks, open)
		}
		c, err := r.Run(context.Background(), job, Order{Origin: "manual"})
		if err != nil {
			t.Fatal(err)
		}
		if c.Status != store.Succeeded || c.Attempts != 4 || len(box.bodies) != 3 {
			t.Errorf("got %s after %d attempts, %q", c.Status, c.Attempts, box.bodies)
		}
	})
}

// A key that is refused stops the run with its chunk's row written. As WorqHat has
// nothing of the run, another configuration plans it anew, here into fewer chunks.
func TestRecordsModeIsPlannedAnewAfterARefusedKey(t *testing.T) {
	for _, mode := range []string{ModeRecords, ModeChunks} {
		box := &inbox{}
		r := testRunner(t, &wire{script: []answering{answer(401, http.Header{}, `{"success":false}`), box.accept}})
		job := recordsJob(t, map[string]string{"in.csv": "a\n1\n2\n3\n"})
		c := runJob(t, r, job, Order{})
		wantBalance(t, c, store.Stopped, store.RecordBalance{Read: 3, Pending: 3})
		if chunks, open := rowsOf(t, r, c); chunks != 1 || len(open) != 1 || open[0].Begun != 1 {
			t.Fatalf("%d chunks have a row, segments %+v", chunks, open)
		}
		job.Payload, job.Chunk.Mode = mustCompile(t, map[string]any{"kind": "other"}), mode
		again := runJob(t, r, job, Order{})
		wantBalance(t, again, store.Succeeded, store.RecordBalance{Read: 3, Accepted: 3})
		want := map[string]int{ModeRecords: 3, ModeChunks: 1}[mode]
		if again.RunID != c.RunID || len(box.bodies) != want || again.Attempts != int64(want)+1 || !strings.Contains(box.bodies[0], `"other"`) {
			t.Errorf("mode %s: %d attempts, sent %q", mode, again.Attempts, box.bodies)
		}
	}
}

func TestRecordsModeStopsWhereTheSourceChanged(t *testing.T) {
	job := recordsJob(t, map[string]string{"in.csv": "a\n1\n2\n3\n"})
	box := &inbox{}
	r := testRunner(t, &wire{script: []answering{box.accept}})
	run := func(o Order) *store.Receipt {
		t.Helper()
		o.Origin = "manual"
		c, err := r.Run(context.Background(), job, o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	run(Order{Limit: 1})
	changeUnseen(t, filepath.Join(filepath.Dir(job.Source.Path), "in.csv"), "a\n1\n9\n3\n") // the segment's hash alone tells
	c := run(Order{})
	if c.Status != store.Stopped || !strings.Contains(c.Reason, "has other bytes for chunks 1 to 3") || len(box.bodies) != 1 {
		t.Errorf("got %s (%s), bodies %q", c.Status, c.Reason, box.bodies)
	}
}

func TestRecordsModeAgain(t *testing.T) {
	for _, suffix := range []string{"", ".gz"} {
		job := recordsJob(t, map[string]string{"in.csv" + suffix: "a\n1\n2\n3\n4\n"})
		job.Delivery.MaxInFlight = 1
		box := &inbox{}
		// 1 accepted, 2 refused; 3 and 4 stay in the segment.
		r := testRunner(t, &wire{script: []answering{box.accept, answer(400, http.Header{}, `{"success":false,"message":"no"}`), box.accept}})
		run := func(o Order) *store.Receipt {
			t.Helper()
			o.Origin = "manual"
			c, err := r.Run(context.Background(), job, o)
			if err != nil {
				t.Fatal(err)
			}
			if !c.Balanced {
				t.Errorf("does not balance: %+v", c.Records)
			}
			return c
		}
		first := run(Order{Limit: 2})
		if c := first.Chunks; c.Accepted != 1 || c.Failed != 1 || c.Pending != 2 {
			t.Fatalf("got %+v", c)
		}
		c := run(Order{New: true})
		if c.Status != store.Succeeded || c.Records.Unchanged != 1 || c.Records.Accepted != 3 || len(box.bodies) != 4 {
			t.Errorf("%s: got %s (%s): %+v, bodies %q", suffix, c.Status, c.Reason, c.Records, box.bodies)
		}
		old, err := r.Ledger.FindRun(context.Background(), first.RunID)
		if err != nil {
			t.Fatal(err)
		}
		if first, err = r.Ledger.Receipt(context.Background(), old); err != nil {
			t.Fatal(err)
		}
		if first.Chunks.Pending != 0 || first.Chunks.Failed != 3 || !first.Balanced {
			t.Errorf("the earlier run stands at %+v", first.Chunks)
		}
		if c = run(Order{}); c.Chunks.Planned > 0 && c.Records.Unchanged != 4 || len(box.bodies) != 4 {
			t.Errorf("once more: %s (%s), %+v", c.Status, c.Reason, c.Records)
		}
	}
}

func TestFindChunk(t *testing.T) {
	for _, suffix := range []string{"", ".gz"} {
		job := recordsJob(t, map[string]string{"in.csv" + suffix: "a\n1\n\"x\ny\"\n3\n"})
		box := &inbox{}
		r := testRunner(t, &wire{script: []answering{box.accept}})
		ctx := context.Background()
		c, err := r.Run(ctx, job, Order{Origin: "manual", Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		run, err := r.Ledger.FindRun(ctx, c.RunID)
		if err != nil {
			t.Fatal(err)
		}
		before, err := FindChunk(ctx, &r.Ledger.Reader, run, 2)
		if err != nil {
			t.Fatal(err)
		}
		if before.State != store.ChunkPlanned || len(before.Ranges) != 1 || before.Ranges[0] != (store.ChunkRange{ByteStart: 4, ByteEnd: 10, FirstLine: 3, LastLine: 4, Records: 1}) {
			t.Errorf("got %+v", before)
		}
		body, err := Body(ctx, &r.Ledger.Reader, run, before)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = r.Run(ctx, job, Order{Origin: "manual"}); err != nil || c.Status != store.Succeeded {
			t.Fatalf("%v, %+v", err, c)
		}
		after, err := FindChunk(ctx, &r.Ledger.Reader, run, 2)
		if err != nil {
			t.Fatal(err)
		}
		after.State = before.State
		after.NotBefore = before.NotBefore
		if after.BodyHash != bodyHash(body) {
			t.Errorf("the hash of what was sent is %s", after.BodyHash)
		}
		after.BodyHash = ""
		if !reflect.DeepEqual(after, before) {
			t.Errorf("planned as %+v\nstored as  %+v", before, after)
		}
		if !strings.Contains(strings.Join(box.bodies, "\n"), string(body)) {
			t.Errorf("%s was not among %q", body, box.bodies)
		}
		if again, err := Body(ctx, &r.Ledger.Reader, run, after); suffix == "" && (err != nil || !bytes.Equal(again, body)) {
			t.Errorf("%v: %s", err, again)
		}
		if _, err := FindChunk(ctx, &r.Ledger.Reader, run, 4); err == nil {
			t.Error("chunk 4 of 3 was found")
		}
	}
}

// A record that is to be sent again has no hash of its own: the body that went out
// first tells.
func TestRecordsModeRetriesTheSameBytes(t *testing.T) {
	for _, suffix := range []string{"", ".gz"} {
		for _, changes := range []bool{false, true} {
			if suffix != "" && changes {
				continue // it is read from the spool
			}
			synctest.Test(t, func(t *testing.T) {
				job := recordsJob(t, map[string]string{"in.csv" + suffix: "a\n1\n2\n3\n"})
				job.Delivery.MaxInFlight, job.Delivery.OnUnknown = 1, "hold"
				box := &inbox{}
				r := testRunner(t, &wire{script: []answering{box.accept, answer(500, http.Header{}, ""), box.accept}})
				c, err := r.Run(context.Background(), job, Order{Origin: "manual", Limit: 2})
				if err != nil || c.Chunks.Unknown != 1 || c.Chunks.Pending != 1 {
					t.Fatalf("got %+v, %v", c.Chunks, err)
				}
				run, err := r.Ledger.FindRun(context.Background(), c.RunID)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Resolve(context.Background(), run, Resolution{Decision: DecideResend, Chunk: 2, Actor: "ann", Reason: "seen"}); err != nil {
					t.Fatal(err)
				}
				if err := r.keptBodies().remove(run.RunID, 2); err != nil {
					t.Fatal(err)
				}
				if changes {
					changeUnseen(t, filepath.Join(filepath.Dir(job.Source.Path), "in.csv"), "a\n1\n9\n3\n")
				}
				if c, err = r.Run(context.Background(), job, Order{Origin: "manual"}); err != nil {
					t.Fatal(err)
				}
				switch {
				case changes && (c.Status != store.Stopped || !strings.Contains(c.Reason, "has other bytes for chunk 2") || len(box.bodies) != 1):
					t.Errorf("got %s (%s), bodies %q", c.Status, c.Reason, box.bodies)
				case !changes && (c.Status != store.Succeeded || len(box.bodies) != 3):
					t.Errorf("%s: got %s (%s), bodies %q", suffix, c.Status, c.Reason, box.bodies)
				}
			})
		}
	}
}

// changeUnseen gives a file other bytes of the same length, and its old time.
func changeUnseen(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}
