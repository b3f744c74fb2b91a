package batch

import (
	"bytes"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// segmentReader reads one segment at a time and makes chunks of its records. One
// goroutine uses it. It keeps a segment in memory.
type segmentReader struct {
	*bodyBuilder // for what it reads from; it builds no body
	segment      store.Segment
	text         []byte // the records' JSON
	ends         []int  // where each record ends in text
}

func (rec *records) newSegmentReader() (*segmentReader, error) {
	b, err := rec.newBuilder()
	if err != nil {
		return nil, err
	}
	return &segmentReader{bodyBuilder: b}, nil
}

// load reads a segment. Its records are those that were planned, or there is a
// *SourceChangedError and none.
func (s *segmentReader) load(seg store.Segment) error {
	s.segment, s.text, s.ends = seg, s.text[:0], s.ends[:0]
	s.sum.Reset()
	var err error
	switch {
	case seg.Spool != nil:
		err = s.loadFromSpool()
	case s.records.changed != nil:
		err = s.records.changed
	default:
		err = s.loadFromFile()
	}
	if err == nil && int64(len(s.ends)) != seg.Records {
		err = s.otherwise(fmt.Sprintf("has %d records instead of %d", len(s.ends), seg.Records))
	}
	if err == nil && sourceHash(s.sum) != seg.SourceHash {
		err = s.otherwise("has other bytes")
	}
	if err != nil {
		s.ends = s.ends[:0]
	}
	return err
}

// otherwise is the error of a segment that is not what was planned.
func (s *segmentReader) otherwise(how string) error {
	how += fmt.Sprintf(" for chunks %d to %d", s.segment.FirstChunk, s.segment.LastChunk())
	return s.changed(&store.Chunk{Ranges: s.segment.Ranges}, how)
}

func (s *segmentReader) loadFromFile() error {
	for _, g := range s.segment.Ranges {
		file, ok := s.records.index[g.File]
		if !ok || s.ranges == nil {
			return s.otherwise("is not open")
		}
		before := len(s.ends)
		err := s.ranges.EachRecord(source.Range{File: file, Start: g.ByteStart, End: g.ByteEnd}, s.sum, func(rec source.RangeRecord) error {
			s.add(rec.JSON)
			return nil
		})
		if err != nil {
			return s.otherwise("cannot be read as planned (" + err.Error() + ")")
		}
		if n := int64(len(s.ends) - before); n != g.Records {
			return s.otherwise(fmt.Sprintf("has %d records instead of %d in a range", n, g.Records))
		}
	}
	return nil
}

func (s *segmentReader) add(text []byte) {
	s.text = append(s.text, text...)
	s.ends = append(s.ends, len(s.text))
}

// loadFromSpool takes the lines of the segment's frame.
func (s *segmentReader) loadFromSpool() error {
	lines, err := s.readFrame(s.segment.Spool)
	if err != nil {
		return s.otherwise("cannot be read as planned (" + err.Error() + ")")
	}
	if _, err := s.sum.Write(lines); err != nil {
		return err
	}
	for len(lines) > 0 {
		n := bytes.IndexByte(lines, '\n')
		s.add(lines[:n])
		lines = lines[n+1:]
	}
	return nil
}

// chunk makes the chunk of a record of the loaded segment, without its place, and
// returns with it the record's JSON, which is the caller's.
func (s *segmentReader) chunk(number int64) (*store.Chunk, []byte) {
	at, from := number-s.segment.FirstChunk, 0
	if at > 0 {
		from = s.ends[at-1]
	}
	text := bytes.Clone(s.text[from:s.ends[at]])
	return &store.Chunk{
		Chunk: number, State: store.ChunkPlanned, Records: 1, BodyBytes: s.records.envelope.recordSize(text, number),
		SourceHash: s.segment.SourceHash, Key: store.Key(s.segment.KeyPrefix, number), Segment: s.segment.Segment,
	}, text
}

// maxFrame bounds the frame of a spooled segment: its records, and the one that
// made it full.
func (rec *records) maxFrame() int64 { return segmentBytes + rec.maxBytes + segmentRecords }

// readFrame reads the lines of a spooled segment, all with a newline, valid until
// the next call.
func (b *bodyBuilder) readFrame(g *store.SpoolRange) (lines []byte, err error) {
	if b.records.spool == nil {
		return nil, errGone
	}
	if b.frame, err = b.frames.appendFrame(b.frame[:0], b.records.spool, *g, b.records.maxFrame()); err != nil {
		return nil, err
	}
	b.frame = append(b.frame, '\n')
	return b.frame, nil
}

// fillRecord builds the body of a chunk that is one record, read again by its
// place. That of a segment has no hash of its own: the last attempt's body tells
// whether it is the same.
func (b *bodyBuilder) fillRecord(c *store.Chunk) error {
	record, err := b.readRecord(c)
	if err != nil {
		return err
	}
	if len(record) < len("{}") {
		return b.changed(c, fmt.Sprintf("has no record for chunk %d", c.Chunk))
	}
	b.buf = b.records.envelope.appendRecord(b.buf[:0], record, c)
	if c.Segment == 0 && c.SourceHash != linesHash(record) || c.BodyHash != "" && c.BodyHash != bodyHash(b.buf) {
		return b.changed(c, fmt.Sprintf("has other bytes for chunk %d", c.Chunk))
	}
	return nil
}

func (b *bodyBuilder) readRecord(c *store.Chunk) (record []byte, err error) {
	if c.Spool != nil {
		lines, err := b.readFrame(c.Spool)
		if err != nil {
			return nil, b.changed(c, "cannot be read as planned: "+err.Error())
		}
		for range c.Spool.Line {
			record, lines, _ = bytes.Cut(lines, []byte{'\n'})
		}
		return record, nil
	}
	if b.records.changed != nil {
		return nil, b.records.changed
	}
	g := c.Ranges[0]
	file, ok := b.records.index[g.File]
	if !ok || b.ranges == nil {
		return nil, b.changed(c, "is not open")
	}
	var n int
	b.frame, n, err = b.ranges.AppendRange(b.frame[:0], source.Range{File: file, Start: g.ByteStart, End: g.ByteEnd}, b.sum)
	if err != nil || n != 1 {
		return nil, b.changed(c, fmt.Sprintf("cannot be read as planned: %d records, error %v", n, err))
	}
	return b.frame, nil
}
