package store

import (
	"context"
	"testing"
)

// A view stays as of one instant, while the run goes on.
func TestViewIsOfOneInstant(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	run := planned(t, l, slotRun("orders"), 3)
	try(t, l, run, 1, ChunkAccepted)
	states := func(v *View) (list []ChunkState, ids int) {
		c := get[*Cursor[OwnedRange]](t)(v.OwnedRanges(ctx, run.ID))
		for {
			o, ok, err := c.Next()
			must(t, err)
			if !ok {
				must(t, c.Close())
				return list, ids
			}
			list = append(list, o.State)
			if o.AnalyticsID != "" {
				ids++
			}
		}
	}
	must(t, l.View(ctx, func(v *View) error {
		before := get[*Receipt](t)(v.Receipt(ctx, run))
		try(t, l, run, 2, ChunkAccepted)
		try(t, l, run, 3, ChunkFailed)
		after := get[*Receipt](t)(v.Receipt(ctx, run))
		if before.Records != after.Records || after.Records.Accepted != 10 {
			t.Errorf("before %+v, after %+v", before.Records, after.Records)
		}
		if list, ids := states(v); len(list) != 3 || list[0] != ChunkAccepted || list[1] != ChunkPlanned || list[2] != ChunkPlanned || ids != 1 {
			t.Errorf("got %v with %d ids", list, ids)
		}
		return nil
	}))
	must(t, l.View(ctx, func(v *View) error {
		if list, ids := states(v); list[1] != ChunkAccepted || list[2] != ChunkFailed || ids != 2 {
			t.Errorf("then %v with %d ids", list, ids)
		}
		return nil
	}))
}

// The status of an execution is shown with the attempt that began it, and an id
// that was found for it later takes the place of one that was not given.
func TestRemoteStatusOfOwnedRanges(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	run := planned(t, l, slotRun("orders"), 2)
	first := try(t, l, run, 1, ChunkAccepted)
	second := get[int64](t)(l.BeginAttempt(ctx, run.ID, 2, "xxh3:body", 200))
	must(t, l.FinishAttempt(ctx, second, AttemptEnd{Outcome: "accepted_no_id", Next: ChunkAccepted}))
	_, err := l.rw.ExecContext(ctx, `INSERT INTO remote_status VALUES (?, 'failed', NULL, 1, 2, 3), (?, 'completed', 'found', 1, 2, 3)`, first, second)
	must(t, err)
	must(t, l.View(ctx, func(v *View) error {
		c := get[*Cursor[OwnedRange]](t)(v.OwnedRanges(ctx, run.ID))
		one, _, err := c.Next()
		must(t, err)
		two, _, err := c.Next()
		must(t, err)
		if one.RemoteStatus != "failed" || one.AnalyticsID == "" || two.RemoteStatus != "completed" || two.AnalyticsID != "found" {
			t.Errorf("got %+v\n%+v", one, two)
		}
		return c.Close()
	}))
}
