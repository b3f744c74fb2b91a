package main

import (
	"context"

	"worqcron/store"
)

// notDue is the state of a slot whose schedule is due after another one, of which no
// run of that slot has ended well.
const notDue = "not due"

// explainFollower is explain for a schedule that is due after another one, about a
// slot that has no row.
func (w inquiry) explainFollower(ctx context.Context, j *whyJSON) error {
	j.StartsAt, j.Skipped, j.Note = nil, "", ""
	run, row, err := w.other(ctx, j)
	if err != nil {
		return err
	}
	other := w.schedule.After
	switch {
	case run == nil && !j.IsSlot:
		j.State = noSlot
		w.explainNone(j)
		return nil
	case run == nil && j.ScheduledFor.After(w.now):
		j.State = coming
		j.say("%s is to come: %s is due for it when a run of %s has succeeded", j.Local, j.Schedule, other)
	case run == nil:
		j.State = notDue
		j.say("%s of %s: not due, %s has no run of it%s", j.Local, j.Schedule, other, reasonText(row))
		return nil
	case !run.State.Ended():
		j.State = coming
		j.say("%s is to come: %s is due for it when run %s, which is %s, has succeeded", j.Local, j.Schedule, run.Name(), run.State)
	default:
		return w.explainEnded(ctx, j, run)
	}
	for _, p := range w.schedule.Pauses {
		if p.Until.IsZero() {
			j.Skipped = p.String()
			j.say("it would be skipped now: %s", j.Skipped)
		}
	}
	return nil
}

// other finds the newest run of the schedule that is followed, and its row.
func (w inquiry) other(ctx context.Context, j *whyJSON) (run *store.Run, row store.Slot, err error) {
	if w.reader == nil {
		return nil, row, nil
	}
	if run, err = w.reader.LatestOfSlot(ctx, w.schedule.After, j.ScheduledFor); err != nil {
		return nil, row, err
	}
	row, _, err = w.reader.Slot(ctx, w.schedule.After, j.ScheduledFor)
	return run, row, err
}

func reasonText(row store.Slot) string {
	if row.Reason == "" {
		return ""
	}
	return " (" + string(row.State) + ": " + row.Reason + ")"
}

// explainEnded tells what a run of the other schedule means that came to rest.
func (w inquiry) explainEnded(ctx context.Context, j *whyJSON, run *store.Run) error {
	due, err := w.reader.FollowUps(ctx, w.schedule.Name)
	if err != nil {
		return err
	}
	for _, f := range due {
		if f.Schedule == w.schedule.Name && f.Run.ScheduledFor.Equal(j.ScheduledFor) {
			j.State = undecided
			j.say("%s of %s is due since run %s ended, %s, and not decided yet: when 'worqcron serve' runs, catch_up = %q decides about it",
				j.Local, j.Schedule, f.Run.Name(), w.local(*f.Run.FinishedAt), w.schedule.CatchUp)
			return nil
		}
	}
	if run.State == store.Succeeded {
		j.State = unrecorded
		j.say("%s of %s has no row, although run %s succeeded: %s did not follow %s then, no daemon has run since, or the row was older than ledger.retain",
			j.Local, j.Schedule, run.Name(), j.Schedule, w.schedule.After)
		return nil
	}
	j.State = notDue
	j.say("%s of %s: not due, run %s is %s", j.Local, j.Schedule, run.Name(), run.State)
	return nil
}

// sayOther names the run that a slot followed.
func (w inquiry) sayOther(ctx context.Context, j *whyJSON) error {
	run, _, err := w.other(ctx, j)
	switch {
	case err != nil:
		return err
	case run != nil:
		j.say("%s: run %s %s", whenText(w.schedule), run.Name(), run.State)
	default:
		j.say("%s, of which there is no run of this slot", whenText(w.schedule))
	}
	return nil
}
