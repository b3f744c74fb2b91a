package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
)

// scanned is all that a Scan found, in terms that do not depend on blocks.
type scanned struct {
	records []scannedRecord
	bad     []Bad
	blank   int64
	header  []string
	hash    string
	newline byte
	err     string
}

type scannedRecord struct {
	start, end, line, last int64
	json                   string
}

// scanning is one way to scan.
type scanning struct {
	name      string // of the file
	blockSize int
	workers   int
	maxRecord int
}

// scanFile scans data and checks what holds for every scan: each byte belongs
// to one thing, lines are counted right, sizes are exact and all JSON is valid.
func scanFile(t testing.TB, data []byte, how scanning) scanned {
	t.Helper()
	path := filepath.Join(t.TempDir(), how.name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(Options{Path: path, MaxRecordBytes: how.maxRecord})
	if err != nil {
		return scanned{err: strings.ReplaceAll(err.Error(), path, "")}
	}
	defer s.Close()
	if how.blockSize > 0 {
		s.blockSize = how.blockSize
	}
	var got scanned
	next := int64(-1)
	err = s.Scan(context.Background(), 0, ScanOptions{Workers: how.workers, Encode: true}, func(b *Block) error {
		if next >= 0 && b.Start != next {
			t.Fatalf("a block begins at %d behind one that ends at %d", b.Start, next)
		}
		next = b.End
		got.add(t, b)
		return nil
	})
	if err != nil {
		return scanned{err: strings.ReplaceAll(err.Error(), path, "")}
	}
	f := s.Files[0]
	got.header, got.hash, got.newline = f.Header, f.ContentHash, f.newline
	if int64(len(got.records)) != f.Records || int64(len(got.bad)) != f.Bad {
		t.Fatalf("the file counts %d records and %d bad ones, blocks had %d and %d", f.Records, f.Bad, len(got.records), len(got.bad))
	}
	if f.Seekable() {
		checkRanges(t, s, got)
	}
	return got
}

func (s *scanned) add(t testing.TB, b *Block) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSuffix(b.JSON, []byte{'\n'}), []byte{'\n'})
	for i, r := range b.Records {
		text := string(lines[i])
		if len(text) != int(r.Size) || !json.Valid(lines[i]) {
			t.Fatalf("record of size %d encodes to %d bytes: %q", r.Size, len(text), text)
		}
		s.records = append(s.records, scannedRecord{
			b.Start + int64(r.Start), b.Start + int64(r.End), b.FirstLine + int64(r.Line), b.FirstLine + int64(r.LastLine), text,
		})
	}
	s.bad = append(s.bad, b.Bad...)
	s.blank += b.BlankLines
}

// checkRanges reads runs of records again, and all of them at once where no bad
// one lies between.
func checkRanges(t testing.TB, s *Snapshot, got scanned) {
	t.Helper()
	r := s.NewRangeReader()
	for from := 0; from < len(got.records); from++ {
		for _, length := range []int{1, 3, 50} {
			to := min(from+length, len(got.records))
			first, last := got.records[from], got.records[to-1]
			between := func(b Bad) bool { return b.Start >= first.start && b.Start < last.end }
			if slices.ContainsFunc(got.bad, between) {
				continue
			}
			out, n, err := r.AppendRange(nil, Range{Start: first.start, End: last.end}, xxh3.New128())
			if err != nil {
				t.Fatalf("range [%d,%d): %v", first.start, last.end, err)
			}
			var want []string
			for _, rec := range got.records[from:to] {
				want = append(want, rec.json)
			}
			if n != to-from || string(out) != strings.Join(want, ",") {
				t.Fatalf("range [%d,%d) gives %d records %q, want %d: %q", first.start, last.end, n, out, to-from, want)
			}
		}
		if from > 20 {
			from += 30 // enough of the ways to begin
		}
	}
}

// checkPlaces holds lines and bytes against a count from the file's start.
func checkPlaces(t testing.TB, data []byte, got scanned) {
	t.Helper()
	line := func(at int64) int64 { return 1 + int64(bytes.Count(data[:at], []byte{got.newline})) }
	covered := make([]int, len(data))
	for _, r := range got.records {
		if r.line != line(r.start) {
			t.Fatalf("record at byte %d is on line %d, not %d", r.start, line(r.start), r.line)
		}
		if end := line(r.end - 1); r.last != end {
			t.Fatalf("record at bytes [%d,%d) ends on line %d, not %d", r.start, r.end, end, r.last)
		}
		for i := r.start; i < r.end; i++ {
			covered[i]++
		}
	}
	for _, b := range got.bad {
		if b.Line < line(b.Start) || b.Line > line(b.End-1) || b.Column < 1 {
			t.Fatalf("bad record at bytes [%d,%d) is said to be at %d:%d", b.Start, b.End, b.Line, b.Column)
		}
		for i := b.Start; i < b.End; i++ {
			covered[i]++
		}
	}
	for i, n := range covered {
		if n > 1 {
			t.Fatalf("byte %d belongs to %d things", i, n)
		}
	}
}

func same(t testing.TB, what string, got, want scanned) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func zipped(t testing.TB, data []byte) []byte {
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

// checkWays scans data in many ways, which must agree.
func checkWays(t testing.TB, name string, data []byte, blockSize uint8, maxRecord int) scanned {
	t.Helper()
	want := scanFile(t, data, scanning{name: name, blockSize: 1 << 13, workers: 1, maxRecord: maxRecord})
	if want.err != "" {
		return want
	}
	checkPlaces(t, data, want)
	for _, workers := range []int{1, 3} {
		got := scanFile(t, data, scanning{name: name, blockSize: 16 + int(blockSize), workers: workers, maxRecord: maxRecord})
		same(t, fmt.Sprintf("blocks of %d bytes, %d workers", 16+int(blockSize), workers), got, want)
	}
	got := scanFile(t, zipped(t, data), scanning{name: name + ".gz", blockSize: 16 + int(blockSize), workers: 1, maxRecord: maxRecord})
	if got.err == "" {
		got.hash = want.hash // of other bytes on disk
		same(t, "gzip", got, want)
	} else {
		t.Fatalf("gzip: %s", got.err)
	}
	return want
}

func FuzzScanCSV(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n3,4\n", "\xef\xbb\xbf\"a\",b\r\n\"x\r\ny\",\"q\"\"q\"\r\n\r\n5,6", "a\n\n1\n\"\n", "a,b\r1,2\r3,4\r",
		"a,b\n1,\"2\n3,4\n5,\"6\"x\n7,8\n", "a,b\n1,2\"3\n\"\",\"\"\n", "a,b\n\x00,1\n\xff,2\nü,\t\n\\,\x01\n",
		"a;b\n1,2,3\n" + strings.Repeat("long,", 60) + "\n1,2\n", "a,b\n\"" + strings.Repeat("x\n", 80) + "\",2\n3,4\n", "a,b\n1,2\r", "a,b\n\"1\",2\r\n3\r,4\n",
	} {
		f.Add([]byte(seed), uint8(7), uint8(0))
		f.Add([]byte(seed), uint8(0), uint8(40))
	}
	f.Fuzz(func(t *testing.T, data []byte, blockSize, maxRecord uint8) {
		data = data[:min(len(data), 2000)]
		got := checkWays(t, "in.csv", data, blockSize, 20+int(maxRecord)*8)
		if got.err == "" {
			checkAgainstStandard(t, data, got)
		}
	})
}

// checkAgainstStandard compares with encoding/csv where both define the answer.
func checkAgainstStandard(t testing.TB, data []byte, got scanned) {
	t.Helper()
	if bytes.ContainsAny(data, "\r\x00") || len(got.bad) > 0 || len(got.header) < 2 {
		return
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, bom)))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatalf("encoding/csv finds a fault that we do not: %v", err)
	}
	if len(rows) != len(got.records)+1 {
		t.Fatalf("%d records, encoding/csv has %d", len(got.records), len(rows)-1)
	}
	for i, row := range rows[1:] {
		var o map[string]string
		if err := json.Unmarshal([]byte(got.records[i].json), &o); err != nil {
			t.Fatal(err)
		}
		for c, name := range got.header {
			if o[name] != row[c] {
				t.Fatalf("record %d, %q: %q, encoding/csv has %q", i, name, o[name], row[c])
			}
		}
	}
}

func FuzzScanNDJSON(f *testing.F) {
	for _, seed := range []string{
		"{\"a\":1}\n{\"b\":[1.0,1e400,9007199254740993]}\r\n\n  {\"c\":\"ü\\u0041\"} \n", "\xef\xbb\xbf{}\n{\n}\n[1]\nnull\n{\"a\":1}{\"b\":2}\n",
		"{\"a\":1,\"a\":2}\n{\"\\ud800\":1}\n{\"a\":\"\xff\"}\n{\"a\":1", strings.Repeat("{\"a\":", 250) + "1" + strings.Repeat("}", 250) + "\n{}\n",
		"{\"x\":\"" + strings.Repeat("long", 90) + "\"}\n{\"a\":1}\n",
	} {
		f.Add([]byte(seed), uint8(7), uint8(0))
		f.Add([]byte(seed), uint8(0), uint8(255))
	}
	f.Fuzz(func(t *testing.T, data []byte, blockSize, maxRecord uint8) {
		data = data[:min(len(data), 2000)]
		got := checkWays(t, "in.ndjson", data, blockSize, 20+int(maxRecord)*8)
		for _, r := range got.records {
			if want := string(bytes.Trim(data[r.start:r.end], " \t\r\n")); r.json != want {
				t.Fatalf("record %q was changed to %q", want, r.json)
			}
		}
	})
}
