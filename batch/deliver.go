package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"worqcron/store"
	"worqcron/worqhat"
)

// delivery sends the planned chunks of one run. Each worker takes a chunk and
// stays with it until it is accepted, given up, or the run stops:
//
//	wait for rate, place and pauses → build the body and compare it with the
//	plan → commit the intent → POST at once → commit the outcome
//
// The context given to deliver ends the sending of new triggers; those under
// way have ShutdownTimeout to come home, then they are unknown.
type delivery struct {
	runner  *Runner
	run     *store.Run
	records *records
	options DeliveryOptions
	order   Order
	queue   *chunkQueue
	log     *slog.Logger
	resumed bool // chunks may have attempts already

	opened   chan struct{} // closed when more than one worker may send
	openOnce sync.Once

	stopped  chan struct{} // closed when the run stops
	stopOnce sync.Once
	why      string

	unknownInRow atomic.Int64
}

// maxUnknownInRow stops a run: something is wrong between here and WorqHat, and
// each further trigger would be one more decision for a person.
const maxUnknownInRow = 5

// deliver sends until nothing is planned, the run stops, or ctx ends. why says
// what stopped it; "" if it went to its end or to its limit.
func (d *delivery) deliver(ctx context.Context) (why string, err error) {
	d.opened, d.stopped = make(chan struct{}), make(chan struct{})
	if d.runner.flows.proven(d.run.FlowID) {
		d.open()
	}
	workers, gctx := errgroup.WithContext(ctx)
	send, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(gctx, func() { // gives those under way their time
		timer := time.AfterFunc(d.options.ShutdownTimeout, cancel)
		context.AfterFunc(send, func() { timer.Stop() })
	})()
	for i := range d.options.MaxInFlight {
		workers.Go(func() error { return d.work(gctx, send, i == 0) })
	}
	err = workers.Wait()
	return d.why, err
}

func (d *delivery) open() { d.openOnce.Do(func() { close(d.opened) }) }

func (d *delivery) stop(why string) {
	d.stopOnce.Do(func() {
		d.why = why
		close(d.stopped)
	})
}

// ended says whether no further trigger may begin.
func (d *delivery) ended(ctx context.Context) bool {
	select {
	case <-d.stopped:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

func (d *delivery) work(ctx, send context.Context, first bool) error {
	if first {
		defer d.open() // with the first worker gone, the others find the queue as it left it
	} else {
		select {
		case <-d.opened:
		case <-d.stopped:
		case <-ctx.Done():
		}
	}
	builder, err := d.records.newBuilder()
	if err != nil {
		return err
	}
	defer builder.close()
	for !d.ended(ctx) {
		t, err := d.queue.next(ctx)
		if d.sourceChanged(err) {
			return nil
		}
		if err != nil || t == nil {
			return ignoreEnd(ctx, err)
		}
		if err := d.chunk(ctx, send, builder, t); err != nil {
			return err
		}
	}
	return nil
}

// ignoreEnd drops an error that only says that ctx ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// chunk tries a chunk until it leaves the state planned or the run stops.
func (d *delivery) chunk(ctx, send context.Context, b *bodyBuilder, t *task) error {
	c := t.chunk
	before, err := d.triesBefore(ctx, c)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	before.waits = newBackOff()
	for c.State == store.ChunkPlanned {
		if err := sleepUntil(ctx, d.stopped, c.NotBefore); err != nil {
			return nil
		}
		n, err := d.attempt(ctx, send, b, t, &before)
		if err != nil || n == nil {
			return err
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
func (d *delivery) attempt(ctx, send context.Context, b *bodyBuilder, t *task, before *tries) (*next, error) {
	c := t.chunk
	release, err := d.runner.Budget.Acquire(ctx)
	if err != nil {
		return nil, ignoreEnd(ctx, err)
	}
	defer release()
	if d.ended(ctx) {
		return nil, nil
	}
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
	id, err := d.intent(ctx, t, hash, int64(len(body)))
	if err != nil || id == 0 {
		return nil, err
	}
	result := d.runner.client().Trigger(send, worqhat.Trigger{FlowID: d.run.FlowID, Body: body, Timeout: d.options.Timeout})
	d.order.Progress.sent(int64(len(body)))
	n := follow(result, d.options, *before)
	if n.backOff {
		n.until = time.Now().Add(before.waits.NextBackOff())
	}
	d.keep(c, n, body)
	if err := d.outcome(send, id, result, n); err != nil {
		return nil, err
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
	d.stop(err.Error())
	return true
}

// intent commits the intent, waiting while the disk is full. 0 says that the
// run ended first.
func (d *delivery) intent(ctx context.Context, t *task, hash string, bytes int64) (int64, error) {
	for {
		if d.ended(ctx) {
			return 0, nil
		}
		// Not ctx: a commit that is cancelled half-way might still have happened.
		id, err := d.begin(context.WithoutCancel(ctx), t, hash, bytes)
		if !errors.Is(err, store.ErrFull) {
			return id, err
		}
		d.log.Error("ledger full, nothing is sent until there is room", "err", err)
		if err := sleepUntil(ctx, d.stopped, time.Now().Add(fullWait)); err != nil {
			return 0, nil
		}
	}
}

// begin commits an intent; the first one of a chunk without a row writes it.
func (d *delivery) begin(ctx context.Context, t *task, hash string, bytes int64) (id int64, err error) {
	if t.begun {
		return d.runner.Ledger.BeginAttempt(ctx, d.run.ID, t.chunk.Chunk, hash, bytes)
	}
	id, err = d.runner.Ledger.BeginRecord(ctx, d.run.ID, t.chunk, hash, bytes)
	t.begun = err == nil
	return id, err
}

// fullWait is the time between looks at a full disk.
const fullWait = 5 * time.Second

// outcome commits an outcome. While the disk is full it is kept and tried
// again, and nothing new is sent; send's end gives up, and recovery will find
// the attempt unknown.
func (d *delivery) outcome(send context.Context, id int64, r worqhat.Result, n next) error {
	end := store.AttemptEnd{
		Outcome: string(r.Outcome), Reason: string(r.Reason), Detail: r.Detail, StatusCode: r.StatusCode,
		AnalyticsID: r.AnalyticsID, Answer: r.Answer, Next: n.state, ChunkReason: n.reason, NotBefore: n.until,
	}
	for {
		err := d.runner.Ledger.FinishAttempt(context.WithoutCancel(send), id, end)
		if !errors.Is(err, store.ErrFull) {
			return err
		}
		d.log.Error("ledger full, an outcome waits for room", "err", err, "outcome", r.Outcome, "analytics_id", r.AnalyticsID)
		if sleepUntil(send, nil, time.Now().Add(fullWait)) != nil {
			return err
		}
	}
}

// keep stores the body of a chunk that a person may decide to send again.
func (d *delivery) keep(c *store.Chunk, n next, body []byte) {
	if n.state != store.ChunkUnknown && n.state != store.ChunkFailed {
		return
	}
	if err := d.records.kept.save(d.run.RunID, c.Chunk, body); err != nil {
		d.log.Warn("body not kept, a later decision needs the source as it is", "chunk", c.Chunk, "err", err)
	}
}

// forget drops what was kept of a chunk before it was accepted.
func (d *delivery) forget(c *store.Chunk) {
	if !d.resumed {
		return // nobody decided about it yet
	}
	if err := d.records.kept.remove(d.run.RunID, c.Chunk); err != nil {
		d.log.Warn("kept body not removed", "chunk", c.Chunk, "err", err)
	}
}

// after acts on what an outcome means beyond its chunk.
func (d *delivery) after(c *store.Chunk, r worqhat.Result, n next, before *tries) {
	log := d.log.With("chunk", c.Chunk, "records", c.Records, "bytes", c.BodyBytes, "outcome", r.Outcome, "elapsed", r.Finished.Sub(r.Started))
	switch r.Outcome {
	case worqhat.Accepted, worqhat.AcceptedNoID:
		log.Debug("chunk accepted", "analytics_id", r.AnalyticsID)
		d.forget(c)
	case worqhat.Throttled:
		log.Warn("throttled, the key waits", "retry_in", n.pauseKey)
		d.runner.Budget.Pause(time.Now().Add(n.pauseKey), r.Detail)
	case worqhat.NotSent:
		before.notSent++
		log.Warn("chunk not sent", "reason", r.Reason, "detail", r.Detail)
	default:
		log.Warn("chunk "+string(n.state), "reason", r.Reason, "detail", r.Detail)
	}
	d.countUnknown(r, before)
	if n.stop != "" {
		d.runner.flows.doubt(d.run.FlowID)
		d.stop(n.stop)
	} else if r.StatusCode > 0 && r.Outcome != worqhat.Throttled {
		d.runner.flows.prove(d.run.FlowID)
		d.open()
	}
}

func (d *delivery) countUnknown(r worqhat.Result, before *tries) {
	if r.Outcome != worqhat.Unknown {
		if r.Outcome != worqhat.NotSent && r.Outcome != worqhat.Throttled {
			d.unknownInRow.Store(0)
		}
		return
	}
	before.unknown++
	if n := d.unknownInRow.Add(1); n >= maxUnknownInRow && d.options.OnUnknown != "accept" {
		d.runner.flows.doubt(d.run.FlowID)
		d.stop(fmt.Sprintf("%d triggers in a row ended unknown; the last one: %s", n, r.Detail))
	}
}

// sleepUntil returns nil at an instant, or an error when ctx ends or stopped
// is closed before.
func sleepUntil(ctx context.Context, stopped <-chan struct{}, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-stopped:
		return errors.New("stopped")
	case <-ctx.Done():
		return ctx.Err()
	}
}
