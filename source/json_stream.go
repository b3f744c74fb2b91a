package source

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

// streamJSON goes through a JSON document.
func (c *scan) streamJSON(ctx context.Context, text io.Reader) error {
	p := newJSONParser(c.file)
	err := c.file.UseHeader(nil)
	if err == nil {
		c.parser, err = c.file.wrap(p)
	}
	if err != nil {
		return err
	}
	r, err := c.jsonHead(text)
	if err != nil {
		return err
	}
	var inner *jsonInner
	if c.file.pointer != "" {
		if inner, err = c.enter(ctx, r); inner == nil {
			return err
		}
		r, c.off, c.line = inner.rest, c.off+inner.off, inner.line
		p.inner, p.state, p.column = true, jsonFirst, inner.column
	}
	c.file.DataStart = c.off
	rest, err := c.elements(ctx, r, p)
	if err == nil && inner != nil {
		err = c.leave(ctx, inner, io.MultiReader(bytes.NewReader(rest), r), p.column)
	}
	return err
}

// jsonHead takes the byte order mark off a document.
func (c *scan) jsonHead(text io.Reader) (io.Reader, error) {
	r := bufio.NewReaderSize(text, 4<<10)
	head, err := r.Peek(len(bom))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.Equal(head, bom) {
		c.off = int64(len(bom))
		_, err = r.Discard(len(bom))
	} else {
		err = nil // a short document
	}
	c.file.DataStart = c.off
	return r, err
}

// elements hands over the elements that the parser finds, up to the text's end
// or to the end of an array within it; then rest is what was read behind that.
func (c *scan) elements(ctx context.Context, r io.Reader, p *jsonParser) (rest []byte, err error) {
	buf := make([]byte, c.snapshot.blockSize)
	var piece piece
	for held := 0; ; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, last, err := readFull(r, buf[held:])
		if err != nil {
			return nil, err
		}
		raw, err := c.streamPiece(&piece, buf[:held+n], last)
		if err == nil && p.broken != nil {
			p.broken.Path, p.broken.Line = c.file.Path, p.broken.Line+c.line
			err = p.broken
		}
		if err != nil || last || p.closed {
			return raw, err
		}
		if held = len(raw); held == len(buf) { // at most MaxRecordBytes of an element
			buf = make([]byte, 2*len(buf))
		}
		copy(buf, raw)
	}
}
