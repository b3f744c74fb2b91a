package batch

import (
	"context"
	"slices"
	"sync"

	"worqcron/store"
)

// chunkQueue hands out the planned chunks of a run: those with a row in order, a
// page at a time, then those that are only in a segment, in order too. A row that
// is planned again meanwhile stays with its worker, so it never comes twice. Parts
// of a chunk that is split meanwhile are pushed, and come next.
//
// Parts that an earlier delivery left have later numbers than the chunks whose
// place they took. They come by their numbers, or in that place if the run is
// ordered.
type chunkQueue struct {
	ledger  *store.Ledger
	run     int64
	left    int64          // chunks that may still be handed out; negative: all
	reader  *segmentReader // nil but with mode "records"
	last    int64          // largest number that has a row as the delivery begins
	ordered bool
	parts   []store.Part // with an ordered run: those that an earlier delivery left

	mu       sync.Mutex
	pushed   []store.Chunk
	page     []store.Chunk
	after    int64
	ended    bool            // no more rows
	segments []store.Segment // a page of them
	segment  int64           // the last one that was loaded
	todo     []int64         // chunks of the loaded segment
}

const queuePage = 64

// begin notes what a delivery begins with.
func (q *chunkQueue) begin(ctx context.Context) (err error) {
	if q.last, err = q.ledger.LastChunk(ctx, q.run); err != nil || !q.ordered {
		return err
	}
	q.parts, err = q.ledger.PlannedParts(ctx, q.run)
	return err
}

// task is a chunk to deliver.
type task struct {
	chunk   *store.Chunk
	record  []byte // its record's JSON, if the chunk was handed out before it had a row
	segment int64  // which has it while it has none; else 0
	whole   bool   // it cannot be split
}

// next returns the next chunk; nil when there is none left. The caller owns it.
// A segment that is not what was planned is a *SourceChangedError.
func (q *chunkQueue) next(ctx context.Context) (*task, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pushed) > 0 { // whatever is left: they are of a chunk that was handed out
		c := q.pushed[0]
		q.pushed = q.pushed[1:]
		return &task{chunk: &c}, nil
	}
	if q.left == 0 {
		return nil, nil
	}
	t, err := q.row(ctx)
	if t == nil && err == nil && q.reader != nil {
		t, err = q.record(ctx)
	}
	if t != nil {
		q.left--
	}
	return t, err
}

// push hands chunks out next, in their order, before what was pushed earlier.
func (q *chunkQueue) push(chunks []store.Chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pushed = append(slices.Clone(chunks), q.pushed...)
}

// row returns the next chunk that has a row.
func (q *chunkQueue) row(ctx context.Context) (*task, error) {
	for len(q.page) == 0 && !q.ended {
		if err := q.turnPage(ctx); err != nil {
			return nil, err
		}
	}
	if len(q.parts) > 0 && (len(q.page) == 0 || q.parts[0].Root < q.page[0].Chunk) {
		c, err := q.ledger.Chunk(ctx, q.run, q.parts[0].Chunk)
		if err != nil {
			return nil, err
		}
		q.parts = q.parts[1:]
		return &task{chunk: c}, nil
	}
	if len(q.page) == 0 {
		return nil, nil
	}
	c := q.page[0]
	q.page = q.page[1:]
	return &task{chunk: &c}, nil
}

// turnPage reads the next page of rows, without those that come in another way.
func (q *chunkQueue) turnPage(ctx context.Context) error {
	page, err := q.ledger.PlannedChunks(ctx, q.run, q.after, queuePage)
	if err != nil {
		return err
	}
	q.ended = len(page) < queuePage || page[len(page)-1].Chunk >= q.last
	if len(page) > 0 {
		q.after = page[len(page)-1].Chunk
	}
	q.page = slices.DeleteFunc(page, func(c store.Chunk) bool { return c.Chunk > q.last || q.ordered && c.Parent != 0 })
	return nil
}

// record returns the next chunk that has none.
func (q *chunkQueue) record(ctx context.Context) (*task, error) {
	for len(q.todo) == 0 {
		if more, err := q.loadSegment(ctx); err != nil || !more {
			return nil, err
		}
	}
	number := q.todo[0]
	q.todo = q.todo[1:]
	c, record := q.reader.chunk(number)
	return &task{chunk: c, record: record, segment: q.reader.segment.Segment}, nil
}

// loadSegment reads the next segment and finds out which of its chunks have no
// row; false: there is no segment left.
func (q *chunkQueue) loadSegment(ctx context.Context) (more bool, err error) {
	if len(q.segments) == 0 {
		if q.segments, err = q.ledger.OpenSegments(ctx, q.run, q.segment, queuePage); err != nil || len(q.segments) == 0 {
			return false, err
		}
	}
	s := q.segments[0]
	if s.State == store.ChunkPlanned {
		begun, err := q.ledger.BegunChunks(ctx, q.run, &s)
		if err != nil {
			return false, err
		}
		if err := q.reader.load(s); err != nil {
			return false, err
		}
		for c := s.FirstChunk; c <= s.LastChunk(); c++ {
			if len(begun) > 0 && begun[0] == c {
				begun = begun[1:]
				continue
			}
			q.todo = append(q.todo, c)
		}
	}
	q.segments, q.segment = q.segments[1:], s.Segment
	return true, nil
}
