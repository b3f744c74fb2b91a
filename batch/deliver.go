package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"worqcron/store"
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
	zone    *time.Location // of the window
	gate    gate
	log     *slog.Logger
	resumed bool // chunks may have attempts already

	opened   chan struct{} // closed when more than one worker may send
	openOnce sync.Once

	stopped  chan struct{} // closed when the run stops
	stopOnce sync.Once
	endWaits context.CancelFunc // ends what workers wait for
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
	working, endWaits := context.WithCancel(gctx)
	defer endWaits()
	d.endWaits = endWaits
	for i := range d.options.MaxInFlight {
		workers.Go(func() error { return d.work(working, send, i == 0) })
	}
	err = workers.Wait()
	return d.why, err
}

func (d *delivery) open() { d.openOnce.Do(func() { close(d.opened) }) }

func (d *delivery) stop(why string) {
	d.stopOnce.Do(func() {
		d.why = why
		close(d.stopped)
		d.endWaits()
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
