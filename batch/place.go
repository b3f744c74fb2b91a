package batch

import (
	"context"
	"errors"
	"sync"
	"time"

	"worqcron/worqhat"
)

// What a trigger waits for before its body is built is here: its flow's gate, the
// hours of its schedule's window, and the budget of the key.

// openHours holds a run to its window. It knows the stretch of time that it looked up
// last, so that one look serves all triggers in it.
type openHours struct {
	mu         sync.Mutex
	window     string // that it looked at: a reload may change it
	open       bool
	begin, end time.Time
}

// around returns the stretch around now. The first look into one that is closed
// is logged.
func (g *openHours) around(d *delivery) (open bool, end time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now().Round(0) // as a clock on the wall, which may be set
	window := d.options.Load().Window
	if now.Before(g.begin) || !now.Before(g.end) || window.String() != g.window {
		g.open, g.end = window.Around(now, d.zone)
		g.begin, g.window = now, window.String()
		if !g.open {
			d.log.Info("outside its window, waits", "window", g.window, "until", g.end)
		}
	}
	return g.open, g.end
}

// longestSleep is how long a wait for the window trusts its timer: a timer does
// not see that the clock was set, or that the machine slept.
const longestSleep = time.Minute

// passHours waits for the window, and says when it closes; without a window it
// does not wait. An error says that the run ended first.
func (d *delivery) passHours(ctx context.Context) (closes time.Time, err error) {
	for len(d.options.Load().Window) > 0 {
		open, end := d.hours.around(d)
		if open {
			return end, nil
		}
		next := time.Now().Add(longestSleep)
		if end.Before(next) {
			next = end
		}
		if err := sleepUntil(ctx, next); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, nil
}

// errClosed is why a wait for the budget ended: the window closed meanwhile.
var errClosed = errors.New("the window closed")

// admit waits until the chunk may go: its flow's gate is open, or it goes alone as
// a probe, and the budget has a place and a token for it. A chunk that is its
// schedule's probe stays it until it has ended, so that a flow that cannot be reached
// costs the attempts of one chunk.
func (d *delivery) admit(ctx context.Context, before *tries) (release func(), err error) {
	gates, flow := &d.runner.gates, d.run.FlowID
	for {
		if _, err := d.passHours(ctx); err != nil {
			return nil, err
		}
		if !before.probe {
			if before.probe, err = gates.pass(ctx, flow, d.run.Schedule); err != nil {
				return nil, err
			}
		}
		place, err := d.place(ctx)
		if err != nil {
			return nil, err
		}
		e, ok, err := gates.enter(ctx, flow, before.probe)
		release = func() {
			gates.land(flow, e)
			place()
		}
		if ok && (!e.waited || d.stillOpen()) {
			before.closed = e.closed
			return release, nil
		}
		release() // the gate was closed, or the key paused, while this one waited
		if err != nil {
			return nil, err
		}
	}
}

// stillOpen says whether a trigger that has its place may go after another wait.
func (d *delivery) stillOpen() bool {
	if until, _ := d.runner.Budget.Paused(); !until.IsZero() {
		return false
	}
	if len(d.options.Load().Window) == 0 {
		return true
	}
	open, _ := d.hours.around(d)
	return open
}

// place waits for the budget inside of the window.
func (d *delivery) place(ctx context.Context) (release func(), err error) {
	for {
		if len(d.options.Load().Window) == 0 {
			return d.acquire(ctx)
		}
		closes, err := d.passHours(ctx)
		if err != nil {
			return nil, err
		}
		inside, cancel := context.WithDeadlineCause(ctx, closes, errClosed)
		release, err := d.acquire(inside)
		cancel()
		if errors.Is(err, errClosed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if open, _ := d.hours.around(d); open {
			return release, nil
		}
		release() // its turn came just when the window closed, or the clock was set
	}
}

// acquire waits for the budget: for the schedule's turn, or within the share of
// all backfills.
func (d *delivery) acquire(ctx context.Context) (release func(), err error) {
	if d.run.Origin == OriginBackfill {
		return d.runner.Budget.AcquireBackfill(ctx, d.run.Schedule)
	}
	return d.runner.Budget.Acquire(ctx, d.run.Schedule)
}

// pauseKey makes all triggers of the key wait, from the answer on, where an
// outcome asks for it. longer: they wait longer than before.
func (d *delivery) pauseKey(r worqhat.Result, n next) (longer bool) {
	return n.pauseKey > 0 && d.runner.Budget.Pause(r.Finished.Add(n.pauseKey), r.Detail)
}

// learn tells the budget how a trigger went.
func (d *delivery) learn(t worqhat.Trigger, r worqhat.Result) {
	if limit, why := d.runner.Budget.Learn(t, r); why != "" {
		d.log.Warn("fewer triggers at once", "why", why, "now", limit)
	}
}
