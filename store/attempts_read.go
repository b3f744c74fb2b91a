package store

import (
	"context"
	"database/sql"
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
