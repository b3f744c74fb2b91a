package batch

import (
	"context"
	"fmt"

	"worqcron/store"
)

// rangesOfFile exports what the ledger alone has of a file: a line a range, a line
// a dead letter, and one for the records that were left out, whose places it does
// not know.
func (e *exporter) rangesOfFile(ctx context.Context) error {
	left := e.file.Records
	for {
		if err := e.skipSplit(); err != nil {
			return err
		}
		l, next, err := e.nextRange(ctx)
		if err != nil {
			return err
		}
		if next == nil {
			break
		}
		left -= l.Records
		if l.Records > 0 {
			if err := e.put(l); err != nil {
				return err
			}
		}
		if err := next(); err != nil {
			return err
		}
	}
	if left == 0 || e.run.PlannedAt == nil || e.run.Origin == originRedrive {
		return nil
	}
	l := ExportLine{Records: left, Reason: "which records, the ledger alone does not know"}
	filtered, unchanged, elsewhere := e.run.RecordsFiltered > 0, e.run.RecordsUnchanged > 0, e.run.RecordsElsewhere > 0
	switch {
	case filtered && !unchanged && !elsewhere:
		l.Outcome = OutcomeFiltered
	case unchanged && !filtered && !elsewhere:
		l.Outcome = OutcomeUnchanged
	case elsewhere && !filtered && !unchanged:
		l.Outcome = OutcomeUnknown
	default:
		l.Outcome = OutcomeLeftOut
	}
	return e.put(l)
}

// nextRange is the line of what comes next in the file and how to go on behind
// it; nil at the file's end.
func (e *exporter) nextRange(ctx context.Context) (l ExportLine, next func() error, err error) {
	chunk, seg, dead := e.chunks, e.segments, e.dead
	at := int64(1 << 62)
	if dead.ok && dead.row.File == e.file.File {
		at, l, next = dead.row.ByteStart, ofDead(&dead.row), dead.advance
	}
	if chunk.ok && chunk.row.File == e.file.File && chunk.row.ByteStart < at {
		at, l, next = chunk.row.ByteStart, ofChunk(&chunk.row, chunk.row.ChunkRange.Records), chunk.advance
	}
	if seg.ok && seg.row.File == e.file.File && seg.row.ByteStart <= at { // before its first chunk
		l, err = e.unbegun(ctx, &seg.row)
		return l, seg.advance, err
	}
	return l, next, nil
}

// unbegun is the line of the records in a segment's range whose chunks have no
// row.
func (e *exporter) unbegun(ctx context.Context, s *store.OwnedSegment) (ExportLine, error) {
	begun, err := e.view.CountRanges(ctx, e.run.ID, s.ChunkRange)
	l := ExportLine{
		Line: s.FirstLine, LastLine: s.LastLine, Records: s.Records - begun, Outcome: outcomeOf(s.State),
		Reason: fmt.Sprintf("chunks of %d to %d that were not tried", s.FirstChunk, s.FirstChunk+s.SegmentRecords-1),
	}
	if s.Reason != "" {
		l.Reason += ": " + s.Reason
	}
	return l, err
}
