package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Run is one execution of a schedule.
type Run struct {
	ID           int64 // the row; for other methods of this package
	RunID        string
	Schedule     string
	Called       string // what the schedule was called when the run began, if it was renamed since; else ""
	ScheduledFor time.Time

	// IntervalStart is the slot before ScheduledFor; without one the same.
	IntervalStart time.Time

	Number     int // nth run with this schedule and ScheduledFor
	Generation int
	Origin     string // "slot", "manual", "catch-up", …
	State      RunState
	Reason     string
	Zone       string
	FlowID     string
	BaseURL    string
	Shape      string
	Job        string // JSON, batch's own
	Payload    string
	SourcePath string // the source's path with its expressions rendered, or the file that arrived; "" where it is as configured
	StartedAt  time.Time
	PlannedAt  *time.Time
	FinishedAt *time.Time

	RecordsRead      int64
	RecordsFiltered  int64
	RecordsUnchanged int64
	RecordsElsewhere int64
	BytesRead        int64

	RedriveOf   string // run_id of the run of which it sends something again; "": it is no redrive
	RedriveWhat string // JSON, batch's own: what of that run was asked for
}

// Name is the run as a person calls it: orders@2026-11-24T02:30, in the
// schedule's zone, as exactly as need be, with #2 for the second of a slot.
func (r *Run) Name() string {
	at := r.ScheduledFor
	if zone, err := time.LoadLocation(r.Zone); err == nil {
		at = at.In(zone)
	}
	layout := "2006-01-02T15:04"
	switch {
	case at.Nanosecond() != 0: // a file that arrived
		layout = "2006-01-02T15:04:05.000"
	case at.Second() != 0:
		layout = "2006-01-02T15:04:05"
	}
	name := r.Schedule + "@" + at.Format(layout)
	if r.Number > 1 {
		name += fmt.Sprintf("#%d", r.Number)
	}
	return name
}

// NameInBodies is the schedule's name as the run's bodies, keys and expressions have
// it: the one of its beginning, also after the schedule was renamed.
func (r *Run) NameInBodies() string { return cmp.Or(r.Called, r.Schedule) }

// NewRun is what BeginRun needs to know.
type NewRun struct {
	Schedule      string
	Called        string    // as in Run
	ScheduledFor  time.Time // stored in milliseconds
	IntervalStart time.Time // the slot before it; zero: the same as ScheduledFor
	Origin        string
	Zone          string
	FlowID        string
	BaseURL       string
	Force         string // why everything is sent again; "" if it is not
	Actor         string // who forces it
	Slot          bool   // claim the slot's row for this run
	ByHand        bool   // with Slot: take the row although it was decided before
	RedriveOf     string // as in Run
	RedriveWhat   string // as in Run
	Redrive       string // with RedriveOf: what is sent again, in words, for the audit
}

// ErrSlotTaken means that the slot has its row already.
var ErrSlotTaken = errors.New("the slot was decided before")

const slotRanByHand = `
UPDATE slots SET state = 'ran', reason = ? WHERE schedule = ? AND scheduled_for = ? AND state <> 'ran'`

// reopenSlot lets a run have a slot that has its row: a person may ask for any,
// one that waits is to run, and one that did not run does after all when the clock
// that decided it was wrong. Others are ErrSlotTaken.
func reopenSlot(ctx context.Context, tx *sql.Tx, n NewRun) error {
	if n.ByHand {
		reason := "run by hand"
		if n.Origin == "backfill" {
			reason = "backfilled"
		}
		_, err := tx.ExecContext(ctx, slotRanByHand, reason, n.Schedule, ms(n.ScheduledFor))
		return err
	}
	err := mustChange(tx.ExecContext(ctx, slotRanAfterAll, n.Schedule, ms(n.ScheduledFor), ms(time.Now())))
	if errors.Is(err, ErrState) {
		return ErrSlotTaken
	}
	return err
}

// What was skipped by a clock that was ahead was decided later than now.
const slotRanAfterAll = `
UPDATE slots SET state = 'ran', reason = '', decided_at = ?3 WHERE schedule = ?1 AND scheduled_for = ?2
  AND (state IN ('missed', 'waiting') OR state = 'skipped' AND decided_at > ?3)`

const nextNumber = `
SELECT coalesce(max(number), 0) + 1, coalesce(max(generation), 0) FROM runs WHERE schedule = ? AND scheduled_for = ?`

const (
	insertRuns = `
INSERT INTO runs (run_id, schedule, scheduled_for, interval_start, number, generation, origin, state, reason, zone, flow_id, base_url,
                  shape, job, payload, source_path, started_at, records_read, records_filtered, records_unchanged, records_elsewhere, bytes_read,
                  redrive_of, redrive_what, called)
VALUES `
	runRow    = `(?, ?, ?, ?, ?, ?, ?, 'planning', '', ?, ?, ?, '', '', '', '', ?, 0, 0, 0, 0, 0, nullif(?, ''), nullif(?, ''), ?)`
	insertRun = insertRuns + runRow
)

// BeginRun claims the slot, if the run has one, and creates the run in
// Planning, before anything of its source is opened. A slot that has its row
// is ErrSlotTaken.
func (l *Ledger) BeginRun(ctx context.Context, n NewRun) (*Run, error) {
	r, err := newRun(n)
	if err != nil {
		return nil, err
	}
	err = l.write(ctx, func(tx *sql.Tx) error { return beginRun(ctx, tx, n, r) })
	if err != nil {
		return nil, fmt.Errorf("run of %s: %w", n.Schedule, err)
	}
	return r, nil
}

func beginRun(ctx context.Context, tx *sql.Tx, n NewRun, r *Run) error {
	if n.Slot {
		claimed, err := claimSlot(ctx, tx, Slot{Schedule: n.Schedule, ScheduledFor: n.ScheduledFor, State: SlotRan})
		if err != nil {
			return err
		}
		if !claimed {
			if err := reopenSlot(ctx, tx, n); err != nil {
				return err
			}
		}
	}
	if err := tx.QueryRowContext(ctx, nextNumber, r.Schedule, ms(r.ScheduledFor)).Scan(&r.Number, &r.Generation); err != nil {
		return err
	}
	if n.Force != "" {
		r.Generation++
		if err := writeAudit(ctx, tx, Audit{Action: "force", RunID: r.RunID, Actor: n.Actor, Reason: n.Force}); err != nil {
			return err
		}
	}
	if n.RedriveOf != "" {
		r.Generation++
		a := Audit{Action: "redrive", RunID: n.RedriveOf, Actor: n.Actor, Reason: n.Redrive + ", as run " + r.Name()}
		if err := writeAudit(ctx, tx, a); err != nil {
			return err
		}
	}
	return r.insert(tx.ExecContext(ctx, insertRun, r.values()...))
}

const runColumns = `id, run_id, schedule, scheduled_for, interval_start, number, generation, origin, state, reason, zone, flow_id, base_url,
    shape, job, payload, source_path, started_at, planned_at, finished_at,
    records_read, records_filtered, records_unchanged, records_elsewhere, bytes_read, coalesce(redrive_of, ''), coalesce(redrive_what, ''), called`

// scanRun reads runColumns, and what a query has behind them.
func scanRun(row interface{ Scan(...any) error }, more ...any) (*Run, error) {
	var r Run
	var scheduled, interval, started int64
	var planned, finished sql.NullInt64
	err := row.Scan(append([]any{
		&r.ID, &r.RunID, &r.Schedule, &scheduled, &interval, &r.Number, &r.Generation, &r.Origin, &r.State, &r.Reason,
		&r.Zone, &r.FlowID, &r.BaseURL, &r.Shape, &r.Job, &r.Payload, &r.SourcePath, &started, &planned, &finished,
		&r.RecordsRead, &r.RecordsFiltered, &r.RecordsUnchanged, &r.RecordsElsewhere, &r.BytesRead, &r.RedriveOf, &r.RedriveWhat, &r.Called,
	}, more...)...)
	if err != nil {
		return nil, err
	}
	r.ScheduledFor, r.IntervalStart, r.StartedAt = fromMS(scheduled), fromMS(interval), fromMS(started)
	r.PlannedAt, r.FinishedAt = timeOrNil(planned), timeOrNil(finished)
	return &r, nil
}

func queryRuns(ctx context.Context, db *sql.DB, query string, args ...any) ([]*Run, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*Run
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
