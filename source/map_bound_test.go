package source

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// A mapping that makes much out of little hands it over in bounded pieces.
func TestMapListsAreBounded(t *testing.T) {
	t.Parallel()
	var data strings.Builder
	data.WriteString("a\n")
	for i := range 400 {
		fmt.Fprintf(&data, "%d\n\n", i) // in one column an empty line is a record
	}
	const long = 50_000
	o := Options{Path: write(t, "f.csv", []byte(data.String())), Dialect: set("b", fmt.Sprintf(`repeat("x", %d)`, long))}
	s := open(t, o)
	blocks, records := 0, 0
	err := s.Scan(t.Context(), 0, ScanOptions{Workers: 2, Encode: true}, func(b *Block) error {
		blocks++
		records += len(b.Records)
		if len(b.JSON) > maxListedJSON+2*(long+100) || bytes.Count(b.JSON, []byte{'\n'}) != len(b.Records) {
			t.Errorf("block of %d records with %d bytes of JSON", len(b.Records), len(b.JSON))
		}
		return nil
	})
	if err != nil || records != 800 || blocks < 800*long/maxListedJSON {
		t.Errorf("%d records in %d blocks, %v", records, blocks, err)
	}
	mappedScan(t, o, []byte(data.String()), sequential)
}

func TestMapBadListsAreBounded(t *testing.T) {
	data := "a,b\n" + strings.Repeat("x,1\n\n1,2\nx\ny,3\n", 5000)
	o := Options{Path: write(t, "f.csv", []byte(data)), Dialect: types("a", "integer")}
	s := open(t, o)
	bad, records := 0, 0
	err := s.Scan(t.Context(), 0, ScanOptions{Workers: 2}, func(b *Block) error {
		bad += len(b.Bad)
		records += len(b.Records)
		if len(b.Bad) > maxListedBad+1 {
			t.Errorf("block with %d bad records", len(b.Bad))
		}
		return nil
	})
	if err != nil || bad != 15000 || records != 5000 || s.Files[0].BlankLines != 5000 {
		t.Errorf("%d records, %d bad, %d blank lines, %v", records, bad, s.Files[0].BlankLines, err)
	}
	mappedScan(t, o, []byte(data), sequential)
}
