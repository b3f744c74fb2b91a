package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Split is what takes the place of a chunk that is too large for its flow.
type Split struct {
	Run      *Run
	Children []Chunk // each with its Parent; together they have the parent's records
	Limit    int64   // so many bytes is what the flow may get from now on; 0: nothing was learnt
}

func (s *Split) add(ctx context.Context, tx *sql.Tx) error {
	for i := range s.Children {
		if err := addChunk(ctx, tx, s.Run.ID, &s.Children[i]); err != nil {
			return err
		}
	}
	if s.Limit == 0 {
		return nil
	}
	now := time.Now()
	_, err := tx.ExecContext(ctx, learnLimit, s.Run.FlowID, s.Run.BaseURL, s.Limit, ms(now), ms(now.Add(-LimitHolds)))
	return err
}

// LimitHolds is how long a learnt limit holds. Then larger bodies are tried again.
const LimitHolds = 7 * 24 * time.Hour

const learnLimit = `
INSERT INTO flow_limits (flow_id, base_url, max_bytes, learnt_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (flow_id, base_url) DO UPDATE SET max_bytes = excluded.max_bytes, learnt_at = excluded.learnt_at
WHERE excluded.max_bytes < max_bytes OR learnt_at < ?5`

const splitPlanned = `UPDATE chunks SET state = 'split', reason = ? WHERE run = ? AND chunk = ? AND state = 'planned'`

// SplitChunk replaces a planned chunk that was not tried by smaller ones. A chunk
// in another state is ErrState.
func (l *Ledger) SplitChunk(ctx context.Context, chunk int64, reason string, s *Split) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		if err := mustChange(tx.ExecContext(ctx, splitPlanned, reason, s.Run.ID, chunk)); err != nil {
			return err
		}
		return s.add(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("splitting chunk %d: %w", chunk, err)
	}
	return nil
}

// Limit is what a flow may get, learnt from a body that it refused as too large.
type Limit struct {
	MaxBytes int64 // of a body; 0: no limit is known
	LearntAt time.Time
}

const selectLimit = `SELECT max_bytes, learnt_at FROM flow_limits WHERE flow_id = ? AND base_url = ? AND learnt_at >= ?`

// FlowLimit returns the limit that holds for a flow; the zero Limit if none does.
func (r *Reader) FlowLimit(ctx context.Context, to Destination) (Limit, error) {
	var limit Limit
	var at int64
	err := r.ro.QueryRowContext(ctx, selectLimit, to.FlowID, to.BaseURL, ms(time.Now().Add(-LimitHolds))).Scan(&limit.MaxBytes, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Limit{}, nil
	}
	limit.LearntAt = fromMS(at)
	return limit, err
}

const lastChunk = `SELECT coalesce(max(chunk), 0) FROM chunks WHERE run = ?`

// LastChunk returns the largest number of a run's chunks that have a row; 0
// without one.
func (r *Reader) LastChunk(ctx context.Context, run int64) (n int64, err error) {
	err = r.ro.QueryRowContext(ctx, lastChunk, run).Scan(&n)
	return n, err
}

const childrenOf = `SELECT chunk FROM chunks INDEXED BY chunks_by_parent WHERE run = ? AND parent = ? ORDER BY chunk`

// Children returns the numbers of the chunks that a chunk was split into.
func (r *Reader) Children(ctx context.Context, run, chunk int64) (list []int64, err error) {
	rows, err := r.ro.QueryContext(ctx, childrenOf, run, chunk)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}

// Part is a planned chunk that another was split into, and the chunk of the plan
// that all of it was once.
type Part struct{ Chunk, Root int64 }

// The path puts a chunk's parts in its place: numbers have ten digits at most.
const plannedParts = `
WITH RECURSIVE part (chunk, root, path) AS (
  SELECT chunk, chunk, printf('%010d', chunk) FROM chunks INDEXED BY chunks_by_state WHERE run = ?1 AND state = 'split' AND parent IS NULL
  UNION ALL
  SELECT c.chunk, p.root, p.path || printf('%010d', c.chunk) FROM part p
  CROSS JOIN chunks c INDEXED BY chunks_by_parent ON c.run = ?1 AND c.parent = p.chunk)
SELECT p.chunk, p.root FROM part p CROSS JOIN chunks c ON c.run = ?1 AND c.chunk = p.chunk
WHERE c.state = 'planned' AND c.parent IS NOT NULL ORDER BY p.path`

// PlannedParts returns the planned parts of split chunks of a run in the order of
// their records.
func (r *Reader) PlannedParts(ctx context.Context, run int64) (list []Part, err error) {
	rows, err := r.ro.QueryContext(ctx, plannedParts, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Part
		if err := rows.Scan(&p.Chunk, &p.Root); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
