package source

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// how is a way to scan a file; none of it may change what is found.
type how struct {
	block, workers int
}

// item is a good record, with absolute places.
type item struct {
	Start, End, Line, LastLine int64
	JSON                       string
}

// result is all that a Scan found.
type result struct {
	Header    []string
	DataStart int64
	Records   []item
	Bad       []Bad
	Blank     int64
	Filtered  int64
	Columns   []string
	Err       string
}

// write makes a file in a folder of its own.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	return overwrite(t, t.TempDir(), name, data)
}

// overwrite makes a file in a folder that is used again, which is faster.
func overwrite(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens path for one test.
func open(t testing.TB, o Options) *Snapshot {
	t.Helper()
	s, err := OpenSnapshot(o)
	if err != nil {
		t.Fatalf("OpenSnapshot: %v", err)
	}
	t.Cleanup(func() { closeSnapshot(t, s) })
	return s
}

func closeSnapshot(t testing.TB, s *Snapshot) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// checkedScan opens a file and scans it, and checks on the way what holds for each
// Scan. plain is the file's content without compression.
func checkedScan(t testing.TB, o Options, plain []byte, h how) result {
	t.Helper()
	s, err := OpenSnapshot(o)
	if err != nil {
		return result{Err: err.Error()}
	}
	defer closeSnapshot(t, s)
	s.blockSize = h.block
	c := checker{t: t, plain: plain, file: s.Files[0]}
	err = s.Scan(context.Background(), 0, ScanOptions{Workers: h.workers, Encode: true}, c.block)
	c.found.Header, c.found.DataStart, c.found.Columns = s.Files[0].Header, s.Files[0].DataStart, s.Files[0].Columns
	if err != nil {
		c.found.Err = err.Error()
		return c.found
	}
	c.whole()
	if s.Files[0].Seekable() {
		c.ranges(s, 7)
	}
	return c.found
}

// checker holds a Scan against the package's invariants.
type checker struct {
	t     testing.TB
	plain []byte
	file  *File
	at    int64 // where the next block must begin
	began bool
	found result

	seen, seenLines int64 // how many line ends are before an offset
}

func (c *checker) fatalf(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s\nfile: %.2000q", fmt.Sprintf(format, args...), c.plain)
}

// lineAt is the physical line of a byte, from 1.
func (c *checker) lineAt(off int64) int64 {
	if off < c.seen { // go on from what was asked for last, where that is possible
		c.seen, c.seenLines = 0, 0
	}
	c.seenLines += int64(bytes.Count(c.plain[c.seen:off], []byte{c.file.newline}))
	c.seen = off
	return 1 + c.seenLines
}

func (c *checker) block(b *Block) error {
	c.t.Helper()
	if !c.began {
		c.began, c.at = true, c.file.DataStart
	}
	if b.Start != c.at || b.End < b.Start || b.End > int64(len(c.plain)) {
		c.fatalf("block [%d,%d) after byte %d of %d", b.Start, b.End, c.at, len(c.plain))
	}
	c.at = b.End
	if got := c.lineAt(b.Start); b.FirstLine != got {
		c.fatalf("block at %d: FirstLine %d, want %d", b.Start, b.FirstLine, got)
	}
	if b.Raw != nil && !bytes.Equal(b.Raw, c.plain[b.Start:b.End]) {
		c.fatalf("block at %d: Raw differs from the file", b.Start)
	}
	rest := b.JSON
	for _, r := range b.Records {
		it := item{Start: b.Start + int64(r.Start), End: b.Start + int64(r.End), Line: b.FirstLine + int64(r.Line), LastLine: b.FirstLine + int64(r.LastLine)}
		if int(r.Size) >= len(rest) || rest[r.Size] != '\n' {
			c.fatalf("record at %d: Size %d does not end at a newline of %q", it.Start, r.Size, rest)
		}
		it.JSON = string(rest[:r.Size])
		rest = rest[r.Size+1:]
		if !wellFormed(it.JSON, c.file.dialect.RecordsAs) {
			c.fatalf("record at %d: not as %q: %q", it.Start, c.file.dialect.RecordsAs, it.JSON)
		}
		if got := c.lineAt(it.Start); it.Line != got {
			c.fatalf("record at %d: Line %d, want %d", it.Start, it.Line, got)
		}
		if got := c.lineAt(it.End - 1); it.LastLine != got {
			c.fatalf("record [%d,%d): LastLine %d, want %d", it.Start, it.End, it.LastLine, got)
		}
		c.found.Records = append(c.found.Records, it)
	}
	if len(rest) > 0 {
		c.fatalf("block at %d: JSON of no record: %q", b.Start, rest)
	}
	c.found.Bad = append(c.found.Bad, b.Bad...)
	c.found.Blank += b.BlankLines
	c.found.Filtered += b.Filtered
	return nil
}

// wellFormed says whether a record is what RecordsAs wants.
func wellFormed(text, as string) bool {
	switch as {
	case RecordsAsString:
		return json.Valid([]byte(`"` + text + `"`))
	case RecordsAsColumns:
		return json.Valid([]byte(text)) && text[0] == '['
	}
	return json.Valid([]byte(text)) && text[0] == '{'
}

// span is a part of the file that belongs to one thing.
type span struct{ start, end int64 }

// spans are the good and bad records; the latter's places are checked.
func (c *checker) spans() (spans []span) {
	c.t.Helper()
	for _, r := range c.found.Records {
		spans = append(spans, span{r.Start, r.End})
	}
	for _, b := range c.found.Bad {
		spans = append(spans, span{b.Start, b.End})
		first, last := c.lineAt(b.Start), c.lineAt(max(b.Start, b.End-1))
		if b.Line < first || b.Line > last || b.Column < 1 || b.Column > b.End-b.Start+1 || b.Detail == "" || b.Reason == "" {
			c.fatalf("bad record %+v: lies on lines %d to %d", b, first, last)
		}
	}
	return spans
}

// withoutComments leaves out the lines that are comments; text begins with a line.
func (c *checker) withoutComments(text []byte) []byte {
	if c.file.dialect.Comment == "" {
		return text
	}
	var rest []byte
	for line := range bytes.SplitAfterSeq(text, []byte{c.file.newline}) {
		if !bytes.HasPrefix(line, []byte(c.file.dialect.Comment)) {
			rest = append(rest, line...)
		}
	}
	return rest
}

// whole checks that each byte belongs to one thing, once the Scan has ended. Where
// records are filtered, sameButMapped has to say that of their bytes.
func (c *checker) whole() {
	c.t.Helper()
	if !c.began {
		c.at = c.file.DataStart
	}
	if c.at != int64(len(c.plain)) {
		c.fatalf("blocks end at byte %d of %d", c.at, len(c.plain))
	}
	spans := c.spans()
	slices.SortFunc(spans, func(a, b span) int { return int(a.start - b.start) })
	at, blank := c.file.DataStart, int64(0)
	for _, s := range append(spans, span{int64(len(c.plain)), int64(len(c.plain))}) {
		if s.start < at {
			c.fatalf("[%d,%d) overlaps what ends at %d", s.start, s.end, at)
		}
		gap := c.plain[at:s.start]
		if len(bytes.Trim(c.withoutComments(gap), " \t\r\n")) > 0 && c.found.Filtered == 0 {
			c.fatalf("bytes [%d,%d) %q belong to nothing", at, s.start, gap)
		}
		blank += int64(bytes.Count(gap, []byte{c.file.newline}))
		if len(gap) > 0 && gap[len(gap)-1] != c.file.newline {
			blank++ // the last line
		}
		at = s.end
	}
	if blank != c.found.Blank && c.found.Filtered == 0 {
		c.fatalf("BlankLines %d, want %d", c.found.Blank, blank)
	}
	f := c.file
	if f.Filtered != c.found.Filtered {
		c.fatalf("File.Filtered %d, want %d", f.Filtered, c.found.Filtered)
	}
	if f.Records != int64(len(c.found.Records)) || f.Bad != int64(len(c.found.Bad)) || f.BlankLines < c.found.Blank {
		c.fatalf("File counts %d, %d, %d, want %d, %d, at least %d", f.Records, f.Bad, f.BlankLines, len(c.found.Records), len(c.found.Bad), c.found.Blank)
	}
}

// ranges reads runs of neighbouring records again, step by step further.
func (c *checker) ranges(s *Snapshot, step int) {
	c.t.Helper()
	r := s.NewRangeReader()
	recs := c.found.Records
	bad := 0
	for i := 0; i < len(recs); {
		n := 1
		for bad < len(c.found.Bad) && c.found.Bad[bad].Start < recs[i].Start {
			bad++
		}
		for i+n < len(recs) && n < step && (bad == len(c.found.Bad) || c.found.Bad[bad].Start > recs[i+n].Start) {
			n++
		}
		run := recs[i : i+n]
		want := []byte("before")
		for k, it := range run {
			if k > 0 {
				want = append(want, ',')
			}
			want = append(want, it.JSON...)
		}
		g := Range{Start: run[0].Start, End: run[n-1].End}
		sum := blake3.New()
		got, count, err := r.AppendRange([]byte("before"), g, sum)
		if err != nil || count != n || !bytes.Equal(got, want) {
			c.fatalf("AppendRange(%+v) = %q, %d, %v; want %q, %d", g, got, count, err, want, n)
		}
		direct := blake3.Sum256(c.plain[g.Start:g.End])
		if !bytes.Equal(sum.Sum(nil), direct[:]) {
			c.fatalf("AppendRange(%+v) hashed other bytes", g)
		}
		c.places(r, g, run)
		i += n
		step = step%5 + 1
	}
}

// places reads a range's records one by one.
func (c *checker) places(r *RangeReader, g Range, want []item) {
	c.t.Helper()
	sum := blake3.New()
	var got []item
	err := r.EachRecord(g, sum, func(rec RangeRecord) error {
		if !bytes.Equal(rec.Raw, c.plain[rec.Start:rec.End]) {
			c.fatalf("EachRecord(%+v): Raw at %d is %q", g, rec.Start, rec.Raw)
		}
		got = append(got, item{rec.Start, rec.End, want[0].Line + rec.Line, want[0].Line + rec.LastLine, string(rec.JSON)})
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		c.fatalf("EachRecord(%+v) gave %+v, %v\nwant %+v", g, got, err, want)
	}
	if direct := blake3.Sum256(c.plain[g.Start:g.End]); !bytes.Equal(sum.Sum(nil), direct[:]) {
		c.fatalf("EachRecord(%+v) hashed other bytes", g)
	}
}

func gzipped(t testing.TB, members ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, m := range members {
		z := gzip.NewWriter(&b)
		if _, err := z.Write(m); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func zstded(t testing.TB, data []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(data, nil)
}
