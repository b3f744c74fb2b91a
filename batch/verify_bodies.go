package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// cover is a range of a chunk or segment while its records are read.
type cover struct {
	store.ChunkRange
	chunk   *chunkProof
	segment *segmentProof // nil: it is the chunk

	sum      *rangeSum
	spooled  bool  // sum is of records, not of the range's bytes
	hashed   int64 // bytes are hashed up to here
	seen     int64 // records
	lastEnd  int64 // of the last record
	lastLine int64
	wrong    string
}

func (c *cover) name() string {
	if c.segment != nil {
		return fmt.Sprintf("segment %d", c.segment.row.Segment)
	}
	return fmt.Sprintf("chunk %d", c.chunk.row.Chunk)
}

// add takes the next record of the range.
func (c *cover) add(b *source.Block, r *seenRecord) {
	if c.seen == 0 && (r.start != c.ByteStart || r.line != c.FirstLine) {
		c.wrong = "does not begin with a record there"
	}
	c.seen++
	c.lastEnd, c.lastLine = r.end, r.lastLine
	if c.spooled {
		hashInto(c.sum, r.json, []byte{'\n'})
	} else {
		c.hashTo(b, r.end)
	}
	if c.segment != nil {
		c.segment.records++
		return
	}
	c.chunk.add(r.json)
}

// hashTo hashes the range's bytes up to an offset in a block.
func (c *cover) hashTo(b *source.Block, end int64) {
	end = min(end, c.ByteEnd)
	from := max(c.hashed, b.Start)
	if c.spooled || from >= end || end > b.Start+int64(len(b.Raw)) {
		return
	}
	hashInto(c.sum, b.Raw[from-b.Start:end-b.Start])
	c.hashed = end
}

// hashInto writes to a hash, which takes everything.
func hashInto(sum *rangeSum, parts ...[]byte) {
	for _, p := range parts {
		if _, err := sum.Write(p); err != nil {
			panic(err)
		}
	}
}

// chunkProof is a chunk of which not all ranges were read yet.
type chunkProof struct {
	row       store.OwnedRange // its first range
	sum       *rangeSum
	body      []byte
	head      int // bytes before its records
	env       *envelope
	past      int64 // records of the ranges that were left behind, by the ledger
	missed    bool  // one of them could not be read
	perRecord []byte
}

func (p *chunkProof) add(record []byte) {
	if p.env.perRecord {
		p.perRecord = append(p.perRecord[:0], record...)
		return
	}
	if len(p.body) > p.head {
		p.body = append(p.body, ',')
	}
	p.body = append(p.body, record...)
}

// bodyProofs builds the bodies of a run anew.
type bodyProofs struct {
	checks *sourceChecks
	shape  shape
	common *envelope
	byFile map[int]*envelope // where bodies carry columns
	taken  *takenNames
	open   map[int64]*chunkProof
	spare  []*chunkProof
	run    *store.Run
}

func newBodyProofs(s *sourceVerifier, files []store.SnapshotFile) (*bodyProofs, error) {
	p := &bodyProofs{checks: &s.checks, shape: s.shape, run: s.run, open: map[int64]*chunkProof{}}
	var err error
	if p.common, err = newEnvelope(s.shape, s.run); err != nil {
		return nil, err
	}
	if p.common.columns {
		p.byFile = map[int]*envelope{}
		for _, f := range files {
			p.byFile[f.File] = p.common.withColumns(f.Columns)
		}
	}
	names := []string{s.shape.BatchKey}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte("{"+s.run.Payload+"}"), &members); err != nil {
		return nil, err
	}
	for name := range members {
		names = append(names, name)
	}
	p.taken, err = newTakenNames(names)
	return p, err
}

// buried says whether a good record is rightly dead for a reason of the plan's
// own.
func (p *bodyProofs) buried(reason string, record []byte) bool {
	switch reason {
	case source.ReasonTooLarge:
		return p.common.size(int64(len(record))) >= p.shape.MaxBytes || p.common.columns
	case reasonNameClash:
		return p.taken.in(record) != ""
	}
	return false
}

// of is the proof of a range's chunk.
func (p *bodyProofs) of(o *store.OwnedRange) *chunkProof {
	c := p.open[o.Chunk]
	if c != nil {
		return c
	}
	if n := len(p.spare); n > 0 {
		c, p.spare = p.spare[n-1], p.spare[:n-1]
		c.sum.Reset()
	} else {
		c = &chunkProof{sum: newRangeSum()}
	}
	c.row, c.past, c.missed, c.env = *o, 0, false, p.common
	if p.byFile != nil {
		c.env = p.byFile[o.File]
	}
	c.body = append(c.body[:0], c.env.head...)
	c.head = len(c.body)
	p.open[o.Chunk] = c
	return c
}

func (p *bodyProofs) cover(o *store.OwnedRange) *cover {
	c := p.of(o)
	return &cover{ChunkRange: o.ChunkRange, chunk: c, sum: c.sum, spooled: o.Spooled, hashed: o.ByteStart}
}

// passed leaves a range of a chunk behind, and with its last one the chunk.
func (p *bodyProofs) passed(g *cover) {
	c := g.chunk
	if c.past += g.Records; c.past < c.row.ChunkRecords {
		return
	}
	p.end(c)
}

// end proves a chunk that was read whole.
func (p *bodyProofs) end(c *chunkProof) {
	if !c.missed {
		p.prove(c)
	}
	delete(p.open, c.row.Chunk)
	p.spare = append(p.spare, c)
}

// prove compares a chunk with what was read for it.
func (p *bodyProofs) prove(c *chunkProof) {
	o := &c.row
	if o.SourceHash != "" {
		if got := sourceHash(c.sum); got != o.SourceHash {
			p.checks.hashes.fail("chunk %d: the bytes of its source hash to %s, by the ledger to %s", o.Chunk, got, o.SourceHash)
		} else {
			p.checks.hashes.proved++
		}
	}
	whole := &store.Chunk{Chunk: o.Chunk, Records: o.ChunkRecords, Key: o.Key}
	switch {
	case !c.env.perRecord:
		c.body = c.env.appendTail(c.body, whole)
	case len(c.perRecord) < len("{}"):
		p.checks.bodies.fail("chunk %d: it has no record", o.Chunk)
		return
	default:
		c.body = c.env.appendRecord(c.body[:0], c.perRecord, whole)
	}
	switch {
	case int64(len(c.body)) != o.BodyBytes:
		p.checks.bodies.fail("chunk %d: its body has %d bytes, by the ledger %d", o.Chunk, len(c.body), o.BodyBytes)
	case o.Bodies == 1 && bodyHash(c.body) != o.BodyHash:
		p.checks.bodies.fail("chunk %d: its body hashes to %s, what went out to %s", o.Chunk, bodyHash(c.body), o.BodyHash)
	default:
		p.checks.bodies.proved++
	}
}

// rangeless proves the trigger of a run without a source.
func (p *bodyProofs) rangeless(ctx context.Context, v *store.View) (err error) {
	rows, err := v.RangelessChunks(ctx, p.run.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		o, ok, err := rows.Next()
		if !ok {
			return err
		}
		p.end(p.of(&o))
	}
}

// segmentProof is a segment of which not all ranges were read yet.
type segmentProof struct {
	row     store.OwnedSegment // its first range
	sum     *rangeSum
	records int64              // seen so far
	past    int64              // of the ranges that were left behind, by the ledger
	places  []store.ChunkRange // of its records, by the ledger; none if they are damaged
}

// segmentProofs hashes the segments of a run anew.
type segmentProofs struct {
	checks *sourceChecks
	run    *store.Run
	view   *store.View
	open   map[int64]*segmentProof
}

func (p *segmentProofs) cover(ctx context.Context, o *store.OwnedSegment) (*cover, error) {
	s := p.open[o.Segment]
	if s == nil {
		places, err := p.view.RecordPlaces(ctx, p.run.ID, o)
		if errors.Is(err, store.ErrPlaces) {
			p.checks.ranges.fail("segment %d: %v", o.Segment, err)
			err = nil
		}
		if err != nil {
			return nil, err
		}
		s = &segmentProof{row: *o, sum: newRangeSum(), places: places}
		p.open[o.Segment] = s
	}
	return &cover{ChunkRange: o.ChunkRange, segment: s, sum: s.sum, spooled: o.Spool != nil, hashed: o.ByteStart}, nil
}

func (p *segmentProofs) passed(g *cover) {
	s := g.segment
	if s.past += g.Records; s.past < s.row.SegmentRecords {
		return
	}
	delete(p.open, s.row.Segment)
	if got := sourceHash(s.sum); got != s.row.SourceHash {
		p.checks.hashes.fail("segment %d: the bytes of its source hash to %s, by the ledger to %s", s.row.Segment, got, s.row.SourceHash)
		return
	}
	p.checks.hashes.proved += s.row.SegmentRecords
}
