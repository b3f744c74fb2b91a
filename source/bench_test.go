package source

import (
	"bytes"
	"context"
	"testing"

	"github.com/zeebo/blake3"

	"worqcron/sample"
)

const benchBytes = 64 << 20

func benchmarkScan(b *testing.B, name string, data []byte, o ScanOptions) {
	s := open(b, Options{Path: write(b, name, data)})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Scan(context.Background(), 0, o, func(*Block) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if s.Files[0].Bad > 0 {
		b.Fatalf("%d bad records", s.Files[0].Bad)
	}
}

func sampleFile(b *testing.B, name string) []byte {
	b.Helper()
	var data bytes.Buffer
	write := sample.CSV
	if name == "f.ndjson" {
		write = sample.NDJSON
	}
	if _, err := write(&data, benchBytes, 1); err != nil {
		b.Fatal(err)
	}
	return data.Bytes()
}

func BenchmarkScanCSV(b *testing.B) {
	data := sampleFile(b, "f.csv")
	b.Run("1 worker", func(b *testing.B) { benchmarkScan(b, "f.csv", data, ScanOptions{Workers: 1}) })
	b.Run("2 workers", func(b *testing.B) { benchmarkScan(b, "f.csv", data, ScanOptions{Workers: 2}) })
	b.Run("2 workers, encoded", func(b *testing.B) { benchmarkScan(b, "f.csv", data, ScanOptions{Workers: 2, Encode: true}) })
}

func BenchmarkScanNDJSON(b *testing.B) {
	data := sampleFile(b, "f.ndjson")
	b.Run("1 worker", func(b *testing.B) { benchmarkScan(b, "f.ndjson", data, ScanOptions{Workers: 1}) })
	b.Run("2 workers", func(b *testing.B) { benchmarkScan(b, "f.ndjson", data, ScanOptions{Workers: 2}) })
}

func BenchmarkAppendRange(b *testing.B) {
	for _, name := range []string{"f.csv", "f.ndjson"} {
		data := sampleFile(b, name)
		s := open(b, Options{Path: write(b, name, data)})
		var ranges []Range // one a block
		err := s.Scan(context.Background(), 0, ScanOptions{}, func(block *Block) error {
			if n := len(block.Records); n > 0 {
				ranges = append(ranges, Range{Start: block.Start, End: block.Start + int64(block.Records[n-1].End)})
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name[2:], func(b *testing.B) {
			r, sum := s.NewRangeReader(), blake3.New()
			b.SetBytes(int64(len(data)))
			var body []byte
			for b.Loop() {
				for _, g := range ranges {
					if body, _, err = r.AppendRange(body[:0], g, sum); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
