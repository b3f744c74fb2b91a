package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// ScanOptions say how a file is gone through.
type ScanOptions struct {
	Workers int  // goroutines that parse; at least one
	Encode  bool // also fill Block.JSON
	Left    bool // also fill Block.Left
}

// Scan reads a file from its start to its end and hands blocks to fn in the
// file's order, from the calling goroutine. Reading and parsing run ahead of it;
// all goroutines have ended when it returns. It sets the file's Header,
// ContentHash and counts. An error of fn ends it and is returned as it is; what
// makes the file useless is an *Error.
func (s *Snapshot) Scan(ctx context.Context, file int, o ScanOptions, fn func(*Block) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f := s.Files[file]
	f.Records, f.Bad, f.BlankLines, f.Filtered, f.Replaced = 0, 0, 0, 0, 0
	f.read.Store(0)
	if f.Stdin() {
		if err := f.takeStdin(); err != nil {
			return err
		}
	}
	c := &scan{snapshot: s, file: f, options: o, fn: fn, disk: newDisk(f), line: 1}
	if f.Seekable() {
		return c.plain(ctx)
	}
	return c.stream(ctx)
}

// scan is one Scan under way. off and line are where the next block begins.
type scan struct {
	snapshot *Snapshot
	file     *File
	options  ScanOptions
	fn       func(*Block) error
	disk     *disk
	off      int64
	line     int64
	pending  *Bad  // a bad record whose end is not known yet
	skipFrom int64 // where the block ended that it began in
	rest     found
	parser   parser // the consumer's own
	decoded  *text  // what a file that is not Seekable is read from
}

// piece is a part of the file on its way from the reader to fn.
type piece struct {
	buf   []byte
	raw   []byte
	off   int64
	last  bool
	found found
	done  chan struct{} // receives when found is filled
}

// begin takes the head of the file off raw and makes the parsers' input known.
func (c *scan) begin(raw []byte, last bool) (ok bool, err error) {
	h, ok, err := c.file.readHead(raw, last)
	if err != nil || !ok {
		return ok, err
	}
	if err := c.file.UseHeader(h.names); err != nil {
		return false, err
	}
	c.file.DataStart, c.file.BlankLines = int64(h.end), h.blank
	c.off, c.line = int64(h.end), 1+int64(h.lines)
	if c.file.Format == FormatCSV && len(h.names) == 0 {
		return true, nil // an empty file has nothing to parse
	}
	c.parser, err = newParser(c.file)
	return true, err
}

func (c *scan) job(last bool) job {
	return job{last: last, list: true, encode: c.options.Encode, sep: '\n', left: c.options.Left}
}

// plain goes through a file whose bytes can be read again: generation after
// generation, each from the place where a guess was wrong.
func (c *scan) plain(ctx context.Context) error {
	if err := c.plainHead(); err != nil {
		return err
	}
	size, ahead := c.snapshot.blockSize, c.lookahead()
	for c.off < c.file.Size {
		from := c.off
		why, err := c.generation(ctx, size, ahead)
		if err != nil {
			return err
		}
		ahead = 1
		switch {
		case why == stopSkip:
			if err := c.skipLine(ctx); err != nil {
				return err
			}
		case why == stopTail && c.off == from: // one record is longer than a block
			if size *= 2; size > 2*(c.file.maxRecord+c.snapshot.blockSize) {
				return &Error{Path: c.file.Path, Line: c.line, Msg: "a record could not be judged"}
			}
			continue
		}
		size = c.snapshot.blockSize
	}
	return c.finish()
}

// lookahead is how many blocks may be read before the first is handed over.
func (c *scan) lookahead() int { return max(c.options.Workers, 1) + 2 }

func (c *scan) plainHead() error {
	buf := make([]byte, 4<<10)
	for {
		n := int(min(int64(len(buf)), c.file.Size))
		if _, err := c.read(buf[:n], 0); err != nil {
			return err
		}
		ok, err := c.begin(buf[:n], int64(n) == c.file.Size)
		if ok || err != nil {
			return err
		}
		buf = make([]byte, 4*len(buf))
	}
}

// read fills p from an offset and hashes what was not hashed before.
func (c *scan) read(p []byte, off int64) (int, error) {
	n, err := c.file.file.ReadAt(p, off)
	if fresh := off + int64(n) - c.disk.off; fresh > 0 {
		c.disk.count(p[int64(n)-fresh : n])
	}
	switch {
	case n == len(p):
		return n, nil
	case err == io.EOF:
		return n, c.file.shrank(off + int64(n))
	}
	return n, &Error{Path: c.file.Path, Msg: fmt.Sprintf("read at byte %d", off), Err: err}
}

// finish takes note of what the whole file was.
func (c *scan) finish() error {
	if _, err := io.Copy(io.Discard, c.disk); err != nil {
		return err
	}
	c.file.ContentHash = c.disk.sum()
	return nil
}

// generation reads ahead from c.off, parses in parallel and hands over in
// order, until the file's end (stopEnd) or until a piece turns out not to end
// where a record ends (stopTail, stopSkip).
func (c *scan) generation(ctx context.Context, size, ahead int) (why stop, err error) {
	ctx, cancel := context.WithCancel(ctx)
	g := &generation{
		scan: c, size: size,
		free: make(chan *piece, c.lookahead()), work: make(chan *piece, c.lookahead()), order: make(chan *piece, c.lookahead()),
	}
	for range ahead {
		g.free <- c.newPiece()
	}
	var running sync.WaitGroup
	running.Go(func() { g.readErr = g.read(ctx, c.off) })
	for range max(c.options.Workers, 1) {
		running.Go(func() { g.parse(ctx) })
	}
	why, err = c.consume(g, c.lookahead()-ahead)
	cancel()
	for p := range g.order { // what was read in vain
		<-p.done
		c.snapshot.spare.Put(p)
	}
	running.Wait()
	for len(g.free) > 0 {
		c.snapshot.spare.Put(<-g.free)
	}
	if err == nil && why == stopEnd {
		err = g.readErr
		if err == nil && c.off < c.file.Size {
			err = context.Cause(ctx)
		}
	}
	return why, err
}

func (c *scan) newPiece() *piece {
	if p, ok := c.snapshot.spare.Get().(*piece); ok {
		return p
	}
	return &piece{done: make(chan struct{}, 1)}
}

// consume hands pieces over in order. more is how many further pieces may be
// lent to the reader, one for each guess that was right.
func (c *scan) consume(g *generation, more int) (stop, error) {
	for p := range g.order {
		<-p.done
		if !p.parsed() { // ctx has ended; what comes behind would be out of place
			c.snapshot.spare.Put(p)
			return stopEnd, nil
		}
		why, err := c.hand(p)
		if why != stopEnd || err != nil {
			c.snapshot.spare.Put(p)
			return why, err
		}
		g.free <- p
		if more > 0 {
			more--
			g.free <- c.newPiece()
		}
	}
	return stopEnd, nil
}

// hand gives what was found in a piece to fn, and parses on where a list was
// full.
func (c *scan) hand(p *piece) (stop, error) {
	raw, f := p.raw, &p.found
	for {
		if err := c.emit(raw[:f.consumed], f); err != nil {
			return f.stop, err
		}
		if f.stop != stopFull {
			return f.stop, nil
		}
		raw = raw[f.consumed:]
		f = &c.rest
		f.reset()
		c.parser.parse(raw, c.job(p.last), f)
	}
}

// emit hands over one block and moves on behind it.
func (c *scan) emit(raw []byte, f *found) error {
	for i := range f.bad {
		b := &f.bad[i]
		b.Start, b.End, b.Line = b.Start+c.off, b.End+c.off, b.Line+c.line
	}
	if f.stop == stopSkip {
		last := f.bad[len(f.bad)-1]
		c.pending, f.bad = &last, f.bad[:len(f.bad)-1]
	}
	if c.decoded.replaced() > 0 {
		f.replaced += withReplacements(raw, f.records)
	}
	b := Block{
		Start: c.off, End: c.off + int64(len(raw)), FirstLine: c.line, Raw: raw,
		Records: f.records, Bad: f.bad, BlankLines: f.blank, JSON: f.json,
		Filtered: f.filtered, Replaced: f.replaced, Left: f.left,
	}
	c.off, c.line, c.skipFrom = b.End, c.line+int64(f.lines), b.End
	return c.give(&b)
}

func (c *scan) give(b *Block) error {
	c.file.Records += int64(len(b.Records))
	c.file.Bad += int64(len(b.Bad))
	c.file.BlankLines += b.BlankLines
	c.file.Filtered += b.Filtered
	c.file.Replaced += b.Replaced
	return c.fn(b)
}

// skipLine looks for the end of a bad record that is longer than a block, and
// hands it over.
func (c *scan) skipLine(ctx context.Context) error {
	buf := make([]byte, min(int64(c.snapshot.blockSize), c.file.Size-c.off))
	for c.off < c.file.Size {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		part := buf[:min(int64(len(buf)), c.file.Size-c.off)]
		if _, err := c.read(part, c.off); err != nil {
			return err
		}
		if i := bytes.IndexByte(part, c.file.newline); i >= 0 {
			c.off += int64(i) + 1
			return c.endPending(1)
		}
		c.off += int64(len(part))
	}
	return c.endPending(0)
}

// endPending hands over the bad record that ends at c.off.
func (c *scan) endPending(lines int64) error {
	bad := *c.pending
	bad.End, c.pending = c.off, nil
	b := Block{Start: c.skipFrom, End: c.off, FirstLine: c.line, Bad: []Bad{bad}}
	c.line += lines
	return c.give(&b)
}
