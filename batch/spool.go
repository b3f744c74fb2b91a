package batch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"worqcron/failpoint"
	"worqcron/store"
)

// The spool keeps the records of a source whose bytes cannot be found again by
// their place (a compressed file, another encoding, a JSON document, the standard
// input). It is one file a run beside the ledger: NDJSON, one zstd frame a chunk,
// followed by where its records lay in the source; private, on the disk before the
// rows that name it. The parts of a split chunk get frames of their own behind it.

func spoolDir(ledger string) string { return ledger + ".spool" }

func spoolPath(ledger, runID string) string {
	return filepath.Join(spoolDir(ledger), runID+".ndjson.zst")
}

// spoolWriter writes a run's spool during its plan.
type spoolWriter struct {
	file    *os.File
	buf     *bufio.Writer
	enc     *zstd.Encoder
	written int64 // bytes in the file, counted behind the encoder
	start   int64 // of the open frame
	open    bool
	places  store.Places // of the open frame's records
}

func createSpool(path string) (*spoolWriter, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return newSpoolWriter(f, 0)
}

// extendSpool opens a spool to write more behind what it holds.
func extendSpool(path string) (*spoolWriter, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return newSpoolWriter(f, end)
}

func newSpoolWriter(f *os.File, end int64) (s *spoolWriter, err error) {
	s = &spoolWriter{file: f, buf: bufio.NewWriterSize(f, 256<<10), written: end}
	s.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// createSpool makes a spool if a file needs one. Else there must be none, not even
// of a plan before: deliverers would read that.
func (p *planning) createSpool() (err error) {
	path := spoolPath(p.runner.Ledger.Path(), p.run.RunID)
	for _, f := range p.snapshot.Files {
		if !f.Seekable() {
			p.spool, err = createSpool(path)
			return err
		}
	}
	return removeSpool(path)
}

func (p *planning) closeSpool(whole bool) error {
	if !whole {
		return p.spool.close()
	}
	return errors.Join(p.spool.sync(), p.spool.close())
}

// removeSpool removes a run's spool, if it has one.
func removeSpool(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// Write takes the encoder's output.
func (s *spoolWriter) Write(p []byte) (int, error) {
	n, err := s.buf.Write(p)
	s.written += int64(n)
	return n, err
}

// write adds records, each a line, to the open frame.
func (s *spoolWriter) write(lines []byte) error {
	if !s.open {
		s.start, s.open = s.written, true
		s.enc.Reset(s)
	}
	_, err := s.enc.Write(lines)
	return err
}

func (s *spoolWriter) endFrame() (*store.SpoolRange, error) {
	if err := s.enc.Close(); err != nil {
		return nil, fmt.Errorf("spool %s: %w", s.file.Name(), err)
	}
	failpoint.Hit("spool-frame")
	s.open = false
	if err := s.writePlaces(); err != nil {
		return nil, fmt.Errorf("spool %s: %w", s.file.Name(), err)
	}
	return &store.SpoolRange{Start: s.start, End: s.written}, nil
}

// sync makes everything written durable, the file's name included.
func (s *spoolWriter) sync() error {
	err := errors.Join(s.buf.Flush(), s.file.Sync())
	failpoint.Hit("spool-sync")
	if err == nil {
		err = syncDir(filepath.Dir(s.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("spool %s: %w", s.file.Name(), err)
	}
	return nil
}

// abandon ends the writer because of an error, which it returns.
func (s *spoolWriter) abandon(err error) error { return errors.Join(err, s.close()) }

// close ends the writer; the file stays.
func (s *spoolWriter) close() error { return s.file.Close() }

// makeDir makes a private folder, durably, unless it is there.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes a file's name in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// spoolReader reads frames of a spool. One goroutine uses it.
type spoolReader struct {
	dec *zstd.Decoder
}

func newSpoolReader() (*spoolReader, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	return &spoolReader{dec: dec}, nil
}

// appendFrame appends the lines of a frame to dst, the last newline left out.
// A result longer than limit is an error: it cannot be what was planned.
func (s *spoolReader) appendFrame(dst []byte, f io.ReaderAt, g store.SpoolRange, limit int64) ([]byte, error) {
	if err := s.dec.Reset(io.NewSectionReader(f, g.Start, g.End-g.Start)); err != nil {
		return dst, err
	}
	r := io.LimitReader(s.dec, limit+2)
	start := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return dst, err
		}
	}
	if n := len(dst); n == start || dst[n-1] != '\n' {
		return dst, errors.New("a frame of the spool does not end with a line")
	}
	return dst[:len(dst)-1], nil
}

func (s *spoolReader) close() { s.dec.Close() }
