package batch

import (
	"bytes"
	"errors"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// A chunk that is too large for its flow is split in two at the record next to
// the middle of its bytes. Its parts get their own numbers, keys and hashes, and
// together they are its records, in order.

// halves reads a chunk's source again and makes its two parts, numbered from first
// on. It needs two records or more. A source that is not what was planned is a
// *SourceChangedError, and errNoPlaces means that the records of a redrive's chunk
// are there, but not where they lay. Other errors are the spool's, to which the
// parts of a spooled chunk are added.
func (b *bodyBuilder) halves(run *store.Run, c *store.Chunk, first int64) ([]store.Chunk, error) {
	records, lines, err := b.locate(c)
	if err != nil {
		return nil, err
	}
	middle := middleOf(records)
	list := make([]store.Chunk, 2)
	for i, part := range [][]located{records[:middle], records[middle:]} {
		list[i] = store.Chunk{
			Chunk: first + int64(i), Parent: c.Chunk, State: store.ChunkPlanned, Records: int64(len(part)), Ranges: rangesOf(part),
		}
	}
	if c.Spool != nil {
		err = b.spoolHalves(list, lines, records)
	} else {
		err = b.hashHalves(c, list)
	}
	if err != nil {
		return nil, err
	}
	env := b.records.envelopeOf(c)
	for i, part := range [][]located{records[:middle], records[middle:]} {
		joined := int64(len(part) - 1) // the commas
		for _, r := range part {
			joined += r.size
		}
		list[i].BodyBytes = env.exactSize(joined, list[i].Chunk, list[i].Records)
		list[i].Key = chunkKey(run, list[i].SourceHash, list[i].Chunk)
	}
	return list, nil
}

// located is a record of a chunk: where it lies, and in which of its ranges.
type located struct {
	store.ChunkRange
	part int
	size int64 // of its JSON
}

// locate finds the records of a chunk; lines are those of its spooled frame, each
// with its newline.
func (b *bodyBuilder) locate(c *store.Chunk) (list []located, lines []byte, err error) {
	b.sum.Reset()
	switch {
	case c.Spool != nil:
		list, lines, err = b.locateInSpool(c)
	case b.records.changed != nil:
		err = b.records.changed
	default:
		list, err = b.locateInFiles(c)
	}
	if err == nil && (int64(len(list)) != c.Records || sourceHash(b.sum) != c.SourceHash) {
		err = b.changed(c, fmt.Sprintf("has other bytes for chunk %d", c.Chunk))
	}
	return list, lines, err
}

func (b *bodyBuilder) locateInFiles(c *store.Chunk) (list []located, err error) {
	for part, g := range c.Ranges {
		err := b.eachRecord(c, g, func(r source.RangeRecord) error {
			at := store.ChunkRange{
				File: g.File, ByteStart: r.Start, ByteEnd: r.End, FirstLine: g.FirstLine + r.Line, LastLine: g.FirstLine + r.LastLine, Records: 1,
			}
			list = append(list, located{at, part, int64(len(r.JSON))})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// eachRecord reads one range of a chunk record by record.
func (b *bodyBuilder) eachRecord(c *store.Chunk, g store.ChunkRange, fn func(source.RangeRecord) error) error {
	if why := b.records.gone[g.File]; why != nil {
		return why
	}
	file, ok := b.records.index[g.File]
	if !ok || b.ranges == nil {
		return b.changed(c, "is not open")
	}
	if err := b.ranges.EachRecord(source.Range{File: file, Start: g.ByteStart, End: g.ByteEnd}, b.sum, fn); err != nil {
		return b.changed(c, "cannot be read as planned: "+err.Error())
	}
	return nil
}

func (b *bodyBuilder) locateInSpool(c *store.Chunk) (list []located, lines []byte, err error) {
	if b.records.spool == nil {
		return nil, nil, b.changed(c, errGone.Error())
	}
	if lines, err = b.frames.appendFrame(make([]byte, 0, c.BodyBytes), b.records.spool, *c.Spool, c.BodyBytes); err != nil {
		return nil, nil, b.changed(c, "cannot be read as planned: "+err.Error())
	}
	lines = append(lines, '\n')
	if _, err := b.sum.Write(lines); err != nil {
		return nil, nil, err
	}
	at, err := readPlaces(b.records.spool, *c.Spool)
	if errors.Is(err, errNoPlaces) {
		return nil, nil, err
	}
	if err != nil || int64(len(at)) != c.Records || bytes.Count(lines, []byte{'\n'}) != len(at) {
		return nil, nil, b.changed(c, fmt.Sprintf("cannot be read as planned: %d places, error %v", len(at), err))
	}
	rest := lines
	for part, g := range c.Ranges {
		for range g.Records {
			n := bytes.IndexByte(rest, '\n')
			place := at[len(list)]
			place.File = g.File
			list = append(list, located{place, part, int64(n)})
			rest = rest[n+1:]
		}
	}
	return list, lines, nil
}

// middleOf is the record with which the second half begins: both halves have one,
// and their bytes differ as little as may be.
func middleOf(records []located) int {
	total := int64(0)
	for _, r := range records {
		total += r.size
	}
	middle, before := 1, records[0].size
	for middle < len(records)-1 && 2*before+records[middle].size <= total {
		before += records[middle].size
		middle++
	}
	return middle
}

// rangesOf joins records that follow each other in one range of their chunk.
func rangesOf(records []located) (list []store.ChunkRange) {
	for i, r := range records {
		if i == 0 || records[i-1].part != r.part {
			list = append(list, store.ChunkRange{File: r.File, ByteStart: r.ByteStart, FirstLine: r.FirstLine})
		}
		last := &list[len(list)-1]
		last.ByteEnd, last.LastLine = r.ByteEnd, r.LastLine
		last.Records++
	}
	return list
}

// hashHalves hashes the bytes of the parts' ranges.
func (b *bodyBuilder) hashHalves(c *store.Chunk, parts []store.Chunk) error {
	for i := range parts {
		b.sum.Reset()
		for _, g := range parts[i].Ranges {
			n := int64(0)
			err := b.eachRecord(c, g, func(source.RangeRecord) error { n++; return nil })
			if err != nil {
				return err
			}
			if n != g.Records {
				return b.changed(c, fmt.Sprintf("has other bytes for chunk %d", c.Chunk))
			}
		}
		parts[i].SourceHash = sourceHash(b.sum)
	}
	return nil
}

// spoolHalves adds a frame for each part to the spool, durably. One goroutine at a
// time may do so. What is added in vain stays, named by no row.
func (b *bodyBuilder) spoolHalves(parts []store.Chunk, lines []byte, records []located) error {
	s, err := extendSpool(b.records.spool.Name())
	if err != nil {
		return err
	}
	for i := range parts {
		size := int64(0)
		for _, r := range records[:parts[i].Records] {
			size += r.size + 1
			s.places.Add(r.ChunkRange)
		}
		b.sum.Reset()
		_, err = b.sum.Write(lines[:size])
		if err == nil {
			err = s.write(lines[:size])
		}
		if err == nil {
			parts[i].Spool, err = s.endFrame()
		}
		if err != nil {
			return s.abandon(err)
		}
		parts[i].SourceHash = sourceHash(b.sum)
		lines, records = lines[size:], records[parts[i].Records:]
	}
	if err := s.sync(); err != nil {
		return s.abandon(err)
	}
	return s.close()
}
