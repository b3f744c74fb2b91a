package source

import (
	"errors"
	"fmt"
	"hash"
	"io"
)

// Range is consecutive records of one file of a Snapshot: bytes [Start, End) of
// a file that is Seekable, from a record's start to a record's end.
type Range struct {
	File       int
	Start, End int64
}

// rangeBytes is how much of a range is read at once, counted from its start, so
// that a hash is given long and even pieces; more was no faster.
const rangeBytes = 64 << 10

// RangeReader turns ranges back into JSON. It belongs to one goroutine and
// keeps twice rangeBytes, or more where a record is longer than that.
type RangeReader struct {
	snapshot *Snapshot
	buf      []byte
	found    found
	parsers  map[int]parser
}

// NewRangeReader makes a reader for the snapshot's files.
func (s *Snapshot) NewRangeReader() *RangeReader {
	return &RangeReader{snapshot: s, parsers: map[int]parser{}}
}

// AppendRange appends the good records of a range that Scan found without a bad
// record between them to dst as JSON with commas between them, and
// writes the range's bytes to sum. It returns the extended dst and how many
// records it appended. An error is an *Error. What was written to the file since
// the Scan is not noticed here: compare the count and the sum.
func (r *RangeReader) AppendRange(dst []byte, g Range, sum hash.Hash) ([]byte, int, error) {
	p, err := r.parser(g.File)
	if err != nil {
		return dst, 0, err
	}
	if lines, ok := p.(*ndjsonParser); ok && !lines.replace {
		return r.appendLines(dst, g, sum)
	}
	total := 0
	err = r.read(g, sum, func(p parser, piece []byte, last bool) (int, error) {
		r.found.reset()
		r.found.json = dst
		p.parse(piece, job{last: last, encode: true, sep: ',', known: true}, &r.found)
		dst, r.found.json = r.found.json, nil
		total += r.found.count
		return r.found.consumed, r.found.endless()
	})
	if err == nil && total > 0 {
		dst = dst[:len(dst)-1] // the last comma
	}
	return dst, total, err
}

// RangeRecord is one record of a range. Raw and JSON are valid only until the
// function it was handed to returns.
type RangeRecord struct {
	Start, End     int64 // in the decompressed file
	Line, LastLine int64 // counted from 0 at the range's first
	Raw, JSON      []byte
}

// EachRecord is AppendRange for a caller that takes the records apart: it hands
// them to fn one by one, in order. An error of fn ends it, within an *Error.
func (r *RangeReader) EachRecord(g Range, sum hash.Hash, fn func(RangeRecord) error) error {
	at, line := g.Start, int64(0)
	return r.read(g, sum, func(p parser, piece []byte, last bool) (taken int, err error) {
		for {
			f := &r.found
			f.reset()
			raw := piece[taken:]
			p.parse(raw, job{last: last, list: true, encode: true, sep: '\n', known: true}, f)
			text := f.json
			for _, rec := range f.records {
				err := fn(RangeRecord{
					Start: at + int64(rec.Start), End: at + int64(rec.End),
					Line: line + int64(rec.Line), LastLine: line + int64(rec.LastLine),
					Raw: raw[rec.Start:rec.End], JSON: text[:rec.Size],
				})
				if err != nil {
					return 0, err
				}
				text = text[rec.Size+1:]
			}
			taken += f.consumed
			at, line = at+int64(f.consumed), line+int64(f.lines)
			if f.stop != stopFull {
				return taken, f.endless()
			}
		}
	})
}

// endless is an error where a record did not end in bounds.
func (f *found) endless() error {
	if f.stop == stopSkip {
		return errors.New("a record has no end in bounds")
	}
	return nil
}

// read hands the bytes of a range to parse piece by piece, each from where parse
// stopped in the one before, and writes them to sum.
func (r *RangeReader) read(g Range, sum hash.Hash, parse func(p parser, piece []byte, last bool) (taken int, err error)) error {
	f := r.snapshot.Files[g.File]
	p, err := r.parser(g.File)
	if err != nil {
		return err
	}
	step := min(r.snapshot.blockSize, rangeBytes)
	if r.buf == nil {
		r.buf = make([]byte, 2*step)
	}
	held := 0 // bytes in buf from the piece before
	for at := g.Start; at < g.End || held > 0; {
		if len(r.buf)-held < step {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
		want := min(int64(step), g.End-at)
		piece := r.buf[:held+int(want)]
		if err := f.readAt(piece[held:], at); err != nil {
			return err
		}
		if _, err := sum.Write(piece[held:]); err != nil {
			return err
		}
		at += want
		taken, err := parse(p, piece, at == g.End)
		if err != nil {
			return &Error{Path: f.Path, Msg: fmt.Sprintf("at byte %d", at), Err: err}
		}
		held = copy(r.buf, piece[taken:])
		if held > 0 && at == g.End {
			return &Error{Path: f.Path, Msg: fmt.Sprintf("the range that ends at byte %d ends within a record", g.End)}
		}
	}
	return nil
}

// readAt fills p with the bytes from an offset on.
func (f *File) readAt(p []byte, off int64) error {
	n, err := f.file.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return f.shrank(off + int64(n))
	}
	return &Error{Path: f.Path, Msg: fmt.Sprintf("read at byte %d", off), Err: err}
}

func (r *RangeReader) parser(file int) (parser, error) {
	if p, ok := r.parsers[file]; ok {
		return p, nil
	}
	p, err := newParser(r.snapshot.Files[file])
	if err != nil {
		return nil, err
	}
	r.parsers[file] = p
	return p, nil
}
