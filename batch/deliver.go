package batch

import (
	"context"
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
	options atomic.Pointer[DeliveryOptions]
	order   Order
	queue   *chunkQueue
	zone    *time.Location // of the window
	hours   openHours
	log     *slog.Logger
	resumed bool // chunks may have attempts already

	stopOnce sync.Once
	why      string             // it stopped; "" if it did not
	halt     context.CancelFunc // ends the context of the workers

	crew sync.Mutex
	hire func() // begins workers until there are as many as the options say
	size int    // workers there are; 0: the delivery has ended

	splitting sync.Mutex
	lastChunk int64 // the run's largest chunk number; 0: not looked up

	tally        tally
	unknownInRow atomic.Int64
}

// maxUnknownInRow stops a run: something is wrong between here and WorqHat, and
// each further trigger would be one more decision for a person.
const maxUnknownInRow = 5

// deliver sends until nothing is planned, the run stops, or ctx ends. why says
// what stopped it; "" if it went to its end or to its limit.
func (d *delivery) deliver(ctx context.Context) (why string, err error) {
	workers, gctx := errgroup.WithContext(ctx)
	live, halt := context.WithCancel(gctx) // also ended when the run stops
	defer halt()
	send, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(gctx, func() { // gives those under way their time
		timer := time.AfterFunc(d.options.Load().ShutdownTimeout, cancel)
		context.AfterFunc(send, func() { timer.Stop() })
	})()
	d.halt = halt
	d.hire = d.hiring(func() {
		workers.Go(func() error { return d.work(live, send) })
	})
	d.size = 1
	d.runner.underway.enroll(d)
	workers.Go(func() error { return d.work(live, send) })
	d.hire()
	err = workers.Wait()
	d.runner.underway.dismiss(d) // from here on nobody else stops it
	return d.why, err
}

// hiring makes hire of what begins one worker. Once all workers have gone the
// delivery has ended, and none comes.
func (d *delivery) hiring(begin func()) func() {
	return func() {
		d.crew.Lock()
		defer d.crew.Unlock()
		for want := d.options.Load().workers(); d.size > 0 && d.size < want; d.size++ {
			begin()
		}
	}
}

// surplus says whether there are more workers than the options say now; the one
// that asked then has to go.
func (d *delivery) surplus() bool {
	d.crew.Lock()
	defer d.crew.Unlock()
	if d.size <= d.options.Load().workers() {
		return false
	}
	d.size--
	return true
}

func (d *delivery) leave() {
	d.crew.Lock()
	defer d.crew.Unlock()
	d.size--
}

// stop ends the sending of new triggers; the first reason counts.
func (d *delivery) stop(why string) {
	d.stopOnce.Do(func() {
		d.why = why
		d.halt()
	})
}

// ignoreEnd drops an error that only says that ctx ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// sleepUntil returns nil at an instant, or an error when ctx ends before.
func sleepUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
