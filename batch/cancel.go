package batch

import (
	"context"
	"errors"
	"fmt"

	"worqcron/store"
)

// Cancellation gives up what of a run is planned, for good.
type Cancellation struct {
	Actor  string
	Reason string // in the person's own words; required
}

// ErrNothingPlanned means that there is nothing to cancel.
var ErrNothingPlanned = errors.New("nothing is planned")

// errCancelled is the cause that a cancelled run's context ends with.
var errCancelled = fmt.Errorf("cancelled: %w", context.Canceled)

// execution is a run that Execute brings to rest.
type execution struct {
	end       context.CancelCauseFunc
	cancelled *Cancellation // nil: it was not
	done      chan struct{} // closed when the run came to rest
}

// Cancel gives up what of a run is planned. One that is under way in this process
// sends nothing new from now on: when its triggers under way have come to rest,
// what is planned is given up and done is closed. Any other run is cancelled and
// settled when Cancel returns, without done; it is ErrNothingPlanned if nothing is
// left of it. Unknown chunks stay unknown.
func (r *Runner) Cancel(ctx context.Context, run *store.Run, c Cancellation) (done <-chan struct{}, err error) {
	if done := r.underway.cancel(run, c); done != nil {
		return done, nil
	}
	now, err := r.Ledger.FindRun(ctx, run.RunID)
	if err != nil {
		return nil, err
	}
	if !now.State.Ended() {
		return nil, fmt.Errorf("run %s is just beginning or ending: try again", run.Name())
	}
	if err := r.giveUp(ctx, now, c); err != nil {
		return nil, err
	}
	_, err = r.settle(ctx, now, nil, nil)
	return nil, err
}

// giveUp fails what of a run is planned.
func (r *Runner) giveUp(ctx context.Context, run *store.Run, c Cancellation) error {
	err := r.Ledger.CancelRun(ctx, run, c.Actor, c.Reason)
	if errors.Is(err, store.ErrState) {
		return fmt.Errorf("run %s: %w, so there is nothing to cancel", run.Name(), ErrNothingPlanned)
	}
	return err
}

// giveUpCancelled does for a run that was under way what its cancel asked for. If
// its last triggers left nothing planned, it has come to its end.
func (r *Runner) giveUpCancelled(ctx context.Context, run *store.Run, c *Cancellation) error {
	if c == nil {
		return nil
	}
	if run.PlannedAt == nil {
		if err := r.Ledger.DiscardPlan(ctx, run); err != nil {
			return err
		}
	}
	err := r.giveUp(ctx, run, *c)
	if errors.Is(err, ErrNothingPlanned) {
		return nil
	}
	return err
}

// begin notes an execution; the context ends when somebody cancels it.
func (u *underway) begin(ctx context.Context, run *store.Run) (context.Context, *execution) {
	ctx, end := context.WithCancelCause(ctx)
	e := &execution{end: end, done: make(chan struct{})}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.executions == nil {
		u.executions = map[string]*execution{}
	}
	u.executions[run.RunID] = e
	return ctx, e
}

// end forgets an execution and returns how it was cancelled; nil: it was not.
func (u *underway) end(run *store.Run, e *execution) *Cancellation {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.executions, run.RunID)
	e.end(nil)
	return e.cancelled
}

// cancel ends an execution and returns what is closed when its run came to rest;
// nil: the run is not under way. Of several cancels the first one counts.
func (u *underway) cancel(run *store.Run, c Cancellation) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.executions[run.RunID]
	if e == nil {
		return nil
	}
	if e.cancelled == nil {
		e.cancelled = &c
		e.end(errCancelled)
	}
	return e.done
}
