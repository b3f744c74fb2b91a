package source

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// RecordEnd agrees with a Scan about each record and bad record of a file.
func TestRecordEndIsWhereAScanEndsIt(t *testing.T) {
	long := strings.Repeat("x", 3*rangeBytes)
	for _, c := range []struct {
		name, text string
		max        int
	}{
		{"in.csv", "a,b\n1,2\n\"x\ny\",\"\"\"\"\n1\n1,2,3\nb\"ad,2\n\xff,2\n1,\"unclosed\n3,4\r\n5,6", 0},
		{"in.csv", "a,b\n" + long + ",2\n\"" + long + "\n" + long + "\",3\n1,2\n", 10 * rangeBytes},
		{"in.csv", "a,b\n" + long + long + ",2\n1,2\n" + long + long, 100},
		{"in.ndjson", "{\"a\":1}\n {} \r\n[1]\n{\"a\":\nnull\n{\"b\":2}", 0},
		{"in.ndjson", "{\"a\":\"" + long + "\"}\n{}\n", 10 * rangeBytes},
		{"in.ndjson", "{\"a\":\"" + long + long + "\"}\n{}\n{\"a\":\"" + long, 100},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSnapshot(Options{Path: path, MaxRecordBytes: c.max})
		if err != nil {
			t.Fatal(err)
		}
		places := map[int64]int64{}
		err = s.Scan(context.Background(), 0, ScanOptions{Workers: 1}, func(b *Block) error {
			for _, r := range b.Records {
				places[b.Start+int64(r.Start)] = b.Start + int64(r.End)
			}
			for _, bad := range b.Bad {
				places[bad.Start] = bad.End
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(places) < 2 {
			t.Fatalf("%.40q: only %d records", c.text, len(places))
		}
		for start, want := range places {
			if got, err := s.RecordEnd(0, start); err != nil || got != want {
				t.Errorf("%.40q: what begins at %d ends at %d, want %d; %v", c.text, start, got, want, err)
			}
		}
		size := int64(len(c.text))
		if got, err := s.RecordEnd(0, size); err != nil || got != size {
			t.Errorf("%.40q: at its end: %d, %v", c.text, got, err)
		}
		var sum bytes.Buffer
		if err := s.HashRange(Range{Start: 1, End: size}, hashInto{&sum}); err != nil || sum.String() != c.text[1:] {
			t.Errorf("%.40q: hashed %d bytes of %d, %v", c.text, sum.Len(), size-1, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// hashInto is a hash that keeps what it is given.
type hashInto struct{ *bytes.Buffer }

func (hashInto) Sum([]byte) []byte { return nil }
func (hashInto) Size() int         { return 0 }
func (hashInto) BlockSize() int    { return 1 }

// A blank line in a record's place is one line; its mapping decides nothing.
func TestRecordEndOfWhatIsNoRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte("a,b\n\n\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Path: path}
	o.Where = "a != '1'"
	s, err := OpenSnapshot(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Files[0].UseHeader([]string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	for start, want := range map[int64]int64{4: 5, 5: 6, 6: 10} {
		if got, err := s.RecordEnd(0, start); err != nil || got != want {
			t.Errorf("at %d: got %d, want %d, %v", start, got, want, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
