package store

import (
	"context"
	"database/sql"
	"sync"

	"worqcron/failpoint"
)

// group lets parallel writes share a commit: what comes while one is on its way
// to the disk goes there together with the next.
type group struct {
	mu      sync.Mutex
	busy    bool // a commit is under way, and somebody leads
	waiting []*shared
}

// shared is a write that waits.
type shared struct {
	write func(*sql.Tx) error
	turn  chan struct{} // closed when it has to lead
	done  chan error    // receives its result
}

// share is write for what may be committed together with others of its kind. It
// returns after the commit, as write does.
func (l *Ledger) share(ctx context.Context, fn func(*sql.Tx) error) error {
	s := &shared{write: fn, turn: make(chan struct{}), done: make(chan error, 1)}
	l.group.mu.Lock()
	l.group.waiting = append(l.group.waiting, s)
	if !l.group.busy {
		l.group.busy = true
		close(s.turn)
	}
	l.group.mu.Unlock()
	select {
	case err := <-s.done:
		return err
	case <-s.turn:
	}
	l.group.mu.Lock()
	all := l.group.waiting
	l.group.waiting = nil
	l.group.mu.Unlock()
	l.commit(ctx, all)
	l.group.passOn()
	return <-s.done
}

// passOn lets the first that waits lead, if there is one.
func (g *group) passOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.busy = false
		return
	}
	close(g.waiting[0].turn)
}

// commit commits writes together. If one of them fails, nothing of the others
// may hang on it, so each is written again by itself.
func (l *Ledger) commit(ctx context.Context, all []*shared) {
	ctx = context.WithoutCancel(ctx) // of one of them only
	failed := false
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, s := range all {
			if err := s.write(tx); err != nil {
				failed = true
				return err
			}
			failpoint.Hit("group")
		}
		return nil
	})
	for _, s := range all {
		if failed && len(all) > 1 {
			err = l.write(ctx, s.write)
		}
		s.done <- err
	}
}
