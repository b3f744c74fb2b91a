package worqhat

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Budget is the rate and the waits of the key, shared by all schedules: how
// many triggers a second, how many at once, and the pause that a server asked
// for. Each schedule may have a rate of its own within the key's. Schedules that
// wait take turns, however many workers each has; those of one schedule are
// served in the order in which they came.
//
// A trigger may go when, at one instant, no pause is on, a place is free, and
// both the key and the schedule have a token; so no token is spent while
// something else is still waited for.
type Budget struct {
	mu          sync.Mutex
	limiter     *rate.Limiter
	queues      map[string]*queue // by schedule
	backfills   backfills
	ring        []*queue // those in which somebody waits; the next turn is the first one's
	inFlight    int
	places      places
	pausedUntil time.Time
	pauseReason string
	timer       *time.Timer // looks again when a pause ends or a token is there; nil before its first use
}

// NewBudget makes a budget of Rate, Burst, MaxInFlight and Adaptive. Rate 0 is
// no limit; Burst and MaxInFlight below one count as one.
func NewBudget(o Options) *Budget {
	limit, burst := limitsOf(o)
	b := &Budget{limiter: rate.NewLimiter(limit, burst), queues: map[string]*queue{}}
	b.backfills = backfills{limiter: rate.NewLimiter(rate.Inf, 1), queues: map[string]*queue{}}
	b.backfills.set(o)
	b.places.set(o.MaxInFlight, o.Adaptive)
	return b
}

// SetLimits takes new limits, for callers that wait already too. Triggers under
// way keep their places; a pause stays.
func (b *Budget) SetLimits(o Options) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit, burst := limitsOf(o)
	setLimit(b.limiter, limit, burst)
	b.backfills.set(o)
	b.places.set(o.MaxInFlight, o.Adaptive)
	b.serve()
}

// SetRates takes the schedules' own rates, in triggers a second, for callers
// that wait already too. A schedule that has 0 has none. One that is not in it keeps
// what it had: a run of it may be under way.
func (b *Budget) SetRates(rates map[string]float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for schedule, rate := range rates {
		limit, burst := limitsOf(Options{Rate: rate})
		setLimit(b.queue(schedule).limiter, limit, burst)
	}
	b.serve()
}

func limitsOf(o Options) (rate.Limit, int) {
	if o.Rate <= 0 {
		return rate.Inf, max(1, o.Burst)
	}
	return rate.Limit(o.Rate), max(1, o.Burst)
}

func setLimit(l *rate.Limiter, limit rate.Limit, burst int) {
	if limit == l.Limit() && burst == l.Burst() {
		return
	}
	now := time.Now()
	l.SetLimitAt(now, limit)
	l.SetBurstAt(now, burst)
}

// Acquire waits until a trigger of a schedule may go and takes its place and
// its tokens; nothing waits after it returns. release must be called once the
// outcome is there; more calls do nothing. If ctx ends first nothing is taken
// and the error is ctx's cause.
func (b *Budget) Acquire(ctx context.Context, schedule string) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	b.mu.Lock()
	q := b.queue(schedule)
	b.mu.Unlock()
	return b.acquire(ctx, q)
}

func (b *Budget) acquire(ctx context.Context, q *queue) (release func(), err error) {
	turn := b.line(q)
	select {
	case <-turn:
	case <-ctx.Done():
		if b.leave(q, turn) {
			return nil, context.Cause(ctx)
		}
		// Its turn came at the same moment, and what it took it has.
	}
	return sync.OnceFunc(func() { b.giveBack(q) }), nil
}

func (b *Budget) giveBack(q *queue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	if q.backfill {
		b.backfills.inFlight--
	}
	b.serve()
}

// Learn takes what the outcome of a trigger says about how many may be under way
// at once; it is called while the trigger still has its place. If there may be
// fewer from now on, why says for people what made it so, and limit how many.
func (b *Budget) Learn(t Trigger, r Result) (limit int, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.places.limit
	why = b.places.learn(sightOf(t, r), b.inFlight)
	if b.places.limit > before {
		b.serve()
	}
	return b.places.limit, why
}

// Pause makes all callers wait until then, at most one hour from now; reason is
// for people. The later of two pauses wins; one that is over already changes
// nothing. Triggers that are under way are not touched. longer says whether the
// callers now wait longer than before.
func (b *Budget) Pause(until time.Time, reason string) (longer bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	// Added to now, so that a step of the clock does not stretch it.
	until = now.Add(min(until.Sub(now), MaxRetryAfter))
	if !until.After(now) || !until.After(b.pausedUntil) {
		return false
	}
	b.pausedUntil, b.pauseReason = until, reason
	return true
}

// Paces says whether triggers of a schedule may have to wait for more than others
// to come home: for a token, or the end of a pause.
func (b *Budget) Paces(schedule string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limiter.Limit() != rate.Inf || b.queue(schedule).limiter.Limit() != rate.Inf || b.pausedUntil.After(time.Now())
}

// Paused says until when and why all callers wait; the zero time if they don't.
func (b *Budget) Paused() (until time.Time, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.pausedUntil.After(time.Now()) {
		return time.Time{}, ""
	}
	return b.pausedUntil, b.pauseReason
}
