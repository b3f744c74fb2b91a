package source

import (
	"bytes"
	"context"
)

// generation is one run of reading ahead: a reader that guesses where records
// end, and parsers that find out.
type generation struct {
	scan    *scan
	size    int
	free    chan *piece // for the reader to fill
	work    chan *piece // for a parser, any order
	order   chan *piece // for the consumer, in order
	readErr error       // why the reader ended early; set before order is closed
}

// read fills pieces until the file's end or ctx's.
func (g *generation) read(ctx context.Context, off int64) error {
	defer close(g.order)
	defer close(g.work)
	f := g.scan.file
	for off < f.Size {
		var p *piece
		select {
		case <-ctx.Done():
			return nil
		case p = <-g.free:
		}
		n := int(min(int64(g.size), f.Size-off))
		if cap(p.buf) < n {
			p.buf = make([]byte, n)
		}
		p.buf = p.buf[:n]
		if _, err := g.scan.read(p.buf, off); err != nil {
			return err
		}
		p.off, p.last = off, off+int64(n) == f.Size
		cut := n
		if !p.last {
			cut = f.guessEnd(p.buf)
		}
		p.raw = p.buf[:cut]
		p.found.reset()
		p.found.stop = notParsed
		g.work <- p
		g.order <- p
		if !p.last && cut == n && !endsLine(p.raw, f.newline) {
			return nil // no record's end in sight: the parser says what to do
		}
		off += int64(cut)
	}
	return nil
}

// notParsed marks a piece that no parser took because the generation ended.
const notParsed = stop(0xff)

func (p *piece) parsed() bool { return p.found.stop != notParsed }

func endsLine(raw []byte, newline byte) bool { return len(raw) > 0 && raw[len(raw)-1] == newline }

// parse takes pieces until there are no more.
func (g *generation) parse(ctx context.Context) {
	own, err := newParser(g.scan.file) // it succeeded before, for the consumer
	for p := range g.work {
		if err == nil && ctx.Err() == nil {
			p.found.reset()
			own.parse(p.raw, g.scan.job(p.last), &p.found)
		}
		p.done <- struct{}{}
	}
}

// guessEnd is behind the last line end of raw that seems to end a record: in
// CSV, one with an even number of quotes before it. Without one it is all of raw.
func (f *File) guessEnd(raw []byte) int {
	end := bytes.LastIndexByte(raw, f.newline)
	if f.Format != FormatCSV {
		if end < 0 {
			return len(raw)
		}
		return end + 1
	}
	quote := []byte{f.quote}
	quotes := bytes.Count(raw, quote)
	behind := len(raw)
	for end >= 0 {
		quotes -= bytes.Count(raw[end:behind], quote)
		if quotes%2 == 0 {
			return end + 1
		}
		behind = end
		end = bytes.LastIndexByte(raw[:end], f.newline)
	}
	return len(raw)
}
