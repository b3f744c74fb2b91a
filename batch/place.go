package batch

import (
	"context"
	"errors"
	"sync"
	"time"

	"worqcron/worqhat"
)

// What a trigger waits for before its body is built is here: the hours of its
// schedule's window, and the budget of the key.

// gate holds a run to its window. It knows the stretch of time that it looked up
// last, so that one look serves all triggers in it.
type gate struct {
	mu         sync.Mutex
	open       bool
	begin, end time.Time
}

// around returns the stretch around now; fresh says that it was looked up now.
func (g *gate) around(d *delivery) (open bool, end time.Time, fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now().Round(0) // as a clock on the wall, which may be set
	if now.Before(g.begin) || !now.Before(g.end) {
		g.open, g.end = d.options.Window.Around(now, d.zone)
		g.begin, fresh = now, true
	}
	return g.open, g.end, fresh
}

// longestSleep is how long a wait for the window trusts its timer: a timer does
// not see that the clock was set, or that the machine slept.
const longestSleep = time.Minute

// passGate waits for the window, and says when it closes. An error says that the
// run ended first.
func (d *delivery) passGate(ctx context.Context) (closes time.Time, err error) {
	for {
		open, end, fresh := d.gate.around(d)
		if open {
			return end, nil
		}
		if fresh {
			d.log.Info("outside its window, waits", "window", d.options.Window.String(), "until", end)
		}
		next := time.Now().Add(longestSleep)
		if end.Before(next) {
			next = end
		}
		if err := sleepUntil(ctx, d.stopped, next); err != nil {
			return time.Time{}, err
		}
	}
}

// errClosed is why a wait for the budget ended: the window closed meanwhile.
var errClosed = errors.New("the window closed")

// place waits until a trigger of the run may go, and takes its place. A nil
// release says that the run ended first.
func (d *delivery) place(ctx context.Context) (release func(), err error) {
	if len(d.options.Window) == 0 {
		release, err = d.runner.Budget.Acquire(ctx, d.run.Schedule)
		return release, ignoreEnd(ctx, err)
	}
	for {
		closes, err := d.passGate(ctx)
		if err != nil {
			return nil, nil
		}
		inside, cancel := context.WithDeadlineCause(ctx, closes, errClosed)
		release, err := d.runner.Budget.Acquire(inside, d.run.Schedule)
		cancel()
		if err != nil && !errors.Is(err, errClosed) {
			return nil, ignoreEnd(ctx, err)
		}
		if err != nil {
			continue
		}
		if open, _, _ := d.gate.around(d); open {
			return release, nil
		}
		release() // the clock was set meanwhile
	}
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
