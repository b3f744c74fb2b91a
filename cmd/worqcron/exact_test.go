package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"sync"
	"testing"

	"worqcron/sample"
)

// bodies is a server that keeps what arrives, by chunk.
type bodies struct {
	mu   sync.Mutex
	list map[int64][]byte
}

func (b *bodies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var envelope struct {
		Batch struct {
			Chunk int64 `json:"chunk"`
		} `json:"_batch"`
	}
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.list[envelope.Batch.Chunk] = body
	n := len(b.list)
	b.mu.Unlock()
	fmt.Fprintf(w, `{"success":true,"analytics_id":"id-%d"}`, n)
}

// records checks each body's size and returns all records in order.
func (b *bodies) records(t *testing.T, maxBytes int) (records []json.RawMessage) {
	t.Helper()
	var numbers []int64
	for n := range b.list {
		numbers = append(numbers, n)
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	var before []byte
	for i, n := range numbers {
		body := b.list[n]
		var envelope struct {
			Records []json.RawMessage `json:"records"`
			Batch   struct {
				Records int `json:"records"`
			} `json:"_batch"`
		}
		if err := json.Unmarshal(body, &envelope); err != nil {
			t.Fatal(err)
		}
		if n != int64(i+1) || len(body) >= maxBytes || len(envelope.Records) != envelope.Batch.Records {
			t.Errorf("chunk %d is number %d, has %d bytes and %d records, says %d", i+1, n, len(body), len(envelope.Records), envelope.Batch.Records)
		}
		// As full as whole records allow, with ten digits for each number.
		digits := 20 - len(fmt.Sprint(n)) - len(fmt.Sprint(envelope.Batch.Records))
		if before != nil && len(before)+digits+1+len(envelope.Records[0]) < maxBytes {
			t.Errorf("chunk %d has %d bytes, and the next record of %d would have fitted", n-1, len(before), len(envelope.Records[0]))
		}
		before = body
		records = append(records, envelope.Records...)
	}
	return records
}

// TestExact sends sample files with the real program: what arrives is the files'
// records, each once and in order, NDJSON byte for byte, in full bodies.
func TestExact(t *testing.T) {
	table := func(seed uint64) []byte {
		var b bytes.Buffer
		if _, err := sample.CSV(&b, 150_000, seed); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var lines bytes.Buffer
	if _, err := sample.NDJSON(&lines, 300_000, 3); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		files      map[string][]byte
		want       []json.RawMessage
	}{
		{"csv", "*.csv", map[string][]byte{"a.csv": table(1), "b.csv": table(2)}, append(objects(t, table(1)), objects(t, table(2))...)},
		{"csv.gz", "*.csv.gz", map[string][]byte{"a.csv.gz": gzipped(t, table(1))}, objects(t, table(1))},
		{"ndjson", "*.ndjson", map[string][]byte{"a.ndjson": lines.Bytes()}, rawLines(lines.Bytes())},
		{"ndjson.gz", "*.ndjson.gz", map[string][]byte{"a.ndjson.gz": gzipped(t, lines.Bytes())}, rawLines(lines.Bytes())},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := sendWhole(t, c.path, c.files)
			if len(got) != len(c.want) {
				t.Fatalf("%d records arrived, %d are in the files", len(got), len(c.want))
			}
			for i := range got {
				if !equalRecord(got[i], c.want[i]) {
					t.Fatalf("record %d arrived as %s, want %s", i, got[i], c.want[i])
				}
			}
		})
	}
}

// equalRecord compares bytes; objects made of CSV have no order in the test.
func equalRecord(got, want json.RawMessage) bool {
	if bytes.Equal(got, want) {
		return true
	}
	var g, w map[string]string
	if json.Unmarshal(got, &g) != nil || json.Unmarshal(want, &w) != nil || w[""] != "csv" {
		return false
	}
	delete(w, "")
	return fmt.Sprint(g) == fmt.Sprint(w)
}

func sendWhole(t *testing.T, path string, files map[string][]byte) []json.RawMessage {
	t.Helper()
	const maxBytes = 40_000
	server := &bodies{list: map[int64][]byte{}}
	web := httptest.NewServer(server)
	defer web.Close()
	dir := t.TempDir()
	files["schedules.toml"] = fmt.Appendf(nil, `
[worqhat]
base_url = %q
rate = "off"
[schedules.all]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
payload = { note = "ü" }
source = { path = %q }
chunk = { max_bytes = "%dB" }
`, web.URL, path, maxBytes)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "worqcron", "run", "all")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WORQHAT_API_KEY="+canaryKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	return server.records(t, maxBytes)
}

// objects makes objects of a CSV file with the standard library; the member ""
// marks them.
func objects(t *testing.T, table []byte) (list []json.RawMessage) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		o := map[string]string{"": "csv"}
		for i, name := range rows[0] {
			o[name] = row[i]
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	return list
}

func rawLines(data []byte) (list []json.RawMessage) {
	for _, line := range bytes.Split(bytes.TrimSpace(data), []byte{'\n'}) {
		list = append(list, line)
	}
	return list
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
