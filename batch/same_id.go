package batch

import (
	"context"
	"fmt"

	"worqcron/store"
)

// sameIDsShown is how many ids that came twice are looked for.
const sameIDsShown = 100

// alarmSameIDs says loudly if WorqHat gave a trigger of a run an id that another
// has: one of the two may not have started. Only the delivery after an attempt is
// looked at.
func (r *Runner) alarmSameIDs(ctx context.Context, run *store.Run, afterAttempt int64) error {
	ctx = context.WithoutCancel(ctx)
	list, err := r.Ledger.SameIDs(ctx, run, afterAttempt, sameIDsShown)
	if err != nil || len(list) == 0 {
		return err
	}
	first := list[0]
	other, err := r.Ledger.FindRun(ctx, first.OtherRun)
	if err != nil {
		return err
	}
	several := counted(int64(len(list)), "id")
	if len(list) == sameIDsShown {
		several = fmt.Sprintf("%d ids or more", sameIDsShown)
	}
	note := fmt.Sprintf("WorqHat gave %s twice, so one of two triggers may not have started; the first: %s to chunk %d of run %s and to chunk %d ('worqcron trace %s')",
		several, first.AnalyticsID, first.OtherChunk, other.Name(), first.Chunk, first.AnalyticsID)
	r.Log.Error("the same id twice", "schedule", run.Schedule, "run_id", run.RunID, "chunk", first.Chunk, "analytics_id", first.AnalyticsID,
		"other_run_id", first.OtherRun, "other_chunk", first.OtherChunk, "ids", len(list))
	return r.Ledger.NoteDelivery(ctx, run, note)
}
