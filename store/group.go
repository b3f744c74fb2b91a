package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"worqcron/failpoint"
)

// group lets parallel intents and outcomes share a commit: what comes while one
// is on its way to the disk goes there together with the next.
type group struct {
	mu      sync.Mutex
	busy    bool // a goroutine commits what waits, until nothing does
	waiting []*transition
	enough  chan struct{} // tells it that what it waits for is there
	want    int           // so many are enough; 0: it does not wait

	// Its alone.
	open map[int64]Intent // attempts that this process began and has not finished
}

// transition is one intent or outcome that waits for its commit.
type transition struct {
	begin     *Intent     // an intent; nil: an outcome
	end       *AttemptEnd // an outcome
	attemptID int64       // given for an outcome, found for an intent
	open      Intent      // of an outcome: what was sent
	done      chan error  // gets what came of it
}

// enqueue has a transition committed, perhaps together with others; in order, with
// those of one caller. Once it is on its way the end of ctx changes nothing.
func (l *Ledger) enqueue(ctx context.Context, t *transition) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.done = make(chan error, 1)
	g := &l.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, t)
	if g.want > 0 && len(g.waiting) >= g.want {
		g.want = 0
		g.enough <- struct{}{}
	}
	if !g.busy {
		g.busy = true
		go l.commitWaiting(context.WithoutCancel(ctx)) // of the first of them only
	}
	return nil
}

// share is enqueue, and returns after the commit.
func (l *Ledger) share(ctx context.Context, t *transition) error {
	if err := l.enqueue(ctx, t); err != nil {
		return err
	}
	return <-t.done
}

// commitWaiting commits until nothing waits.
func (l *Ledger) commitWaiting(ctx context.Context) {
	for {
		all := l.group.gather()
		if all == nil {
			return
		}
		l.commit(ctx, all)
	}
}

// With so many transitions under way a commit waits, that long at most, until
// half of them are there: it costs as much as a dozen of them.
const (
	manyUnderWay  = 16
	maxGatherWait = 2 * time.Millisecond
)

// gather takes what waits; nil: nothing does, and the next one begins anew.
func (g *group) gather() (all []*transition) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if underWay := len(g.waiting) + len(g.open); underWay >= manyUnderWay && len(g.waiting) < underWay/2 {
		g.want = underWay / 2
		g.mu.Unlock()
		timer := time.NewTimer(maxGatherWait)
		select {
		case <-g.enough:
		case <-timer.C:
		}
		timer.Stop()
		g.mu.Lock()
		if g.want == 0 { // the signal may have come after the timer
			select {
			case <-g.enough:
			default:
			}
		}
		g.want = 0
	}
	all, g.waiting = g.waiting, nil
	g.busy = all != nil
	return all
}

// commit commits transitions together, and tells each. If one of them fails,
// nothing of the others may hang on it, so each is written again by itself.
func (l *Ledger) commit(ctx context.Context, all []*transition) {
	refused, err := l.commitTogether(ctx, all)
	for i, t := range all {
		if refused && len(all) > 1 {
			_, err = l.commitTogether(ctx, all[i:i+1])
		}
		t.done <- err
	}
}

// commitTogether is one transaction. refused says that one of several was not
// possible; then nothing was written.
func (l *Ledger) commitTogether(ctx context.Context, all []*transition) (refused bool, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		w := &writing{attemptStatements: &l.prepared, ctx: ctx, tx: tx, begunOf: map[segmentID]int64{}, sumOf: map[int64]attemptSum{}}
		err := l.writeAll(w, all)
		refused = err != nil
		return err
	})
	if err != nil {
		return refused, err
	}
	for _, t := range all {
		if t.begin != nil {
			l.group.open[t.attemptID] = *t.begin
		} else {
			delete(l.group.open, t.attemptID)
		}
	}
	return false, nil
}

func (l *Ledger) writeAll(w *writing, all []*transition) error {
	var begins, ends []*transition
	for _, t := range all {
		if t.begin != nil {
			begins = append(begins, t)
			continue
		}
		var err error
		if t.open, err = l.group.openAttempt(w, t.attemptID); err != nil {
			return err
		}
		ends = append(ends, t)
	}
	if err := w.finishAll(ends); err != nil {
		return err
	}
	failpoint.Hit("group")
	if err := w.beginAll(begins); err != nil {
		return err
	}
	for _, t := range begins {
		l.begun = max(l.begun, t.attemptID)
	}
	return w.addSums()
}

// openAttempt says what an open attempt sends; of one that an earlier process
// left, the ledger knows. No such attempt is ErrState.
func (g *group) openAttempt(w *writing, id int64) (i Intent, err error) {
	if i, ok := g.open[id]; ok {
		return i, nil
	}
	row := w.tx.StmtContext(w.ctx, w.attemptStatements.open).QueryRowContext(w.ctx, id) //nolint:sqlclosecheck // the transaction's end closes it
	err = row.Scan(&i.Run, &i.Chunk, &i.BodyHash, &i.BodyBytes, &i.Segment)
	if errors.Is(err, sql.ErrNoRows) {
		return i, ErrState
	}
	return i, err
}
