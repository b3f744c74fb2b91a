package batch

import (
	"context"
	"errors"
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
		if err := e.put(l); err != nil {
			return err
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
	if len(e.known) == 0 && seg.ok && seg.row.File == e.file.File {
		if err := errors.Join(e.takeSegment(ctx, &seg.row), seg.advance()); err != nil {
			return l, nil, err
		}
	}
	at := int64(1 << 62)
	if dead.ok && dead.row.File == e.file.File {
		at, l, next = dead.row.ByteStart, ofDead(&dead.row), dead.advance
	}
	if chunk.ok && chunk.row.File == e.file.File && chunk.row.ByteStart < at {
		at, l, next = chunk.row.ByteStart, ofChunk(&chunk.row, chunk.row.ChunkRange.Records), chunk.advance
	}
	if len(e.known) > 0 && e.known[0].at < at {
		l = e.known[0].line
		next = func() error { e.known = e.known[1:]; return nil }
	}
	return l, next, nil
}

// takeSegment makes the lines of the records in a segment's range.
func (e *exporter) takeSegment(ctx context.Context, s *store.OwnedSegment) error {
	if e.placesOf != s.Segment {
		var err error
		if e.places, err = e.view.RecordPlaces(ctx, e.run.ID, s); err != nil {
			return err
		}
		e.placesOf = s.Segment
	}
	for i, g := range e.places {
		if g.ByteStart < s.ByteStart || g.ByteStart >= s.ByteEnd {
			continue
		}
		l, err := e.ofRecord(s, s.FirstChunk+int64(i))
		if err != nil {
			return err
		}
		l.Line, l.LastLine = g.FirstLine, g.LastLine
		e.known = append(e.known, placedLine{g.ByteStart, l})
	}
	return nil
}
