package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// Which past slots a backfill takes.
const (
	onlyMissing = "missing" // no run of the slot got anywhere
	onlyFailed  = "failed"  // its latest run failed, stopped, or left something behind
	onlyAll     = "all"
)

// pastSlot is a past due time and what the ledger knows of it.
type pastSlot struct {
	at   time.Time
	out  string       // the calendar or blackout in which it lies; "" if none
	row  store.Slot   // zero: it has none
	runs []*store.Run // by number, without redrives
}

// latest is its newest run; nil if it has none.
func (p *pastSlot) latest() *store.Run {
	if len(p.runs) == 0 {
		return nil
	}
	return p.runs[len(p.runs)-1]
}

// known says in words what became of it.
func (p *pastSlot) known() string {
	if run := p.latest(); run != nil {
		text := fmt.Sprintf("%s, %s", run.State, run.Name())
		if run.Reason != "" {
			text += ": " + run.Reason
		}
		return text
	}
	switch {
	case p.row.Schedule == "":
		return "nothing is known of it"
	case p.row.Reason == "":
		return string(p.row.State)
	}
	return fmt.Sprintf("%s: %s", p.row.State, p.row.Reason)
}

// excluded says why the slot is not missing although nothing ran: a calendar or
// blackout kept it from running. One that a person ran all the same counts as any.
func (p *pastSlot) excluded() string {
	if len(p.runs) > 0 {
		return ""
	}
	return p.out
}

// taken says whether a backfill takes the slot. A run under way is left alone.
func (p *pastSlot) taken(only string) bool {
	run := p.latest()
	if run != nil && !run.State.Ended() || p.excluded() != "" {
		return false
	}
	switch only {
	case onlyAll:
		return true
	case onlyFailed:
		return run != nil && slices.Contains([]store.RunState{store.Failed, store.Partial, store.Stopped}, run.State)
	}
	return !slices.ContainsFunc(p.runs, func(r *store.Run) bool { return r.State != store.Failed && r.State != store.Stopped })
}

// maxPastSlots bounds one backfill, against a slip of the pen.
const maxPastSlots = 10_000

// pastSlots lists the slots of a schedule in [from, to) that are past, oldest first.
// r may be nil: there is no ledger yet.
func pastSlots(ctx context.Context, r *store.Reader, s config.Schedule, from, to time.Time) ([]pastSlot, error) {
	if now := time.Now(); to.After(now) {
		to = now
	}
	var list []pastSlot
	for at := range s.Due.Between(from, to) {
		if len(list) == maxPastSlots {
			return nil, usageError{fmt.Errorf("backfill: more than %d slots of %s lie between --from and --to\n  hint: take a part of them at a time", maxPastSlots, s.Name)}
		}
		list = append(list, pastSlot{at: at, out: s.ExcludedBy(at)})
	}
	if r == nil || len(list) == 0 {
		return list, nil
	}
	runs, err := r.RunsOfSlots(ctx, s.Name, from, to)
	if err != nil {
		return nil, err
	}
	rows, err := r.Slots(ctx, s.Name, from, to)
	if err != nil {
		return nil, err
	}
	for i := range list {
		for len(runs) > 0 && !runs[0].ScheduledFor.After(list[i].at) {
			if runs[0].ScheduledFor.Equal(list[i].at) && runs[0].RedriveOf == "" {
				list[i].runs = append(list[i].runs, runs[0])
			}
			runs = runs[1:]
		}
		for len(rows) > 0 && !rows[0].ScheduledFor.After(list[i].at) {
			if rows[0].ScheduledFor.Equal(list[i].at) {
				list[i].row = rows[0]
			}
			rows = rows[1:]
		}
	}
	return list, nil
}

// taken are the slots that a backfill takes.
func (q *backfillRequest) taken(ctx context.Context, r *store.Reader, s config.Schedule) ([]pastSlot, error) {
	list, _, err := q.choose(ctx, r, s)
	return list, err
}

// choose are the slots that a backfill takes, and those that a calendar or blackout
// keeps it from taking.
func (q *backfillRequest) choose(ctx context.Context, r *store.Reader, s config.Schedule) (taken, excluded []pastSlot, err error) {
	list, err := pastSlots(ctx, r, s, q.From, q.To)
	for _, p := range list {
		switch {
		case p.taken(q.Only):
			taken = append(taken, p)
		case p.excluded() != "" && q.Only != onlyFailed:
			excluded = append(excluded, p)
		}
	}
	return taken, excluded, err
}

// startBackfill begins the run of a past slot, or goes on with the one that stopped.
func startBackfill(ctx context.Context, r *batch.Runner, job *batch.Job, slot time.Time, actor string) (*store.Run, batch.Order, error) {
	o := batch.Order{Origin: batch.OriginBackfill, ScheduledFor: slot, Actor: actor}
	latest, err := r.Ledger.LatestOfSlot(ctx, job.Schedule, slot)
	if err != nil {
		return nil, o, err
	}
	o.New = latest != nil && latest.PlannedAt != nil && latest.State != store.Stopped
	run, err := r.Start(ctx, job, o)
	return run, o, err
}

// backfillEnds says why a backfill ends with this run; "" if it goes on.
func backfillEnds(ctx context.Context, r *store.Reader, run *store.Run, c *store.Receipt) (string, error) {
	why, cancelled, err := r.Cancelled(ctx, run)
	switch {
	case err != nil:
		return "", err
	case cancelled:
		return fmt.Sprintf("run %s was cancelled: %s", run.Name(), why), nil
	case c.Status == store.Failed || c.Status == store.Stopped:
		return fmt.Sprintf("run %s %s: %s", run.Name(), c.Status, c.Reason), nil
	}
	return "", nil
}
