package batch

import (
	"context"
	"time"

	"worqcron/worqhat"
)

// maxRemembered bounds how many earlier triggers are read at a start. It is twice
// the largest burst; where more of them matter, those that were not read count as
// if the rate had been used up.
const maxRemembered = 20_000

// recoverBudget brings a new budget to where the last process left it: the pause
// it was in, and the tokens that its triggers took. The ledger knows both.
func (r *Runner) recoverBudget(ctx context.Context) error {
	until, reason, err := r.Ledger.Pause(ctx)
	if err != nil {
		return err
	}
	if r.Budget.Pause(until, reason) {
		until, _ = r.Budget.Paused()
		r.Log.Warn("the key still waits, as it was told before", "until", until, "reason", reason)
	}
	memory := r.Budget.Memory()
	if memory == 0 {
		return nil
	}
	starts, from, err := r.Ledger.StartsSince(ctx, time.Now().Add(-memory), maxRemembered)
	if err != nil {
		return err
	}
	sent := make([]worqhat.Sent, len(starts))
	for i, s := range starts {
		sent[i] = worqhat.Sent{Schedule: s.Schedule, At: s.At}
	}
	r.Budget.Remember(from, sent)
	return nil
}

// keepPause stores the key's pause for a restart. A ledger that cannot take it
// is no reason to stop: a restart would then ask WorqHat once more.
func (r *Runner) keepPause(ctx context.Context) {
	until, reason := r.Budget.Paused()
	if until.IsZero() {
		return // it is over
	}
	if err := r.Ledger.KeepPause(context.WithoutCancel(ctx), until, reason); err != nil {
		r.Log.Warn("pause not stored, a restart would not know of it", "until", until, "err", err)
	}
}
