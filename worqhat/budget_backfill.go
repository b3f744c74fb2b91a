package worqhat

import (
	"context"

	"golang.org/x/time/rate"
)

// backfills is what all backfills together may have of the budget, so that a long
// one leaves the schedules their rate and their places whatever is waiting. Within
// it each schedule's backfill takes turns with all others.
type backfills struct {
	share    float64           // of rate and places; 0 is all
	limiter  *rate.Limiter     // that share of the key's rate; rate.Inf without a limit
	inFlight int               // triggers of backfills under way
	queues   map[string]*queue // by schedule
}

// set takes the user's choice over.
func (f *backfills) set(o Options) {
	f.share = o.BackfillShare
	limit, burst := limitsOf(o)
	if limit != rate.Inf && f.share > 0 {
		limit = rate.Limit(float64(limit) * f.share)
		burst = max(1, int(float64(burst)*f.share))
	}
	setLimit(f.limiter, limit, burst)
}

// full says whether they have all of so many places that they may have; one is
// always theirs.
func (f *backfills) full(places int) bool {
	return f.share > 0 && f.inFlight >= max(1, int(float64(places)*f.share))
}

// queue returns that of a schedule's backfill. It has the schedule's own limiter:
// that rate holds for both.
func (f *backfills) queue(schedule string, own *queue) *queue {
	q := f.queues[schedule]
	if q == nil {
		q = &queue{limiter: own.limiter, backfill: true}
		f.queues[schedule] = q
	}
	return q
}

// AcquireBackfill is Acquire for a trigger of a backfill of the schedule.
func (b *Budget) AcquireBackfill(ctx context.Context, schedule string) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	b.mu.Lock()
	q := b.backfills.queue(schedule, b.queue(schedule))
	b.mu.Unlock()
	return b.acquire(ctx, q)
}
