package batch

import (
	"context"

	"worqcron/store"
)

// SlotStart is a due slot whose run is to begin.
type SlotStart struct {
	Job   *Job
	Order Order
}

// StartSlots is Start for slots that time asks for, of different schedules, and
// closes others beside them, all with one commit. A run is nil where the slot was
// decided before.
func (r *Runner) StartSlots(ctx context.Context, list []SlotStart, closed []store.Slot) ([]*store.Run, error) {
	runs := make([]store.NewRun, len(list))
	for i, s := range list {
		runs[i] = newRun(s.Job, s.Order)
	}
	return r.Ledger.ClaimSlots(ctx, closed, runs)
}
