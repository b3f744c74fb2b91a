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
type gates struct {
	mu     sync.Mutex
	flows  map[string]*gate
	closed int // how often any of them was closed
}

type gate struct {
	open    bool
	probing bool          // somebody goes alone
	changed chan struct{} // closed when one of the two changes
}

// of returns the gate of a flow; mu is held.
func (g *gates) of(flowID string) *gate {
	f := g.flows[flowID]
	if f == nil {
		f = &gate{changed: make(chan struct{})}
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

// pass waits until a trigger of the flow may go. A probe goes alone: it must be
// ended with leave, after prove or doubt where its answer said something. The
// error is the cause of ctx's end.
func (g *gates) pass(ctx context.Context, flowID string) (probe bool, err error) {
	for {
		g.mu.Lock()
		f := g.of(flowID)
		if f.open || !f.probing {
			probe = !f.open
			f.probing = f.probing || probe
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

// leave ends a probe, that no answer may have come to; nothing if it was none.
func (g *gates) leave(flowID string, probe bool) {
	if !probe {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.of(flowID)
	f.probing = false
	f.tell()
}

// enter says whether a trigger that passed may still go, and as of which closing of
// the gates: for prove.
func (g *gates) enter(flowID string, probe bool) (closed int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed, probe || g.of(flowID).open
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
