package batch

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
	return e.put(ExportLine{Records: left, Outcome: outcomeOfLeft(e.run), Reason: "which records, the ledger alone does not know"})
}

// outcomeOfLeft is what became of the records that a run left out, if it left them
// out for one reason alone.
func outcomeOfLeft(run *store.Run) string {
	reasons := map[string]int64{
		OutcomeFiltered: run.RecordsFiltered, OutcomeUnchanged: run.RecordsUnchanged, OutcomeUnknown: run.RecordsElsewhere,
	}
	maps.DeleteFunc(reasons, func(_ string, n int64) bool { return n == 0 })
	if only := slices.Collect(maps.Keys(reasons)); len(only) == 1 {
		return only[0]
	}
	return OutcomeLeftOut
}

// placedLine is a line and where in its file it belongs.
type placedLine struct {
	at   int64
	line ExportLine
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
	if len(e.known) > 0 && e.known[0].at < at {
		at, l = e.known[0].at, e.known[0].line
		next = func() error { e.known = e.known[1:]; return nil }
	}
	if len(e.known) == 0 && seg.ok && seg.row.File == e.file.File && seg.row.ByteStart <= at {
		l, err = e.rangeOfSegment(ctx, &seg.row)
		return l, seg.advance, err
	}
	return l, next, nil
}

// rangeOfSegment is the line of the records in a segment's range whose places the
// ledger does not know; those that it does know come next.
func (e *exporter) rangeOfSegment(ctx context.Context, s *store.OwnedSegment) (ExportLine, error) {
	if e.placesOf != s.Segment {
		var err error
		if e.places, err = e.view.RecordPlaces(ctx, e.run.ID, s); err != nil {
			return ExportLine{}, err
		}
		e.placesOf = s.Segment
	}
	for i, g := range e.places {
		if g.Records == 0 || g.ByteStart < s.ByteStart || g.ByteStart >= s.ByteEnd {
			continue
		}
		l, err := e.ofRecord(s, s.FirstChunk+int64(i))
		if err != nil {
			return l, err
		}
		l.Line, l.LastLine = g.FirstLine, g.LastLine
		e.known = append(e.known, placedLine{g.ByteStart, l})
	}
	l := ExportLine{
		Line: s.FirstLine, LastLine: s.LastLine, Records: s.Records - int64(len(e.known)), Outcome: outcomeOf(s.State),
		Reason: fmt.Sprintf("chunks of %d to %d that were not tried", s.FirstChunk, s.FirstChunk+s.SegmentRecords-1),
	}
	if s.Reason != "" {
		l.Reason += ": " + s.Reason
	}
	return l, nil
}
