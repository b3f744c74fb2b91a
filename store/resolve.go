package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Audit is a decision of a person that changed what is sent.
type Audit struct {
	Action string
	RunID  string
	Chunk  int64 // 0: the whole run
	Actor  string
	Reason string
}

const insertAudit = `INSERT INTO audit (at, action, run_id, chunk, actor, reason) VALUES (?, ?, ?, nullif(?, 0), ?, ?)`

func writeAudit(ctx context.Context, tx *sql.Tx, a Audit) error {
	_, err := tx.ExecContext(ctx, insertAudit, ms(time.Now()), a.Action, a.RunID, a.Chunk, a.Actor, a.Reason)
	return err
}

const resolveChunk = `UPDATE chunks SET state = ?, reason = ?, not_before = 0 WHERE run = ? AND chunk = ? AND state = 'unknown'`

// ResolveChunk decides an unknown chunk: it becomes accepted, planned (to be
// sent again) or failed, with an audit row. A chunk that is not unknown is
// ErrState, and so is another next.
func (l *Ledger) ResolveChunk(ctx context.Context, r *Run, next ChunkState, a Audit) error {
	if next != ChunkAccepted && next != ChunkPlanned && next != ChunkFailed {
		return fmt.Errorf("chunk %d of run %s cannot be resolved as %q: %w", a.Chunk, r.RunID, next, ErrState)
	}
	err := l.write(ctx, func(tx *sql.Tx) error {
		if err := mustChange(tx.ExecContext(ctx, resolveChunk, next, a.Action+": "+a.Reason, r.ID, a.Chunk)); err != nil {
			return err
		}
		return writeAudit(ctx, tx, a)
	})
	if err != nil {
		return fmt.Errorf("chunk %d of run %s: %w", a.Chunk, r.RunID, err)
	}
	return nil
}

const resolveSegments = `UPDATE segments SET state = ?, reason = ? WHERE run = ? AND state = 'unknown' AND begun < records`

const countUnknownSegments = `
SELECT coalesce(sum(records - begun), 0) FROM segments WHERE run = ? AND state = 'unknown' AND begun < records`

// ResolveSegments is ResolveChunk for all chunks of a run that are unknown and have
// no row, as OpenRestored leaves them, with one audit row for all. It says how
// many chunks they are.
func (l *Ledger) ResolveSegments(ctx context.Context, r *Run, next ChunkState, a Audit) (chunks int64, err error) {
	if next != ChunkAccepted && next != ChunkPlanned && next != ChunkFailed {
		return 0, fmt.Errorf("run %s cannot be resolved as %q: %w", r.RunID, next, ErrState)
	}
	err = l.write(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, countUnknownSegments, r.ID).Scan(&chunks); err != nil || chunks == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, resolveSegments, next, a.Action+": "+a.Reason, r.ID); err != nil {
			return err
		}
		return writeAudit(ctx, tx, a)
	})
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", r.RunID, err)
	}
	return chunks, nil
}

const auditOfRun = `SELECT at, action, coalesce(chunk, 0), actor, reason FROM audit WHERE run_id = ? ORDER BY audit_id`

// AuditRow is a stored decision.
type AuditRow struct {
	Audit
	At time.Time
}

// Audit returns the decisions about a run, oldest first.
func (r *Reader) Audit(ctx context.Context, runID string) ([]AuditRow, error) {
	rows, err := r.ro.QueryContext(ctx, auditOfRun, runID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []AuditRow
	for rows.Next() {
		var at int64
		a := AuditRow{Audit: Audit{RunID: runID}}
		if err := rows.Scan(&at, &a.Action, &a.Chunk, &a.Actor, &a.Reason); err != nil {
			return nil, err
		}
		a.At = fromMS(at)
		list = append(list, a)
	}
	return list, rows.Err()
}
