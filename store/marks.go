package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Mark says up to where a schedule's slots are decided.
type Mark struct {
	At   time.Time // everything up to and including it is
	Spec string    // the timetable that decided them; "": the schedule was taken off

	// A slot up to At that is not decided: its jitter holds it back. Zero: none.
	WaitingFor, WaitingUntil time.Time
}

const upsertMark = `
INSERT INTO schedule_state (schedule, decided_to, spec, updated_at, waiting_for, waiting_until) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule) DO UPDATE SET decided_to = excluded.decided_to, spec = excluded.spec, updated_at = excluded.updated_at,
  waiting_for = excluded.waiting_for, waiting_until = excluded.waiting_until`

// SetMark records what is decided of a schedule.
func (l *Ledger) SetMark(ctx context.Context, schedule string, m Mark) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, upsertMark, schedule, ms(m.At), m.Spec, ms(time.Now()), msOrNull(m.WaitingFor), msOrNull(m.WaitingUntil))
		return err
	})
}

func msOrNull(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: ms(t), Valid: true}
}

const selectMark = `SELECT decided_to, spec, waiting_for, waiting_until FROM schedule_state WHERE schedule = ?`

// Mark returns what SetMark recorded; false for a schedule never seen.
func (r *Reader) Mark(ctx context.Context, schedule string) (m Mark, ok bool, err error) {
	var at int64
	var slot, until sql.NullInt64
	err = r.ro.QueryRowContext(ctx, selectMark, schedule).Scan(&at, &m.Spec, &slot, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return Mark{}, false, nil
	}
	m.At = fromMS(at)
	if slot.Valid {
		m.WaitingFor, m.WaitingUntil = fromMS(slot.Int64), fromMS(until.Int64)
	}
	return m, err == nil, err
}

const selectMarks = `SELECT schedule, decided_to, spec, coalesce(waiting_for, 0), coalesce(waiting_until, 0) FROM schedule_state`

// Marks returns what SetMark recorded, by schedule.
func (r *Reader) Marks(ctx context.Context) (map[string]Mark, error) {
	rows, err := r.ro.QueryContext(ctx, selectMarks)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	marks := map[string]Mark{}
	for rows.Next() {
		var name string
		var m Mark
		var at, slot, until int64
		if err := rows.Scan(&name, &at, &m.Spec, &slot, &until); err != nil {
			return nil, err
		}
		if m.At = fromMS(at); until > 0 {
			m.WaitingFor, m.WaitingUntil = fromMS(slot), fromMS(until)
		}
		marks[name] = m
	}
	return marks, rows.Err()
}

const selectMarked = `SELECT schedule FROM schedule_state WHERE spec <> '' ORDER BY schedule`

// Marked lists the schedules that have a mark with a timetable.
func (r *Reader) Marked(ctx context.Context) ([]string, error) {
	rows, err := r.ro.QueryContext(ctx, selectMarked)
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
