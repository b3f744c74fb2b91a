package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ArrivedReason begins the reason of a slot that waits because a file arrived; its path
// follows. Pauses and later slots do not end such a wait: it is for a file, not for
// a time that passes.
const ArrivedReason = "arrived: "

// Reasons of slots of files that were not read.
const (
	ReplacedUnread = "replaced by other content before its run"
	RemovedUnread  = "removed before its run"
)

// Arrival is a file that arrived at a path, and whose slot it made.
type Arrival struct {
	Schedule     string
	ScheduledFor time.Time // the slot
	Path         string
	Size         int64
	ModTime      time.Time
	Changed      time.Time // of its inode; zero: not known
	Inode        uint64
	ContentHash  string
}

const arrivalColumns = `schedule, scheduled_for, path, size, mtime_ns, changed_ns, inode, content_hash`

func scanArrival(row interface{ Scan(...any) error }, more ...any) (a Arrival, err error) {
	var at, modified, changed, inode int64
	err = row.Scan(append([]any{&a.Schedule, &at, &a.Path, &a.Size, &modified, &changed, &inode, &a.ContentHash}, more...)...)
	a.ScheduledFor, a.ModTime, a.Inode = fromMS(at), time.Unix(0, modified), uint64(inode)
	if changed != 0 {
		a.Changed = time.Unix(0, changed)
	}
	return a, err
}

// changedNS is how Changed is stored.
func (a *Arrival) changedNS() int64 {
	if a.Changed.IsZero() {
		return 0
	}
	return a.Changed.UnixNano()
}

// same says whether it is the very file that another row tells of, untouched.
func (a *Arrival) same(b Arrival) bool {
	return a.ContentHash == b.ContentHash && a.Inode == b.Inode && a.ModTime.Equal(b.ModTime) && a.changedNS() == b.changedNS() && !a.Changed.IsZero()
}

const lyingArrivals = `SELECT ` + arrivalColumns + ` FROM arrivals INDEXED BY arrivals_lying WHERE schedule = ? AND lies_there ORDER BY path`

// LyingArrivals lists the files that arrived and lie at their paths still, as far as
// was told.
func (r *Reader) LyingArrivals(ctx context.Context, schedule string) ([]Arrival, error) {
	rows, err := r.ro.QueryContext(ctx, lyingArrivals, schedule)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Arrival
	for rows.Next() {
		a, err := scanArrival(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

const arrivalOfSlot = `SELECT ` + arrivalColumns + ` FROM arrivals WHERE schedule = ? AND scheduled_for = ?`

// Arrival returns the file that made a slot; false if none did.
func (r *Reader) Arrival(ctx context.Context, schedule string, scheduledFor time.Time) (Arrival, bool, error) {
	a, err := scanArrival(r.ro.QueryRowContext(ctx, arrivalOfSlot, schedule, ms(scheduledFor)))
	if errors.Is(err, sql.ErrNoRows) {
		return Arrival{}, false, nil
	}
	return a, err == nil, err
}

const arrivalsAround = `
SELECT (SELECT max(scheduled_for) FROM arrivals WHERE schedule = ?1 AND scheduled_for < ?2),
       (SELECT min(scheduled_for) FROM arrivals WHERE schedule = ?1 AND scheduled_for >= ?3)`

// ArrivalsAround returns the last slot that a file made before from, and the first one
// at until or later; nil where there is none.
func (r *Reader) ArrivalsAround(ctx context.Context, schedule string, from, until time.Time) (before, after *time.Time, err error) {
	var b, a sql.NullInt64
	err = r.ro.QueryRowContext(ctx, arrivalsAround, schedule, ms(from), ms(until)).Scan(&b, &a)
	return timeOrNil(b), timeOrNil(a), err
}

const (
	latestArrival = `
SELECT ` + arrivalColumns + `, lies_there, coalesce((SELECT state FROM slots s WHERE s.schedule = arrivals.schedule AND s.scheduled_for = arrivals.scheduled_for), '')
FROM arrivals INDEXED BY arrivals_by_path WHERE schedule = ? AND path = ? ORDER BY scheduled_for DESC LIMIT 1`

	touchArrival = `UPDATE arrivals SET size = ?, mtime_ns = ?, changed_ns = ?, inode = ?, lies_there = 1 WHERE schedule = ? AND scheduled_for = ?`

	insertArrival = `INSERT INTO arrivals (` + arrivalColumns + `, lies_there) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)`
)

// NoteArrivals records files that have settled at their paths. One whose content is
// the same as what lay at its path before, touched or written anew, makes no slot,
// and neither does one that was out of sight and is back, untouched, when its slot
// ran. The others get a slot each, which waits, at an instant of their own from now
// on; those are returned. What they replace before it was read is missed.
func (l *Ledger) NoteArrivals(ctx context.Context, list []Arrival) (arrived []Arrival, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		arrived = nil
		at := time.Now().Truncate(time.Millisecond)
		for _, a := range list {
			isNew, err := noteKnown(ctx, tx, a)
			if err != nil || !isNew {
				if err != nil {
					return err
				}
				continue
			}
			if a.ScheduledFor, err = claimArrival(ctx, tx, a, at); err != nil {
				return err
			}
			at = a.ScheduledFor
			arrived = append(arrived, a)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("files that arrived: %w", err)
	}
	return arrived, nil
}

// noteKnown updates the row of a file that is not new, or puts away that of the one
// that it replaces.
func noteKnown(ctx context.Context, tx *sql.Tx, a Arrival) (isNew bool, err error) {
	var lies bool
	var state SlotState
	before, err := scanArrival(tx.QueryRowContext(ctx, latestArrival, a.Schedule, a.Path), &lies, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if lies && before.ContentHash == a.ContentHash || !lies && state == SlotRan && before.same(a) {
		_, err := tx.ExecContext(ctx, touchArrival, a.Size, a.ModTime.UnixNano(), a.changedNS(), int64(a.Inode), a.Schedule, ms(before.ScheduledFor))
		return false, err
	}
	if lies {
		return true, leaveArrival(ctx, tx, before, ReplacedUnread)
	}
	return true, nil
}

// claimArrival writes the slot of a file and its row. The slot is the first instant
// from at on that is nobody's; whole seconds are left to runs by hand.
func claimArrival(ctx context.Context, tx *sql.Tx, a Arrival, at time.Time) (time.Time, error) {
	for {
		if at.Truncate(time.Second).Equal(at) {
			at = at.Add(time.Millisecond)
		}
		claimed, err := claimSlot(ctx, tx, Slot{Schedule: a.Schedule, ScheduledFor: at, State: SlotWaiting, Reason: ArrivedReason + a.Path})
		if err != nil {
			return at, err
		}
		if claimed {
			break
		}
		at = at.Add(time.Millisecond)
	}
	_, err := tx.ExecContext(ctx, insertArrival, a.Schedule, ms(at), a.Path, a.Size, a.ModTime.UnixNano(), a.changedNS(), int64(a.Inode), a.ContentHash)
	return fromMS(ms(at)), err
}

const (
	arrivalLeft = `UPDATE arrivals SET lies_there = 0 WHERE schedule = ? AND scheduled_for = ?`

	missUnread = `UPDATE slots SET state = 'missed', reason = ?3, decided_at = ?4 WHERE schedule = ?1 AND scheduled_for = ?2 AND state = 'waiting'`
)

// leaveArrival records that a file no longer lies at its path. If its slot waits it
// is missed.
func leaveArrival(ctx context.Context, tx *sql.Tx, a Arrival, reason string) error {
	if _, err := tx.ExecContext(ctx, arrivalLeft, a.Schedule, ms(a.ScheduledFor)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, missUnread, a.Schedule, ms(a.ScheduledFor), reason, ms(time.Now()))
	return err
}

const lyingAt = `SELECT ` + arrivalColumns + ` FROM arrivals WHERE schedule = ? AND path = ? AND lies_there`

// LeftArrivals records that no files lie at these paths any more. Slots of theirs
// that wait are missed.
func (l *Ledger) LeftArrivals(ctx context.Context, schedule string, paths []string) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, path := range paths {
			a, err := scanArrival(tx.QueryRowContext(ctx, lyingAt, schedule, path))
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err == nil {
				err = leaveArrival(ctx, tx, a, RemovedUnread)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("files that left: %w", err)
	}
	return nil
}

// GiveUpArrival ends the wait of a file's slot without a run, as s says. Should the
// file be seen again, it arrives anew.
func (l *Ledger) GiveUpArrival(ctx context.Context, s Slot) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, arrivalLeft, s.Schedule, ms(s.ScheduledFor)); err != nil {
			return err
		}
		return mustChange(tx.ExecContext(ctx, endWaiting, s.Schedule, ms(s.ScheduledFor), s.State, s.Reason, ms(time.Now())))
	})
	if err != nil {
		return fmt.Errorf("slot %s of %s: %w", s.ScheduledFor.Format(time.RFC3339Nano), s.Schedule, err)
	}
	return nil
}

const readBefore = `
SELECT r.run_id FROM arrivals a INDEXED BY arrivals_by_path
CROSS JOIN runs r INDEXED BY runs_by_schedule ON r.schedule = a.schedule AND r.scheduled_for = a.scheduled_for
CROSS JOIN snapshots s ON s.run = r.id
WHERE a.schedule = ?1 AND a.path = ?2 AND a.scheduled_for < ?3 AND a.content_hash <> ?7 AND r.planned_at IS NOT NULL AND r.removing IS NULL
  AND s.path = ?2 AND s.size = ?4 AND s.mtime_ns = ?5 AND s.inode = ?6 AND s.content_hash = ?7
ORDER BY r.id DESC LIMIT 1`

// ReadBefore returns the run of an earlier arrival at the path, of other content,
// that read this very file: it was put there before that run came to it. "" if there
// is none.
func (r *Reader) ReadBefore(ctx context.Context, a Arrival) (runID string, err error) {
	err = r.ro.QueryRowContext(ctx, readBefore, a.Schedule, a.Path, ms(a.ScheduledFor), a.Size, a.ModTime.UnixNano(), int64(a.Inode), a.ContentHash).Scan(&runID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return runID, err
}

const waitingArrivals = `SELECT count(*) FROM slots INDEXED BY slots_waiting WHERE schedule = ?1 AND state = 'waiting' AND reason LIKE '` + ArrivedReason + `%'`

// WaitingArrivals counts the files that arrived and wait for their run.
func (r *Reader) WaitingArrivals(ctx context.Context, schedule string) (n int64, err error) {
	err = r.ro.QueryRowContext(ctx, waitingArrivals, schedule).Scan(&n)
	return n, err
}

const removeArrivals = `
DELETE FROM arrivals WHERE (schedule, scheduled_for) IN (
  SELECT schedule, scheduled_for FROM arrivals a
  WHERE schedule = ?1 AND scheduled_for < ?2 AND NOT lies_there
    AND NOT EXISTS (SELECT 1 FROM slots s WHERE s.schedule = a.schedule AND s.scheduled_for = a.scheduled_for)
  LIMIT ?3)`
