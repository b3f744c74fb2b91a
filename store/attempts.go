package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Attempt is one HTTP try of a chunk's trigger.
type Attempt struct {
	AttemptID   int64
	Run         int64
	Chunk       int64
	Number      int // nth of its chunk
	BodyHash    string
	BodyBytes   int64
	StartedAt   time.Time
	FinishedAt  *time.Time
	Outcome     string // "" while open
	Reason      string
	Detail      string
	StatusCode  int
	AnalyticsID string
	Answer      []byte
}

const claimChunk = `
UPDATE chunks SET state = 'sending', reason = ''
WHERE run = ?1 AND chunk = ?2 AND state = 'planned' AND EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND state = 'delivering')`

const insertAttempt = `
INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, reason, detail, status_code)
SELECT ?1, ?2, count(*) + 1, ?3, ?4, ?5, '', '', 0 FROM attempts WHERE run = ?1 AND chunk = ?2`

// BeginAttempt commits the intent to send a planned chunk of a run that is
// Delivering. Only after it returned without error may the body leave. A chunk
// in another state, one of a plan that is not finished, or one with an open or
// accepted attempt, is ErrState.
func (l *Ledger) BeginAttempt(ctx context.Context, run, chunk int64, bodyHash string, bodyBytes int64) (attemptID int64, err error) {
	err = l.share(ctx, func(tx *sql.Tx) (err error) {
		attemptID, err = l.prepared.beginAttempt(ctx, tx, intent{run, chunk, bodyHash, bodyBytes})
		l.begun = max(l.begun, attemptID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("intent for chunk %d: %w", chunk, err)
	}
	return attemptID, nil
}

// intent is what an attempt is about to send.
type intent struct {
	run, chunk int64
	bodyHash   string
	bodyBytes  int64
}

// attemptStatements are those of each attempt. They are prepared once: SQLite
// takes as long to read them as to run them.
type attemptStatements struct{ claim, insert, finish, move *sql.Stmt }

func prepareAttempts(ctx context.Context, db *sql.DB) (s attemptStatements, err error) {
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{{&s.claim, claimChunk}, {&s.insert, insertAttempt}, {&s.finish, finishAttempt}, {&s.move, moveChunk}} {
		if *p.into, err = db.PrepareContext(ctx, p.query); err != nil { //nolint:sqlclosecheck // they are closed with db
			return s, err
		}
	}
	return s, nil
}

func execPrepared(ctx context.Context, tx *sql.Tx, s *sql.Stmt, args ...any) (sql.Result, error) {
	return tx.StmtContext(ctx, s).ExecContext(ctx, args...) //nolint:sqlclosecheck // the transaction's end closes it
}

func (s *attemptStatements) beginAttempt(ctx context.Context, tx *sql.Tx, i intent) (attemptID int64, err error) {
	if err := mustChange(execPrepared(ctx, tx, s.claim, i.run, i.chunk)); err != nil {
		return 0, err
	}
	res, err := execPrepared(ctx, tx, s.insert, i.run, i.chunk, i.bodyHash, i.bodyBytes, ms(time.Now()))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// AttemptEnd is how an attempt ended and what follows for its chunk.
type AttemptEnd struct {
	Outcome     string
	Reason      string
	Detail      string
	StatusCode  int
	AnalyticsID string
	Answer      []byte
	Next        ChunkState
	ChunkReason string
	NotBefore   time.Time // with Next == ChunkPlanned: no try before; zero: at once
	Split       *Split    // with Next == ChunkSplit: what takes the chunk's place
}

// check refuses an end that contradicts itself, so that no mistake elsewhere can
// take an accepted trigger for one that may be sent again.
func (e AttemptEnd) check() error {
	accepted := e.Outcome == "accepted" || e.Outcome == "accepted_no_id"
	switch e.Next {
	case ChunkAccepted: // unknown: on_unknown = "accept"
		if accepted || e.Outcome == "unknown" {
			return nil
		}
	case ChunkSplit:
		if e.Outcome == "refused" && e.Split != nil {
			return nil
		}
	case ChunkPlanned, ChunkFailed, ChunkUnknown:
		if !accepted {
			return nil
		}
	}
	return fmt.Errorf("%w: the chunk cannot become %q by it", ErrState, e.Next)
}

const finishAttempt = `
UPDATE attempts SET finished_at = ?, outcome = ?, reason = ?, detail = ?, status_code = ?, analytics_id = nullif(?, ''), answer = ?
WHERE attempt_id = ? AND outcome IS NULL`

const moveChunk = `
UPDATE chunks SET state = ?, reason = ?, not_before = ?
WHERE state = 'sending' AND (run, chunk) = (SELECT run, chunk FROM attempts WHERE attempt_id = ?)`

// FinishAttempt commits an attempt's outcome and moves its chunk on. An attempt
// that has its outcome already is ErrState, and so is a Next that the outcome
// does not allow.
func (l *Ledger) FinishAttempt(ctx context.Context, attemptID int64, e AttemptEnd) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("outcome of attempt %d (%s): %w", attemptID, e.Outcome, err)
	}
	notBefore := int64(0)
	if !e.NotBefore.IsZero() {
		notBefore = ms(e.NotBefore)
	}
	err := l.share(ctx, func(tx *sql.Tx) error {
		err := mustChange(execPrepared(ctx, tx, l.prepared.finish, ms(time.Now()), e.Outcome, e.Reason, e.Detail, e.StatusCode,
			e.AnalyticsID, e.Answer, attemptID))
		if err != nil {
			return err
		}
		err = mustChange(execPrepared(ctx, tx, l.prepared.move, e.Next, e.ChunkReason, notBefore, attemptID))
		if err != nil || e.Next != ChunkSplit {
			return err
		}
		return e.Split.add(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("outcome of attempt %d (%s): %w", attemptID, e.Outcome, err)
	}
	return nil
}

const attemptColumns = `attempt_id, run, chunk, number, body_hash, body_bytes, started_at, finished_at, coalesce(outcome, ''),
    reason, detail, status_code, coalesce(analytics_id, ''), answer`

func queryAttempts(ctx context.Context, db *sql.DB, query string, args ...any) ([]Attempt, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Attempt
	for rows.Next() {
		var a Attempt
		var started int64
		var finished sql.NullInt64
		err := rows.Scan(&a.AttemptID, &a.Run, &a.Chunk, &a.Number, &a.BodyHash, &a.BodyBytes, &started, &finished, &a.Outcome,
			&a.Reason, &a.Detail, &a.StatusCode, &a.AnalyticsID, &a.Answer)
		if err != nil {
			return nil, err
		}
		a.StartedAt, a.FinishedAt = fromMS(started), timeOrNil(finished)
		list = append(list, a)
	}
	return list, rows.Err()
}

const attemptsOfChunk = `SELECT ` + attemptColumns + ` FROM attempts WHERE run = ? AND chunk = ? ORDER BY number`

// Attempts returns a chunk's attempts in order.
func (r *Reader) Attempts(ctx context.Context, run, chunk int64) ([]Attempt, error) {
	return queryAttempts(ctx, r.ro, attemptsOfChunk, run, chunk)
}

// Sent is what the attempts of a chunk came to: the hash of the last body, and the
// last id that WorqHat gave; "" if there is none.
type Sent struct{ BodyHash, AnalyticsID string }

const sentOfChunks = `
SELECT chunk, body_hash, coalesce(analytics_id, '') FROM attempts WHERE run = ? AND chunk BETWEEN ? AND ? ORDER BY chunk, number`

// Sent tells it of the chunks from one number to another that have attempts.
func (r *Reader) Sent(ctx context.Context, run, first, last int64) (map[int64]Sent, error) {
	rows, err := r.ro.QueryContext(ctx, sentOfChunks, run, first, last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[int64]Sent{}
	for rows.Next() {
		var chunk int64
		var s Sent
		if err := rows.Scan(&chunk, &s.BodyHash, &s.AnalyticsID); err != nil {
			return nil, err
		}
		if s.AnalyticsID == "" {
			s.AnalyticsID = all[chunk].AnalyticsID
		}
		all[chunk] = s
	}
	return all, rows.Err()
}

const openAttempts = `SELECT ` + attemptColumns + ` FROM attempts WHERE outcome IS NULL ORDER BY attempt_id`

// OpenAttempts returns the intents without outcome. Under the sender's lock,
// before anything is sent, these are what a crash left.
func (r *Reader) OpenAttempts(ctx context.Context) ([]Attempt, error) {
	return queryAttempts(ctx, r.ro, openAttempts)
}

const countUnknown = `SELECT count(*) FROM attempts WHERE run = ? AND chunk = ? AND outcome = 'unknown'`

// CountUnknown says how many attempts of a chunk ended unknown.
func (r *Reader) CountUnknown(ctx context.Context, run, chunk int64) (n int, err error) {
	err = r.ro.QueryRowContext(ctx, countUnknown, run, chunk).Scan(&n)
	return n, err
}
