package source

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// What is not Seekable is read once, as UTF-8 text, in one piece after the
// other: what is behind the end of a record is kept for the next piece.

// stream goes through a file that is not Seekable.
func (c *scan) stream(ctx context.Context) error {
	err := c.streamFile(ctx)
	if errors.Is(err, errStopped) {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	return c.finish()
}

func (c *scan) streamFile(ctx context.Context) error {
	t, err := c.text(ctx)
	if err != nil {
		return err
	}
	defer t.close()
	c.decoded = t
	if c.file.Format == FormatJSON {
		return c.streamJSON(ctx, t)
	}
	return c.streamText(ctx, t)
}

// streamText parses a text from its start to its end.
func (c *scan) streamText(ctx context.Context, r io.Reader) error {
	buf := make([]byte, c.snapshot.blockSize)
	held, begun := 0, false
	var p piece
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, last, err := readFull(r, buf[held:])
		if err != nil {
			return err
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
			return nil
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

// readFull fills p as far as the text goes; last says that it ended.
func readFull(r io.Reader, p []byte) (n int, last bool, err error) {
	n, err = io.ReadFull(r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // not wrapped: an *Error may wrap them
		return n, true, nil
	}
	return n, false, err
}

// streamHead takes the head off the first bytes, once there are enough.
func (c *scan) streamHead(raw []byte, last bool) (rest []byte, begun bool, err error) {
	if c.file.Format == FormatCSV {
		c.file.takeSeparatorLine(raw)
		n := c.file.newNewlineFinder()
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

// withReplacements counts the records that have a U+FFFD, in a text where some
// were put in for what could not be decoded.
func withReplacements(raw []byte, records []Record) (n int64) {
	for _, r := range records {
		if bytes.Contains(raw[r.Start:r.End], []byte("\ufffd")) {
			n++
		}
	}
	return n
}
