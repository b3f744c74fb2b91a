package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// RemoteStatus is how a trigger's execution stands at WorqHat.
type RemoteStatus string

// The remote states.
const (
	RemoteRunning   RemoteStatus = "running"
	RemoteCompleted RemoteStatus = "completed"
	RemoteFailed    RemoteStatus = "failed"
	RemoteNotListed RemoteStatus = "not listed" // looked for, and not in the list; it may only be late
)

// Remote is what WorqHat's metrics say about one attempt.
type Remote struct {
	AttemptID   int64
	Status      RemoteStatus
	ExecutionID string // found for an attempt that was accepted without an id; "" otherwise
	StartedAt   time.Time
	EndedAt     time.Time // zero: not ended, or not said
	LookedUpAt  time.Time // set by the store
}

// Hint is an execution that an attempt may have started. It informs a person.
type Hint struct {
	AttemptID   int64
	ExecutionID string
	Status      RemoteStatus
	StartedAt   time.Time
	LookedUpAt  time.Time // set by the store
}

const upsertRemote = `
INSERT INTO remote_status (attempt_id, status, execution_id, started_at, ended_at, looked_up_at)
VALUES (?, ?, nullif(?, ''), nullif(?, 0), nullif(?, 0), ?)
ON CONFLICT (attempt_id) DO UPDATE SET status = excluded.status, execution_id = excluded.execution_id,
    started_at = excluded.started_at, ended_at = excluded.ended_at, looked_up_at = excluded.looked_up_at`

const dropHints = `DELETE FROM remote_hints WHERE attempt_id = ?`

// StoreRemote stores what was looked up for some attempts; it replaces what was
// known of them.
func (l *Ledger) StoreRemote(ctx context.Context, list []Remote, lookedUp time.Time) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, s := range list {
			_, err := tx.ExecContext(ctx, upsertRemote, s.AttemptID, s.Status, s.ExecutionID, msOrZero(s.StartedAt), msOrZero(s.EndedAt), ms(lookedUp))
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, dropHints, s.AttemptID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remote states: %w", err)
	}
	return nil
}

func msOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return ms(t)
}

const insertHint = `INSERT OR IGNORE INTO remote_hints (attempt_id, execution_id, status, started_at, looked_up_at) VALUES (?, ?, ?, ?, ?)`

const dropRemote = `DELETE FROM remote_status WHERE attempt_id = ?`

// StoreHints stores the hints for one attempt; they replace what was known of it.
func (l *Ledger) StoreHints(ctx context.Context, attemptID int64, hints []Hint, lookedUp time.Time) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, drop := range []string{dropHints, dropRemote} {
			if _, err := tx.ExecContext(ctx, drop, attemptID); err != nil {
				return err
			}
		}
		for _, h := range hints {
			if _, err := tx.ExecContext(ctx, insertHint, attemptID, h.ExecutionID, h.Status, ms(h.StartedAt), ms(lookedUp)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("hints for attempt %d: %w", attemptID, err)
	}
	return nil
}

const markNotListed = `
INSERT INTO remote_status (attempt_id, status, looked_up_at)
SELECT attempt_id, 'not listed', ?1 FROM attempts
WHERE run = ?2 AND chunk BETWEEN ?3 AND ?4 AND outcome IN ('accepted', 'accepted_no_id')
  AND NOT EXISTS (SELECT 1 FROM remote_hints h WHERE h.attempt_id = attempts.attempt_id)
ON CONFLICT (attempt_id) DO UPDATE SET looked_up_at = excluded.looked_up_at WHERE remote_status.status = 'not listed'`

const highestChunk = `SELECT coalesce(max(chunk), 0) FROM chunks WHERE run = ?`

// markChunks is how many chunks one transaction marks: others wait for it.
const markChunks = 2000

// MarkNotListed notes for all accepted attempts of a run of which nothing is
// known that they were looked for.
func (l *Ledger) MarkNotListed(ctx context.Context, run int64, lookedUp time.Time) error {
	var last int64
	if err := l.ro.QueryRowContext(ctx, highestChunk, run).Scan(&last); err != nil {
		return err
	}
	for first := int64(1); first <= last; first += markChunks {
		err := l.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, markNotListed, ms(lookedUp), run, first, first+markChunks-1)
			return err
		})
		if err != nil {
			return fmt.Errorf("remote states: %w", err)
		}
	}
	return nil
}

const doubtfulAttempts = `SELECT ` + attemptColumns + ` FROM attempts
WHERE run = ?1 AND (
  outcome = 'unknown' AND EXISTS (SELECT 1 FROM chunks c WHERE c.run = ?1 AND c.chunk = attempts.chunk AND c.state = 'unknown')
  OR outcome = 'accepted_no_id' AND NOT EXISTS (SELECT 1 FROM remote_status s WHERE s.attempt_id = attempts.attempt_id AND s.execution_id IS NOT NULL))
ORDER BY attempt_id`

// Doubtful returns the attempts of a run whose execution is to be looked for by
// time: those of chunks that are unknown, and those that were accepted without
// an id, unless it was found.
func (r *Reader) Doubtful(ctx context.Context, run int64) ([]Attempt, error) {
	return queryAttempts(ctx, r.ro, doubtfulAttempts, run)
}

const runsBegunSince = `SELECT ` + runColumns + ` FROM runs WHERE started_at >= ? AND planned_at IS NOT NULL AND state <> 'skipped' AND removing IS NULL ORDER BY id`

// RunsSince returns the runs that began at an instant or later and have a plan,
// oldest first.
func (r *Reader) RunsSince(ctx context.Context, since time.Time) ([]*Run, error) {
	return queryRuns(ctx, r.ro, runsBegunSince, ms(since))
}

// RemoteBalance counts the accepted triggers of a run by what WorqHat says of
// their executions.
type RemoteBalance struct {
	Completed   int64      `json:"completed"`
	Failed      int64      `json:"failed"`
	Running     int64      `json:"running"`
	NotListed   int64      `json:"not_listed"`
	NotLookedUp int64      `json:"not_looked_up"`
	LookedUpAt  *time.Time `json:"looked_up_at"` // the latest look; nil: there was none
}

const countRemote = `
SELECT coalesce(s.status, ''), count(*), max(s.looked_up_at)
FROM attempts a INDEXED BY attempts_one_live LEFT JOIN remote_status s USING (attempt_id)
WHERE a.run = ? AND a.over = 0 AND a.attempt_id NOT IN (SELECT attempt_id FROM attempts WHERE outcome IS NULL) GROUP BY 1`

func (r *Reader) countRemote(ctx context.Context, run int64) (b RemoteBalance, err error) {
	rows, err := r.ro.QueryContext(ctx, countRemote, run)
	if err != nil {
		return b, err
	}
	defer rows.Close()
	for rows.Next() {
		var status RemoteStatus
		var n int64
		var looked sql.NullInt64
		if err := rows.Scan(&status, &n, &looked); err != nil {
			return b, err
		}
		*map[RemoteStatus]*int64{
			RemoteCompleted: &b.Completed, RemoteFailed: &b.Failed, RemoteRunning: &b.Running, RemoteNotListed: &b.NotListed, "": &b.NotLookedUp,
		}[status] += n
		if at := timeOrNil(looked); at != nil && (b.LookedUpAt == nil || at.After(*b.LookedUpAt)) {
			b.LookedUpAt = at
		}
	}
	return b, rows.Err()
}

const keepRemote = `UPDATE runs SET remote = ? WHERE id = ?`

// KeepRemote counts how the executions of a run stand and keeps it with the run:
// to count a million takes longer than somebody who looks at a run should wait.
func (l *Ledger) KeepRemote(ctx context.Context, run int64) error {
	b, err := l.countRemote(ctx, run)
	if err != nil {
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, keepRemote, string(text), run))
	})
}

const remoteOfRun = `SELECT coalesce(remote, '{}') FROM runs WHERE id = ?`

// Remote is what KeepRemote kept; without a LookedUpAt if it never did.
func (r *Reader) Remote(ctx context.Context, run int64) (b RemoteBalance, err error) {
	var text string
	if err := r.ro.QueryRowContext(ctx, remoteOfRun, run).Scan(&text); err != nil {
		return b, err
	}
	err = json.Unmarshal([]byte(text), &b)
	return b, err
}

const remoteOfAttempt = `
SELECT attempt_id, status, coalesce(execution_id, ''), started_at, ended_at, looked_up_at FROM remote_status WHERE attempt_id = ?`

// RemoteOf returns what is known of one attempt's execution; nil if nothing is.
func (r *Reader) RemoteOf(ctx context.Context, attemptID int64) (*Remote, error) {
	var s Remote
	var started, ended sql.NullInt64
	var looked int64
	err := r.ro.QueryRowContext(ctx, remoteOfAttempt, attemptID).Scan(&s.AttemptID, &s.Status, &s.ExecutionID, &started, &ended, &looked)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if started.Valid {
		s.StartedAt = fromMS(started.Int64)
	}
	if ended.Valid {
		s.EndedAt = fromMS(ended.Int64)
	}
	s.LookedUpAt = fromMS(looked)
	return &s, err
}

const hintsOfAttempt = `
SELECT attempt_id, execution_id, status, started_at, looked_up_at FROM remote_hints WHERE attempt_id = ? ORDER BY started_at, execution_id`

// Hints returns the hints for an attempt, by start.
func (r *Reader) Hints(ctx context.Context, attemptID int64) (list []Hint, err error) {
	rows, err := r.ro.QueryContext(ctx, hintsOfAttempt, attemptID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h Hint
		var started, looked int64
		if err := rows.Scan(&h.AttemptID, &h.ExecutionID, &h.Status, &started, &looked); err != nil {
			return nil, err
		}
		h.StartedAt, h.LookedUpAt = fromMS(started), fromMS(looked)
		list = append(list, h)
	}
	return list, rows.Err()
}
