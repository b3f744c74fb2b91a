package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// What became of a record, in the words of the receipt.
const (
	OutcomeAccepted  = "accepted"
	OutcomeFailed    = "failed"
	OutcomeDead      = "dead"
	OutcomeFiltered  = "filtered"
	OutcomeUnchanged = "unchanged"
	OutcomeUnknown   = "unknown"
	OutcomePending   = "pending"
	// OutcomeLeftOut stands where the ledger alone cannot say which of the two it is.
	OutcomeLeftOut = "filtered or unchanged"
)

// ExportLine says what became of one record or, where they cannot be told apart,
// of several.
type ExportLine struct {
	Path           string
	Line, LastLine int64 // physical, from 1; 0: somewhere in the file
	Records        int64 // 1; more where the line stands for a range; 0: a trigger without records
	Chunk          int64 // 0: none, or one of several
	Key            string
	Outcome        string
	Reason         string
	AnalyticsID    string
	RemoteStatus   string // "" while it was not looked up
}

// ExportOptions say how a run is exported.
type ExportOptions struct {
	Ranges   bool // from the ledger alone: a line a range, no file is read
	Workers  int  // goroutines that parse
	Progress *Progress
}

// Export hands over what became of each record that a run read, by file and
// place, as of one instant. The line is valid until emit returns. A file that is
// not there any more as it was read gives a line a range; the notes, a line each
// for a person, say so. On an error what was handed over does not count.
func Export(ctx context.Context, r *store.Reader, run *store.Run, o ExportOptions, emit func(*ExportLine) error) (notes []string, err error) {
	err = r.View(ctx, func(v *store.View) (err error) {
		now, err := v.Run(ctx, run.ID)
		if err != nil {
			return err
		}
		if now.State == store.Planning {
			return fmt.Errorf("run %s is still being planned\n  hint: export it when it delivers", now.Name())
		}
		e := &exporter{reader: r, view: v, ranges: o.Ranges, emit: emit, counts: map[string]int64{}}
		if e.rereading, err = newRereading(now, o.Workers, o.Progress); err != nil && now.PlannedAt != nil {
			return err
		}
		if e.ledgerCursors, err = openCursors(ctx, v, now); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		err = e.all(ctx)
		notes = e.notes
		return err
	})
	return notes, err
}

// exporter exports one run.
type exporter struct {
	*rereading
	*ledgerCursors
	reader *store.Reader
	view   *store.View
	ranges bool // no file is read
	emit   func(*ExportLine) error
	notes  []string
	counts map[string]int64 // records by outcome

	file    store.SnapshotFile
	earlier *earlier // what other runs have of it; nil: not asked for
	inChunk int64    // records seen of the range in hand
	inSeg   int64    // the same of the segment's range
	before  int64    // records of the segment in its ranges before
	line    ExportLine

	// Where no file is read:
	known    []placedLine       // records of a segment's range that are not exported yet
	places   []store.ChunkRange // of all records of a segment
	placesOf int64              // which one
}

func (e *exporter) all(ctx context.Context) error {
	receipt, err := e.view.Receipt(ctx, e.run)
	if err != nil {
		return err
	}
	files, err := e.view.Files(ctx, e.run.ID)
	if err != nil {
		return err
	}
	if err := e.rangeless(ctx); err != nil {
		return err
	}
	if e.run.PlannedAt == nil && len(files) > 0 {
		e.note("the plan failed (%s), so only dead records are known", e.run.Reason)
	}
	for _, f := range files {
		e.progress.addTotal(f.Size)
	}
	for _, f := range files {
		if f.UnchangedSince != "" {
			e.note("%s was not read: run %s delivered it", f.Path, f.UnchangedSince)
			continue
		}
		e.file, e.earlier, e.inChunk, e.inSeg = f, nil, 0, 0
		if err := e.exportFile(ctx); err != nil {
			return err
		}
	}
	if e.left() {
		return errors.New("the ledger has records of a file that the run did not read")
	}
	return e.agree(receipt)
}

func (e *exporter) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// rangeless exports the trigger of a run without a source.
func (e *exporter) rangeless(ctx context.Context) (err error) {
	c, err := e.view.RangelessChunks(ctx, e.run.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for {
		row, ok, err := c.Next()
		if !ok {
			return err
		}
		if err := e.put(ofChunk(&row, 0)); err != nil {
			return err
		}
	}
}

// put hands over a line, with the file's path.
func (e *exporter) put(l ExportLine) error {
	e.line = l
	e.line.Path = e.file.Path
	e.counts[l.Outcome] += l.Records
	return e.emit(&e.line)
}

// ofChunk is the line of so many records of a chunk.
func ofChunk(o *store.OwnedRange, records int64) ExportLine {
	return ExportLine{
		Line: o.FirstLine, LastLine: o.LastLine, Records: records, Chunk: o.Chunk, Key: o.Key, Outcome: outcomeOf(o.State), Reason: o.Reason,
		AnalyticsID: o.AnalyticsID, RemoteStatus: o.RemoteStatus,
	}
}

func outcomeOf(s store.ChunkState) string {
	switch s {
	case store.ChunkAccepted:
		return OutcomeAccepted
	case store.ChunkFailed:
		return OutcomeFailed
	case store.ChunkUnknown:
		return OutcomeUnknown
	}
	return OutcomePending
}

func ofDead(d *store.DeadLetter) ExportLine {
	return ExportLine{Line: d.Line, LastLine: d.Line, Records: 1, Outcome: OutcomeDead, Reason: d.Reason + ": " + d.Detail}
}

func (e *exporter) exportFile(ctx context.Context) error {
	if e.ranges || e.run.PlannedAt == nil {
		return e.rangesOfFile(ctx)
	}
	if err := e.skipSplit(); err != nil {
		return err
	}
	snap, err := e.open(ctx, e.file)
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		e.note("%v: one line a range of %s", changed, e.file.Path)
		return e.rangesOfFile(ctx)
	}
	if err != nil {
		return err
	}
	return errors.Join(e.recordsOfFile(ctx, snap), snap.Close())
}

func (e *exporter) recordsOfFile(ctx context.Context, snap *source.Snapshot) error {
	if e.run.RecordsUnchanged+e.run.RecordsElsewhere > 0 {
		list, err := e.reader.EarlierRanges(ctx, e.run, e.file.Size, e.file.ContentHash)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(o store.Earlier) bool { return o.Run > e.run.ID })
		e.earlier = &earlier{ranges: list}
	}
	err := e.scan(ctx, snap, e.file, false, func(b *source.Block) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return eachRecord(b, false, e.record)
	})
	if err != nil {
		return err
	}
	return e.pass(1 << 62)
}

// record exports one record.
func (e *exporter) record(s *seenRecord) error {
	if err := e.pass(s.start); err != nil {
		return err
	}
	at := ExportLine{Line: s.line, LastLine: s.lastLine, Records: 1}
	dead, seg, chunk := e.dead, e.segments, e.chunks
	switch {
	case s.left:
		at.Outcome = OutcomeFiltered
		return e.put(at)
	case dead.ok && dead.row.File == e.file.File && dead.row.ByteStart == s.start:
		if err := e.put(ofDead(&dead.row)); err != nil {
			return err
		}
		return dead.advance()
	case s.bad != nil:
		return otherThanLedger(e.file.Path, s.line, "a bad record (%s) that is no dead letter of the run", s.bad.Reason)
	case e.has(seg.ok, &seg.row.ChunkRange, s.start):
		number := seg.row.FirstChunk + e.before + e.inSeg
		e.inSeg++
		l, err := e.ofRecord(&seg.row, number)
		if err != nil {
			return err
		}
		l.Line, l.LastLine = s.line, s.lastLine
		return e.put(l)
	case e.has(chunk.ok, &chunk.row.ChunkRange, s.start):
		e.inChunk++
		l := ofChunk(&chunk.row, 1)
		l.Line, l.LastLine = s.line, s.lastLine
		return e.put(l)
	case e.run.Origin == originRedrive:
		return nil // a record that it was not asked for
	}
	at.Outcome, at.Reason = e.leftToEarlier(s.start)
	return e.put(at)
}

// ofRecord is the line of one record of a segment, without its place: what its
// chunk's row says or, without one, its segment.
func (e *exporter) ofRecord(s *store.OwnedSegment, number int64) (l ExportLine, err error) {
	row, err := e.rowOf(number)
	if row != nil {
		l = ofChunk(row, 1)
	} else {
		l = ExportLine{Records: 1, Chunk: number, Outcome: outcomeOf(s.State), Reason: s.Reason}
	}
	l.Key = store.Key(s.KeyPrefix, number)
	return l, err
}

// originRedrive marks a run that has some of the records of another one.
const originRedrive = "redrive"

// has says whether a range of the file has the record that begins at a byte.
func (e *exporter) has(ok bool, g *store.ChunkRange, start int64) bool {
	return ok && g.File == e.file.File && g.ByteStart <= start && start < g.ByteEnd
}

// leftToEarlier says what is known of a record that an earlier run had.
func (e *exporter) leftToEarlier(start int64) (outcome, reason string) {
	var found *store.Earlier
	if e.earlier != nil {
		found = e.earlier.find(start)
	}
	accepted := found != nil && found.State == store.ChunkAccepted
	switch {
	case accepted && e.run.RecordsUnchanged > 0:
		return OutcomeUnchanged, "accepted in run " + found.RunID
	case e.run.RecordsElsewhere == 0:
		return OutcomeUnchanged, "accepted in an earlier run"
	case found != nil:
		return OutcomeUnknown, fmt.Sprintf("left to run %s, where it is %s now", found.RunID, outcomeOf(found.State))
	}
	return OutcomeUnknown, "left to an earlier run, which does not have it any more"
}

// pass leaves what the ledger has before a byte of the file behind. All of it must
// have been seen.
func (e *exporter) pass(start int64) error {
	for c := e.chunks; c.ok && c.row.File == e.file.File && c.row.ByteEnd <= start; e.inChunk = 0 {
		if e.inChunk != c.row.ChunkRange.Records {
			return otherThanLedger(e.file.Path, c.row.FirstLine, "%d of the %d records of chunk %d are found here", e.inChunk, c.row.ChunkRange.Records, c.row.Chunk)
		}
		if err := errors.Join(c.advance(), e.skipSplit()); err != nil {
			return err
		}
	}
	for s := e.segments; s.ok && s.row.File == e.file.File && s.row.ByteEnd <= start; e.inSeg = 0 {
		if e.inSeg != s.row.Records {
			return otherThanLedger(e.file.Path, s.row.FirstLine, "%d of %d records of segment %d are found here", e.inSeg, s.row.Records, s.row.Segment)
		}
		e.before += e.inSeg
		segment := s.row.Segment
		if err := s.advance(); err != nil {
			return err
		}
		if !s.ok || s.row.Segment != segment {
			e.before = 0
		}
	}
	if d := e.dead; d.ok && d.row.File == e.file.File && d.row.ByteStart < start {
		return otherThanLedger(e.file.Path, d.row.Line, "dead letter %d of the run is no record of its own", d.row.Number)
	}
	return nil
}

// skipSplit leaves chunks out whose records smaller chunks have.
func (e *exporter) skipSplit() error {
	for e.chunks.ok && e.chunks.row.State == store.ChunkSplit {
		if err := e.chunks.advance(); err != nil {
			return err
		}
	}
	return nil
}

// agree compares what was exported with the receipt of the same instant.
func (e *exporter) agree(c *store.Receipt) error {
	n, want := e.counts, c.Records
	got := store.RecordBalance{Accepted: n[OutcomeAccepted], Failed: n[OutcomeFailed], Dead: n[OutcomeDead], Pending: n[OutcomePending]}
	for _, k := range n {
		got.Read += k
	}
	rest := got.Read - got.Accepted - got.Failed - got.Dead - got.Pending
	if got.Accepted != want.Accepted || got.Failed != want.Failed || got.Dead != want.Dead || got.Pending != want.Pending ||
		rest != want.Filtered+want.Unchanged+want.Unknown || got.Read != want.Read {
		return fmt.Errorf("%d records were found (%v), and the run's receipt has %d (%+v)\n  hint: worqcron verify %s", got.Read, n, want.Read, want, c.Name)
	}
	return nil
}
