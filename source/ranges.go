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

// rangeBytes is read of a range at once.
const rangeBytes = 256 << 10

// RangeReader turns ranges back into JSON. It belongs to one goroutine and
// keeps rangeBytes, or the longest record if that is more.
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
	f := r.snapshot.Files[g.File]
	p, err := r.parser(g.File)
	if err != nil {
		return dst, 0, err
	}
	if r.buf == nil {
		r.buf = make([]byte, min(r.snapshot.blockSize, rangeBytes))
	}
	total, held := 0, 0 // records; bytes in buf from the piece before
	for at := g.Start; at < g.End || held > 0; {
		if held == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
		want := min(int64(len(r.buf)-held), g.End-at)
		n, err := f.file.ReadAt(r.buf[held:held+int(want)], at)
		if errors.Is(err, io.EOF) && int64(n) < want {
			return dst, total, f.shrank(at + int64(n))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return dst, total, &Error{Path: f.Path, Msg: fmt.Sprintf("read at byte %d", at), Err: err}
		}
		if _, err := sum.Write(r.buf[held : held+n]); err != nil {
			return dst, total, err
		}
		at += int64(n)
		piece := r.buf[:held+n]
		dst, err = r.encode(p, dst, piece, at == g.End)
		if err != nil {
			return dst, total, &Error{Path: f.Path, Msg: fmt.Sprintf("at byte %d", at), Err: err}
		}
		total += r.found.count
		held = copy(r.buf, piece[r.found.consumed:])
		if held > 0 && at == g.End {
			return dst, total, &Error{Path: f.Path, Msg: fmt.Sprintf("the range that ends at byte %d ends within a record", g.End)}
		}
	}
	if total > 0 {
		dst = dst[:len(dst)-1] // the last comma
	}
	return dst, total, nil
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

// encode appends the records of a piece to dst, each with a comma behind it.
func (r *RangeReader) encode(p parser, dst, piece []byte, last bool) ([]byte, error) {
	r.found.reset()
	r.found.json = dst
	p.parse(piece, job{last: last, encode: true, sep: ',', known: true}, &r.found)
	dst, r.found.json = r.found.json, nil
	if r.found.stop == stopSkip {
		return dst, errors.New("a record has no end in bounds")
	}
	return dst, nil
}
