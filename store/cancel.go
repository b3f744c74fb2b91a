package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// actionCancel is the action of the audit row of a cancelled run.
const actionCancel = "cancel"

const cancelChunks = `UPDATE chunks SET state = 'failed', reason = ?, not_before = 0 WHERE run = ? AND state = 'planned'`

const cancelSegments = `UPDATE segments SET state = 'failed', reason = ? WHERE run = ? AND state = 'planned' AND begun < records`

const canGoOn = `
SELECT planned_at IS NULL AND state IN ('planning', 'stopped')
    OR EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state = 'planned')
    OR EXISTS (SELECT 1 FROM segments WHERE run = id AND segments.state = 'planned' AND begun < records)
FROM runs WHERE id = ?`

// CancelRun gives up what of a run is planned, with an audit row: its planned
// chunks, also those that are only in segments, become failed with the reason
// "cancelled: …". A run of which nothing is planned is ErrState. The caller
// settles it.
func (l *Ledger) CancelRun(ctx context.Context, run *Run, actor, reason string) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		var open bool
		if err := tx.QueryRowContext(ctx, canGoOn, run.ID).Scan(&open); err != nil {
			return err
		}
		if !open {
			return ErrState
		}
		for _, query := range []string{cancelChunks, cancelSegments} {
			if _, err := tx.ExecContext(ctx, query, "cancelled: "+reason, run.ID); err != nil {
				return err
			}
		}
		return writeAudit(ctx, tx, Audit{Action: actionCancel, RunID: run.RunID, Actor: actor, Reason: reason})
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	return nil
}

const cancelledBecause = `SELECT reason FROM audit WHERE run_id = ? AND action = ? ORDER BY audit_id LIMIT 1`

// Cancelled says whether a run was cancelled, and why in the person's own words.
func (r *Reader) Cancelled(ctx context.Context, run *Run) (reason string, cancelled bool, err error) {
	err = r.ro.QueryRowContext(ctx, cancelledBecause, run.RunID, actionCancel).Scan(&reason)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return reason, err == nil, err
}
