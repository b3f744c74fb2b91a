package store

import "context"

// WorqHat's ids are random, so in an index over all of them each new one would
// touch a page of its own. attempts_by_id is sorted within blocks of 1,024
// attempts only, and an id is looked for in each of them.

// idBlock is how many bits of an attempt's number tell its place within its block.
const idBlock = 10

// everyBlock is above all of them.
const everyBlock = 1 << 53

// attemptsWithID begins a query about the attempts, given (attempt_id), that
// WorqHat gave the id ?1, as far as they are in the blocks from ?2 to ?3.
const attemptsWithID = `
WITH RECURSIVE blocks (block, last) AS (
  SELECT max(?2, (SELECT min(attempt_id) FROM attempts) >> 10), min(?3, (SELECT max(attempt_id) FROM attempts) >> 10)
  UNION ALL SELECT block + 1, last FROM blocks WHERE block < last),
given (attempt_id) AS (
  SELECT a.attempt_id FROM blocks b CROSS JOIN attempts a INDEXED BY attempts_by_id
    ON a.attempt_id >> 10 = b.block AND substr(a.analytics_id, -10) = substr(?1, -10) AND a.analytics_id IS NOT NULL
  WHERE a.analytics_id = ?1)`

const claimants = attemptsWithID + `
SELECT attempt_id, '' FROM given
UNION ALL SELECT attempt_id, execution_id FROM remote_status WHERE execution_id = ?1`

// Claimant is an attempt that has an execution.
type Claimant struct {
	AttemptID   int64
	ExecutionID string // as in Remote
}

// Claimants returns the attempts that have an execution's id; none for an
// execution that no trigger of this ledger is known to have started. It looks
// around an attempt first, and elsewhere only if there is none: a list of
// executions has them in the order of their attempts, more or less.
func (r *Reader) Claimants(ctx context.Context, executionID string, near int64) (list []Claimant, err error) {
	block := near >> idBlock
	if list, err = r.claimants(ctx, executionID, block-1, block+1); err == nil && len(list) == 0 {
		list, err = r.claimants(ctx, executionID, 0, everyBlock)
	}
	return list, err
}

func (r *Reader) claimants(ctx context.Context, executionID string, firstBlock, lastBlock int64) (list []Claimant, err error) {
	rows, err := r.ro.QueryContext(ctx, claimants, executionID, firstBlock, lastBlock)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Claimant
		if err := rows.Scan(&c.AttemptID, &c.ExecutionID); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// SameID is an id that WorqHat gave to a trigger although another has it.
type SameID struct {
	AnalyticsID string
	Chunk       int64  // of the run that was asked about
	OtherRun    string // its run_id
	OtherChunk  int64
}

const lastAttempt = `SELECT coalesce(max(attempt_id), 0) FROM attempts`

// LastAttempt returns the largest attempt id; 0 without one.
func (r *Reader) LastAttempt(ctx context.Context) (id int64, err error) {
	err = r.ro.QueryRowContext(ctx, lastAttempt).Scan(&id)
	return id, err
}

// sameIDsBefore is how many attempts before a delivery its ids are compared with.
const sameIDsBefore = 16_384

// The ids of a delivery and of some attempts before it are sorted.
const sameIDs = `
WITH twice (first, second) AS (
  SELECT min(attempt_id), max(attempt_id) FILTER (WHERE attempt_id > ?1 AND run = ?2) FROM attempts NOT INDEXED
  WHERE attempt_id > ?1 - ?3 AND outcome = 'accepted' AND analytics_id IS NOT NULL
  GROUP BY analytics_id HAVING count(*) > 1)
SELECT a.analytics_id, a.chunk, r.run_id, b.chunk
FROM twice CROSS JOIN attempts a ON a.attempt_id = second CROSS JOIN attempts b ON b.attempt_id = first JOIN runs r ON r.id = b.run
WHERE first < second ORDER BY second LIMIT ?4`

// SameIDs returns ids that accepted triggers of a run got after an attempt although
// an accepted trigger before them has the same. It looks at what was accepted since
// then, and at the 16,384 attempts before.
func (r *Reader) SameIDs(ctx context.Context, run *Run, afterAttempt int64, limit int) (list []SameID, err error) {
	rows, err := r.ro.QueryContext(ctx, sameIDs, afterAttempt, run.ID, sameIDsBefore, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s SameID
		if err := rows.Scan(&s.AnalyticsID, &s.Chunk, &s.OtherRun, &s.OtherChunk); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
