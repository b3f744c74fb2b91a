package scheduler

import (
	"context"
	"time"
)

// Together is what a Host may do besides: the work of many schedules at one
// instant, with one commit for all. What it does not do so is asked for again, one
// schedule at a time.
type Together interface {
	// Marks gives all marks that are stored, by schedule.
	Marks(ctx context.Context) (map[string]Mark, error)

	// ClaimTogether is Claim for slots of several schedules, each schedule's in time
	// order. It says which of them it did, in the order given: none of them after an
	// error, and of a schedule none behind one that it left.
	ClaimTogether(ctx context.Context, dues []Due) (done []bool)

	// AdvanceTogether is Advance for several schedules: all of them or none.
	AdvanceTogether(ctx context.Context, marks map[string]Mark) error
}

// maxTogether bounds how many slots are claimed with one commit, so that those that
// come first need not wait for thousands of rows about the past.
const maxTogether = 2000

// decided is an entry and what is to become of its slots.
type decided struct {
	*entry
	decision
}

// settleTogether does what it can of what is due with few commits, and leaves the
// rest due.
func (s *Scheduler) settleTogether(ctx context.Context, host Together, now time.Time) {
	if err := s.loadTogether(ctx, host, now); err != nil {
		return // who asks for its mark alone will hear of it
	}
	var left []*entry
	for ctx.Err() == nil {
		batch, others := s.takeDue(now)
		left = append(left, others...)
		if len(batch) == 0 {
			break
		}
		left = append(left, s.claimTogether(ctx, host, batch)...)
	}
	for _, e := range left {
		s.table.lookAt(e, now)
	}
}

// loadTogether finds where entries begin that are due for the first time.
func (s *Scheduler) loadTogether(ctx context.Context, host Together, now time.Time) error {
	var marks map[string]Mark
	for _, e := range s.table.queue {
		if e.loaded || e.fresh || e.due.After(now) {
			continue
		}
		if marks == nil {
			var err error
			if marks, err = host.Marks(ctx); err != nil {
				return err
			}
		}
		mark, seen := marks[e.name]
		s.begin(e, mark, seen, now)
	}
	return nil
}

// takeDue takes entries that are due off the queue, the first ones first, and
// decides their slots. others are those that still owe slots of before an edit.
func (s *Scheduler) takeDue(now time.Time) (batch []decided, others []*entry) {
	slots := 0
	for slots < maxTogether {
		e, ok := s.table.due(now)
		if !ok {
			break
		}
		s.table.remove(e)
		if len(e.terms) > 1 || !e.loaded && !e.fresh {
			others = append(others, e)
			continue
		}
		if !e.loaded {
			s.begin(e, Mark{}, false, now)
		}
		d := decide(e.terms[0].Schedule, e.mark, e.waiting, now)
		batch = append(batch, decided{e, d})
		slots += len(d.dues) + 1
	}
	return batch, others
}

// claimTogether claims and stores what was decided, and gives the entries that are
// not done.
func (s *Scheduler) claimTogether(ctx context.Context, host Together, batch []decided) (left []*entry) {
	var dues []Due
	for _, b := range batch {
		dues = append(dues, b.dues...)
	}
	var done []bool
	if len(dues) > 0 {
		done = host.ClaimTogether(ctx, dues)
	}
	marks := map[string]Mark{}
	var settled []*entry
	for _, b := range batch {
		own := done[:len(b.dues)]
		done = done[len(b.dues):]
		if !b.claimedAll(own) {
			left = append(left, b.entry)
			continue
		}
		s.finish(b.entry, b.decision)
		settled = append(settled, b.entry)
		if !b.stored {
			marks[b.name] = b.toStore()
		}
	}
	if len(marks) > 0 && host.AdvanceTogether(ctx, marks) != nil {
		return append(left, settled...)
	}
	for _, e := range settled {
		e.stored = true
		s.table.lookAtNext(e)
	}
	return left
}

// claimedAll takes over which slots were claimed, up to the first that was not.
func (b decided) claimedAll(done []bool) bool {
	for i, due := range b.dues {
		if !done[i] {
			return false
		}
		b.claimed(due)
	}
	return true
}
