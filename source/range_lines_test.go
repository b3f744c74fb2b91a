package source

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// joinedLines gives text to takeLines in pieces of random length, behind a head.
func joinedLines(text []byte, r *rand.Rand) (string, int) {
	dst, total := []byte("["), 0
	end := len(dst)
	for len(text) > 0 {
		n := min(1+r.IntN(200), len(text))
		seen := len(dst)
		dst = append(dst, text[:n]...)
		text = text[n:]
		var records int
		dst, end, records = takeLines(dst, end, seen)
		total += records
	}
	if len(dst) > end {
		dst, end, total = takeLine(dst, end, dst[end:], total)
	}
	return string(dst[:end]), total
}

func TestLinesBecomeCommas(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	parts := []string{`{}`, `{"a":1}`, `{"a":"` + strings.Repeat("x", 70) + `"}`, ` {"b":2}`, "{\"c\":3}\t\r", "", " ", "{\"d\":{\"e\":[{}\r,{}]}}"}
	for range 5000 {
		var text []byte
		var want strings.Builder
		records := 0
		want.WriteString("[")
		for range r.IntN(40) {
			part := parts[r.IntN(1+r.IntN(len(parts)))]
			text = append(append(text, part...), '\n')
			if value := strings.Trim(part, " \t\r"); value != "" {
				want.WriteString(value + ",")
				records++
			}
		}
		if r.IntN(3) == 0 {
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		got, n := joinedLines(text, r)
		if got != want.String() || n != records {
			t.Fatalf("%q\n got %d: %q\nwant %d: %q", text, n, got, records, want.String())
		}
	}
}
