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
	Reason       string    // why it did not run, or waits
	WaitsSince   time.Time // given by WaitingSlots
}

const (
	insertSlots    = `INSERT INTO slots (schedule, scheduled_for, state, reason, decided_at) VALUES `
	slotRow        = `(?, ?, ?, ?, ?)`
	onSlotConflict = ` ON CONFLICT DO NOTHING`
	insertSlot     = insertSlots + slotRow + onSlotConflict
)

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

const selectSlots = `
SELECT schedule, scheduled_for, state, reason FROM slots WHERE schedule = ? AND scheduled_for >= ? AND scheduled_for < ? ORDER BY scheduled_for`

// Slots returns the rows of a schedule's due times in [from, until), in order.
func (r *Reader) Slots(ctx context.Context, schedule string, from, until time.Time) ([]Slot, error) {
	rows, err := r.ro.QueryContext(ctx, selectSlots, schedule, ms(from), ms(until))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Slot
	for rows.Next() {
		var s Slot
		var at int64
		if err := rows.Scan(&s.Schedule, &at, &s.State, &s.Reason); err != nil {
			return nil, err
		}
		s.ScheduledFor = fromMS(at)
		list = append(list, s)
	}
	return list, rows.Err()
}
