package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/zeebo/xxh3"

	"worqcron/sample"
)

const benchBytes = 64 << 20

func benchmarkScan(b *testing.B, name string, data []byte, o ScanOptions) {
	s := open(b, Options{Path: write(b, name, data)})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	defer reportCPU(b, len(data))()
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

// BenchmarkParse is what one core does, without reading and hashing: a file in
// memory, a block at a time, by the kernel and by the portable code.
func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct {
		name, file string
		job        job
	}{
		{"csv measured", "f.csv", job{list: true}},
		{"csv encoded", "f.csv", job{encode: true, sep: ',', known: true}},
		{"ndjson checked", "f.ndjson", job{list: true}},
		{"ndjson copied", "f.ndjson", job{encode: true, sep: ',', known: true}},
	} {
		data := sampleFile(b, bench.file)
		s := open(b, Options{Path: write(b, bench.file, data)})
		blocks := blocksOf(b, s, data)
		parse := func(b *testing.B) {
			p, err := newParser(s.Files[0])
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			var f found
			defer reportCPU(b, len(data))()
			for b.Loop() {
				for _, raw := range blocks {
					if f.reset(); f.json == nil && bench.job.encode {
						f.json = make([]byte, 0, 4<<20)
					}
					if p.parse(raw, bench.job, &f); f.stop != stopEnd {
						b.Fatalf("stopped by %d", f.stop)
					}
				}
			}
		}
		b.Run(bench.name, parse)
		if haveKernel {
			b.Run(bench.name+" without the kernel", func(b *testing.B) { withoutKernel(func() { parse(b) }) })
		}
	}
}

// reportCPU adds a figure that does not fall when other processes run: the
// megabytes of a second of processor time, all threads together.
func reportCPU(b *testing.B, bytes int) (end func()) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() {
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(used()-start).Seconds(), "MB/cpu-s")
	}
}

// blocksOf are the blocks of a file that data is, records alone.
func blocksOf(b *testing.B, s *Snapshot, data []byte) (blocks [][]byte) {
	b.Helper()
	err := s.Scan(context.Background(), 0, ScanOptions{}, func(block *Block) error {
		blocks = append(blocks, data[block.Start:block.End])
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return blocks
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
			r, sum := s.NewRangeReader(), xxh3.New128()
			b.SetBytes(int64(len(data)))
			defer reportCPU(b, len(data))()
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

// benchmarkStream scans what is read as a stream; bytes are those of the text.
func benchmarkStream(b *testing.B, name string, packed []byte, size int) {
	s := open(b, Options{Path: write(b, name, packed)})
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Scan(context.Background(), 0, ScanOptions{Encode: true}, func(*Block) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if f := s.Files[0]; f.Bad > 0 || f.Records == 0 {
		b.Fatalf("%d records, %d bad ones", f.Records, f.Bad)
	}
}

func BenchmarkStream(b *testing.B) {
	csv, ndjson := sampleFile(b, "f.csv"), sampleFile(b, "f.ndjson")
	lines := bytes.TrimSuffix(ndjson, []byte("\n"))
	array := append(append([]byte{'['}, bytes.ReplaceAll(lines, []byte("\n"), []byte(",\n"))...), ']')
	wide := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(string(csv))) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	b.Run("gzip CSV", func(b *testing.B) { benchmarkStream(b, "f.csv.gz", gzipped(b, csv), len(csv)) })
	b.Run("zstd NDJSON", func(b *testing.B) { benchmarkStream(b, "f.ndjson.zst", zstded(b, ndjson), len(ndjson)) })
	b.Run("UTF-16 CSV", func(b *testing.B) { benchmarkStream(b, "f.csv", wide, len(wide)) })
	b.Run("JSON array", func(b *testing.B) { benchmarkStream(b, "f.json", array, len(array)) })
	b.Run("JSON in gzip", func(b *testing.B) { benchmarkStream(b, "f.json.gz", gzipped(b, array), len(array)) })
}
