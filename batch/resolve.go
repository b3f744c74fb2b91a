package batch

import (
	"context"
	"errors"
	"fmt"

	"worqcron/failpoint"
	"worqcron/store"
)

// Decision is what a person decides about a chunk that may have been accepted.
type Decision string

// The decisions.
const (
	DecideAccepted Decision = "accepted" // it was accepted: never sent again
	DecideResend   Decision = "resend"   // it is sent once more
	DecideAbandon  Decision = "abandon"  // it was not, and will not be sent: failed
)

// action names the decision in the audit, and as the reason of its chunks.
func (d Decision) action() string {
	switch d {
	case DecideResend:
		return "resolved: to be sent again"
	case DecideAbandon:
		return "resolved: abandoned"
	}
	return "resolved as " + string(d)
}

// Resolution settles unknown chunks of a run.
type Resolution struct {
	Decision Decision
	Chunk    int64 // 0: all unknown ones of the run
	Actor    string
	Reason   string // in the person's own words; required
}

// ErrNothingUnknown means that there is nothing to resolve.
var ErrNothingUnknown = errors.New("nothing is unknown")

// Resolve decides unknown chunks, with an audit row each, and returns how many.
// It sends nothing: chunks to be sent again are planned when it returns, and
// the run is stopped until Run resumes it.
func (r *Runner) Resolve(ctx context.Context, run *store.Run, res Resolution) (int64, error) {
	next := map[Decision]store.ChunkState{
		DecideAccepted: store.ChunkAccepted, DecideResend: store.ChunkPlanned, DecideAbandon: store.ChunkFailed,
	}[res.Decision]
	if next == "" {
		return 0, fmt.Errorf("no such decision: %q", res.Decision)
	}
	resolved, err := r.resolveChunks(ctx, run, next, res)
	if err != nil || resolved == 0 {
		return resolved, err
	}
	var imposed *store.End
	if next == store.ChunkPlanned {
		imposed = &store.End{State: store.Stopped, Reason: counted(resolved, "chunk") + " to be sent again"}
	}
	_, err = r.settle(ctx, run, imposed, nil)
	return resolved, err
}

func (r *Runner) resolveChunks(ctx context.Context, run *store.Run, next store.ChunkState, res Resolution) (resolved int64, err error) {
	one := func(chunk int64) error {
		err := r.Ledger.ResolveChunk(ctx, run, next, store.Audit{
			Action: res.Decision.action(), RunID: run.RunID, Chunk: chunk, Actor: res.Actor, Reason: res.Reason,
		})
		if err != nil {
			return err
		}
		failpoint.Hit("resolved")
		resolved++
		if next == store.ChunkAccepted {
			return r.keptBodies().remove(run.RunID, chunk)
		}
		return nil
	}
	if res.Chunk != 0 {
		err := one(res.Chunk)
		if errors.Is(err, store.ErrState) {
			err = r.notUnknown(ctx, run, res.Chunk)
		}
		return resolved, err
	}
	for after := int64(0); ; {
		page, err := r.Ledger.ChunksInState(ctx, run.ID, store.ChunkUnknown, after, queuePage)
		if err != nil {
			return resolved, err
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if err := one(c.Chunk); err != nil {
				return resolved, err
			}
			after = c.Chunk
		}
	}
	unbegun, err := r.Ledger.ResolveSegments(ctx, run, next, store.Audit{
		Action: res.Decision.action(), RunID: run.RunID, Actor: res.Actor, Reason: res.Reason,
	})
	if resolved += unbegun; err != nil {
		return resolved, err
	}
	if resolved == 0 {
		return 0, fmt.Errorf("run %s: %w", run.Name(), ErrNothingUnknown)
	}
	return resolved, nil
}

// notUnknown says why a single chunk cannot be decided.
func (r *Runner) notUnknown(ctx context.Context, run *store.Run, chunk int64) error {
	s, err := r.Ledger.SegmentOf(ctx, run.ID, chunk)
	if err == nil && s.State == store.ChunkUnknown {
		return fmt.Errorf("chunk %d of run %s was not tried by this ledger's account and is decided together with the others of the run: leave out --chunk", chunk, run.Name())
	}
	return fmt.Errorf("chunk %d of run %s is not unknown: %w", chunk, run.Name(), ErrNothingUnknown)
}
