package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// requestEvery is how often the daemon looks for requests of other commands.
const requestEvery = 250 * time.Millisecond

// serveRequests begins what other commands hand over. Each is answered when its
// run has come to rest; those that a stop interrupts are answered too.
func (d *daemon) serveRequests(ctx context.Context) error {
	tick := time.NewTicker(requestEvery)
	defer tick.Stop()
	for last := int64(0); ; {
		list, err := d.ledger.OpenRequests(ctx, last)
		if err != nil && ctx.Err() == nil {
			d.log.Error("requests not read", "err", err)
		}
		for _, q := range list {
			last = q.RequestID
			d.serveRequest(ctx, q)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (d *daemon) serveRequest(ctx context.Context, q store.Request) {
	d.log.Info("request taken over", "request", q.RequestID, "kind", q.Kind)
	var err error
	switch q.Kind {
	case "run":
		err = d.requestRun(ctx, q)
	case "resolve":
		err = d.requestResolve(ctx, q)
		d.lookAtFollowers(ctx, "") // it may have made a run succeed
	case "reconcile":
		err = d.requestReconcile(ctx, q)
	case "cancel":
		err = d.requestCancel(ctx, q)
	case "pause":
		err = d.requestPause(ctx, q)
	case "resume":
		err = d.requestResume(ctx, q)
	case "backfill":
		err = d.requestBackfill(ctx, q)
	case "redrive":
		err = d.requestRedrive(ctx, q)
	default:
		err = fmt.Errorf("this daemon knows no request %q", q.Kind)
	}
	if err != nil {
		d.answer(q, exitCode(err), err.Error())
	}
}

// answer ends a request; it works although ctx has ended.
func (d *daemon) answer(q store.Request, code int, message string) {
	if err := d.ledger.FinishRequest(context.Background(), q.RequestID, code, message); err != nil {
		d.log.Error("request not answered", "request", q.RequestID, "err", err)
	}
}

func (d *daemon) requestRun(ctx context.Context, q store.Request) error {
	var ask runRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	defer d.turn(ask.Schedule)() // first: a reload may rename it
	s, ok := d.schedule(ask.Schedule)
	if !ok {
		return usageError{fmt.Errorf("the daemon's configuration has no schedule %q: reload it", ask.Schedule)}
	}
	if b := d.busyWith(ask.Schedule); b != nil {
		if ask.another(b.run) {
			return fmt.Errorf("run %s of the schedule is under way: ask again when it came to rest", b.run.Name())
		}
		d.log.Info("request follows the run under way", "request", q.RequestID, "run_id", b.run.RunID)
		return d.follow(ctx, q, b, ask)
	}
	o := ask.order(nil)
	run, err := d.runner.Start(ctx, &s.Job, o)
	if err != nil {
		return err
	}
	return d.follow(ctx, q, d.begin(ctx, s, run, o), ask)
}

// follow names the run for the asker and answers when it came to rest.
func (d *daemon) follow(ctx context.Context, q store.Request, b *busyRun, ask runRequest) error {
	if err := d.ledger.ServeRequest(ctx, q.RequestID, b.run.RunID); err != nil {
		return err
	}
	d.runs.Go(func() {
		<-b.done
		code := b.code
		if c, err := d.receipt(b.run); err == nil {
			code = ask.code(c)
		}
		d.answer(q, code, "")
	})
	return nil
}

func (d *daemon) receipt(run *store.Run) (*store.Receipt, error) {
	now, err := d.ledger.FindRun(context.Background(), run.RunID)
	if err != nil {
		return nil, err
	}
	return d.ledger.Receipt(context.Background(), now)
}

func (d *daemon) requestResolve(ctx context.Context, q store.Request) error {
	var ask resolveRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	run, err := d.ledger.FindRun(ctx, ask.Run)
	if err != nil {
		return err
	}
	defer d.turn(run.Schedule)()
	if b := d.busyWith(run.Schedule); b != nil && b.run.RunID == run.RunID {
		return fmt.Errorf("run %s is under way: resolve it when it came to rest", run.Name())
	}
	res := batch.Resolution{Decision: ask.Decision, Chunk: ask.Chunk, Actor: ask.Actor, Reason: ask.Reason}
	if _, err := d.runner.Resolve(ctx, run, res); err != nil {
		return err
	}
	if ask.Decision != batch.DecideResend {
		return d.answerResolved(ctx, q, run)
	}
	s, ok := d.schedule(run.Schedule)
	if !ok {
		return fmt.Errorf("chunks are planned again, but the configuration has no schedule %q any more to send them with", run.Schedule)
	}
	return d.resend(ctx, q, s, run)
}

func (d *daemon) answerResolved(ctx context.Context, q store.Request, run *store.Run) error {
	if err := d.ledger.ServeRequest(ctx, q.RequestID, run.RunID); err != nil {
		return err
	}
	d.watch.ended(run.Schedule)
	c, err := d.receipt(run)
	if err != nil {
		return err
	}
	d.answer(q, statusCode(c), "")
	return nil
}

func (d *daemon) resend(ctx context.Context, q store.Request, s config.Schedule, run *store.Run) error {
	if b := d.busyWith(run.Schedule); b != nil {
		return fmt.Errorf("chunks are planned again, but run %s of the schedule is under way: 'worqcron run %s' sends them when it came to rest", b.run.Name(), run.Schedule)
	}
	if err := d.runner.Resume(ctx, &s.Job, run); err != nil {
		return err
	}
	return d.follow(ctx, q, d.begin(ctx, s, run, batch.Order{Origin: "manual"}), runRequest{})
}
