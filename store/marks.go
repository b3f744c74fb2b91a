package store

import (
	"context"
	"database/sql"
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

// SetMarks is SetMark for many schedules, with one commit.
func (l *Ledger) SetMarks(ctx context.Context, marks map[string]Mark) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		upsert, err := tx.PrepareContext(ctx, upsertMark) //nolint:sqlclosecheck // the transaction's end closes it
		if err != nil {
			return err
		}
		now := ms(time.Now())
		for schedule, m := range marks {
			if _, err := upsert.ExecContext(ctx, schedule, ms(m.At), m.Spec, now, msOrNull(m.WaitingFor), msOrNull(m.WaitingUntil)); err != nil {
				return err
			}
		}
		return nil
	})
}

func msOrNull(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: ms(t), Valid: true}
}

const selectMark = `SELECT schedule, decided_to, spec, waiting_for, waiting_until FROM schedule_state`

// Mark returns what SetMark recorded; false for a schedule never seen.
func (r *Reader) Mark(ctx context.Context, schedule string) (m Mark, ok bool, err error) {
	marks, err := r.marks(ctx, selectMark+` WHERE schedule = ?`, schedule)
	m, ok = marks[schedule]
	return m, ok, err
}

// Marks returns what SetMark recorded of all schedules ever seen, by name.
func (r *Reader) Marks(ctx context.Context) (map[string]Mark, error) { return r.marks(ctx, selectMark) }

func (r *Reader) marks(ctx context.Context, query string, args ...any) (map[string]Mark, error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	marks := map[string]Mark{}
	for rows.Next() {
		var name string
		var at int64
		var slot, until sql.NullInt64
		m := Mark{}
		if err := rows.Scan(&name, &at, &m.Spec, &slot, &until); err != nil {
			return nil, err
		}
		m.At = fromMS(at)
		if slot.Valid {
			m.WaitingFor, m.WaitingUntil = fromMS(slot.Int64), fromMS(until.Int64)
		}
		marks[name] = m
	}
	return marks, rows.Err()
}
