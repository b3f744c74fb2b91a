package source

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/zeebo/blake3"
)

// stopped are the formats and compressions whose Scan is stopped half way.
func stopped(t *testing.T) map[string]*Snapshot {
	rows := []byte("a,b\n" + strings.Repeat("1,\"2\"\n", 5000))
	all := map[string]*Snapshot{}
	for name, data := range map[string][]byte{
		"f.csv": rows, "f.csv.gz": gzipped(t, rows), "f.csv.zst": zstded(t, rows), "f.ndjson": bytes.Repeat([]byte("{}\n"), 5000),
	} {
		s := open(t, Options{Path: write(t, name, data)})
		s.blockSize = 512
		all[name] = s
	}
	return all
}

func TestScanReturnsErrorOfFn(t *testing.T) {
	mine := errors.New("enough")
	for name, s := range stopped(t) {
		for stopAt := 1; stopAt < 12; stopAt++ {
			calls := 0
			err := s.Scan(context.Background(), 0, ScanOptions{Workers: 3}, func(*Block) error {
				if calls++; calls == stopAt {
					return mine
				}
				return nil
			})
			if !errors.Is(err, mine) || calls != stopAt {
				t.Errorf("%s: stopped at block %d: %v after %d calls", name, stopAt, err, calls)
			}
		}
	}
}

func TestCancelledScan(t *testing.T) {
	mine := errors.New("shutdown")
	for name, s := range stopped(t) {
		for stopAt := range 12 {
			ctx, cancel := context.WithCancelCause(context.Background())
			if stopAt == 0 {
				cancel(mine)
			}
			calls, next := 0, int64(-1)
			err := s.Scan(ctx, 0, ScanOptions{Workers: 3}, func(b *Block) error {
				if next >= 0 && b.Start != next {
					t.Errorf("%s: a block at %d after %d", name, b.Start, next)
				}
				next = b.End
				if calls++; calls == stopAt {
					cancel(mine)
				}
				return nil
			})
			if !errors.Is(err, mine) || stopAt == 0 && calls > 0 {
				t.Errorf("%s: cancelled at block %d: %v after %d calls", name, stopAt, err, calls)
			}
			cancel(nil)
		}
	}
}

func TestFileShrinksDuringScan(t *testing.T) {
	files := stopped(t)
	large := noise(100_000) // more than a decompressor takes at once
	for name, data := range map[string][]byte{"f.csv.gz": gzipped(t, large), "f.csv.zst": zstded(t, large)} {
		files[name] = open(t, Options{Path: write(t, name, data)})
		files[name].blockSize = 512
	}
	for name, s := range files {
		f := s.Files[0]
		err := s.Scan(context.Background(), 0, ScanOptions{Workers: 2}, func(*Block) error {
			return os.Truncate(f.Path, 20)
		})
		var own *Error
		if !errors.As(err, &own) || !strings.Contains(own.Msg, "the file shrank from") {
			t.Errorf("%s: %v, want that it shrank", name, err)
		}
		var changed *ChangedError
		if err := s.CheckUnchanged(); !errors.As(err, &changed) || !strings.Contains(changed.How, "shrank from") {
			t.Errorf("%s: CheckUnchanged: %v", name, err)
		}
		if !f.Seekable() {
			continue
		}
		_, _, err = s.NewRangeReader().AppendRange(nil, Range{Start: 4, End: 100}, blake3.New())
		if !errors.As(err, &own) || !strings.Contains(own.Msg, "shrank") {
			t.Errorf("%s: AppendRange: %v, want that it shrank", name, err)
		}
	}
}

// TestGrowingFile reads a file as long as it was when it was opened.
func TestGrowingFile(t *testing.T) {
	path := write(t, "f.ndjson", []byte("{}\n{}\n"))
	s := open(t, Options{Path: path})
	if err := os.WriteFile(path, []byte("{}\n{}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Scan(context.Background(), 0, ScanOptions{}, func(*Block) error { return nil }); err != nil || s.Files[0].Records != 2 {
		t.Errorf("Scan: %v, %d records", err, s.Files[0].Records)
	}
	var changed *ChangedError
	if err := s.CheckUnchanged(); !errors.As(err, &changed) || changed.How != "grew from 6 to 9 bytes" {
		t.Errorf("CheckUnchanged: %v", err)
	}
}

// TestHashIsContentHash: a caller compares one with the other.
func TestHashIsContentHash(t *testing.T) {
	for name, s := range stopped(t) {
		err := s.Scan(context.Background(), 0, ScanOptions{}, func(*Block) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Files[0].Hash(context.Background())
		if err != nil || got != s.Files[0].ContentHash || !strings.HasPrefix(got, "blake3:") {
			t.Errorf("%s: Hash = %q, %v; Scan found %q", name, got, err, s.Files[0].ContentHash)
		}
	}
}
