package batch

import (
	"context"
	"sync"

	"worqcron/store"
)

// chunkQueue hands out the planned chunks of a run in order, a page at a time.
type chunkQueue struct {
	ledger *store.Ledger
	run    int64
	left   int64 // chunks that may still be handed out; negative: all

	mu    sync.Mutex
	page  []store.Chunk
	after int64
	ended bool
}

const queuePage = 64

// next returns the next chunk; nil when there is none left. The caller owns it.
func (q *chunkQueue) next(ctx context.Context) (*store.Chunk, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left == 0 || q.ended {
		return nil, nil
	}
	if len(q.page) == 0 {
		page, err := q.ledger.PlannedChunks(ctx, q.run, q.after, queuePage)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			q.ended = true
			return nil, nil
		}
		q.page, q.after = page, page[len(page)-1].Chunk
	}
	c := q.page[0]
	q.page = q.page[1:]
	q.left--
	return &c, nil
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
