package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

const keepPause = `
INSERT INTO budget (id, paused_until, reason, updated_at) VALUES (1, ?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET paused_until = ?1, reason = ?2, updated_at = ?3`

// KeepPause commits until when all triggers of the key wait, and why, for a
// restart and for those who look from outside.
func (l *Ledger) KeepPause(ctx context.Context, until time.Time, reason string) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, keepPause, ms(until.Add(time.Millisecond-1)), reason, ms(time.Now())) // never early
		return err
	})
	if err != nil {
		return fmt.Errorf("pause until %s: %w", until.Format(time.RFC3339), err)
	}
	return nil
}

const pauseKept = `SELECT paused_until, reason FROM budget`

// Pause returns the last pause of the key that was kept, also one that is over;
// the zero time if there was none.
func (r *Reader) Pause(ctx context.Context) (until time.Time, reason string, err error) {
	var at int64
	err = r.ro.QueryRowContext(ctx, pauseKept).Scan(&at, &reason)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, "", nil
	}
	if err != nil {
		return time.Time{}, "", fmt.Errorf("pause of the key: %w", err)
	}
	return fromMS(at), reason, nil
}

// Start is when an attempt of a schedule began.
type Start struct {
	Schedule string
	At       time.Time
}

// lastStarts walks back from the latest attempt. CROSS JOIN keeps that order.
const lastStarts = `
SELECT r.schedule, a.started_at FROM attempts a CROSS JOIN runs r ON r.id = a.run ORDER BY a.attempt_id DESC LIMIT ?`

// StartsSince returns the attempts that began at an instant or later, oldest
// first, but not more than the last limit ones. from is since when they are all
// of them.
func (r *Reader) StartsSince(ctx context.Context, since time.Time, limit int) (list []Start, from time.Time, err error) {
	rows, err := r.ro.QueryContext(ctx, lastStarts, limit)
	if err != nil {
		return nil, since, fmt.Errorf("latest attempts: %w", err)
	}
	defer rows.Close()
	from = since
	for rows.Next() {
		var s Start
		var at int64
		if err := rows.Scan(&s.Schedule, &at); err != nil {
			return nil, since, fmt.Errorf("latest attempts: %w", err)
		}
		if s.At = fromMS(at); s.At.Before(since) {
			break
		}
		list = append(list, s)
	}
	if len(list) == limit && limit > 0 {
		from = list[limit-1].At
	}
	slices.Reverse(list)
	return list, from, rows.Err()
}
