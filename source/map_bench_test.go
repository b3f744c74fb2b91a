package source

import (
	"context"
	"testing"
)

// BenchmarkMap is BenchmarkScanCSV and BenchmarkScanNDJSON with mappings, on one
// worker: the MB/s are of the file.
func BenchmarkMap(b *testing.B) {
	for _, file := range []string{"f.csv", "f.ndjson"} {
		data := sampleFile(b, file)
		for _, c := range []struct {
			name string
			m    Mapping
		}{
			{"plain", Mapping{}},
			{"types", Mapping{Types: map[string]string{"order_id": "string", "quantity": "integer", "unit_price": "number"}}},
			{"rename and drop", Mapping{Rename: map[string]string{"order_id": "id"}, Drop: []string{"quantity"}}},
			{"keep", Mapping{Keep: []string{"unit_price", "order_id"}}},
			{"null values", Mapping{NullValues: []string{"", "NULL"}}},
			{"where", Mapping{Where: `order_id != "x"`}},
			{"set", Mapping{Set: []Assignment{{"label", `order_id + "!"`}}}},
			{"types, where and set", Mapping{
				Types: map[string]string{"quantity": "integer", "unit_price": "number"},
				Where: "quantity > 1", Set: []Assignment{{"total", "quantity * unit_price"}},
			}},
		} {
			if len(c.m.NullValues) > 0 && file == "f.ndjson" {
				continue
			}
			b.Run(file[2:]+"/"+c.name, func(b *testing.B) { benchmarkMap(b, file, data, c.m) })
		}
	}
}

func benchmarkMap(b *testing.B, name string, data []byte, m Mapping) {
	s := open(b, Options{Path: write(b, name, data), Dialect: Dialect{Mapping: m}})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Scan(context.Background(), 0, ScanOptions{Workers: 1}, func(*Block) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if s.Files[0].Bad > 0 {
		b.Fatalf("%d bad records", s.Files[0].Bad)
	}
}
