package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
)

// Places are where the records of a segment, or of a spooled chunk, lie, packed:
// two bytes for most. A
// record has its length, doubled; 1 is added if it does not simply follow the one
// before, on the next line and on one line alone. Then come the gap to the end of
// the one before, the lines to its last line, and how many more lines it has. All
// are signed varints; the first record follows offset 0 and line 0.
type Places struct {
	packed []byte
	end    int64 // of the last one
	line   int64 // its last
}

// Add adds the place of the next record. The file is not kept: who has the places
// knows it.
func (p *Places) Add(g ChunkRange) {
	length, gap, lines, more := g.ByteEnd-g.ByteStart, g.ByteStart-p.end, g.FirstLine-p.line, g.LastLine-g.FirstLine
	if gap == 0 && lines == 1 && more == 0 {
		p.packed = binary.AppendVarint(p.packed, length<<1)
	} else {
		p.packed = binary.AppendVarint(p.packed, length<<1|1)
		for _, v := range [...]int64{gap, lines, more} {
			p.packed = binary.AppendVarint(p.packed, v)
		}
	}
	p.end, p.line = g.ByteEnd, g.LastLine
}

// Reset empties them.
func (p *Places) Reset() { *p = Places{packed: p.packed[:0]} }

// Packed is what the ledger keeps, valid until the next call.
func (p *Places) Packed() []byte { return p.packed }

// ErrPlaces means that packed places are not what Places makes.
var ErrPlaces = errors.New("the places of records are damaged")

// UnpackPlaces returns the places that were added, each as a range of one record of
// a file.
func UnpackPlaces(packed []byte, file int) (list []ChunkRange, err error) {
	var end, line int64
	next := func() (v int64) {
		v, n := binary.Varint(packed)
		if n <= 0 {
			packed, err = nil, ErrPlaces
			return 0
		}
		packed = packed[n:]
		return v
	}
	for len(packed) > 0 {
		length, gap, lines, more := next(), int64(0), int64(1), int64(0)
		if length&1 != 0 {
			gap, lines, more = next(), next(), next()
		}
		start, first := end+gap, line+lines
		end, line = start+length>>1, first+more
		list = append(list, ChunkRange{File: file, ByteStart: start, ByteEnd: end, FirstLine: first, LastLine: line, Records: 1})
	}
	return list, err
}

const placesOfSegment = `SELECT places FROM segment_places WHERE run = ? AND segment = ?`

// RecordPlaces returns where each record of a segment lies, in order.
func (r *Reader) RecordPlaces(ctx context.Context, run int64, s *Segment) ([]ChunkRange, error) {
	return readPlaces(r.ro.QueryRowContext(ctx, placesOfSegment, run, s.Segment), s.Ranges[0].File, s.Records)
}

// readPlaces reads the places of so many records of a file.
func readPlaces(row *sql.Row, file int, records int64) ([]ChunkRange, error) {
	var packed []byte
	if err := row.Scan(&packed); err != nil {
		return nil, err
	}
	list, err := UnpackPlaces(packed, file)
	if err == nil && int64(len(list)) != records {
		err = ErrPlaces
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// describe fills in what the segment knows of one of its chunks.
func (s *Segment) describe(c *Chunk, places []ChunkRange) {
	at := c.Chunk - s.FirstChunk
	c.Records, c.SourceHash, c.Key, c.Segment, c.Ranges = 1, s.SourceHash, Key(s.KeyPrefix, c.Chunk), s.Segment, places[at:at+1:at+1]
	if s.Spool != nil {
		c.Spool = &SpoolRange{Start: s.Spool.Start, End: s.Spool.End, Line: at + 1}
	}
}

// Record returns a chunk of a segment as it was planned, but for its BodyBytes, which
// only its source tells.
func (r *Reader) Record(ctx context.Context, run int64, s *Segment, chunk int64) (*Chunk, error) {
	places, err := r.RecordPlaces(ctx, run, s)
	if err != nil {
		return nil, err
	}
	c := &Chunk{Chunk: chunk, State: s.State, Reason: s.Reason}
	s.describe(c, places)
	return c, nil
}
