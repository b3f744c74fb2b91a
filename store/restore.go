package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrNotRestored means that there is no older copy to accept.
var ErrNotRestored = errors.New("it is no older copy, there is nothing to accept: start without --accept-restore")

// Restore is a person's word that an older copy of the ledger counts from now on.
type Restore struct {
	Actor string // who says so, for the audit
	// Slots gives the due times of a schedule after an instant, up to now, that get
	// a row; nil: none do.
	Slots func(schedule, spec string, after time.Time) []time.Time
	// OnArrival names the schedules whose slots files make. They are paused: which of
	// the files that lie there were delivered since, nobody knows.
	OnArrival []string

	// What OpenRestored found out and did.
	Own, Made int64 // the highest attempt that the copy knows, and the highest that was made
	Runs      int64 // that are held or failed now
	Chunks    int64 // that are unknown now, those that are only in segments included
	Missed    int   // slots that got their row
}

// OpenRestored is Open for a ledger that Open refuses as an older copy, or that
// has no file beside it to tell. Nobody knows what was sent after the copy was
// made, so, in one transaction:
//
//   - each chunk that was left to send is unknown, and its run is Delivering:
//     recovery makes it Held;
//   - a run without a whole plan has failed: it may have been planned and
//     delivered since;
//   - slots up to now are decided, those that Restore.Slots names with a row; files
//     that arrived wait, and their schedules are paused;
//   - ids of attempts go on above all that were ever made.
//
// A kill before its commit leaves the ledger refused as before. A ledger that is
// no older copy is ErrNotRestored.
func OpenRestored(ctx context.Context, path, role string, r *Restore) (*Ledger, error) {
	return openLedger(ctx, path, role, r)
}

const restoredReason = "an older copy of the ledger was put back: what was sent since is not known"

// Attempts that were open have their outcome first, so that what follows finds no
// chunk with an open one. A record's chunk gets its row with it.
const (
	restoreBegun = `
UPDATE segments SET begun = begun + (
  SELECT count(*) FROM attempts a WHERE a.outcome IS NULL AND a.run = segments.run AND a.chunk BETWEEN first_chunk AND first_chunk + records - 1
    AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.run = a.run AND c.chunk = a.chunk))
WHERE run IN (SELECT run FROM attempts WHERE outcome IS NULL) AND begun < records`
	restoreRecords = `
INSERT INTO chunks (run, chunk, state, reason, records, body_bytes, source_hash, key, not_before)
SELECT run, chunk, 'sending', '', 1, body_bytes, '', '', 0 FROM attempts a
WHERE outcome IS NULL AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.run = a.run AND c.chunk = a.chunk)`
	restoreAttempts = `
UPDATE attempts SET finished_at = ?1, outcome = 'unknown', reason = 'restored', detail = ?2, over = 1 WHERE outcome IS NULL`
)

const restorableRuns = `
SELECT id, run_id, planned_at IS NOT NULL FROM runs
WHERE state IN ('planning', 'delivering') OR state = 'stopped' AND planned_at IS NULL
   OR planned_at IS NOT NULL AND (
        EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state IN ('planned', 'sending'))
     OR EXISTS (SELECT 1 FROM segments WHERE run = id AND segments.state = 'planned' AND begun < records))
ORDER BY id`

const restoreChunks = `UPDATE chunks SET state = 'unknown', reason = ?2, not_before = 0 WHERE run = ?1 AND state IN ('planned', 'sending')`

const countRestoredSegments = `
SELECT coalesce(sum(records - begun), 0) FROM segments WHERE run = ? AND state = 'planned' AND begun < records`

const restoreSegments = `UPDATE segments SET state = 'unknown', reason = ?2 WHERE run = ?1 AND state = 'planned' AND begun < records`

const restorePlanned = `UPDATE runs SET state = 'delivering', reason = '', finished_at = NULL WHERE id = ?`

const restoreUnplanned = `UPDATE runs SET state = 'failed', reason = ?3, finished_at = ?2, receipt = NULL WHERE id = ?1`

// The row is there as soon as there was an attempt.
var jumpAttempts = []string{
	`UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'attempts'`,
	`INSERT INTO sqlite_sequence (name, seq) SELECT 'attempts', ?1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'attempts')`,
}

// acceptRestore commits what OpenRestored promises.
func (l *Ledger) acceptRestore(ctx context.Context, r *Restore, own, made int64) error {
	r.Own, r.Made = own, made
	now := time.Now()
	return l.write(ctx, func(tx *sql.Tx) error {
		r.Runs, r.Chunks, r.Missed = 0, 0, 0
		for _, query := range []string{restoreBegun, restoreRecords} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, restoreAttempts, ms(now), restoredReason); err != nil {
			return err
		}
		if err := r.holdRuns(ctx, tx, now); err != nil {
			return err
		}
		if err := r.decideSlots(ctx, tx, now); err != nil {
			return err
		}
		for _, query := range jumpAttempts {
			// The file may lag behind by as many after a power cut.
			if _, err := tx.ExecContext(ctx, query, made+syncEvery); err != nil {
				return err
			}
		}
		return writeAudit(ctx, tx, Audit{
			Action: "accept-restore", Actor: r.Actor,
			Reason: fmt.Sprintf("a copy that knows attempts up to %d, of %d", own, made),
		})
	})
}

// holdRuns makes everything unknown that may have been sent after the copy was
// made.
func (r *Restore) holdRuns(ctx context.Context, tx *sql.Tx, now time.Time) error {
	runs, err := restorable(ctx, tx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.planned {
			err = r.holdRun(ctx, tx, run.id)
		} else {
			err = failUnplanned(ctx, tx, run.id, now)
		}
		if err != nil {
			return err
		}
		r.Runs++
		if err := writeAudit(ctx, tx, Audit{Action: "accept-restore", RunID: run.runID, Actor: r.Actor, Reason: restoredReason}); err != nil {
			return err
		}
	}
	return nil
}

type restoredRun struct {
	id      int64
	runID   string
	planned bool
}

func restorable(ctx context.Context, tx *sql.Tx) (list []restoredRun, err error) {
	rows, err := tx.QueryContext(ctx, restorableRuns)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var run restoredRun
		if err := rows.Scan(&run.id, &run.runID, &run.planned); err != nil {
			return nil, err
		}
		list = append(list, run)
	}
	return list, rows.Err()
}

func (r *Restore) holdRun(ctx context.Context, tx *sql.Tx, run int64) error {
	var unbegun int64
	if err := tx.QueryRowContext(ctx, countRestoredSegments, run).Scan(&unbegun); err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, restoreChunks, run, restoredReason)
	if err != nil {
		return err
	}
	chunks, err := res.RowsAffected()
	if err != nil {
		return err
	}
	r.Chunks += chunks + unbegun
	if _, err := tx.ExecContext(ctx, restoreSegments, run, restoredReason); err != nil {
		return err
	}
	return mustChange(tx.ExecContext(ctx, restorePlanned, run))
}

func failUnplanned(ctx context.Context, tx *sql.Tx, run int64, now time.Time) error {
	for _, query := range append(discardPlan[:2:2], countReadAsDead) {
		if _, err := tx.ExecContext(ctx, query, run); err != nil {
			return err
		}
	}
	return mustChange(tx.ExecContext(ctx, restoreUnplanned, run, ms(now), restoredReason))
}

const decidedBefore = `SELECT schedule, spec, decided_to, waiting_for FROM schedule_state WHERE decided_to < ? OR waiting_for IS NOT NULL`

const decideToNow = `
UPDATE schedule_state SET decided_to = max(decided_to, ?1), updated_at = ?1, waiting_for = NULL, waiting_until = NULL`

// What makes a follower due from now on is a decision about one of the held runs.
const followFromNow = `UPDATE followers SET since = ?1`

const missFollowUps = `
INSERT INTO slots (schedule, scheduled_for, state, reason, decided_at)
SELECT DISTINCT f.schedule, r.scheduled_for, 'missed', ?1, ?2
FROM followers f CROSS JOIN runs r INDEXED BY runs_followed ON r.schedule = f.other AND r.finished_at >= f.since
WHERE r.removing IS NULL AND r.redrive_of IS NULL AND (r.state = 'succeeded' OR f.any_end AND r.state IN ('partial', 'held', 'skipped'))
ON CONFLICT DO NOTHING`

const missWaiting = `
UPDATE slots SET state = 'missed', reason = ?1, decided_at = ?2 WHERE state = 'waiting' AND reason NOT LIKE '` + ArrivedReason + `%'`

// decideSlots decides all slots up to now: which of them ran, nobody knows.
func (r *Restore) decideSlots(ctx context.Context, tx *sql.Tx, now time.Time) error {
	rows, err := tx.QueryContext(ctx, decidedBefore, ms(now))
	if err != nil {
		return err
	}
	defer rows.Close()
	var missed []Slot
	for rows.Next() {
		var schedule, spec string
		var at int64
		var waiting sql.NullInt64
		if err := rows.Scan(&schedule, &spec, &at, &waiting); err != nil {
			return err
		}
		if waiting.Valid {
			missed = append(missed, Slot{Schedule: schedule, ScheduledFor: fromMS(waiting.Int64), State: SlotMissed, Reason: restoredReason})
		}
		if r.Slots == nil {
			continue
		}
		for _, slot := range r.Slots(schedule, spec, fromMS(at)) {
			missed = append(missed, Slot{Schedule: schedule, ScheduledFor: slot, State: SlotMissed, Reason: restoredReason})
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, slot := range missed {
		claimed, err := claimSlot(ctx, tx, slot)
		if err != nil {
			return err
		}
		if claimed {
			r.Missed++
		}
	}
	if _, err := tx.ExecContext(ctx, missWaiting, restoredReason, ms(now)); err != nil {
		return err
	}
	for _, schedule := range r.OnArrival {
		if _, err := tx.ExecContext(ctx, insertPause, schedule, PausedByCommand, ms(now), restoredReason, r.Actor); err != nil {
			return err
		}
	}
	n, err := changed(tx.ExecContext(ctx, missFollowUps, restoredReason, ms(now)))
	if err != nil {
		return err
	}
	r.Missed += int(n)
	for _, query := range []string{decideToNow, followFromNow} {
		if _, err := tx.ExecContext(ctx, query, ms(now)); err != nil {
			return err
		}
	}
	return nil
}
