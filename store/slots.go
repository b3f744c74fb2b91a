package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Slot is one due time of a schedule and what became of it.
type Slot struct {
	Schedule     string
	ScheduledFor time.Time
	State        SlotState
	Reason       string // why it did not run
}

const insertSlot = `
INSERT INTO slots (schedule, scheduled_for, state, reason, decided_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING`

// claimSlot writes the slot's only row. It reports false if there was one.
func claimSlot(ctx context.Context, tx *sql.Tx, s Slot) (bool, error) {
	res, err := tx.ExecContext(ctx, insertSlot, s.Schedule, ms(s.ScheduledFor), s.State, s.Reason, ms(time.Now()))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// CloseSlot records a slot that does not run. It reports false, and changes
// nothing, if the slot's row exists.
func (l *Ledger) CloseSlot(ctx context.Context, s Slot) (claimed bool, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		claimed, err = claimSlot(ctx, tx, s)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("slot %s of %s: %w", s.ScheduledFor.Format(time.RFC3339), s.Schedule, err)
	}
	return claimed, nil
}

const selectSlot = `SELECT state, reason FROM slots WHERE schedule = ? AND scheduled_for = ?`

// Slot returns the row of a due time; false if it has none.
func (r *Reader) Slot(ctx context.Context, schedule string, scheduledFor time.Time) (Slot, bool, error) {
	s := Slot{Schedule: schedule, ScheduledFor: scheduledFor}
	err := r.ro.QueryRowContext(ctx, selectSlot, schedule, ms(scheduledFor)).Scan(&s.State, &s.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return Slot{}, false, nil
	}
	return s, err == nil, err
}

const upsertMark = `
INSERT INTO schedule_state (schedule, decided_to, spec, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (schedule) DO UPDATE SET decided_to = excluded.decided_to, spec = excluded.spec, updated_at = excluded.updated_at`

// SetMark records that all slots of the schedule up to and including at are
// decided, and by which timetable.
func (l *Ledger) SetMark(ctx context.Context, schedule string, at time.Time, spec string) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, upsertMark, schedule, ms(at), spec, ms(time.Now()))
		return err
	})
}

const selectMark = `SELECT decided_to, spec FROM schedule_state WHERE schedule = ?`

// Mark returns what SetMark recorded; false for a schedule never seen.
func (r *Reader) Mark(ctx context.Context, schedule string) (at time.Time, spec string, ok bool, err error) {
	var v int64
	err = r.ro.QueryRowContext(ctx, selectMark, schedule).Scan(&v, &spec)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, "", false, nil
	}
	return fromMS(v), spec, err == nil, err
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
