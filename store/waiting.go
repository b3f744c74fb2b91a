package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Queued begins the reason of a slot that waits because of overlap = "queue". At
// most one of a schedule does.
const Queued = "queued"

// Resumed is the reason of a slot that waits because a person asked for it.
const Resumed = "resumed"

// IsQueued says that a slot waits because of overlap = "queue".
func (s Slot) IsQueued() bool { return strings.HasPrefix(s.Reason, Queued) }

// IsArrival says that a slot waits because a file arrived.
func (s Slot) IsArrival() bool { return strings.HasPrefix(s.Reason, ArrivedReason) }

const supersedeQueued = `
UPDATE slots SET state = 'missed', reason = 'superseded', decided_at = ?2
WHERE schedule = ?1 AND state = 'waiting' AND reason LIKE '` + Queued + `%' AND scheduled_for < ?3`

const waitAfterAll = `
UPDATE slots SET state = 'waiting', reason = ?4, decided_at = ?3 WHERE schedule = ?1 AND scheduled_for = ?2
  AND (state = 'missed' OR state = 'skipped' AND decided_at > ?3)`

// WaitSlot records a slot that is to run and has to wait, with the reason. If it
// begins with Queued, an older one that waits so is missed. It reports false, and
// changes nothing, if the slot was decided before; one that did not run because of
// a wrong clock waits after all.
func (l *Ledger) WaitSlot(ctx context.Context, s Slot, queue bool) (waits bool, err error) {
	s.State = SlotWaiting
	if queue {
		s.Reason = Queued + " " + s.Reason
	}
	err = l.write(ctx, func(tx *sql.Tx) error {
		if waits, err = claimSlot(ctx, tx, s); err != nil {
			return err
		}
		if !waits {
			n, err := changed(tx.ExecContext(ctx, waitAfterAll, s.Schedule, ms(s.ScheduledFor), ms(time.Now()), s.Reason))
			if waits = n > 0; err != nil || !waits {
				return err
			}
		}
		if queue {
			_, err = tx.ExecContext(ctx, supersedeQueued, s.Schedule, ms(time.Now()), ms(s.ScheduledFor))
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("slot %s of %s: %w", s.ScheduledFor.Format(time.RFC3339), s.Schedule, err)
	}
	return waits, nil
}

const waitingSlots = `SELECT schedule, scheduled_for, reason, decided_at FROM slots WHERE state = 'waiting' ORDER BY schedule, scheduled_for`

// WaitingSlots lists the slots that wait, of each schedule the oldest first.
func (r *Reader) WaitingSlots(ctx context.Context) ([]Slot, error) {
	rows, err := r.ro.QueryContext(ctx, waitingSlots)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Slot
	for rows.Next() {
		s := Slot{State: SlotWaiting}
		var at, since int64
		if err := rows.Scan(&s.Schedule, &at, &s.Reason, &since); err != nil {
			return nil, err
		}
		s.ScheduledFor, s.WaitsSince = fromMS(at), fromMS(since)
		list = append(list, s)
	}
	return list, rows.Err()
}

const firstWaiting = `
SELECT scheduled_for, reason FROM slots INDEXED BY slots_waiting WHERE schedule = ? AND state = 'waiting' ORDER BY scheduled_for LIMIT 1`

// FirstWaiting returns the oldest slot of a schedule that waits; false if none does.
func (r *Reader) FirstWaiting(ctx context.Context, schedule string) (Slot, bool, error) {
	s, at := Slot{Schedule: schedule, State: SlotWaiting}, int64(0)
	err := r.ro.QueryRowContext(ctx, firstWaiting, schedule).Scan(&at, &s.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return Slot{}, false, nil
	}
	s.ScheduledFor = fromMS(at)
	return s, err == nil, err
}

const endWaiting = `UPDATE slots SET state = ?3, reason = ?4, decided_at = ?5 WHERE schedule = ?1 AND scheduled_for = ?2 AND state = 'waiting'`

// EndWaiting records that a slot which waited does not run. One that does not wait
// is ErrState.
func (l *Ledger) EndWaiting(ctx context.Context, s Slot) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, endWaiting, s.Schedule, ms(s.ScheduledFor), s.State, s.Reason, ms(time.Now())))
	})
	if err != nil {
		return fmt.Errorf("slot %s of %s: %w", s.ScheduledFor.Format(time.RFC3339), s.Schedule, err)
	}
	return nil
}
