package batch

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// With mode "records" a chunk is one record, and a plan does not name them one by
// one: it has segments, runs of records with one hash. A segment is read whole
// and compared before the first of its records goes out; a record's own length
// comes into the ledger with its first outcome.

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

// addPlaces remembers where records lie: those of a segment, and those that are
// spooled, of which the spool's lines do not say.
func (p *packer) addPlaces(at *place, records []source.Record) {
	to, b := &p.places, at.block
	if !p.envelope.perRecord {
		if p.spool == nil {
			return
		}
		to = &p.spool.places
	}
	for i := range records {
		rec := &records[i]
		to.Add(store.ChunkRange{
			ByteStart: b.Start + int64(rec.Start), ByteEnd: b.Start + int64(rec.End),
			FirstLine: b.FirstLine + int64(rec.Line), LastLine: b.FirstLine + int64(rec.LastLine),
		})
	}
}

// cutSegment ends the open segment.
func (p *packer) cutSegment() (err error) {
	p.segments++
	s := store.Segment{
		Segment: p.segments, State: store.ChunkPlanned, FirstChunk: p.number, Records: p.records, Ranges: slices.Clone(p.ranges),
		SourceHash: sourceHash(p.sum), Places: bytes.Clone(p.places.Packed()),
	}
	s.KeyPrefix = keyPrefix(p.run, s.SourceHash)
	if p.spool != nil {
		if s.Spool, err = p.spool.endFrame(); err != nil {
			return err
		}
	}
	p.begin(p.number + p.records)
	return p.segment(s)
}

// FindChunk returns a chunk of a run: its row, or one as it would be written, if
// it is still only in its segment. Where its source has changed since, such a
// chunk has no BodyBytes. No such number is sql.ErrNoRows.
func FindChunk(ctx context.Context, r *store.Reader, run *store.Run, number int64) (*store.Chunk, error) {
	c, err := r.Chunk(ctx, run.ID, number)
	if !errors.Is(err, sql.ErrNoRows) {
		return c, err
	}
	seg, err := r.SegmentOf(ctx, run.ID, number)
	if err != nil {
		return nil, err
	}
	if c, err = r.Record(ctx, run.ID, seg, number); err != nil {
		return nil, err
	}
	attempts, err := r.Attempts(ctx, run.ID, number)
	if err != nil {
		return nil, err
	}
	if n := len(attempts); n > 0 && attempts[n-1].FinishedAt == nil {
		c.State, c.BodyBytes = store.ChunkSending, attempts[n-1].BodyBytes
		return c, nil
	}
	c.BodyBytes, err = plannedBytes(ctx, r, run, seg, number)
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		err = nil
	}
	return c, err
}

// plannedBytes reads a record's segment to tell the length of its body.
func plannedBytes(ctx context.Context, r *store.Reader, run *store.Run, seg *store.Segment, number int64) (n int64, err error) {
	rec, err := openStored(ctx, r, run)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rec.close()) }()
	s, err := rec.newSegmentReader()
	if err != nil {
		return 0, err
	}
	defer s.close()
	if err := s.load(*seg); err != nil {
		return 0, err
	}
	c, _ := s.chunk(number)
	return c.BodyBytes, nil
}
