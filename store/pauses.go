package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Values of Pause.Source.
const (
	PausedByCommand = "command" // 'pause'; 'resume' ends it
	PausedByFile    = "file"    // paused = … in the configuration
)

// Pause is a time in which a schedule was paused.
type Pause struct {
	Schedule  string
	Source    string // PausedByCommand or PausedByFile; both may hold at once
	PausedAt  time.Time
	ResumedAt *time.Time // nil: it is paused now
	Reason    string     // in the person's own words; may be ""
	PausedBy  string     // the operating system's user; "" for the file
}

// String is the reason of slots that it keeps from running.
func (p Pause) String() string {
	if p.Reason == "" {
		return "paused"
	}
	return "paused (" + p.Reason + ")"
}

// What a resume does with the slots of the pause.
const (
	MissedSkip = "skip" // they never run
	MissedLast = "last" // the last one runs
	MissedAll  = "all"  // all of them run, in order
)

// ErrPaused and ErrNotPaused mean that there was nothing to do.
var (
	ErrPaused    = errors.New("it is paused already")
	ErrNotPaused = errors.New("it is not paused")
)

const insertPause = `
INSERT INTO pauses (schedule, source, paused_at, reason, paused_by, resumed_by) VALUES (?, ?, ?, ?, ?, '') ON CONFLICT DO NOTHING`

const pauseWaiting = `UPDATE slots INDEXED BY slots_waiting SET state = 'skipped', reason = ?2, decided_at = ?3 WHERE schedule = ?1 AND state = 'waiting'
  AND reason NOT LIKE '` + ArrivedReason + `%'`

// PauseSchedule records that nothing of a schedule runs from now on; what waits is
// skipped, but for files that arrived: they wait for the end of the pause. ErrPaused if the same source paused it before.
func (l *Ledger) PauseSchedule(ctx context.Context, p Pause) error {
	now := ms(time.Now())
	return l.write(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, insertPause, p.Schedule, p.Source, now, p.Reason, p.PausedBy))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrPaused
		}
		_, err = tx.ExecContext(ctx, pauseWaiting, p.Schedule, p.String(), now)
		return err
	})
}

const openPause = `SELECT pause_id, paused_at FROM pauses WHERE schedule = ? AND source = ? AND resumed_at IS NULL`

const endPause = `UPDATE pauses SET resumed_at = ?, resumed_by = ? WHERE pause_id = ?`

// resumeSlots lets slots that were skipped in a pause wait for their run, the
// newest ?5 of them.
const resumeSlots = `
UPDATE slots SET state = 'waiting', reason = '` + Resumed + `', decided_at = ?4
WHERE schedule = ?1 AND scheduled_for IN (
  SELECT scheduled_for FROM slots WHERE schedule = ?1 AND scheduled_for <= ?3 AND state = 'skipped' AND decided_at >= ?2
    AND (reason = 'paused' OR reason LIKE 'paused (%')
  ORDER BY scheduled_for DESC LIMIT ?5)`

// ResumeSchedule ends a pause. missed says which of its slots run after all (a
// Missed… word): they wait then, and the result is how many do. ErrNotPaused if
// there is no such pause.
func (l *Ledger) ResumeSchedule(ctx context.Context, schedule, source, actor, missed string) (waiting int64, err error) {
	most, known := map[string]int64{MissedSkip: 0, MissedLast: 1, MissedAll: -1}[missed]
	if !known {
		return 0, fmt.Errorf("resume %s: %q: %w", schedule, missed, ErrState)
	}
	now := ms(time.Now())
	err = l.write(ctx, func(tx *sql.Tx) error {
		var id, since int64
		err := tx.QueryRowContext(ctx, openPause, schedule, source).Scan(&id, &since)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotPaused
		}
		if err != nil {
			return err
		}
		// An end before its beginning, after the clock went back, would be no pause.
		if _, err := tx.ExecContext(ctx, endPause, max(now, since), actor, id); err != nil {
			return err
		}
		waiting, err = changed(tx.ExecContext(ctx, resumeSlots, schedule, since, now, now, most))
		return err
	})
	return waiting, err
}

const pausesThatCount = `
SELECT schedule, source, paused_at, resumed_at, reason, paused_by FROM pauses p
WHERE (?1 = '' OR schedule = ?1) AND (resumed_at IS NULL
   OR resumed_at > coalesce((SELECT min(decided_to, coalesce(waiting_for - 1, decided_to)) FROM schedule_state s WHERE s.schedule = p.schedule), 0))
ORDER BY pause_id`

// Pauses lists, of one schedule or ("") of all, the pauses that hold now and those
// that slots which are not decided yet may lie in; oldest first.
func (r *Reader) Pauses(ctx context.Context, schedule string) ([]Pause, error) {
	rows, err := r.ro.QueryContext(ctx, pausesThatCount, schedule)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Pause
	for rows.Next() {
		var p Pause
		var since int64
		var until sql.NullInt64
		if err := rows.Scan(&p.Schedule, &p.Source, &since, &until, &p.Reason, &p.PausedBy); err != nil {
			return nil, err
		}
		p.PausedAt, p.ResumedAt = fromMS(since), timeOrNil(until)
		list = append(list, p)
	}
	return list, rows.Err()
}
