package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A redrive is a run of its own: Run.RedriveOf names the run of which it sends
// something again, Chunk.RedriveOf the chunk there. That run stays as it is.

const redrivesOf = `SELECT ` + runColumns + ` FROM runs WHERE redrive_of = ? ORDER BY id`

// Redrives returns the runs that send something of a run again, oldest first.
func (r *Reader) Redrives(ctx context.Context, run *Run) ([]*Run, error) {
	return queryRuns(ctx, r.ro, redrivesOf, run.RunID)
}

// Link is a chunk of a redrive with the chunk that it sends again.
type Link struct {
	Chunk     int64
	RedriveOf int64
	State     ChunkState
}

const linksOfRun = `SELECT chunk, redrive_of, state FROM chunks INDEXED BY chunks_by_redrive WHERE run = ? AND redrive_of IS NOT NULL`

// Links returns the chunks of a redrive that are linked to one.
func (r *Reader) Links(ctx context.Context, run int64) ([]Link, error) {
	rows, err := r.ro.QueryContext(ctx, linksOfRun, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Link
	for rows.Next() {
		var l Link
		if err := rows.Scan(&l.Chunk, &l.RedriveOf, &l.State); err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, rows.Err()
}

// Again is a chunk that sends another one again.
type Again struct {
	Run   *Run
	Chunk int64
	State ChunkState
}

const chunkAgain = `SELECT chunk, state FROM chunks INDEXED BY chunks_by_redrive WHERE run = ? AND redrive_of = ?`

// SentAgain returns the chunks that send a chunk of a run again, oldest first.
func (r *Reader) SentAgain(ctx context.Context, run *Run, chunk int64) ([]Again, error) {
	runs, err := r.Redrives(ctx, run)
	if err != nil {
		return nil, err
	}
	var list []Again
	for _, again := range runs {
		a := Again{Run: again}
		err := r.ro.QueryRowContext(ctx, chunkAgain, again.ID, chunk).Scan(&a.Chunk, &a.State)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// LastAttempt is how the last attempt of a chunk ended.
type LastAttempt struct {
	Outcome    string
	Reason     string // fixed word
	StatusCode int
	Unknown    bool // it, or one before it, may have been accepted
}

const lastAttempts = `
SELECT chunk, coalesce(outcome, ''), reason, status_code FROM attempts WHERE run = ? AND chunk BETWEEN ? AND ? ORDER BY chunk, number`

// LastAttempts tells it of the chunks from one number to another that have
// attempts.
func (r *Reader) LastAttempts(ctx context.Context, run, first, last int64) (map[int64]LastAttempt, error) {
	rows, err := r.ro.QueryContext(ctx, lastAttempts, run, first, last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[int64]LastAttempt{}
	for rows.Next() {
		var chunk int64
		var a LastAttempt
		if err := rows.Scan(&chunk, &a.Outcome, &a.Reason, &a.StatusCode); err != nil {
			return nil, err
		}
		a.Unknown = all[chunk].Unknown || a.Outcome == "unknown"
		all[chunk] = a
	}
	return all, rows.Err()
}

const failedRemotely = `
SELECT ` + chunkColumns + ` FROM chunks
WHERE run = ?1 AND state = 'accepted' AND chunk IN (
  SELECT a.chunk FROM attempts a CROSS JOIN remote_status s ON s.attempt_id = a.attempt_id
  WHERE a.run = ?1 AND a.chunk > ?2 AND s.status = 'failed')
ORDER BY chunk LIMIT ?3`

// FailedRemotely returns the next accepted chunks of a run after a number whose
// execution failed at WorqHat.
func (r *Reader) FailedRemotely(ctx context.Context, run, after int64, limit int) ([]Chunk, error) {
	return r.chunks(ctx, run, failedRemotely, run, after, limit)
}

const lookedUp = `
SELECT EXISTS (SELECT 1 FROM attempts a CROSS JOIN remote_status s ON s.attempt_id = a.attempt_id WHERE a.run = ?)`

// LookedUp says whether it is known of any attempt of a run what became of it at
// WorqHat.
func (r *Reader) LookedUp(ctx context.Context, run int64) (known bool, err error) {
	err = r.ro.QueryRowContext(ctx, lookedUp, run).Scan(&known)
	return known, err
}

// rootOfRedrive goes up from a redrive to the run that first had its chunks. A
// redrive of dead letters has chunks of its own. It is 0 if that run is gone: the
// redrives of it do not have all records of its files.
const rootOfRedrive = `
WITH RECURSIVE up (id, redrive_of) AS (
  SELECT id, redrive_of FROM runs WHERE id = ?
  UNION ALL
  SELECT r.id, r.redrive_of FROM up JOIN runs r ON r.run_id = up.redrive_of AND r.removing IS NULL
  WHERE EXISTS (SELECT 1 FROM chunks c INDEXED BY chunks_by_redrive WHERE c.run = up.id AND c.redrive_of IS NOT NULL))
SELECT coalesce(min(id), 0) FROM up
WHERE NOT EXISTS (SELECT 1 FROM chunks c INDEXED BY chunks_by_redrive WHERE c.run = up.id AND c.redrive_of IS NOT NULL)`

// As insertDelivered, for the files of a run of which redrives sent chunks again:
// those that were accepted then count. The file was delivered by the last one.
const insertDeliveredAgain = `
WITH RECURSIVE again (root_chunk, run_id, chunk, state) AS (
  SELECT n.redrive_of, k.run_id, n.chunk, n.state
  FROM runs p CROSS JOIN runs k ON k.redrive_of = p.run_id
  CROSS JOIN chunks n INDEXED BY chunks_by_redrive ON n.run = k.id AND n.redrive_of IS NOT NULL
  WHERE p.id = ?2
  UNION ALL
  SELECT a.root_chunk, k.run_id, n.chunk, n.state
  FROM again a CROSS JOIN runs k ON k.redrive_of = a.run_id
  CROSS JOIN chunks n INDEXED BY chunks_by_redrive ON n.run = k.id AND n.redrive_of = a.chunk),
done (chunk) AS (SELECT DISTINCT root_chunk FROM again WHERE state = 'accepted')
INSERT INTO delivered_files (schedule, content_hash, shape, run_id, path, dead, delivered_at, size)
SELECT r.schedule, s.content_hash, r.shape, (SELECT run_id FROM runs WHERE id = ?3), s.path,
       (SELECT count(*) FROM dead_letters d WHERE d.run = s.run AND d.file = s.file), ?1, s.size
FROM snapshots s JOIN runs r ON r.id = s.run
WHERE s.run = ?2 AND s.content_hash <> '' AND s.unchanged_since = '' AND r.planned_at IS NOT NULL
  AND s.records > (SELECT count(*) FROM dead_letters d WHERE d.run = s.run AND d.file = s.file)
  AND r.records_elsewhere = 0
  AND s.file NOT IN (
    SELECT g.file FROM chunks c INDEXED BY chunks_by_state CROSS JOIN chunk_ranges g ON g.run = c.run AND g.chunk = c.chunk
    WHERE c.run = ?2 AND c.state IN ('planned', 'sending', 'failed', 'unknown') AND (c.state <> 'failed' OR c.chunk NOT IN (SELECT chunk FROM done)))
  AND s.file NOT IN (
    SELECT g.file FROM segments c CROSS JOIN segment_ranges g ON g.run = c.run AND g.segment = c.segment
    WHERE c.run = ?2 AND (c.begun < c.records AND (c.state IN ('planned', 'unknown') OR c.state = 'failed' AND c.records - c.begun > (
        SELECT count(*) FROM done d WHERE d.chunk BETWEEN c.first_chunk AND c.first_chunk + c.records - 1
          AND NOT EXISTS (SELECT 1 FROM chunks k WHERE k.run = c.run AND k.chunk = d.chunk)))
      OR EXISTS (
        SELECT 1 FROM chunks k INDEXED BY chunks_by_state WHERE k.run = ?2 AND k.state IN ('planned', 'sending', 'failed', 'unknown')
          AND k.chunk BETWEEN c.first_chunk AND c.first_chunk + c.records - 1 AND (k.state <> 'failed' OR k.chunk NOT IN (SELECT chunk FROM done)))))
ON CONFLICT (schedule, content_hash, shape) DO NOTHING`

// noteDelivered stores which files are delivered whole now that a run came to
// rest.
func noteDelivered(ctx context.Context, tx *sql.Tx, run *Run, at int64) error {
	if run.RedriveOf != "" {
		var root int64
		if err := tx.QueryRowContext(ctx, rootOfRedrive, run.ID).Scan(&root); err != nil {
			return err
		}
		if root == 0 {
			return nil
		}
		if root != run.ID {
			_, err := tx.ExecContext(ctx, insertDeliveredAgain, at, root, run.ID)
			return err
		}
	}
	_, err := tx.ExecContext(ctx, insertDelivered, at, run.ID)
	return err
}

// Mended is where a dead letter of an earlier run lies now that a person mended
// it in its file. Of a dead letter that was taken out, ByteEnd is ByteStart.
type Mended struct {
	File               int   // in the run that found it out
	Number             int64 // of the dead letter
	OldFile            int   // in the earlier run
	OldStart, OldEnd   int64
	ByteStart, ByteEnd int64
}

const insertMended = `
INSERT INTO mended (run, file, number, old_file, old_start, old_end, byte_start, byte_end) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

func addMended(ctx context.Context, tx *sql.Tx, run int64, list []Mended) error {
	for _, m := range list {
		_, err := tx.ExecContext(ctx, insertMended, run, m.File, m.Number, m.OldFile, m.OldStart, m.OldEnd, m.ByteStart, m.ByteEnd)
		if err != nil {
			return err
		}
	}
	return nil
}

// Mending says that two files of which earlier runs of a schedule know are the
// same but for mended records.
type Mending struct {
	Before, Now Content
	Places      []Mended // in order
}

// Content is what a file is known by.
type Content struct {
	Size int64
	Hash string
}

const mendings = `
SELECT r.id, n.file, o.size, o.content_hash, n.size, n.content_hash
FROM runs r INDEXED BY runs_by_redrive
JOIN runs b ON b.run_id = r.redrive_of
JOIN snapshots n ON n.run = r.id
JOIN mended m ON m.run = n.run AND m.file = n.file
  AND m.number = (SELECT number FROM mended WHERE run = n.run AND file = n.file ORDER BY number LIMIT 1)
JOIN snapshots o ON o.run = b.id AND o.file = m.old_file
WHERE r.redrive_of IS NOT NULL AND r.schedule = ?1 AND r.shape = ?2 AND r.planned_at IS NOT NULL
ORDER BY r.id`

const mendedPlaces = `
SELECT file, number, old_file, old_start, old_end, byte_start, byte_end FROM mended WHERE run = ? AND file = ? ORDER BY number`

// Mendings returns what redrives of the schedule, in the shape of run, found
// mended.
func (r *Reader) Mendings(ctx context.Context, run *Run) ([]Mending, error) {
	rows, err := r.ro.QueryContext(ctx, mendings, run.Schedule, run.Shape)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	type place struct {
		run  int64
		file int
	}
	var list []Mending
	var places []place
	for rows.Next() {
		var m Mending
		var p place
		if err := rows.Scan(&p.run, &p.file, &m.Before.Size, &m.Before.Hash, &m.Now.Size, &m.Now.Hash); err != nil {
			return nil, err
		}
		list, places = append(list, m), append(places, p)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i, p := range places {
		if list[i].Places, err = r.MendedPlaces(ctx, p.run, p.file); err != nil {
			return nil, fmt.Errorf("mended records of a run: %w", err)
		}
	}
	return list, nil
}

const mendedFiles = `SELECT DISTINCT old_file FROM mended WHERE run = ?`

// MendedFiles returns which files of the run that it redrives a redrive found
// mended.
func (r *Reader) MendedFiles(ctx context.Context, run int64) (list []int, err error) {
	rows, err := r.ro.QueryContext(ctx, mendedFiles, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var file int
		if err := rows.Scan(&file); err != nil {
			return nil, err
		}
		list = append(list, file)
	}
	return list, rows.Err()
}

// MendedPlaces returns what a redrive found mended in one of its files, in order.
func (r *Reader) MendedPlaces(ctx context.Context, run int64, file int) (list []Mended, err error) {
	rows, err := r.ro.QueryContext(ctx, mendedPlaces, run, file)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m Mended
		if err := rows.Scan(&m.File, &m.Number, &m.OldFile, &m.OldStart, &m.OldEnd, &m.ByteStart, &m.ByteEnd); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}
