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
}

// Cancel gives up what of a run is planned. One that is under way in this process
// sends nothing new from now on: it comes to rest by itself, when its triggers
// under way have, and then what is planned is given up; underway says so. Any other
// is cancelled and settled when Cancel returns, and ErrNothingPlanned if there is
// nothing left of it. Unknown chunks stay unknown.
func (r *Runner) Cancel(ctx context.Context, run *store.Run, c Cancellation) (underway bool, err error) {
	if r.underway.cancel(run, c) {
		return true, nil
	}
	now, err := r.Ledger.FindRun(ctx, run.RunID)
	if err != nil {
		return false, err
	}
	if !now.State.Ended() {
		return false, fmt.Errorf("run %s is just beginning or ending: try again", run.Name())
	}
	if err := r.giveUp(ctx, now, c); err != nil {
		return false, err
	}
	_, err = r.settle(ctx, now, nil, nil)
	return false, err
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
func (u *underway) begin(ctx context.Context, run *store.Run) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.executions == nil {
		u.executions = map[string]*execution{}
	}
	u.executions[run.RunID] = &execution{end: end}
	return ctx
}

// end forgets an execution and returns how it was cancelled; nil: it was not.
func (u *underway) end(run *store.Run) *Cancellation {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.executions[run.RunID]
	delete(u.executions, run.RunID)
	e.end(nil)
	return e.cancelled
}

// cancel ends an execution; false: the run is not under way. The first one counts.
func (u *underway) cancel(run *store.Run, c Cancellation) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.executions[run.RunID]
	if e == nil {
		return false
	}
	if e.cancelled == nil {
		e.cancelled = &c
		e.end(errCancelled)
	}
	return true
}
