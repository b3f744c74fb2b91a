package batch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// tooLongError is the cause that the context of a run ends with when it took longer
// than max_duration. It is a context.Canceled, so what is under way comes to rest as
// with any other stop.
type tooLongError struct{ limit time.Duration }

func (e *tooLongError) Error() string {
	return fmt.Sprintf("took longer than max_duration = %s", e.limit)
}

func (e *tooLongError) Unwrap() error { return context.Canceled }

// limitDuration gives a context that ends when a run has taken max_duration of the
// hours in which it may send: those outside of its window do not count, whatever
// the run does in them. A reload may change both. release must be called when the
// run came to rest.
func (r *Runner) limitDuration(ctx context.Context, job *Job) (limited context.Context, release func()) {
	ctx, end := context.WithCancelCause(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for taken := time.Duration(0); ; {
			o := r.underway.optionsOf(job)
			if o.MaxDuration > 0 && taken >= o.MaxDuration {
				end(&tooLongError{o.MaxDuration})
				return
			}
			began := time.Now()
			open, until := o.Window.Around(began, job.Zone)
			next := began.Add(longestSleep)
			if until.Before(next) {
				next = until
			}
			if left := began.Add(o.MaxDuration - taken); o.MaxDuration > 0 && open && left.Before(next) {
				next = left
			}
			if sleepUntil(ctx, next) != nil {
				return
			}
			if open {
				taken += time.Since(began)
			}
		}
	}()
	return ctx, func() {
		end(nil)
		<-gone
	}
}

// optionsOf are a job's options as the last reload has them.
func (u *underway) optionsOf(job *Job) DeliveryOptions {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o, ok := u.options[job.Schedule]; ok {
		return o
	}
	return job.Delivery
}

// causeOf is why an execution was cut short: err, or, where that only says that its
// context ended, what ended it.
func causeOf(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
