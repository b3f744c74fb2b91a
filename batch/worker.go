package batch

import (
	"context"
	"errors"
	"time"

	"worqcron/failpoint"
	"worqcron/store"
	"worqcron/worqhat"
)

// worker sends one chunk after the other. The outcome of an accepted one may still
// be on its way to the ledger when the next one's intent follows it, in the same
// commit: half as many commits, and as many open attempts as workers all the same.
type worker struct {
	*delivery
	body *bodyBuilder
	last *outcome // that is on its way; nil: none
	left bool     // it was one too many
}

// work is one worker's life. The end of ctx ends it before the next trigger, the
// end of send also during one.
func (d *delivery) work(ctx, send context.Context) (err error) {
	w := &worker{delivery: d}
	defer func() {
		if !w.left {
			d.leave()
		}
	}()
	if w.body, err = d.records.newBuilder(); err != nil {
		return err
	}
	defer w.body.close()
	err = w.sendAll(ctx, send)
	return errors.Join(err, w.settle(send))
}

// sendAll sends until there is nothing left to send or one worker less is wanted.
func (d *worker) sendAll(ctx, send context.Context) error {
	for ctx.Err() == nil {
		if d.left = d.surplus(); d.left {
			return nil
		}
		t, err := d.queue.next(ctx)
		if d.sourceChanged(err) {
			return nil
		}
		if err != nil || t == nil {
			return ignoreEnd(ctx, err)
		}
		if err := d.chunk(ctx, send, t); err != nil {
			return err
		}
	}
	return nil
}

// outcome is one that is on its way to the ledger.
type outcome struct {
	attempt int64
	chunk   *store.Chunk
	end     store.AttemptEnd
	wait    func() error
}

// commit has an outcome committed. It waits for that only where more follows from it
// than the next chunk.
func (d *worker) commit(send context.Context, attempt int64, c *store.Chunk, r worqhat.Result, n next) error {
	o := &outcome{attempt: attempt, chunk: c, end: store.AttemptEnd{
		Outcome: string(r.Outcome), Reason: string(r.Reason), Detail: r.Detail, StatusCode: r.StatusCode,
		AnalyticsID: r.AnalyticsID, Answer: r.Answer, Next: n.state, ChunkReason: n.reason, NotBefore: n.until, Split: n.split,
	}}
	o.wait = d.runner.Ledger.FinishLater(context.WithoutCancel(send), attempt, o.end)
	d.last = o
	if r.Outcome == worqhat.Accepted {
		return nil
	}
	return d.settle(send)
}

// settleBeforeWaits keeps an outcome from staying on its way while the next trigger
// waits for longer than others take to come home.
func (d *worker) settleBeforeWaits(send context.Context) error {
	if d.runner.Budget.Paces(d.run.Schedule) || len(d.options.Load().Window) > 0 {
		return d.settle(send)
	}
	return nil
}

// settle returns when the last outcome is committed, and nothing is on its way.
// While the disk is full it is kept and tried again, and nothing new is sent; send's
// end gives up, and recovery will find the attempt unknown.
func (d *worker) settle(send context.Context) error {
	o := d.last
	if o == nil {
		return nil
	}
	d.last = nil
	err := o.wait()
	for errors.Is(err, store.ErrFull) {
		d.log.Error("ledger full, an outcome waits for room", "err", err, "outcome", o.end.Outcome, "analytics_id", o.end.AnalyticsID)
		if sleepUntil(send, time.Now().Add(fullWait)) != nil {
			return err
		}
		err = d.runner.Ledger.FinishAttempt(context.WithoutCancel(send), o.attempt, o.end)
	}
	if err != nil {
		return err
	}
	failpoint.Hit("after-outcome")
	if o.end.Outcome != string(worqhat.Unknown) && o.end.Next == store.ChunkAccepted {
		d.forget(o.chunk)
	}
	return nil
}
