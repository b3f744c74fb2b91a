package worqhat

import (
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// queue is the triggers of one schedule that wait.
type queue struct {
	limiter  *rate.Limiter   // the schedule's own; rate.Inf if it has none
	waiting  []chan struct{} // one a trigger, in order; closed when it may go
	backfill bool            // it is of past slots, within the share of all backfills
}

// queue returns a schedule's. The caller holds the lock, here and below.
func (b *Budget) queue(schedule string) *queue {
	q := b.queues[schedule]
	if q == nil {
		q = &queue{limiter: rate.NewLimiter(rate.Inf, 1)}
		b.queues[schedule] = q
	}
	return q
}

// line puts a trigger at the end of a queue. turn is closed when it may go.
func (b *Budget) line(q *queue) (turn chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	turn = make(chan struct{})
	if len(q.waiting) == 0 {
		b.ring = append(b.ring, q)
	}
	q.waiting = append(q.waiting, turn)
	b.serve()
	return turn
}

// leave takes a trigger out of its queue; false: its turn came before.
func (b *Budget) leave(q *queue, turn chan struct{}) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(q.waiting, turn)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if len(q.waiting) == 0 {
		i = slices.Index(b.ring, q)
		b.ring = slices.Delete(b.ring, i, i+1)
	}
	b.serve()
	return true
}

// serve lets all go that may go now, and has itself called again when time alone
// will let another one go. It must follow each change of what they wait for.
func (b *Budget) serve() {
	var wait time.Duration
	for len(b.ring) > 0 {
		now := time.Now()
		turn, later := b.next(now)
		if turn < 0 {
			wait = later
			break
		}
		b.letGo(turn, now)
	}
	switch {
	case wait > 0 && b.timer == nil:
		b.timer = time.AfterFunc(wait, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.serve()
		})
	case wait > 0:
		b.timer.Reset(wait)
	case b.timer != nil:
		b.timer.Stop()
	}
}

// next finds in the ring whose turn it is. Without one turn is negative, and wait
// says how long there is certainly nothing to get; zero: until a place is free.
func (b *Budget) next(now time.Time) (turn int, wait time.Duration) {
	if wait = b.pausedUntil.Sub(now); wait > 0 {
		return -1, wait
	}
	if b.inFlight >= b.places.limit {
		return -1, 0
	}
	if wait = untilToken(b.limiter, now); wait > 0 {
		return -1, wait
	}
	for i, q := range b.ring {
		if q.backfill && b.backfills.full(b.places.limit) {
			continue // until one of them gives its place back
		}
		own := untilToken(q.limiter, now)
		if q.backfill {
			own = max(own, untilToken(b.backfills.limiter, now))
		}
		if own == 0 {
			return i, 0
		}
		if wait == 0 || own < wait {
			wait = own
		}
	}
	return -1, wait
}

// letGo lets the first of a queue in the ring go; the queue's next turn comes
// after all others'. One without a token keeps its turn.
func (b *Budget) letGo(turn int, now time.Time) {
	q := b.ring[turn]
	b.limiter.AllowN(now, 1)
	q.limiter.AllowN(now, 1)
	b.inFlight++
	if q.backfill {
		b.backfills.limiter.AllowN(now, 1)
		b.backfills.inFlight++
	}
	close(q.waiting[0])
	q.waiting = slices.Delete(q.waiting, 0, 1)
	b.ring = slices.Delete(b.ring, turn, turn+1)
	if len(q.waiting) > 0 {
		b.ring = append(b.ring, q)
	}
}

// untilToken says how long a limiter has no token.
func untilToken(l *rate.Limiter, now time.Time) time.Duration {
	if l.Limit() == rate.Inf {
		return 0
	}
	token := l.ReserveN(now, 1)
	defer token.CancelAt(now) // put back whole: nobody reserves behind it
	return token.DelayFrom(now)
}
