package batch

import (
	"context"
	"sync"

	"worqcron/store"
)

// chunkQueue hands out the planned chunks of a run: those with a row in order, a
// page at a time, then those that are only in a segment, in order too. A row that
// is planned again meanwhile stays with its worker, so it never comes twice.
type chunkQueue struct {
	ledger *store.Ledger
	run    int64
	left   int64          // chunks that may still be handed out; negative: all
	reader *segmentReader // nil but with mode "records"

	mu       sync.Mutex
	page     []store.Chunk
	after    int64
	ended    bool            // no more rows
	segments []store.Segment // a page of them
	segment  int64           // the last one that was loaded
	todo     []int64         // chunks of the loaded segment
}

const queuePage = 64

// task is a chunk to deliver.
type task struct {
	chunk  *store.Chunk
	record []byte // its record's JSON, if the chunk was handed out before it had a row
	begun  bool   // its row exists
}

// next returns the next chunk; nil when there is none left. The caller owns it.
// A segment that is not what was planned is a *SourceChangedError.
func (q *chunkQueue) next(ctx context.Context) (*task, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
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

// row returns the next chunk that has a row.
func (q *chunkQueue) row(ctx context.Context) (*task, error) {
	if len(q.page) == 0 && !q.ended {
		page, err := q.ledger.PlannedChunks(ctx, q.run, q.after, queuePage)
		if err != nil {
			return nil, err
		}
		if len(page) > 0 {
			q.page, q.after = page, page[len(page)-1].Chunk
		}
	}
	if len(q.page) == 0 {
		q.ended = true
		return nil, nil
	}
	c := q.page[0]
	q.page = q.page[1:]
	return &task{chunk: &c, begun: true}, nil
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
	return &task{chunk: c, record: record}, nil
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

// flows remembers for which flows WorqHat has answered this process. The first
// trigger of a flow goes alone: a wrong key or id costs one trigger, not one a
// worker.
type flows struct {
	mu sync.Mutex
	ok map[string]bool
}

func (f *flows) proven(flowID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ok[flowID]
}

func (f *flows) prove(flowID string) { f.set(flowID, true) }

func (f *flows) doubt(flowID string) { f.set(flowID, false) }

func (f *flows) set(flowID string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ok == nil {
		f.ok = map[string]bool{}
	}
	f.ok[flowID] = ok
}

func (f *flows) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ok = nil
}
