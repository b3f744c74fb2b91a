package source

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/zeebo/blake3"
)

// feed makes data the standard input of one test: a pipe that is written to in
// small pieces, or that stays open if it is not to be closed.
func feed(t *testing.T, data string, end bool) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	done := make(chan error, 1)
	go func() {
		for rest := data; len(rest) > 0; {
			n := min(1000, len(rest))
			if _, err := w.WriteString(rest[:n]); err != nil {
				done <- err
				return
			}
			rest = rest[n:]
		}
		if end {
			done <- w.Close()
			return
		}
		done <- nil
	}()
	t.Cleanup(func() {
		os.Stdin = before
		r.Close() // ends the writer, which may write what nobody wants
		if err := <-done; err != nil && end {
			t.Error(err)
		}
		w.Close()
	})
}

func TestStdin(t *testing.T) {
	plain := string(noise(3000))
	wide := "\ufeff" + plain
	for _, c := range []struct{ name, data, plain, format, compression, encoding string }{
		{"CSV", plain, plain, FormatCSV, "", ""},
		{"gzip", string(gzipped(t, []byte(plain))), plain, FormatCSV, CompressionGzip, ""},
		{"zstd", string(zstded(t, []byte(plain))), plain, FormatCSV, CompressionZstd, ""},
		{"UTF-16", utf16le(wide), wide, FormatCSV, "", ""},
		{"UTF-16 by name", utf16be(plain), plain, FormatCSV, CompressionNone, "utf-16be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			feed(t, c.data, true)
			o := Options{Path: Stdin, Dialect: Dialect{Format: c.format, Compression: c.compression, Encoding: c.encoding}}
			s := open(t, o)
			f := s.Files[0]
			if !f.Stdin() || f.Seekable() || f.Size != 0 {
				t.Errorf("stdin %t, seekable %t, size %d", f.Stdin(), f.Seekable(), f.Size)
			}
			check := checker{t: t, plain: []byte(c.plain), file: f}
			if err := s.Scan(t.Context(), 0, ScanOptions{Encode: true}, check.block); err != nil {
				t.Fatal(err)
			}
			check.whole()
			sum := blake3.Sum256([]byte(c.data))
			if want := "blake3:" + hex.EncodeToString(sum[:]); f.Records != 3000 || f.BytesRead() != int64(len(c.data)) || f.ContentHash != want {
				t.Errorf("%d records of %d bytes with hash %s, want 3000 of %d with %s", f.Records, f.BytesRead(), f.ContentHash, len(c.data), want)
			}
			if err := s.CheckUnchanged(); err != nil {
				t.Error(err)
			}
			err := s.Scan(t.Context(), 0, ScanOptions{}, func(*Block) error { return nil })
			if err == nil || err.Error() != "-: the standard input was read already" {
				t.Errorf("a second Scan: %v", err)
			}
			if _, err := f.Hash(t.Context()); err == nil {
				t.Error("it was hashed, which takes its bytes")
			}
		})
	}
}

// TestStdinStops ends a wait for records that do not come.
func TestStdinStops(t *testing.T) {
	why := errors.New("stopped by the test")
	for _, part := range []string{"", "a,b\n1,2\n", string(noise(300_000))} { // nothing, less than is looked at first, more than a piece
		feed(t, part, false)
		s := open(t, Options{Path: Stdin, Dialect: Dialect{Format: FormatCSV}})
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting := make(chan error)
		go func() { waiting <- s.Scan(ctx, 0, ScanOptions{}, func(*Block) error { return nil }) }()
		for s.Files[0].BytesRead() < int64(len(part)) { // it is then at the end of what there is
			select {
			case err := <-waiting:
				t.Fatalf("the Scan ended with %v", err)
			default:
			}
		}
		cancel(why)
		if err := <-waiting; !errors.Is(err, why) {
			t.Errorf("Scan: %v, want %v", err, why)
		}
	}
}

// TestStdinAbandoned ends a Scan by a bad header while more may come.
func TestStdinAbandoned(t *testing.T) {
	feed(t, "a,a\n"+strings.Repeat("1,2\n", 1<<20), false)
	s := open(t, Options{Path: Stdin, Dialect: Dialect{Format: FormatCSV}})
	err := s.Scan(t.Context(), 0, ScanOptions{}, func(*Block) error { return nil })
	if err == nil || !strings.Contains(err.Error(), `-:1:1: header: columns 1 and 2 are both named "a"`) {
		t.Errorf("Scan: %v", err)
	}
}

func TestRefusedStdin(t *testing.T) {
	feed(t, "", true)
	for _, c := range []struct{ format, compression, want string }{
		{"", "", "-: the standard input has no name that tells its format"},
		{FormatCSV, CompressionZip, "-: zip cannot be read from the standard input: its directory is at its end"},
	} {
		_, err := OpenSnapshot(Options{Path: Stdin, Dialect: Dialect{Format: c.format, Compression: c.compression}})
		var own *Error
		if !errors.As(err, &own) || own.Error() != c.want || own.Hint == "" {
			t.Errorf("OpenSnapshot: %v, want %q and a hint", err, c.want)
		}
	}
	if _, err := OpenFiles(Options{}, []string{Stdin}); err == nil || err.Error() != "-: the standard input cannot be read again" {
		t.Errorf("OpenFiles: %v", err)
	}
	if s := open(t, Options{Path: Stdin, Dialect: Dialect{Format: FormatJSON}}); s.Scan(t.Context(), 0, ScanOptions{}, func(*Block) error { return nil }) != nil || s.Files[0].Records != 0 {
		t.Error("an empty standard input is no empty file")
	}
}

func TestTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminal can be had: ", err)
	}
	before := os.Stdin
	os.Stdin = terminal
	defer func() {
		os.Stdin = before
		terminal.Close()
	}()
	_, err = OpenSnapshot(Options{Path: Stdin, Dialect: Dialect{Format: FormatCSV}})
	var own *Error
	if !errors.As(err, &own) || own.Error() != "-: the standard input is a terminal" || own.Hint == "" {
		t.Errorf("OpenSnapshot: %v", err)
	}
}
