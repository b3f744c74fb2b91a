package batch

import (
	"context"
	"sync"

	"worqcron/store"
	"worqcron/worqhat"
)

// underway is what a Runner knows of its runs under way, so that what concerns
// several of them reaches all: new options, a refused key, a cancel. The zero value
// is ready to use.
type underway struct {
	mu         sync.Mutex
	deliveries map[*delivery]bool
	options    map[string]DeliveryOptions // by schedule, as the last reload has them
	executions map[string]*execution      // by run_id
	limits     map[store.Destination]int64
}

// UpdateDelivery gives the runs of a schedule new options, also those under way:
// workers come or go at once, all else counts from the next trigger on.
func (r *Runner) UpdateDelivery(schedule string, o DeliveryOptions) {
	r.underway.mu.Lock()
	defer r.underway.mu.Unlock()
	if r.underway.options == nil {
		r.underway.options = map[string]DeliveryOptions{}
	}
	r.underway.options[schedule] = o
	for d := range r.underway.deliveries {
		if d.run.Schedule == schedule {
			d.options.Store(&o)
			d.hire()
		}
	}
}

// enroll makes a delivery known, with the options of the last reload.
func (u *underway) enroll(d *delivery) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o, ok := u.options[d.run.Schedule]; ok {
		d.options.Store(&o)
	}
	if u.deliveries == nil {
		u.deliveries = map[*delivery]bool{}
	}
	u.deliveries[d] = true
}

func (u *underway) dismiss(d *delivery) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.deliveries, d)
}

// refused stops what a refusal concerns: all runs if it is the key's, all of the
// flow if it is the flow's, else the one run. The next trigger goes alone.
func (r *Runner) refused(d *delivery, stop worqhat.Stop, why string) {
	if stop == worqhat.StopKey {
		r.gates.doubtAll()
	} else {
		r.gates.doubt(d.run.FlowID)
	}
	d.stop(why)
	if stop != worqhat.StopKey && stop != worqhat.StopFlow {
		return
	}
	r.underway.mu.Lock()
	defer r.underway.mu.Unlock()
	for other := range r.underway.deliveries {
		if other != d && (stop == worqhat.StopKey || other.run.FlowID == d.run.FlowID) {
			other.stop(why + " (as run " + d.run.Name() + " was told)")
		}
	}
}

// limitOf returns how long a body for a destination may be; 0: no limit is known.
func (u *underway) limitOf(to store.Destination) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.limits[to]
}

// learn takes a limit into account that the ledger has; 0 is none.
func (u *underway) learn(to store.Destination, limit int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limits == nil {
		u.limits = map[store.Destination]int64{}
	}
	u.limits[to] = limit
}

// lower takes a limit into account that was just learnt.
func (u *underway) lower(to store.Destination, limit int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if known := u.limits[to]; known == 0 || limit < known {
		u.limits[to] = limit // made by learn, at the delivery's begin
	}
}

// loadLimit reads again what a destination may get: it holds for some days only.
func (r *Runner) loadLimit(ctx context.Context, to store.Destination) error {
	limit, err := r.Ledger.FlowLimit(ctx, to)
	if err == nil {
		r.underway.learn(to, limit.MaxBytes)
	}
	return err
}

func destinationOf(run *store.Run) store.Destination {
	return store.Destination{FlowID: run.FlowID, BaseURL: run.BaseURL}
}
