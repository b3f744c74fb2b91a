package batch

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"

	"worqcron/source"
	"worqcron/store"
)

// packer cuts the records of a run into chunks. This is where a chunk ends: the
// next record goes into it if the body stays strictly below MaxBytes, and below
// MaxRecords if that is set; else a new chunk begins with that record. Chunks
// run on from one file into the next.
//
// It sees each record once, in order, knows it by size and place alone, and
// keeps one chunk in memory.
type packer struct {
	envelope *envelope
	chunk    ChunkOptions
	run      *store.Run
	spool    *spoolWriter // nil: chunks point into the files
	gapless  bool         // ranges hold nothing but records that go out
	emit     func(store.Chunk) error
	dead     func(store.DeadLetter) error

	number  int64 // of the chunk that is being filled
	records int64
	joined  int64 // bytes of its records and the commas between them
	ranges  []store.ChunkRange
	sum     *xxh3.Hasher128 // over the bytes of its ranges

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
	p.number, p.sum = 1, xxh3.New128()
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
}

// columns makes the records that follow go out under these names, a JSON list.
// Where the names change, a chunk ends.
func (p *packer) columns(names string) error {
	if !p.envelope.columns || names == p.envelope.text {
		return nil
	}
	if err := p.cut(nil); err != nil {
		return err
	}
	p.envelope = p.envelope.withColumns(names)
	return nil
}

// block packs the records of one block.
func (p *packer) block(file int, b *source.Block, known *earlier) error {
	p.totals.records += b.Filtered
	p.totals.filtered += b.Filtered
	at := place{file: file, block: b, known: known, pieceStart: -1}
	bad := 0
	for i := range b.Records {
		rec := &b.Records[i]
		for bad < len(b.Bad) && b.Bad[bad].Start < b.Start+int64(rec.Start) {
			if err := p.deadLetter(&at, b.Bad[bad]); err != nil {
				return err
			}
			bad++
		}
		if err := p.record(&at, rec); err != nil {
			return err
		}
		at.json += int64(rec.Size) + 1
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
	size := int64(rec.Size)
	if !p.fits(size) {
		return p.tooLarge(at, rec)
	}
	full := p.chunk.MaxRecords > 0 && p.records == int64(p.chunk.MaxRecords)
	if p.records > 0 && (full || !p.fits(p.joined+1+size)) {
		if err := p.cut(at); err != nil {
			return err
		}
	}
	return p.add(at, rec)
}

// fits says whether a body with so many bytes of joined records stays below
// its limit.
func (p *packer) fits(joined int64) bool { return p.envelope.size(joined) < p.chunk.MaxBytes }

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
	if p.records > 0 {
		p.joined++
	}
	p.joined += int64(rec.Size)
	p.records++
	return nil
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
	p.number++
	p.records, p.joined, p.ranges = 0, 0, p.ranges[:0]
	p.sum.Reset()
	return p.emit(c)
}

// finish ends the last chunk.
func (p *packer) finish() error { return p.cut(nil) }

func sourceHash(sum *xxh3.Hasher128) string { return "xxh3-128:" + hex.EncodeToString(sum.Sum(nil)) }

// skip says whether an earlier run has this record of the same content, and
// counts it.
func (p *packer) skip(at *place, rec *source.Record) (bool, error) {
	switch at.known.at(at.block.Start + int64(rec.Start)) {
	case knownAccepted:
		p.totals.unchanged++
	case knownElsewhere:
		p.totals.elsewhere++
	default:
		return false, nil
	}
	return true, p.endPiece(at)
}

func (p *packer) tooLarge(at *place, rec *source.Record) error {
	b := at.block
	return p.bury(at, source.Bad{
		Start: b.Start + int64(rec.Start), End: b.Start + int64(rec.End), Line: b.FirstLine + int64(rec.Line), Column: 1,
		Reason: "too_large",
		Detail: fmt.Sprintf("the record takes %d bytes as JSON and cannot fit into a body below %d bytes", rec.Size, p.chunk.MaxBytes),
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
