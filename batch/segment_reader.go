package batch

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// segmentReader reads one segment at a time and makes chunks of its records. One
// goroutine uses it. It keeps a segment in memory.
type segmentReader struct {
	*bodyBuilder // for what it reads from; it builds no body
	run          *store.Run
	segment      store.Segment
	text         []byte // the records' JSON
	list         []segmentRecord
}

// segmentRecord is one record of a loaded segment.
type segmentRecord struct {
	place    store.ChunkRange
	hash     [16]byte // of its source bytes
	from, to int      // within text
}

func (rec *records) newSegmentReader(run *store.Run) (*segmentReader, error) {
	b, err := rec.newBuilder()
	if err != nil {
		return nil, err
	}
	return &segmentReader{bodyBuilder: b, run: run}, nil
}

// load reads a segment. Its records are those that were planned, or there is a
// *SourceChangedError and none.
func (s *segmentReader) load(seg store.Segment) error {
	s.segment, s.text, s.list = seg, s.text[:0], s.list[:0]
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
	if err == nil && int64(len(s.list)) != seg.Records {
		err = s.otherwise(fmt.Sprintf("has %d records instead of %d", len(s.list), seg.Records))
	}
	if err == nil && sourceHash(s.sum) != seg.SourceHash {
		err = s.otherwise("has other bytes")
	}
	if err != nil {
		s.list = s.list[:0]
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
		before := len(s.list)
		err := s.ranges.EachRecord(source.Range{File: file, Start: g.ByteStart, End: g.ByteEnd}, s.sum, func(rec source.RangeRecord) error {
			s.add(rec.JSON, rec.Raw, store.ChunkRange{
				File: g.File, ByteStart: rec.Start, ByteEnd: rec.End,
				FirstLine: g.FirstLine + rec.Line, LastLine: g.FirstLine + rec.LastLine, Records: 1,
			})
			return nil
		})
		if err != nil {
			return s.otherwise("cannot be read as planned (" + err.Error() + ")")
		}
		if n := int64(len(s.list) - before); n != g.Records {
			return s.otherwise(fmt.Sprintf("has %d records instead of %d in a range", n, g.Records))
		}
	}
	return nil
}

func (s *segmentReader) add(text, raw []byte, place store.ChunkRange) {
	from := len(s.text)
	s.text = append(s.text, text...)
	s.list = append(s.list, segmentRecord{place: place, hash: recordHash(raw), from: from, to: len(s.text)})
}

// loadFromSpool takes the lines of the segment's frame, of which the last has
// the records' places.
func (s *segmentReader) loadFromSpool() error {
	lines, err := s.readFrame(s.segment.Spool)
	if err != nil {
		return s.otherwise("cannot be read as planned (" + err.Error() + ")")
	}
	if _, err := s.sum.Write(lines); err != nil {
		return err
	}
	end := bytes.LastIndexByte(lines[:len(lines)-1], '\n') + 1
	var places []int64
	if err := json.Unmarshal(lines[end:], &places); err != nil || len(places) != placeNumbers*bytes.Count(lines[:end], []byte{'\n'}) {
		return s.otherwise("has no places")
	}
	for lines = lines[:end]; len(lines) > 0; places = places[placeNumbers:] {
		n := bytes.IndexByte(lines, '\n')
		s.add(lines[:n], lines[:n+1], store.ChunkRange{
			File: s.segment.Ranges[0].File, ByteStart: places[0], ByteEnd: places[1], FirstLine: places[2], LastLine: places[3], Records: 1,
		})
		lines = lines[n+1:]
	}
	return nil
}

// chunk makes the chunk of a record of the loaded segment, and returns with it
// the record's JSON, which is the caller's.
func (s *segmentReader) chunk(number int64) (*store.Chunk, []byte) {
	at := number - s.segment.FirstChunk
	rec := &s.list[at]
	text := bytes.Clone(s.text[rec.from:rec.to])
	c := &store.Chunk{
		Chunk: number, State: store.ChunkPlanned, Records: 1, BodyBytes: s.records.envelope.recordSize(text, number),
		SourceHash: hashPrefix + hex.EncodeToString(rec.hash[:]), Key: chunkKey(s.run, s.segment.SourceHash, number),
		Ranges: []store.ChunkRange{rec.place},
	}
	if spool := s.segment.Spool; spool != nil {
		c.Spool = &store.SpoolRange{Start: spool.Start, End: spool.End, Line: at + 1}
	}
	return c, text
}

// atLine is the number of the chunk that has a line, or 0.
func (s *segmentReader) atLine(line int64) int64 {
	for i := range s.list {
		if p := &s.list[i].place; p.FirstLine <= line && line <= p.LastLine {
			return s.segment.FirstChunk + int64(i)
		}
	}
	return 0
}

// maxFrame bounds the frame of a spooled segment: its records, the one that made
// it full, and their places.
func (rec *records) maxFrame() int64 {
	return segmentBytes + rec.maxBytes + segmentRecords*placeNumbers*20
}

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

// fillRecord builds the body of a chunk that is one record, read again by the
// place that its row has.
func (b *bodyBuilder) fillRecord(c *store.Chunk) error {
	record, err := b.readRecord(c)
	if err != nil {
		return err
	}
	if sourceHash(b.sum) != c.SourceHash || len(record) < len("{}") {
		return b.changed(c, fmt.Sprintf("has other bytes for chunk %d", c.Chunk))
	}
	b.buf = b.records.envelope.appendRecord(b.buf[:0], record, c)
	return nil
}

func (b *bodyBuilder) readRecord(c *store.Chunk) (record []byte, err error) {
	b.sum.Reset()
	if c.Spool != nil {
		lines, err := b.readFrame(c.Spool)
		if err != nil {
			return nil, b.changed(c, "cannot be read as planned: "+err.Error())
		}
		for range c.Spool.Line {
			record, lines, _ = bytes.Cut(lines, []byte{'\n'})
		}
		_, err = b.sum.Write(append(bytes.Clone(record), '\n'))
		return record, err
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
