package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// Request is what a command asks of the process that holds the sender's lock.
type Request struct {
	RequestID int64
	Kind      string // "run" or "resolve"
	Body      string // JSON, the program's own
	RunID     string // the run that serves it; "" while there is none
	Finished  bool
	ExitCode  int    // when Finished
	Message   string // why it was refused; "" when it was not
}

const insertRequest = `INSERT INTO requests (kind, body, created_at, run_id, message) VALUES (?, ?, ?, '', '')`

// Ask leaves a request for the holder of the sender's lock. It is the one write
// that needs no lock.
func Ask(ctx context.Context, path, kind, body string) (requestID int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, fmt.Errorf("ledger %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", dsn(path, toWrite))
	if err != nil {
		return 0, fmt.Errorf("ledger %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	res, err := db.ExecContext(ctx, insertRequest, kind, body, ms(time.Now()))
	if err != nil {
		return 0, fmt.Errorf("handing the %s over: %w", kind, err)
	}
	return res.LastInsertId()
}

const requestColumns = `request_id, kind, body, run_id, finished_at IS NOT NULL, coalesce(exit_code, 0), message`

const selectRequest = `SELECT ` + requestColumns + ` FROM requests WHERE request_id = ?`

// Request returns a request as it stands.
func (r *Reader) Request(ctx context.Context, requestID int64) (q Request, err error) {
	err = r.ro.QueryRowContext(ctx, selectRequest, requestID).
		Scan(&q.RequestID, &q.Kind, &q.Body, &q.RunID, &q.Finished, &q.ExitCode, &q.Message)
	return q, err
}

const newRequests = `SELECT ` + requestColumns + ` FROM requests WHERE finished_at IS NULL AND request_id > ? ORDER BY request_id`

// OpenRequests returns the unanswered requests after a number.
func (r *Reader) OpenRequests(ctx context.Context, after int64) ([]Request, error) {
	rows, err := r.ro.QueryContext(ctx, newRequests, after)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Request
	for rows.Next() {
		var q Request
		if err := rows.Scan(&q.RequestID, &q.Kind, &q.Body, &q.RunID, &q.Finished, &q.ExitCode, &q.Message); err != nil {
			return nil, err
		}
		list = append(list, q)
	}
	return list, rows.Err()
}

const serveRequest = `UPDATE requests SET run_id = ? WHERE request_id = ?`

// ServeRequest names the run that serves a request, for the asker to follow.
func (l *Ledger) ServeRequest(ctx context.Context, requestID int64, runID string) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, serveRequest, runID, requestID))
	})
}

const finishRequest = `UPDATE requests SET finished_at = ?, exit_code = ?, message = ? WHERE request_id = ? AND finished_at IS NULL`

// FinishRequest answers a request with the exit code of the asking command and
// a message for its user.
func (l *Ledger) FinishRequest(ctx context.Context, requestID int64, exitCode int, message string) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, finishRequest, ms(time.Now()), exitCode, message, requestID))
	})
}
