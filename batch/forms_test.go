package batch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"worqcron/source"
	"worqcron/store"
)

// inbox is a wire that accepts all triggers and keeps their bodies.
type inbox struct {
	mu     sync.Mutex
	bodies []string
}

func (b *inbox) accept(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.bodies = append(b.bodies, string(body))
	b.mu.Unlock()
	return answer(200, http.Header{}, `{"success":true,"analytics_id":"id"}`)(&http.Request{Body: http.NoBody})
}

// put writes the files of a job's source, gzipped where their names say so.
func put(t *testing.T, job *Job, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	job.Source.Path = filepath.Join(dir, "in*")
	for name, text := range files {
		data := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			if _, err := z.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			data = b.Bytes()
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// members takes a body apart; each is written as it stands there.
func members(t *testing.T, body string) map[string]string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	text := map[string]string{}
	for name, value := range m {
		text[name] = string(value)
	}
	return text
}

// runTwice runs a job up to a limit and then to its end, as after a restart, and
// returns the bodies that arrived, sorted.
func runTwice(t *testing.T, job *Job, limit int64) []string {
	t.Helper()
	box := &inbox{}
	r := testRunner(t, &wire{script: []answering{box.accept}})
	for _, n := range []int64{limit, 0} {
		c, err := r.Run(context.Background(), job, Order{Origin: "manual", Limit: n})
		if err != nil {
			t.Fatal(err)
		}
		if !c.Balanced || n == 0 && c.Status != store.Succeeded {
			t.Fatalf("limit %d: %s (%s), %+v", n, c.Status, c.Reason, c.Records)
		}
	}
	slices.Sort(box.bodies)
	return box.bodies
}

func TestColumns(t *testing.T) {
	want := []map[string]string{
		{"columns": `["a","b"]`, "rows": `[["1","x, \"y\""],["2",""]]`, "kind": `"t"`},
		{"columns": `["a","b"]`, "rows": `[["3","z"]]`, "kind": `"t"`},
		{"columns": `["b","ü"]`, "rows": `[["4","5"]]`, "kind": `"t"`},
	}
	for _, suffix := range []string{"", ".gz"} {
		synctest.Test(t, func(t *testing.T) {
			job := testJob(t, 0)
			job.Chunk.MaxRecords, job.Source.RecordsAs = 2, source.RecordsAsColumns
			job.Payload = mustCompile(t, map[string]any{"kind": "t"})
			put(t, job, map[string]string{
				"in1.csv" + suffix: "a,b\n1,\"x, \"\"y\"\"\"\n2,\n", "in2.csv" + suffix: "a,b\n3,z\n", "in3.csv" + suffix: "b,ü\n4,5\n",
			})
			got := runTwice(t, job, 1)
			if len(got) != len(want) {
				t.Fatalf("got %d bodies: %q", len(got), got)
			}
			for i, body := range got {
				m := members(t, body)
				delete(m, "_batch")
				if !reflect.DeepEqual(m, want[i]) {
					t.Errorf("body %d%s:\n got %s\nwant %s", i, suffix, m, want[i])
				}
			}
		})
	}
}

func mustCompile(t *testing.T, payload map[string]any) *Payload {
	t.Helper()
	p, err := CompilePayload(payload)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// planFailure is why a job's plan fails.
func planFailure(t *testing.T, job *Job) string {
	t.Helper()
	c, err := testRunner(t, &wire{script: []answering{accepted}}).Run(context.Background(), job, Order{Origin: "manual"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Status != store.Failed || c.Attempts != 0 {
		t.Errorf("got %s after %d attempts, want failed before any", c.Status, c.Attempts)
	}
	return c.Reason
}

func TestColumnsThatCannotBe(t *testing.T) {
	job := testJob(t, 1)
	job.Source.RecordsAs = source.RecordsAsColumns
	job.Payload = mustCompile(t, map[string]any{"rows": "x"})
	if why := planFailure(t, job); !strings.Contains(why, `a member "rows"`) {
		t.Errorf("a payload of rows: %s", why)
	}
	job.Payload = mustCompile(t, nil)
	job.Chunk.Mode = ModeRecords
	if why := planFailure(t, job); !strings.Contains(why, `records_as = "columns" needs mode = "chunks"`) {
		t.Errorf("one trigger a record: %s", why)
	}
	job.Chunk.Mode = ModeChunks
	put(t, job, map[string]string{"in.ndjson": "{\"a\":1}\n"})
	if why := planFailure(t, job); !strings.Contains(why, "hint: name the members with keep") {
		t.Errorf("NDJSON: %s", why)
	}
}

func TestString(t *testing.T) {
	want := []string{`[{"a":"1","b":"x, \"y\""},{"a":"2","b":"\\"}]`, `[{"a":"3","b":"z"},{"a":4,"ü":"\t"	}]`, `[{}]`}
	for _, suffix := range []string{"", ".gz"} {
		synctest.Test(t, func(t *testing.T) {
			job := testJob(t, 0)
			job.Chunk.MaxRecords, job.Source.RecordsAs = 2, source.RecordsAsString
			job.Payload = mustCompile(t, map[string]any{"kind": "t"})
			put(t, job, map[string]string{
				"in1.csv" + suffix: "a,b\n1,\"x, \"\"y\"\"\"\n2,\\\n3,z\n", "in2.ndjson" + suffix: "{\"a\":4,\"ü\":\"\\t\"\t}\n{}\n",
			})
			box := runTwice(t, job, 1)
			if len(box) != len(want) {
				t.Fatalf("got %d bodies: %q", len(box), box)
			}
			var got []string
			for _, body := range box {
				var m struct{ Records, Kind, Batch string }
				var about struct {
					Chunk, Records int
					Key            string
				}
				text := strings.Replace(body, `"_batch":`, `"batch":`, 1)
				if err := json.Unmarshal([]byte(text), &m); err != nil {
					t.Fatalf("%v: %s", err, body)
				}
				if err := json.Unmarshal([]byte(m.Batch), &about); err != nil || about.Chunk == 0 || about.Records == 0 || len(about.Key) != keyLen || m.Kind != "t" {
					t.Errorf("%v, _batch %s, kind %s", err, m.Batch, m.Kind)
				}
				got = append(got, m.Records)
			}
			slices.Sort(got)
			if sorted := slices.Sorted(slices.Values(want)); !slices.Equal(got, sorted) {
				t.Errorf("records%s:\n got %q\nwant %q", suffix, got, sorted)
			}
		})
	}
}
