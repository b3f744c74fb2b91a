package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A compressed file is read once, in one piece after the other: what is behind
// the end of a record is kept for the next piece.

// maxRatio and ratioSlack bound what a compressed file may grow to; real data
// stays far below, a bomb does not.
const (
	maxRatio   = 1000
	ratioSlack = 64 << 20
)

// stream goes through a compressed file.
func (c *scan) stream(ctx context.Context) error {
	r, err := c.decompress()
	if err != nil {
		return c.damaged(err)
	}
	defer r.Close()
	buf := make([]byte, c.snapshot.blockSize)
	held, begun := 0, false
	var p piece
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := io.ReadFull(r, buf[held:])
		last := errors.Is(err, errShort)
		if err != nil && !last {
			return c.damaged(err)
		}
		raw := buf[:held+n]
		if c.pending != nil {
			raw, err = c.skipIn(raw, last)
			if err != nil {
				return err
			}
		}
		if !begun {
			if raw, begun, err = c.streamHead(raw, last); err != nil {
				return err
			}
		}
		if begun && c.pending == nil && len(raw) > 0 {
			if raw, err = c.streamPiece(&p, raw, last); err != nil {
				return err
			}
		}
		if last {
			return c.finish()
		}
		if held = len(raw); held == len(buf) {
			if begun && len(buf) > 2*(c.file.maxRecord+c.snapshot.blockSize) {
				return &Error{Path: c.file.Path, Line: c.line, Msg: "a record could not be judged"}
			}
			buf = make([]byte, 2*len(buf))
		}
		copy(buf, raw)
	}
}

// streamHead takes the head off the first bytes, once there are enough.
func (c *scan) streamHead(raw []byte, last bool) (rest []byte, begun bool, err error) {
	if len(raw) < firstBytes && !last {
		return raw, false, nil
	}
	if err := checkFirstBytes(c.file.Path, raw[:min(len(raw), firstBytes)], CompressionNone); err != nil {
		return raw, false, err
	}
	if c.file.Format == FormatCSV {
		c.file.takeSeparatorLine(raw)
		n := newlineFinder{quote: c.file.quote}
		if !n.see(raw[:min(len(raw), newlineWindow)]) && len(raw) < newlineWindow && !last {
			return raw, false, nil
		}
		c.file.newline = n.newline()
	}
	ok, err := c.begin(raw, last)
	if err != nil || !ok {
		return raw, false, err
	}
	return raw[c.off:], true, nil
}

// streamPiece parses a piece and hands over what it found; the rest begins a
// record that goes on.
func (c *scan) streamPiece(p *piece, raw []byte, last bool) (rest []byte, err error) {
	p.raw, p.last = raw, last
	p.found.reset()
	c.parser.parse(raw, c.job(last), &p.found)
	before := c.off
	_, err = c.hand(p)
	return raw[c.off-before:], err
}

// skipIn looks for the end of a bad record that began in an earlier piece.
func (c *scan) skipIn(raw []byte, last bool) (rest []byte, err error) {
	i := bytes.IndexByte(raw, c.file.newline)
	switch {
	case i >= 0:
		c.off += int64(i) + 1
		return raw[i+1:], c.endPending(1)
	case last:
		c.off += int64(len(raw))
		return nil, c.endPending(0)
	}
	c.off += int64(len(raw))
	return nil, nil
}

func (c *scan) damaged(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	msg := c.file.Compression + ": damaged"
	if errors.Is(err, errCut) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		msg = c.file.Compression + ": cut off before its end"
	}
	return &Error{Path: c.file.Path, Msg: msg, Err: err, Hint: "copy the file again"}
}

var (
	errShort = errors.New("end of data")
	errCut   = errors.New("unexpected end of file")
)

// decompress opens the file's decompressor; what it gives is bounded.
func (c *scan) decompress() (io.ReadCloser, error) {
	limit := c.file.Size*maxRatio + ratioSlack
	if c.file.Compression == CompressionGzip {
		z, err := gzip.NewReader(c.disk)
		if err != nil {
			return nil, err
		}
		return &bounded{r: z, left: limit, path: c.file.Path, close: z.Close}, nil
	}
	z, err := zstd.NewReader(c.disk, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &bounded{r: z, left: limit, path: c.file.Path, close: func() error { z.Close(); return nil }}, nil
}

// bounded ends a stream that grows beyond reason, and tells its own end from a
// cut.
type bounded struct {
	r     io.Reader
	left  int64
	path  string
	close func() error
}

// Read gives errShort at the true end, so that io.ReadFull cannot make a cut of
// it.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, &Error{Path: b.path, Msg: fmt.Sprintf("grows to over %d times its size: decompression ratio", maxRatio), Hint: "it looks like a decompression bomb"}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, errCut
	case errors.Is(err, io.EOF):
		return n, errShort
	}
	return n, err
}

func (b *bounded) Close() error { return b.close() }
