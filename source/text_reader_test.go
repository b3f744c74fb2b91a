package source

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
)

// The records that a Scan finds, good, bad and filtered, are the bytes that a
// TextReader gives for their places; together they are the file.
func TestTextReaderGivesWhatScanFound(t *testing.T) {
	text := "\xef\xbb\xbfa,b\n1,ä\nno,x\n2,\"y\nz\"\nbad\nno,\n" + strings.Repeat("3,w\n", 5000) + "last,one,more\n"
	for _, packed := range []bool{false, true} {
		name, data := "f.csv", []byte(text)
		if packed {
			name, data = "f.csv.gz", gzipped(t, data)
		}
		s := open(t, Options{Path: write(t, name, data), Dialect: Dialect{Mapping: Mapping{Where: "a != 'no'"}}})
		s.blockSize = 64
		type place struct{ start, end int64 }
		var places []place
		left := 0
		err := s.Scan(context.Background(), 0, ScanOptions{Workers: 2, Left: true}, func(b *Block) error {
			if int64(len(b.Left)) != b.Filtered {
				t.Errorf("%d places for %d filtered records", len(b.Left), b.Filtered)
			}
			left += len(b.Left)
			for _, list := range [][]Record{b.Records, b.Left} {
				for _, r := range list {
					places = append(places, place{b.Start + int64(r.Start), b.Start + int64(r.End)})
				}
			}
			for _, bad := range b.Bad {
				places = append(places, place{bad.Start, bad.End})
			}
			return nil
		})
		if err != nil || left != 2 {
			t.Fatalf("%d filtered, error %v", left, err)
		}
		slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.start, b.start) })
		r, err := s.NewTextReader(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		places = append([]place{{0, s.Files[0].DataStart}}, places...)
		for _, p := range places {
			if err := r.Copy(&got, p.start, p.end); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != text {
			t.Errorf("packed %v: got %d bytes, want the file's %d", packed, got.Len(), len(text))
		}
		if err := r.Copy(&got, int64(len(text)), int64(len(text))+1); err == nil || !strings.Contains(err.Error(), "ends before byte") {
			t.Errorf("behind the end: %v", err)
		}
		r.Close()
	}
}
