package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Alert is how a schedule stands and what was said of it.
type Alert struct {
	Schedule string
	State    string // 'ok', 'late', 'failed' or 'held'
	Since    time.Time
	RunID    string // the run that brought it there; "" if none did
	Reason   string
	Told     bool // this state was to be told to somebody

	// The run that was looked at last, and the end that it had then.
	JudgedRun string
	JudgedEnd time.Time // zero: none was

	Spec       string    // the timetable whose slots are looked at
	StartedTo  time.Time // slots up to here were looked at for start_within; zero: it is not set
	FinishedTo time.Time // the same for finish_within
}

const alertColumns = `schedule, state, since, run_id, reason, told, judged_run, judged_end, spec, started_to, finished_to`

const selectAlerts = `SELECT ` + alertColumns + ` FROM alerts ORDER BY schedule`

// Alerts returns how all schedules stand that were ever looked at.
func (r *Reader) Alerts(ctx context.Context) ([]Alert, error) {
	rows, err := r.ro.QueryContext(ctx, selectAlerts)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Alert
	for rows.Next() {
		var a Alert
		var since, judged int64
		var started, finished sql.NullInt64
		if err := rows.Scan(&a.Schedule, &a.State, &since, &a.RunID, &a.Reason, &a.Told, &a.JudgedRun, &judged, &a.Spec, &started, &finished); err != nil {
			return nil, err
		}
		a.Since = fromMS(since)
		if judged != 0 {
			a.JudgedEnd = fromMS(judged)
		}
		if started.Valid {
			a.StartedTo = fromMS(started.Int64)
		}
		if finished.Valid {
			a.FinishedTo = fromMS(finished.Int64)
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// AlertChange is what is to be stored of one schedule at once.
type AlertChange struct {
	Alert
	Notes    []RunNote
	Messages []NewNotification
}

// RunNote is what was expected of a run and is not so, for its receipt.
type RunNote struct {
	Run  *Run
	Text string
}

const upsertAlert = `
INSERT INTO alerts (` + alertColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule) DO UPDATE SET state = excluded.state, since = excluded.since, run_id = excluded.run_id, reason = excluded.reason,
  told = excluded.told, judged_run = excluded.judged_run, judged_end = excluded.judged_end, spec = excluded.spec,
  started_to = excluded.started_to, finished_to = excluded.finished_to`

// SetAlerts stores how schedules stand, with what is to be told about it, all or
// nothing.
func (l *Ledger) SetAlerts(ctx context.Context, list []AlertChange) error {
	now := ms(time.Now())
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, c := range list {
			judged := int64(0)
			if !c.JudgedEnd.IsZero() {
				judged = ms(c.JudgedEnd)
			}
			if _, err := tx.ExecContext(ctx, upsertAlert, c.Schedule, c.State, ms(c.Since), c.RunID, c.Reason, c.Told, c.JudgedRun, judged,
				c.Spec, msOrNull(c.StartedTo), msOrNull(c.FinishedTo)); err != nil {
				return err
			}
			if err := noteExpectations(ctx, tx, c); err != nil {
				return err
			}
			for _, m := range c.Messages {
				if _, err := tx.ExecContext(ctx, insertNotification, m.Service, c.Schedule, m.Kind, m.Text, now); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	return nil
}

// noteExpectations adds notes to runs, each once.
func noteExpectations(ctx context.Context, tx *sql.Tx, c AlertChange) error {
	for _, n := range c.Notes {
		var there bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM notes WHERE run = ? AND stage = ? AND text = ?)`, n.Run.ID, noteExpect, n.Text).Scan(&there)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := addNotes(ctx, tx, n.Run.ID, noteExpect, []string{n.Text}); err != nil {
			return err
		}
	}
	return nil
}

// DropAlerts forgets how schedules stand that are gone. What is still to be told
// goes out.
func (l *Ledger) DropAlerts(ctx context.Context, schedules []string) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, name := range schedules {
			if _, err := tx.ExecContext(ctx, `DELETE FROM alerts WHERE schedule = ?`, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	return nil
}

const runNewestSlot = `
SELECT ` + runColumns + ` FROM runs INDEXED BY runs_by_schedule WHERE schedule = ? AND removing IS NULL
ORDER BY scheduled_for DESC, number DESC LIMIT 1`

// NewestSlotRun returns the run of a schedule for the latest time, and of several
// for that time the last; nil if it never ran.
func (r *Reader) NewestSlotRun(ctx context.Context, schedule string) (*Run, error) {
	return oneRun(ctx, r.ro, runNewestSlot, schedule)
}

// Of the schedules that have an alert, those whose newest run is not the one that
// was looked at last, or ended anew.
const schedulesToJudge = `
SELECT a.schedule FROM alerts a JOIN runs r ON r.id = (
  SELECT n.id FROM runs n INDEXED BY runs_by_schedule WHERE n.schedule = a.schedule AND n.removing IS NULL ORDER BY n.scheduled_for DESC, n.number DESC LIMIT 1)
WHERE r.finished_at IS NOT NULL AND (r.run_id <> a.judged_run OR r.finished_at <> a.judged_end)
ORDER BY a.schedule`

// SchedulesToJudge lists the schedules whose newest run came to rest and was not
// looked at since.
func (r *Reader) SchedulesToJudge(ctx context.Context) ([]string, error) {
	rows, err := r.ro.QueryContext(ctx, schedulesToJudge)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		list = append(list, name)
	}
	return list, rows.Err()
}

// A failed chunk of a run is well again once a redrive had it accepted, whole or in
// two.
const leftToRedrive = `
SELECT count(*) FROM runs o JOIN chunks c INDEXED BY chunks_by_state ON c.run = o.id AND c.state = 'failed'
WHERE o.run_id = ?1 AND NOT EXISTS (
  SELECT 1 FROM runs r INDEXED BY runs_by_redrive JOIN chunks k INDEXED BY chunks_by_redrive ON k.run = r.id AND k.redrive_of = c.chunk
  WHERE r.redrive_of = ?1 AND (k.state = 'accepted' OR k.state = 'split' AND r.state = 'succeeded'))`

// LeftToRedrive counts the failed chunks of a run that no redrive had accepted.
func (r *Reader) LeftToRedrive(ctx context.Context, runID string) (chunks int64, err error) {
	err = r.ro.QueryRowContext(ctx, leftToRedrive, runID).Scan(&chunks)
	return chunks, err
}
