package sample

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
)

func TestSamplesAreTheSameOrders(t *testing.T) {
	var table, lines bytes.Buffer
	n, err := CSV(&table, 200_000, 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NDJSON(&lines, 400_000, 7); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(len(rows) - 1); got != n {
		t.Errorf("CSV has %d rows, CSV() said %d", got, n)
	}
	objects := strings.Split(lines.String(), "\n")
	for i, row := range rows[1:] {
		if i >= len(objects)-1 {
			break
		}
		var o map[string]string
		if err := json.Unmarshal([]byte(objects[i]), &o); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		for c, name := range rows[0] {
			if o[name] != row[c] {
				t.Fatalf("order %d, %s: CSV has %q, NDJSON has %q", i, name, row[c], o[name])
			}
		}
	}
}

func TestSampleHasWhatRealFilesHave(t *testing.T) {
	var table bytes.Buffer
	n, err := CSV(&table, 5_000_000, 1)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var special, newline, foreign int64
	for _, row := range rows[1:] {
		text := strings.Join(row, "\x00")
		if strings.ContainsAny(text, `,"`) {
			special++
		}
		if strings.Contains(text, "\n") {
			newline++
		}
		if strings.IndexFunc(text, func(r rune) bool { return r > 127 }) >= 0 {
			foreign++
		}
	}
	for _, c := range []struct {
		what      string
		got       int64
		low, high float64
	}{{"comma or quote", special, 0.25, 0.4}, {"newline", newline, 0.0003, 0.003}, {"not ASCII", foreign, 0.8, 1}} {
		if share := float64(c.got) / float64(n); share < c.low || share > c.high {
			t.Errorf("%s: in %.4f of the rows, want %.4f to %.4f", c.what, share, c.low, c.high)
		}
	}
}
