package batch

import (
	"context"
	"errors"
	"time"

	"worqcron/failpoint"
	"worqcron/store"
	"worqcron/worqhat"
)

// chunk tries a chunk until it leaves the state planned or the run stops.
func (d *worker) chunk(ctx, send context.Context, t *task) error {
	c := t.chunk
	before, err := d.triesBefore(ctx, c)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	before.waits = newBackOff()
	defer func() { d.runner.gates.leave(d.run.FlowID, d.run.Schedule, before.probe) }()
	for c.State == store.ChunkPlanned {
		if err := sleepUntil(ctx, c.NotBefore); err != nil {
			return nil
		}
		if done, err := d.splitPlanned(ctx, d.body, t, &before); done || err != nil {
			return err
		}
		if err := d.settleBeforeWaits(send); err != nil {
			return err
		}
		n, err := d.attempt(ctx, send, t, &before)
		if err != nil || n == nil {
			return err
		}
		if n.split != nil {
			return nil // its parts are in the queue
		}
		c.State, c.NotBefore = n.state, n.until
	}
	d.order.Progress.done(c.Records)
	return nil
}

func (d *delivery) triesBefore(ctx context.Context, c *store.Chunk) (t tries, err error) {
	if d.resumed {
		t.unknown, err = d.runner.Ledger.CountUnknown(ctx, d.run.ID, c.Chunk)
	}
	return t, err
}

// attempt makes one try. A nil next says that none was made because the run
// has ended.
func (d *worker) attempt(ctx, send context.Context, t *task, before *tries) (*next, error) {
	c, b := t.chunk, d.body
	release, err := d.admit(ctx, before)
	if err != nil {
		return nil, ignoreEnd(ctx, err)
	}
	defer release()
	if ctx.Err() != nil {
		return nil, nil
	}
	if _, yes := d.tooLong(t, before); yes { // the flow refused another one while this one waited
		return &next{state: store.ChunkPlanned}, nil
	}
	options := d.options.Load()
	b.buf = d.runner.buffers.take()
	defer func() {
		d.runner.buffers.giveBack(b.buf)
		b.buf = nil
	}()
	body, hash, err := b.build(c, t.record)
	if err != nil {
		if d.sourceChanged(err) {
			return nil, nil
		}
		return nil, err
	}
	failpoint.Hit("before-intent")
	id, err := d.intent(ctx, send, t, hash, int64(len(body)))
	if err != nil || id == 0 {
		return nil, err
	}
	if err := d.settle(send); err != nil {
		return nil, err
	}
	trigger := worqhat.Trigger{FlowID: d.run.FlowID, Body: body, Timeout: options.Timeout}
	failpoint.Hit("after-intent")
	result := d.runner.client().Trigger(send, trigger)
	failpoint.Hit("after-answer")
	d.order.Progress.sent(int64(len(body)))
	n := follow(result, options, *before, c.Records)
	paused := d.pauseKey(result, n) // at once: others would go while the outcome is committed
	d.learn(trigger, result)
	if n.state == store.ChunkSplit {
		n = d.splitRefused(context.WithoutCancel(ctx), b, c, n)
	}
	if n.backOff {
		n.until = time.Now().Add(before.waits.NextBackOff())
	}
	d.keep(c, n, body)
	failpoint.Hit("before-outcome")
	if err := d.commit(send, id, c, result, n); err != nil {
		return nil, err
	}
	t.segment = 0 // its row is there
	if paused {
		d.runner.keepPause(send) // behind the outcome, which a crash must not make unknown
	}
	if n.split != nil {
		d.runner.underway.lower(destinationOf(d.run), n.split.Limit)
		d.splitDone(t, n.split)
	}
	d.after(c, result, n, before)
	return &n, nil
}

// sourceChanged stops the run if that is what an error says.
func (d *delivery) sourceChanged(err error) bool {
	var changed *SourceChangedError
	if !errors.As(err, &changed) {
		return false
	}
	d.stop(err.Error() + "; put it back, or give up the rest: worqcron cancel " + d.run.Name())
	return true
}

// intent commits the intent, waiting while the disk is full, behind the outcome that
// waits as well. 0 says that the run ended first.
func (d *worker) intent(ctx, send context.Context, t *task, hash string, bytes int64) (int64, error) {
	for {
		if ctx.Err() != nil {
			return 0, nil
		}
		// Not ctx: a commit that is cancelled half-way might still have happened.
		id, err := d.begin(context.WithoutCancel(ctx), t, hash, bytes)
		if !errors.Is(err, store.ErrFull) {
			return id, err
		}
		d.log.Error("ledger full, nothing is sent until there is room", "err", err)
		if err := d.settle(send); err != nil {
			return 0, err
		}
		if err := sleepUntil(ctx, time.Now().Add(fullWait)); err != nil {
			return 0, nil
		}
	}
}

func (d *delivery) begin(ctx context.Context, t *task, hash string, bytes int64) (id int64, err error) {
	if t.segment == 0 {
		return d.runner.Ledger.BeginAttempt(ctx, d.run.ID, t.chunk.Chunk, hash, bytes)
	}
	return d.runner.Ledger.BeginRecord(ctx, store.Intent{Run: d.run.ID, Chunk: t.chunk.Chunk, Segment: t.segment, BodyHash: hash, BodyBytes: bytes})
}

// fullWait is the time between looks at a full disk.
const fullWait = 5 * time.Second
