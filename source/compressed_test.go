package source

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// noise is CSV that does not compress well, so that cuts fall into data.
func noise(rows int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := []byte("a,b\n")
	for range rows {
		b = append(b, byte('a'+r.IntN(26)), byte('a'+r.IntN(26)), byte('a'+r.IntN(26)), ',', byte('a'+r.IntN(26)), '\n')
	}
	return b
}

func TestGzipReadsAllMembers(t *testing.T) {
	plain := noise(1000)
	packed := gzipped(t, plain[:1001], nil, plain[1001:3000], plain[3000:])
	got := checkedScan(t, Options{Path: write(t, "f.csv.gz", packed)}, plain, how{block: 64, workers: 2})
	if got.Err != "" || len(got.Records) != 1000 {
		t.Errorf("%d records, error %q", len(got.Records), got.Err)
	}
}

func TestZstdReadsAllFrames(t *testing.T) {
	plain := noise(1000)
	packed := append(zstded(t, plain[:1001]), "\x50\x2a\x4d\x18\x03\x00\x00\x00abc"...) // a frame to be skipped
	packed = append(packed, zstded(t, plain[1001:])...)
	got := checkedScan(t, Options{Path: write(t, "f.csv.zst", packed)}, plain, how{block: 64, workers: 2})
	if got.Err != "" || len(got.Records) != 1000 {
		t.Errorf("%d records, error %q", len(got.Records), got.Err)
	}
}

// TestCutCompression cuts a compressed file at each byte: it is never read as a
// shorter file in silence.
func TestCutCompression(t *testing.T) {
	t.Parallel()
	plain, dir := noise(60), t.TempDir()
	for name, packed := range map[string][]byte{"f.csv.gz": gzipped(t, plain[:100], plain[100:]), "f.csv.zst": zstded(t, plain)} {
		whole := len(gzipped(t, plain[:100])) // a cut behind the first member leaves a whole file
		for n := 4; n < len(packed); n++ {
			if name == "f.csv.gz" && n == whole {
				continue
			}
			got := checkedScan(t, Options{Path: overwrite(t, dir, name, packed[:n])}, plain, how{block: 64, workers: 1})
			if !strings.Contains(got.Err, "cut off before its end") {
				t.Errorf("%s cut to %d of %d bytes: error %q", name, n, len(packed), got.Err)
			}
		}
	}
}

// TestCutLater cuts files behind the bytes that are looked at first.
func TestCutLater(t *testing.T) {
	t.Parallel()
	plain := noise(50_000)
	for name, packed := range map[string][]byte{"f.csv.gz": gzipped(t, plain), "f.csv.zst": zstded(t, plain)} {
		for _, n := range []int{len(packed) - 1, len(packed) - 9, len(packed) / 2, len(packed) / 3} {
			for _, block := range []int{4 << 10, 1 << 20} {
				got := checkedScan(t, Options{Path: write(t, name, packed[:n])}, plain, how{block: block, workers: 1})
				if !strings.Contains(got.Err, "cut off before its end") {
					t.Errorf("%s cut to %d of %d bytes: error %q", name, n, len(packed), got.Err)
				}
			}
		}
	}
}

func TestDamagedCompression(t *testing.T) {
	plain := noise(500)
	for _, c := range []struct{ name, want string }{{"f.csv.gz", "gzip: damaged: "}, {"f.csv.zst", "zstd: damaged: "}} {
		packed := gzipped(t, plain)
		if c.name == "f.csv.zst" {
			packed = zstded(t, plain)
		}
		flipped := bytes.Clone(packed)
		flipped[len(flipped)-2] ^= 1 // in the sum over the content
		for what, data := range map[string][]byte{"a flipped bit": flipped, "bytes behind the end": append(bytes.Clone(packed), "garbage that is no member"...)} {
			got := checkedScan(t, Options{Path: write(t, c.name, data)}, plain, how{block: 64, workers: 1})
			if !strings.Contains(got.Err, c.want) {
				t.Errorf("%s, %s: error %q, want one with %q", c.name, what, got.Err, c.want)
			}
		}
	}
}

func TestDecompressionBomb(t *testing.T) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	packed := e.EncodeAll(append([]byte("a\n"), make([]byte, 90<<20)...), nil)
	s := open(t, Options{Path: write(t, "f.csv.zst", packed)})
	bad := 0
	err = s.Scan(context.Background(), 0, ScanOptions{}, func(b *Block) error { bad += len(b.Bad); return nil })
	var own *Error
	if !errors.As(err, &own) || !strings.Contains(own.Msg, "decompression ratio") || own.Hint == "" {
		t.Errorf("error %v, want one about the decompression ratio", err)
	}
	if bad != 0 || s.Files[0].ContentHash != "" {
		t.Errorf("%d bad records and hash %q from a file that was not read to its end", bad, s.Files[0].ContentHash)
	}
}

func TestCompressedFileOfAnotherKind(t *testing.T) {
	for name, data := range map[string]string{"is a ZIP archive": "PK\x03\x04rest", "is gzip data": "\x1f\x8brest", "is UTF-32": "\xff\xfe\x00\x00a\x00\x00\x00"} {
		got := checkedScan(t, Options{Path: write(t, "f.csv.gz", gzipped(t, []byte(data)))}, []byte(data), sequential)
		if !strings.Contains(got.Err, name) {
			t.Errorf("%q in gzip: error %q, want one with %q", data, got.Err, name)
		}
	}
}
