package batch

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// With mode "records" a chunk is one record, and a plan does not name them one by
// one: it has segments, runs of records with one hash. A segment is read whole
// and compared before the first of its records goes out; a record's own place,
// length and hash come into the ledger with its first intent.

// A segment has so many records at most, and so many bytes of JSON, unless its
// only record is larger.
const (
	segmentRecords = 10_000
	segmentBytes   = 8 << 20
)

// clashOf returns a taken name that a record has; "" if it has none.
func (p *packer) clashOf(at *place, rec *source.Record) string {
	if !p.each {
		return p.clash
	}
	return p.taken.in(at.block.JSON[at.json : at.json+int64(rec.Size)])
}

func (p *packer) nameClash(at *place, rec *source.Record, name string) error {
	return p.buryRecord(at, rec, reasonNameClash, fmt.Sprintf("its member %q has the name of a member that each body has: rename it, or the payload's or batch_key", name))
}

// placeNumbers is how many numbers make a place in a spooled segment.
const placeNumbers = 4

// addPlaces remembers where records lie, if they are spooled: the spool's lines
// do not say.
func (p *packer) addPlaces(at *place, records []source.Record) {
	if p.spool == nil {
		return
	}
	b := at.block
	for i := range records {
		rec := &records[i]
		if p.envelope.perRecord {
			p.places = append(p.places, b.Start+int64(rec.Start), b.Start+int64(rec.End), b.FirstLine+int64(rec.Line), b.FirstLine+int64(rec.LastLine))
		} else {
			p.spool.places.add(recordPlace{b.Start + int64(rec.Start), b.Start + int64(rec.End), b.FirstLine + int64(rec.Line), b.FirstLine + int64(rec.LastLine)})
		}
	}
}

// cutSegment ends the open segment. In the spool a line with its records' places
// follows them in their frame.
func (p *packer) cutSegment() error {
	p.segments++
	s := store.Segment{Segment: p.segments, State: store.ChunkPlanned, FirstChunk: p.number, Records: p.records, Ranges: slices.Clone(p.ranges)}
	if p.spool != nil {
		line, err := json.Marshal(p.places)
		if err != nil {
			return err
		}
		line = append(line, '\n')
		if err := p.spool.write(line); err != nil {
			return err
		}
		if _, err := p.sum.Write(line); err != nil {
			return err
		}
		if s.Spool, err = p.spool.endFrame(); err != nil {
			return err
		}
	}
	s.SourceHash = sourceHash(p.sum)
	p.begin(p.number + p.records)
	return p.segment(s)
}

// FindChunk returns a chunk of a run: its row, or one as it would be written, if
// it is still only in its segment. Where its source has changed since, such a
// chunk has no BodyBytes, and SourceHash and Ranges are its segment's. No such
// number is sql.ErrNoRows.
func FindChunk(ctx context.Context, r *store.Reader, run *store.Run, number int64) (*store.Chunk, error) {
	c, err := r.Chunk(ctx, run.ID, number)
	if !errors.Is(err, sql.ErrNoRows) {
		return c, err
	}
	seg, err := r.SegmentOf(ctx, run.ID, number)
	if err != nil {
		return nil, err
	}
	c, err = readChunk(ctx, r, run, seg, func(*segmentReader) int64 { return number })
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		c, err = &store.Chunk{
			Chunk: number, Records: 1, SourceHash: seg.SourceHash, Key: chunkKey(run, seg.SourceHash, number), Ranges: seg.Ranges,
		}, nil
	}
	if err != nil {
		return nil, err
	}
	c.State, c.Reason = seg.State, seg.Reason
	return c, nil
}

// ChunkAtLine returns the number of the chunk that has a line of its segment's
// file; 0 if the line is of no record that goes out. Where the source has changed
// since, it is a *SourceChangedError.
func ChunkAtLine(ctx context.Context, r *store.Reader, run *store.Run, segment, line int64) (number int64, err error) {
	seg, err := r.Segment(ctx, run.ID, segment)
	if err != nil {
		return 0, err
	}
	_, err = readChunk(ctx, r, run, seg, func(s *segmentReader) int64 {
		number = s.atLine(line)
		return number
	})
	return number, err
}

// readChunk loads a segment and makes the chunk that pick names by its number;
// nil for 0.
func readChunk(ctx context.Context, r *store.Reader, run *store.Run, seg *store.Segment, pick func(*segmentReader) int64) (c *store.Chunk, err error) {
	rec, err := openStored(ctx, r, run)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rec.close()) }()
	s, err := rec.newSegmentReader(run)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.load(*seg); err != nil {
		return nil, err
	}
	if number := pick(s); number != 0 {
		c, _ = s.chunk(number)
	}
	return c, nil
}
