package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"worqcron/batch"
	"worqcron/store"
)

// Cancels are served by whoever holds the ledger and may have the run under way:
// a daemon, or a run in the foreground.

func (d *daemon) requestCancel(ctx context.Context, q store.Request) error {
	return serveCancel(ctx, d.runner, q, func(wait func()) { d.runs.Go(wait) })
}

// serveCancel cancels a run and answers when it came to rest; what waits for that
// is handed to background.
func serveCancel(ctx context.Context, runner *batch.Runner, q store.Request, background func(wait func())) error {
	var ask cancelRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	run, err := runner.Ledger.FindRun(ctx, ask.Run)
	if err != nil {
		return err
	}
	done, err := runner.Cancel(ctx, run, batch.Cancellation{Actor: ask.Actor, Reason: ask.Reason})
	if err != nil {
		return err
	}
	if err := runner.Ledger.ServeRequest(ctx, q.RequestID, run.RunID); err != nil {
		return err
	}
	background(func() {
		if done != nil {
			<-done
		}
		code, message := exitDone, ""
		_, cancelled, err := runner.Ledger.Cancelled(context.Background(), run)
		switch {
		case err != nil:
			code, message = exitFailed, err.Error()
		case !cancelled:
			code, message = exitFailed, fmt.Sprintf("run %s came to its end before it could be cancelled", run.Name())
		}
		finishRequest(runner, q, code, message)
	})
	return nil
}

func finishRequest(runner *batch.Runner, q store.Request, code int, message string) {
	if err := runner.Ledger.FinishRequest(context.Background(), q.RequestID, code, message); err != nil {
		runner.Log.Error("request not answered", "request", q.RequestID, "err", err)
	}
}

// serveCancels serves cancels that come while a run is in the foreground. stop ends
// it and waits until all that were taken are answered, so the run must have come to
// rest. Requests from before are a daemon's to serve.
func serveCancels(ctx context.Context, runner *batch.Runner) (stop func(), err error) {
	before, err := runner.Ledger.OpenRequests(ctx, 0)
	if err != nil {
		return nil, err
	}
	last := int64(0)
	if n := len(before); n > 0 {
		last = before[n-1].RequestID
	}
	ctx, end := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(requestEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			list, err := runner.Ledger.OpenRequests(ctx, last)
			if err != nil && ctx.Err() == nil {
				runner.Log.Error("requests not read", "err", err)
			}
			for _, q := range list {
				last = q.RequestID
				if q.Kind != "cancel" {
					continue
				}
				if err := serveCancel(ctx, runner, q, func(wait func()) { all.Go(wait) }); err != nil {
					finishRequest(runner, q, exitCode(err), err.Error())
				}
			}
		}
	})
	return func() { end(); all.Wait() }, nil
}
