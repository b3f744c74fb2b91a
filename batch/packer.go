package batch

import (
	"encoding/hex"
	"fmt"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// packer cuts the records of a run into chunks. This is where a chunk ends: the
// next record goes into it if the body stays strictly below MaxBytes (and within
// what the flow may get, if it refused larger ones), and below MaxRecords if that
// is set; else a new chunk begins with that record. Chunks
// run on from one file into the next.
//
// It sees each record once, in order, knows it by size and place alone, and
// keeps one chunk in memory.
type packer struct {
	envelope *envelope
	chunk    ChunkOptions
	limit    int64 // a body that has more than one record has so many bytes at most; 0: MaxBytes alone counts
	run      *store.Run
	spool    *spoolWriter // nil: chunks point into the files
	gapless  bool         // ranges hold nothing but records that go out
	taken    *takenNames  // with mode "records"
	emit     func(store.Chunk) error
	segment  func(store.Segment) error // in place of emit with mode "records"
	dead     func(store.DeadLetter) error

	number  int64 // of the chunk that is being filled; of a segment's first one
	records int64
	joined  int64 // bytes of its records and the commas between them
	ranges  []store.ChunkRange
	sum     *rangeSum // over the bytes of its ranges

	segments int64        // emitted so far
	places   store.Places // of the records in the open segment
	clash    string       // a taken name that all records of the file have; "" if none
	each     bool         // the file's records have to be looked at for taken names

	totals packTotals
}

// packTotals counts records.
type packTotals struct {
	records   int64 // seen, good and bad
	filtered  int64 // left out by the user's own rule
	unchanged int64 // accepted in an earlier run
	elsewhere int64 // still owned by an earlier run
	dead      int64
}

func newPacker(p packer) *packer {
	p.number, p.sum = 1, newRangeSum()
	return &p
}

// place is where the packer is within one block.
type place struct {
	file  int
	block *source.Block
	known *earlier // what earlier runs did with this file; nil: nothing
	// The piece of the block that belongs to the open range but is not hashed yet.
	pieceStart, pieceEnd int64 // within block.Raw; pieceStart is -1 while there is none
	jsonStart, jsonEnd   int64 // the same piece within block.JSON
	json                 int64 // offset of the current record there
	record               int   // its number in block.Records
}

// beginFile takes note of the names of a file's members; nil: records differ.
// Where bodies carry the names, a chunk ends where they change, and it returns
// them as a JSON list. A segment ends with its file.
func (p *packer) beginFile(columns []string) (text string, err error) {
	if p.envelope.perRecord {
		p.clash, p.each = p.taken.among(columns), columns == nil
		return "", p.cut(nil)
	}
	if !p.envelope.columns {
		return "", nil
	}
	if text, err = columnsText(columns); err != nil || text == p.envelope.text {
		return text, err
	}
	if err := p.cut(nil); err != nil {
		return "", err
	}
	p.envelope = p.envelope.withColumns(text)
	return text, nil
}

// block packs the records of one block.
func (p *packer) block(file int, b *source.Block, known *earlier) error {
	p.totals.records += b.Filtered
	p.totals.filtered += b.Filtered
	at := place{file: file, block: b, known: known, pieceStart: -1}
	bad := 0
	for i := 0; i < len(b.Records); i++ {
		rec := &b.Records[i]
		for bad < len(b.Bad) && b.Bad[bad].Start < b.Start+int64(rec.Start) {
			if err := p.deadLetter(&at, b.Bad[bad]); err != nil {
				return err
			}
			bad++
		}
		at.record = i
		if err := p.record(&at, rec); err != nil {
			return err
		}
		at.json += int64(rec.Size) + 1
		if bad == len(b.Bad) {
			i += p.follow(&at, b.Records[i+1:])
		}
	}
	for ; bad < len(b.Bad); bad++ {
		if err := p.deadLetter(&at, b.Bad[bad]); err != nil {
			return err
		}
	}
	return p.endPiece(&at)
}

func (p *packer) record(at *place, rec *source.Record) error {
	p.totals.records++
	if at.known != nil {
		if skip, err := p.skip(at, rec); skip || err != nil {
			return err
		}
	}
	if p.envelope.perRecord {
		if name := p.clashOf(at, rec); name != "" {
			return p.nameClash(at, rec, name)
		}
	}
	size := int64(rec.Size)
	if p.envelope.size(size) >= p.chunk.MaxBytes {
		return p.tooLarge(at, rec)
	}
	if p.records > 0 && p.full(size) {
		if err := p.cut(at); err != nil {
			return err
		}
	}
	return p.add(at, rec)
}

// full says whether a record of this size belongs to the next chunk or segment.
func (p *packer) full(size int64) bool {
	if p.envelope.perRecord {
		return p.records == segmentRecords || p.joined+1+size > segmentBytes
	}
	return p.chunk.MaxRecords > 0 && p.records == int64(p.chunk.MaxRecords) || !p.fits(p.joined+1+size)
}

// fits says whether a body with so many bytes of joined records stays below
// its limit.
func (p *packer) fits(joined int64) bool { return p.envelope.size(joined) < p.below() }

// below is what a body with more than one record stays below.
func (p *packer) below() int64 {
	if p.limit > 0 {
		return min(p.chunk.MaxBytes, p.limit+1)
	}
	return p.chunk.MaxBytes
}

// add puts a record into the open chunk: into its last range if nothing but
// blank lines and filtered records lies between, else into a new one.
func (p *packer) add(at *place, rec *source.Record) error {
	if p.gapless && at.pieceStart >= 0 && at.pieceEnd != int64(rec.Start) {
		if err := p.endPiece(at); err != nil {
			return err
		}
	}
	if at.pieceStart < 0 {
		continues := false
		if n := len(p.ranges); n > 0 {
			last := &p.ranges[n-1]
			continues = last.File == at.file && last.ByteEnd == at.block.Start+int64(rec.Start)
		}
		if !continues {
			p.ranges = append(p.ranges, store.ChunkRange{
				File: at.file, ByteStart: at.block.Start + int64(rec.Start), FirstLine: at.block.FirstLine + int64(rec.Line),
			})
		}
		at.pieceStart, at.jsonStart = int64(rec.Start), at.json
	}
	at.pieceEnd, at.jsonEnd = int64(rec.End), at.json+int64(rec.Size)+1
	last := &p.ranges[len(p.ranges)-1]
	last.ByteEnd, last.LastLine = at.block.Start+int64(rec.End), at.block.FirstLine+int64(rec.LastLine)
	last.Records++
	p.addPlaces(at, at.block.Records[at.record:at.record+1])
	if p.records > 0 {
		p.joined++
	}
	p.joined += int64(rec.Size)
	p.records++
	return nil
}

// follow adds the records that follow a piece, up to the first that does more
// than make the chunk longer, and returns how many. It does what record would do
// with them, all at once.
func (p *packer) follow(at *place, records []source.Record) (n int) {
	if at.pieceStart < 0 || at.known != nil || p.envelope.perRecord {
		return 0
	}
	most := len(records)
	if p.chunk.MaxRecords > 0 {
		most = min(most, p.chunk.MaxRecords-int(p.records))
	}
	joined, end, room := p.joined, at.pieceEnd, p.below()-p.envelope.size(0)
	for ; n < most; n++ {
		rec := &records[n]
		longer := joined + 1 + int64(rec.Size)
		if longer >= room || p.gapless && int64(rec.Start) != end {
			break
		}
		joined, end = longer, int64(rec.End)
	}
	if n == 0 {
		return 0
	}
	p.addPlaces(at, records[:n])
	at.json += joined - p.joined
	at.pieceEnd, at.jsonEnd = end, at.json
	last := &p.ranges[len(p.ranges)-1]
	last.ByteEnd, last.LastLine = at.block.Start+end, at.block.FirstLine+int64(records[n-1].LastLine)
	last.Records += int64(n)
	p.totals.records += int64(n)
	p.records += int64(n)
	p.joined = joined
	return n
}

// endPiece hands over what the open range has of the block so far. Whatever
// comes next begins a new range, unless it follows without a gap.
func (p *packer) endPiece(at *place) error {
	if at.pieceStart < 0 {
		return nil
	}
	piece := at.block.Raw[at.pieceStart:at.pieceEnd]
	if p.spool != nil {
		piece = at.block.JSON[at.jsonStart:at.jsonEnd]
		if err := p.spool.write(piece); err != nil {
			return err
		}
	}
	at.pieceStart = -1
	_, err := p.sum.Write(piece)
	return err
}

// cut ends the open chunk and begins the next. at is nil between files.
func (p *packer) cut(at *place) error {
	if at != nil {
		if err := p.endPiece(at); err != nil {
			return err
		}
	}
	if p.records == 0 {
		return nil
	}
	if p.envelope.perRecord {
		return p.cutSegment()
	}
	c := store.Chunk{
		Chunk: p.number, State: store.ChunkPlanned, Records: p.records,
		BodyBytes:  p.envelope.exactSize(p.joined, p.number, p.records),
		SourceHash: sourceHash(p.sum),
		Ranges:     slices.Clone(p.ranges),
	}
	c.Key = chunkKey(p.run, c.SourceHash, c.Chunk)
	if p.spool != nil {
		var err error
		if c.Spool, err = p.spool.endFrame(); err != nil {
			return err
		}
	}
	p.begin(p.number + 1)
	return p.emit(c)
}

// begin begins an empty chunk or segment.
func (p *packer) begin(number int64) {
	p.number = number
	p.records, p.joined, p.ranges = 0, 0, p.ranges[:0]
	p.places.Reset()
	p.sum.Reset()
}

// finish ends the last chunk.
func (p *packer) finish() error { return p.cut(nil) }

// hashPrefix names the hash of ranges and bodies.
const hashPrefix = "xxh3-128:"

func sourceHash(sum *rangeSum) string { return hashPrefix + hex.EncodeToString(sum.Sum(nil)) }

// skip says whether an earlier run has this record of the same content, and
// counts it.
func (p *packer) skip(at *place, rec *source.Record) (bool, error) {
	switch at.known.at(at.block.Start + int64(rec.Start)) {
	case knownAccepted:
		p.totals.unchanged++
	case knownElsewhere:
		p.totals.elsewhere++
	case knownStray:
		return false, &strayRecord{at.block.FirstLine + int64(rec.Line)}
	default:
		return false, nil
	}
	return true, p.endPiece(at)
}

func (p *packer) tooLarge(at *place, rec *source.Record) error {
	return p.buryRecord(at, rec, source.ReasonTooLarge,
		fmt.Sprintf("the record takes %d bytes as JSON and cannot fit into a body below %d bytes", rec.Size, p.chunk.MaxBytes))
}

// buryRecord takes a record that the source found good and that cannot be sent.
func (p *packer) buryRecord(at *place, rec *source.Record, reason, detail string) error {
	b := at.block
	return p.bury(at, source.Bad{
		Start: b.Start + int64(rec.Start), End: b.Start + int64(rec.End), Line: b.FirstLine + int64(rec.Line), Column: 1,
		Reason: reason, Detail: detail,
	})
}

// deadLetter takes a record that the source found bad.
func (p *packer) deadLetter(at *place, bad source.Bad) error {
	p.totals.records++
	return p.bury(at, bad)
}

func (p *packer) bury(at *place, bad source.Bad) error {
	if err := p.endPiece(at); err != nil {
		return err
	}
	p.totals.dead++
	return p.dead(store.DeadLetter{
		Number: p.totals.dead, File: at.file, Line: bad.Line, Column: bad.Column, ByteStart: bad.Start, ByteEnd: bad.End,
		Reason: bad.Reason, Detail: bad.Detail,
	})
}
