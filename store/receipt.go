package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Receipt is the balance of a run as the ledger has it. The JSON is what other
// programs may rely on.
type Receipt struct {
	RunID        string        `json:"run_id"`
	Name         string        `json:"name"`
	Schedule     string        `json:"schedule"`
	ScheduledFor time.Time     `json:"scheduled_for"`
	Origin       string        `json:"origin"`
	Status       RunState      `json:"status"`
	Reason       string        `json:"reason"`
	FlowID       string        `json:"flow_id"`
	SourcePath   string        `json:"source_path,omitempty"` // as rendered, where the source's path has expressions; or the file that arrived
	StartedAt    time.Time     `json:"started_at"`
	FinishedAt   *time.Time    `json:"finished_at"`
	Chunks       ChunkBalance  `json:"chunks"`
	Records      RecordBalance `json:"records"`
	Bytes        ByteCount     `json:"bytes"`
	Attempts     int64         `json:"attempts"`
	Balanced     bool          `json:"balanced"`
	Notes        []string      `json:"notes"`                // what else a person should know, a line each
	RedriveOf    string        `json:"redrive_of,omitempty"` // run_id of the run of which it sends something again
}

// ChunkBalance counts chunks: Planned is how many the plan has, Pending how
// many are left to send.
type ChunkBalance struct {
	Planned  int64 `json:"planned"`
	Accepted int64 `json:"accepted"`
	Assumed  int64 `json:"assumed"` // of Accepted: no answer, taken as accepted by on_unknown = "accept"
	Failed   int64 `json:"failed"`
	Unknown  int64 `json:"unknown"`
	Pending  int64 `json:"pending"`
	Split    int64 `json:"split"`
}

// RecordBalance counts records. Read is counted by the plan, all others come
// from what became of them, and a run balances if they add up to Read.
type RecordBalance struct {
	Read      int64 `json:"read"`
	Accepted  int64 `json:"accepted"`
	Failed    int64 `json:"failed"`
	Dead      int64 `json:"dead"`
	Filtered  int64 `json:"filtered"`
	Unchanged int64 `json:"unchanged"`
	Unknown   int64 `json:"unknown"`
	Pending   int64 `json:"pending"`
}

func (b RecordBalance) sum() int64 {
	return b.Accepted + b.Failed + b.Dead + b.Filtered + b.Unchanged + b.Unknown + b.Pending
}

// ByteCount is bytes of the files read, and of the bodies handed to the network.
type ByteCount struct {
	Read int64 `json:"read"`
	Sent int64 `json:"sent"`
}

// AssumedReason marks a chunk that counts as accepted without an answer.
const AssumedReason = "assumed accepted without an answer"

// Receipt gives the balance of a run as of one instant: as it was computed when
// the run came to rest, if nothing of it has changed since, else computed anew.
func (r *Reader) Receipt(ctx context.Context, run *Run) (c *Receipt, err error) {
	tx, err := r.ro.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	c, err = storedReceipt(ctx, tx, run.ID)
	if c != nil || err != nil {
		return c, err
	}
	return countReceipt(ctx, tx, run.ID)
}

// CountReceipt computes the balance of a run from its row, chunks, attempts and
// dead letters, all as of one instant, whatever was stored.
func (r *Reader) CountReceipt(ctx context.Context, run *Run) (c *Receipt, err error) {
	tx, err := r.ro.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	return countReceipt(ctx, tx, run.ID)
}

// Whatever changes a run or its chunks takes the stored receipt away (database
// triggers see to the chunks).
const selectReceipt = `
SELECT receipt FROM runs WHERE id = ? AND receipt IS NOT NULL AND state NOT IN ('planning', 'delivering')`

// storedReceipt is nil if the run has none that still counts. Notes that came
// later are read with it.
func storedReceipt(ctx context.Context, tx *sql.Tx, run int64) (*Receipt, error) {
	var text string
	err := tx.QueryRowContext(ctx, selectReceipt, run).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c Receipt
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("stored receipt: %w", err)
	}
	c.Notes, err = notes(ctx, tx, run)
	return &c, err
}

func countReceipt(ctx context.Context, tx *sql.Tx, id int64) (*Receipt, error) {
	run, err := scanRun(tx.QueryRowContext(ctx, runByRow, id))
	if err != nil {
		return nil, err
	}
	c := &Receipt{
		RunID: run.RunID, Name: run.Name(), Schedule: run.Schedule, ScheduledFor: run.ScheduledFor, Origin: run.Origin,
		Status: run.State, Reason: run.Reason, FlowID: run.FlowID, SourcePath: run.SourcePath, StartedAt: run.StartedAt, FinishedAt: run.FinishedAt,
		Records: RecordBalance{
			Read: run.RecordsRead, Filtered: run.RecordsFiltered, Unchanged: run.RecordsUnchanged, Unknown: run.RecordsElsewhere,
		},
		Bytes: ByteCount{Read: run.BytesRead}, RedriveOf: run.RedriveOf,
	}
	if err := errors.Join(countChunks(ctx, tx, run.ID, c), countUnbegun(ctx, tx, run.ID, c)); err != nil {
		return nil, err
	}
	err = tx.QueryRowContext(ctx, countAttempts, run.ID).Scan(&c.Attempts, &c.Bytes.Sent)
	if err != nil {
		return nil, err
	}
	if err := tx.QueryRowContext(ctx, countDead, run.ID).Scan(&c.Records.Dead); err != nil {
		return nil, err
	}
	c.Balanced = c.Records.Read == c.Records.sum()
	c.Notes, err = notes(ctx, tx, run.ID)
	return c, err
}

// These read indexes alone: a run with one trigger a record has a million rows.
const countChunkStates = `
SELECT state, count(*), sum(records) FROM chunks INDEXED BY chunks_by_state WHERE run = ? GROUP BY state`

const countAssumed = `
SELECT count(*) FROM chunks INDEXED BY chunks_assumed WHERE run = ? AND state = 'accepted' AND reason <> '' AND reason = ?`

const countSegments = `
SELECT state, sum(records - begun) FROM segments WHERE run = ? AND begun < records GROUP BY 1`

const countAttempts = `SELECT coalesce(sum(attempts), 0), coalesce(sum(bytes_sent), 0) FROM attempt_sums WHERE run = ?`

const countDead = `SELECT count(*) FROM dead_letters WHERE run = ?`

func countChunks(ctx context.Context, tx *sql.Tx, run int64, c *Receipt) error {
	if err := tx.QueryRowContext(ctx, countAssumed, run, AssumedReason).Scan(&c.Chunks.Assumed); err != nil {
		return err
	}
	return countStates(ctx, tx, countChunkStates, run, func(rows *sql.Rows) error {
		var state ChunkState
		var chunks, records int64
		err := rows.Scan(&state, &chunks, &records)
		c.count(state, chunks, records)
		return err
	})
}

// countUnbegun counts the chunks that are still only in their segments.
func countUnbegun(ctx context.Context, tx *sql.Tx, run int64, c *Receipt) error {
	return countStates(ctx, tx, countSegments, run, func(rows *sql.Rows) error {
		var state ChunkState
		var chunks int64
		err := rows.Scan(&state, &chunks)
		c.count(state, chunks, chunks)
		return err
	})
}

func countStates(ctx context.Context, tx *sql.Tx, query string, run int64, each func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query, run)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// count adds chunks in one state, with their records.
func (c *Receipt) count(state ChunkState, chunks, records int64) {
	c.Chunks.Planned += chunks
	switch state {
	case ChunkPlanned, ChunkSending:
		c.Chunks.Pending += chunks
		c.Records.Pending += records
	case ChunkAccepted:
		c.Chunks.Accepted += chunks
		c.Records.Accepted += records
	case ChunkFailed:
		c.Chunks.Failed += chunks
		c.Records.Failed += records
	case ChunkUnknown:
		c.Chunks.Unknown += chunks
		c.Records.Unknown += records
	case ChunkSplit: // its records count with the chunks that replaced it
		c.Chunks.Split += chunks
	}
}
