package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const settleRun = `
UPDATE runs SET state = ?, reason = ?, finished_at = ?, receipt = ? WHERE id = ?`

// A file is whole if no chunk that has not been accepted, and no segment with
// such chunks or with chunks that have no row, has a record of it.
const insertDelivered = `
INSERT INTO delivered_files (schedule, content_hash, shape, run_id, path, dead, delivered_at, size)
SELECT r.schedule, s.content_hash, r.shape, r.run_id, s.path,
       (SELECT count(*) FROM dead_letters d WHERE d.run = s.run AND d.file = s.file), ?1, s.size
FROM snapshots s JOIN runs r ON r.id = s.run
WHERE s.run = ?2 AND s.content_hash <> '' AND s.unchanged_since = '' AND r.planned_at IS NOT NULL
  AND s.records > (SELECT count(*) FROM dead_letters d WHERE d.run = s.run AND d.file = s.file)
  AND r.records_elsewhere = 0
  AND s.file NOT IN (
    SELECT g.file FROM chunks c INDEXED BY chunks_by_state CROSS JOIN chunk_ranges g ON g.run = c.run AND g.chunk = c.chunk
    WHERE c.run = ?2 AND c.state IN ('planned', 'sending', 'failed', 'unknown'))
  AND s.file NOT IN (
    SELECT g.file FROM segments c CROSS JOIN segment_ranges g ON g.run = c.run AND g.segment = c.segment
    WHERE c.run = ?2 AND (c.begun < c.records AND c.state <> 'accepted' OR EXISTS (
      SELECT 1 FROM chunks k INDEXED BY chunks_by_state WHERE k.run = ?2 AND k.state IN ('planned', 'sending', 'failed', 'unknown')
        AND k.chunk BETWEEN c.first_chunk AND c.first_chunk + c.records - 1)))
ON CONFLICT (schedule, content_hash, shape) DO UPDATE
  SET run_id = excluded.run_id, path = excluded.path, dead = excluded.dead, delivered_at = excluded.delivered_at`

// End is the state that a run comes to rest in.
type End struct {
	State  RunState
	Reason string
}

// check refuses to call a run what it is not: ended while it is under way, or
// succeeded while a record of it is anything but accepted or left out by the
// user's own rule.
func (e End) check(c *Receipt) error {
	clean := c.Balanced && c.Chunks.Failed+c.Chunks.Unknown+c.Chunks.Pending == 0 &&
		c.Records.Failed+c.Records.Dead+c.Records.Unknown+c.Records.Pending == 0
	if !e.State.Ended() || e.State == Succeeded && !clean {
		return fmt.Errorf("%w: the run cannot be %s", ErrState, e.State)
	}
	return nil
}

// SettleRun computes the receipt of a run, asks decide for the state that it
// means, and stores both, together with the files that are now delivered whole.
// An End that the receipt contradicts is ErrState.
func (l *Ledger) SettleRun(ctx context.Context, run *Run, decide func(*Receipt) End) (c *Receipt, err error) {
	now := fromMS(ms(time.Now()))
	err = l.write(ctx, func(tx *sql.Tx) error {
		if c, err = countReceipt(ctx, tx, run.ID); err != nil {
			return err
		}
		end := decide(c)
		if err := end.check(c); err != nil {
			return err
		}
		c.Status, c.Reason, c.FinishedAt = end.State, end.Reason, &now
		text, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if err := mustChange(tx.ExecContext(ctx, settleRun, end.State, end.Reason, ms(now), string(text), run.ID)); err != nil {
			return err
		}
		return noteDelivered(ctx, tx, run, ms(now))
	})
	if err != nil {
		return nil, fmt.Errorf("receipt of run %s: %w", run.RunID, err)
	}
	run.State, run.Reason, run.FinishedAt = c.Status, c.Reason, c.FinishedAt
	return c, nil
}

// What is left of a run to send, found without counting it.
const leftOfRun = `
SELECT EXISTS (SELECT 1 FROM chunks WHERE run = ?1 AND state IN ('planned', 'sending'))
    OR EXISTS (SELECT 1 FROM segments WHERE run = ?1 AND state = 'planned' AND begun < records),
       EXISTS (SELECT 1 FROM chunks WHERE run = ?1 AND state IN ('accepted', 'failed', 'unknown', 'split'))
    OR EXISTS (SELECT 1 FROM segments WHERE run = ?1 AND state <> 'planned' AND begun < records)`

// Left says whether a run with a plan has chunks left to send, and whether it has
// others.
func (r *Reader) Left(ctx context.Context, run *Run) (left, others bool, err error) {
	err = r.ro.QueryRowContext(ctx, leftOfRun, run.ID).Scan(&left, &others)
	return left, others, err
}

const countLeft = `
SELECT (SELECT count(*) FROM chunks INDEXED BY chunks_by_state WHERE run = ?1 AND state IN ('planned', 'sending'))
     + (SELECT coalesce(sum(records - begun), 0) FROM segments WHERE run = ?1 AND state = 'planned')`

// CountLeft says how many chunks a run has left to send.
func (r *Reader) CountLeft(ctx context.Context, run *Run) (chunks int64, err error) {
	err = r.ro.QueryRowContext(ctx, countLeft, run.ID).Scan(&chunks)
	return chunks, err
}

const interruptRun = `
UPDATE runs SET state = 'stopped', reason = ?2, finished_at = ?3, receipt = NULL
WHERE id = ?1 AND state = 'delivering' AND planned_at IS NOT NULL
  AND (EXISTS (SELECT 1 FROM chunks WHERE run = ?1 AND chunks.state = 'planned')
    OR EXISTS (SELECT 1 FROM segments WHERE run = ?1 AND segments.state = 'planned' AND begun < records))`

// InterruptRun is SettleRun for a run that a crash left Delivering with chunks to
// send: it is Stopped, and its receipt is computed when somebody asks. Any other
// is ErrState.
func (l *Ledger) InterruptRun(ctx context.Context, run *Run, reason string) error {
	now := fromMS(ms(time.Now()))
	err := l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, interruptRun, run.ID, reason, ms(now)))
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	run.State, run.Reason, run.FinishedAt = Stopped, reason, &now
	return nil
}

const reopenRun = `UPDATE runs SET state = CASE WHEN planned_at IS NULL THEN 'planning' ELSE 'delivering' END, reason = '', finished_at = NULL, receipt = NULL WHERE id = ?`

// ReopenRun takes an ended run back to where it can go on: to its plan if that
// was never committed, else to delivering.
func (l *Ledger) ReopenRun(ctx context.Context, run *Run) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, reopenRun, run.ID))
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	run.State, run.Reason, run.FinishedAt = Delivering, "", nil
	if run.PlannedAt == nil {
		run.State = Planning
	}
	return nil
}

// Destination is where a run's triggers go.
type Destination struct{ FlowID, BaseURL string }

const replanRun = `
UPDATE runs SET state = 'planning', reason = '', finished_at = NULL, receipt = NULL, planned_at = NULL, flow_id = ?, base_url = ?,
       records_read = 0, records_filtered = 0, records_unchanged = 0, records_elsewhere = 0, bytes_read = 0
WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state <> 'planned')
  AND NOT EXISTS (SELECT 1 FROM attempts WHERE run = id AND (outcome IS NULL OR outcome NOT IN ('refused', 'throttled', 'not_sent')))`

// ReplanRun takes a run back to Planning, for a source or a configuration that
// changed. It is ErrState if any chunk has left the state planned, or is planned
// again after an attempt that may have been accepted: WorqHat may have it, so
// only the bytes that were planned may go out. Attempts that were refused stay
// in the ledger, under their chunk's number.
func (l *Ledger) ReplanRun(ctx context.Context, run *Run, to Destination) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, replanRun, to.FlowID, to.BaseURL, run.ID))
	})
	if errors.Is(err, ErrState) {
		return fmt.Errorf("run %s cannot be planned anew, WorqHat may have a part of it: %w", run.RunID, err)
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	run.State, run.Reason, run.FinishedAt, run.PlannedAt = Planning, "", nil, nil
	run.FlowID, run.BaseURL = to.FlowID, to.BaseURL
	run.RecordsRead, run.RecordsFiltered, run.RecordsUnchanged, run.RecordsElsewhere, run.BytesRead = 0, 0, 0, 0, 0
	return nil
}

const countReadAsDead = `
UPDATE runs SET receipt = NULL, records_read = (SELECT count(*) FROM dead_letters WHERE run = id) WHERE id = ? AND planned_at IS NULL`

// DiscardPlan drops the chunks of a plan that was not finished. Its dead
// letters stay, to be looked at, and are all that the run counts as read.
func (l *Ledger) DiscardPlan(ctx context.Context, run *Run) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, query := range discardPlan[:2] {
			if _, err := tx.ExecContext(ctx, query, run.ID); err != nil {
				return err
			}
		}
		if err := mustChange(tx.ExecContext(ctx, countReadAsDead, run.ID)); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT records_read FROM runs WHERE id = ?`, run.ID).Scan(&run.RecordsRead)
	})
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	return nil
}
