package batch

import (
	"context"
	"errors"
	"fmt"

	"worqcron/failpoint"
	"worqcron/store"
)

// Recover settles what a crash left, before anything is sent: an intent without
// outcome becomes unknown (policy says what follows, by schedule), and a run
// that was under way, or half-way through a decision, becomes stopped, held or
// what its chunks say. The budget goes on from what the ledger knows of it. It
// returns the runs that can go
// on, oldest first. The caller holds the sender's lock, so what is open is
// nobody's.
func (r *Runner) Recover(ctx context.Context, policy func(schedule string) (onUnknown string)) ([]*store.Run, error) {
	open, err := r.Ledger.OpenAttempts(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range open {
		if err := r.recoverAttempt(ctx, a, policy); err != nil {
			return nil, err
		}
	}
	if err := r.recoverBudget(ctx); err != nil {
		return nil, err
	}
	runs, err := r.Ledger.OpenRuns(ctx)
	if err != nil {
		return nil, err
	}
	half, err := r.Ledger.HalfResolved(ctx)
	if err != nil {
		return nil, err
	}
	for _, run := range append(runs, half...) {
		if err := r.recoverRun(ctx, run); err != nil {
			return nil, err
		}
		r.Log.Warn("run was interrupted", "schedule", run.Schedule, "run_id", run.RunID, "status", run.State, "reason", run.Reason)
	}
	return r.Ledger.Interrupted(ctx, ReasonInterrupted, ReasonCrashed)
}

// recoverRun ends a run that a crash left open. One with chunks to send is about to
// go on, so they are not counted for it: there may be a million.
func (r *Runner) recoverRun(ctx context.Context, run *store.Run) error {
	err := r.Ledger.InterruptRun(ctx, run, ReasonCrashed)
	if errors.Is(err, store.ErrState) {
		_, err = r.settle(ctx, run, &store.End{State: store.Stopped, Reason: ReasonCrashed}, nil)
	}
	return err
}

func (r *Runner) recoverAttempt(ctx context.Context, a store.Attempt, policy func(string) string) error {
	run, err := r.Ledger.RunOfRow(ctx, a.Run)
	if err != nil {
		return err
	}
	unknown, err := r.Ledger.CountUnknown(ctx, a.Run, a.Chunk)
	if err != nil {
		return err
	}
	why := fmt.Sprintf("worqcron ended between sending attempt %d and storing its outcome", a.Number)
	n := followUnknown(policy(run.Schedule), why, unknown)
	r.Log.Warn("attempt unknown", "schedule", run.Schedule, "run_id", run.RunID, "chunk", a.Chunk, "attempt", a.Number, "next", n.state)
	err = r.Ledger.FinishAttempt(ctx, a.AttemptID, store.AttemptEnd{
		Outcome: "unknown", Reason: "crash", Detail: why, Next: n.state, ChunkReason: n.reason,
	})
	failpoint.Hit("recovery")
	if err == nil && n.state == store.ChunkUnknown {
		r.keepRecovered(ctx, run, a.Chunk)
	}
	return err
}

// keepRecovered keeps the body of a chunk that a crash left unknown, while its
// source is still what was planned.
func (r *Runner) keepRecovered(ctx context.Context, run *store.Run, chunk int64) {
	c, err := r.Ledger.Chunk(ctx, run.ID, chunk)
	if err == nil {
		var body []byte
		if body, err = Body(ctx, &r.Ledger.Reader, run, c); err == nil {
			err = r.keptBodies().save(run.RunID, chunk, body)
		}
	}
	if err != nil {
		r.Log.Warn("body not kept, a later decision needs the source as it is", "run_id", run.RunID, "chunk", chunk, "err", err)
	}
}
