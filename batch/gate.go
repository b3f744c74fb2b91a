package batch

import (
	"context"
	"sync"
)

// gates let the first trigger of a flow go alone: a wrong key or flow id costs one
// trigger, not one a worker. The first answer that is no refusal opens the flow's
// gate for all runs of the process; a refusal, or a new key, closes it again, and
// answers to what went before that do not open it. The zero value is ready to use,
// with all gates closed.
//
// Before a closed gate one trigger of each schedule is the one that may go: who of
// them goes alone is who has a place and a token first, since a schedule may have to
// wait for its own for hours.
type gates struct {
	mu     sync.Mutex
	flows  map[string]*gate
	closed int // how often any of them was closed
}

type gate struct {
	open    bool
	probing map[string]bool // by schedule: one of its triggers is the one that may go
	out     bool            // one of them is under way
	changed chan struct{}   // closed when one of the three changes
}

// of returns the gate of a flow; mu is held.
func (g *gates) of(flowID string) *gate {
	f := g.flows[flowID]
	if f == nil {
		f = &gate{probing: map[string]bool{}, changed: make(chan struct{})}
		if g.flows == nil {
			g.flows = map[string]*gate{}
		}
		g.flows[flowID] = f
	}
	return f
}

func (f *gate) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// pass waits until a trigger of a schedule may wait for the budget. Before a closed
// gate it is a probe, and must be ended with leave. The error is the cause of ctx's
// end.
func (g *gates) pass(ctx context.Context, flowID, schedule string) (probe bool, err error) {
	for {
		g.mu.Lock()
		f := g.of(flowID)
		if f.open || !f.probing[schedule] {
			if probe = !f.open; probe {
				f.probing[schedule] = true
			}
			g.mu.Unlock()
			return probe, nil
		}
		changed := f.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// leave ends a probe; nothing if it was none.
func (g *gates) leave(flowID, schedule string, probe bool) {
	if !probe {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.of(flowID)
	delete(f.probing, schedule)
	f.tell()
}

// entry is how a trigger went through its gate.
type entry struct {
	closed int  // how often gates had been closed by then: for prove
	alone  bool // it must be ended with land, after prove or doubt where its answer said something
	waited bool // for another one that was under way alone
}

// enter lets a trigger go that passed and has its place; not ok: its gate was closed
// meanwhile. A probe waits until no other one is under way.
func (g *gates) enter(ctx context.Context, flowID string, probe bool) (e entry, ok bool, err error) {
	for {
		g.mu.Lock()
		f := g.of(flowID)
		e.closed = g.closed
		if f.open || !probe || !f.out {
			e.alone = probe && !f.open
			f.out = f.out || e.alone
			ok = f.open || probe
			g.mu.Unlock()
			return e, ok, nil
		}
		changed := f.changed
		g.mu.Unlock()
		e.waited = true
		select {
		case <-changed:
		case <-ctx.Done():
			return e, false, context.Cause(ctx)
		}
	}
}

// land ends what went alone, whatever came of it.
func (g *gates) land(flowID string, e entry) {
	if !e.alone {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.of(flowID)
	f.out = false
	f.tell()
}

// prove opens a flow's gate, unless gates were closed since the trigger went.
func (g *gates) prove(flowID string, closed int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.of(flowID); !f.open && closed == g.closed {
		f.open = true
		f.tell()
	}
}

// doubt closes a flow's gate.
func (g *gates) doubt(flowID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed++
	g.of(flowID).open = false
}

// doubtAll closes all gates.
func (g *gates) doubtAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed++
	for _, f := range g.flows {
		f.open = false
	}
}
