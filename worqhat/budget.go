package worqhat

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Budget is the rate and the waits of the key, shared by all schedules: how
// many triggers a second, how many at once, and the pause that a server asked
// for. Callers are served in the order in which they came.
//
// Only the caller whose turn it is looks at the limits. It goes on when, at one
// instant, no pause is on, a place is free and a token is there; so no token is
// spent while something else is still waited for.
type Budget struct {
	turn chan struct{} // holds one; a channel serves blocked senders in order
	wake chan struct{} // tells the caller whose turn it is to look again

	mu          sync.Mutex
	limiter     *rate.Limiter
	inFlight    int
	maxInFlight int
	pausedUntil time.Time
	pauseReason string
}

// NewBudget makes a budget of Rate, Burst and MaxInFlight. Rate 0 is no limit;
// Burst and MaxInFlight below one count as one.
func NewBudget(o Options) *Budget {
	b := &Budget{turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	limit, burst := limitsOf(o)
	b.limiter, b.maxInFlight = rate.NewLimiter(limit, burst), max(1, o.MaxInFlight)
	return b
}

// SetLimits takes new limits, for callers that wait already too. Triggers under
// way keep their places; a pause stays.
func (b *Budget) SetLimits(o Options) {
	b.mu.Lock()
	limit, burst := limitsOf(o)
	if limit != b.limiter.Limit() || burst != b.limiter.Burst() {
		now := time.Now()
		b.limiter.SetLimitAt(now, limit)
		b.limiter.SetBurstAt(now, burst)
	}
	b.maxInFlight = max(1, o.MaxInFlight)
	b.mu.Unlock()
	b.signal()
}

func limitsOf(o Options) (rate.Limit, int) {
	if o.Rate <= 0 {
		return rate.Inf, max(1, o.Burst)
	}
	return rate.Limit(o.Rate), max(1, o.Burst)
}

// Acquire waits until a trigger may go and takes its place and its token;
// nothing waits after it returns. release must be called once the outcome is
// there; more calls do nothing. If ctx ends first nothing is taken and the error
// is ctx's cause.
func (b *Budget) Acquire(ctx context.Context) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-b.turn }()
	for {
		wait, ok := b.take()
		if ok {
			return sync.OnceFunc(b.giveBack), nil
		}
		if err := b.await(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// take tries to go now. Otherwise it says how long there is certainly nothing
// to get; zero is until a signal.
func (b *Budget) take() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.pausedUntil.After(now) {
		return b.pausedUntil.Sub(now), false
	}
	if b.inFlight >= b.maxInFlight {
		return 0, false
	}
	token := b.limiter.ReserveN(now, 1)
	if delay := token.DelayFrom(now); delay > 0 {
		token.CancelAt(now) // put back whole: nobody reserves behind us
		return delay, false
	}
	b.inFlight++
	return 0, true
}

// await returns after the wait, at a signal, or with the error of ctx.
func (b *Budget) await(ctx context.Context, wait time.Duration) error {
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-b.wake:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (b *Budget) giveBack() {
	b.mu.Lock()
	b.inFlight--
	b.mu.Unlock()
	b.signal()
}

// signal leaves one signal for the caller whose turn it is, or the next one.
func (b *Budget) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // one is waiting to be read already
	}
}

// Pause makes all callers wait until then, at most one hour from now; reason is
// for people. The later of two pauses wins; one that is over already changes
// nothing. Triggers that are under way are not touched.
func (b *Budget) Pause(until time.Time, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	// Added to now, so that a step of the clock does not stretch it.
	until = now.Add(min(until.Sub(now), MaxRetryAfter))
	if until.After(now) && until.After(b.pausedUntil) {
		b.pausedUntil, b.pauseReason = until, reason
	}
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
