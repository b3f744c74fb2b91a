package batch

import (
	"context"
	"errors"
	"fmt"

	"worqcron/failpoint"
	"worqcron/source"
	"worqcron/store"
)

// What a plan found is committed in parts, and as a whole at its end.

// partRows bounds what is kept in memory before it is committed.
const partRows = 2000

func (p *planning) addChunk(ctx context.Context, c store.Chunk) error {
	p.part.Chunks = append(p.part.Chunks, c)
	p.ranges += 1 + len(c.Ranges)
	return p.flushFull(ctx)
}

func (p *planning) addSegment(ctx context.Context, s store.Segment) error {
	p.part.Segments = append(p.part.Segments, s)
	p.ranges += 1 + len(s.Ranges)
	return p.flushFull(ctx)
}

func (p *planning) addDead(ctx context.Context, d store.DeadLetter) error {
	path := p.snapshot.Files[d.File].Path
	if p.job.Records.OnBad == "fail" {
		hint := p.snapshot.Files[d.File].Advice(d.Reason)
		return &PlanError{&source.Error{Path: path, Line: d.Line, Column: d.Column, Msg: d.Detail, Hint: hint}}
	}
	if limit := p.job.Records.MaxBad; !limit.IsPercent && d.Number > limit.Count {
		return &PlanError{fmt.Errorf("more than max_bad = %d bad records; the last one is %s:%d:%d: %s", limit.Count, path, d.Line, d.Column, d.Detail)}
	}
	p.part.Dead = append(p.part.Dead, d)
	p.badBecause[d.Reason]++
	p.ranges++
	return p.flushFull(ctx)
}

func (p *planning) flushFull(ctx context.Context) error {
	if p.ranges < partRows {
		return nil
	}
	return p.flush(ctx)
}

func (p *planning) flush(ctx context.Context) error {
	err := p.runner.Ledger.AddToPlan(ctx, p.run, p.part)
	failpoint.Hit("plan-part")
	clear(p.part.Chunks) // frees their ranges
	clear(p.part.Segments)
	p.part = store.PlanPart{Chunks: p.part.Chunks[:0], Segments: p.part.Segments[:0], Dead: p.part.Dead[:0]}
	p.ranges = 0
	return err
}

// finish checks the plan's policies and commits it as a whole.
func (p *planning) finish(ctx context.Context, h *history) (*store.End, error) {
	t := p.packer.totals
	if t.records == 0 {
		if end := p.unchanged(h); end != nil {
			return end, nil // the files beside it are empty
		}
		where := p.path()
		if where == source.Stdin {
			where = "the standard input"
		}
		return p.empty("no record in " + where)
	}
	if err := p.noteColumns(ctx, h); err != nil {
		return nil, err
	}
	p.noteRecords()
	if limit := p.job.Records.MaxBad; limit.IsPercent && float64(t.dead)*100 > limit.Percent*float64(t.records) {
		return nil, &PlanError{p.tooManyBad(ctx, t)}
	}
	if err := p.keepNotes(ctx); err != nil {
		return nil, err
	}
	failpoint.Hit("plan-end")
	return nil, p.runner.Ledger.FinishPlan(ctx, p.run, store.PlanTotals{
		RecordsRead: t.records, RecordsFiltered: t.filtered, RecordsUnchanged: t.unchanged, RecordsElsewhere: t.elsewhere, BytesRead: p.bytes, TakenOver: h.taken,
	})
}

func (p *planning) tooManyBad(ctx context.Context, t packTotals) error {
	first, err := p.runner.Ledger.DeadLetters(ctx, p.run.ID, 0, 1)
	if err != nil || len(first) == 0 {
		return errors.Join(errors.New("too many bad records"), err)
	}
	d := first[0]
	return fmt.Errorf("%d of %s bad (max_bad is %g%%); the first is %s:%d:%d: %s",
		t.dead, counted(t.records, "record"), p.job.Records.MaxBad.Percent, p.snapshot.Files[d.File].Path, d.Line, d.Column, d.Detail)
}
