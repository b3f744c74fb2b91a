package store

import (
	"context"
)

// Place is a chunk of a run, or a segment of which one chunk without a row is
// meant.
type Place struct {
	Run     *Run
	Chunk   int64
	Segment int64 // 0: it is the chunk
}

// UNION: an attempt comes once, whoever knows the id.
const placesByAnalyticsID = `
SELECT run, chunk, 0 FROM attempts WHERE attempt_id IN (
  SELECT attempt_id FROM attempts WHERE analytics_id = ?1
  UNION SELECT attempt_id FROM remote_status WHERE execution_id = ?1
  UNION SELECT attempt_id FROM remote_hints WHERE execution_id = ?1)
ORDER BY attempt_id`

// ByAnalyticsID returns the chunks that WorqHat answered with this id, or that
// were accepted without one and are known to have started this execution, or
// that are unknown and may have. It is one, unless WorqHat gave the same id
// twice or several may have started it.
func (r *Reader) ByAnalyticsID(ctx context.Context, id string) ([]Place, error) {
	return r.places(ctx, placesByAnalyticsID, id)
}

const placesByKey = `SELECT run, chunk, 0 FROM chunks WHERE key = ? ORDER BY run, chunk`

// ByKey returns the chunks with this key.
func (r *Reader) ByKey(ctx context.Context, key string) ([]Place, error) {
	return r.places(ctx, placesByKey, key)
}

// CROSS JOIN: the few snapshots first, then their ranges by index. A segment has
// the line only while none of its chunks has it.
const placesByLine = `
WITH chunk_places AS (
  SELECT g.run, g.chunk FROM snapshots s
  CROSS JOIN chunk_ranges g INDEXED BY chunk_ranges_by_file ON g.run = s.run AND g.file = s.file
  WHERE (s.path = ?1 OR substr(s.path, -length(?2)) = ?2) AND g.first_line <= ?3 AND g.last_line >= ?3)
SELECT run, chunk, 0 FROM chunk_places
UNION ALL
SELECT c.run, 0, c.segment FROM snapshots s
CROSS JOIN segment_ranges g INDEXED BY segment_ranges_by_file ON g.run = s.run AND g.file = s.file
CROSS JOIN segments c ON c.run = g.run AND c.segment = g.segment
WHERE (s.path = ?1 OR substr(s.path, -length(?2)) = ?2) AND g.first_line <= ?3 AND g.last_line >= ?3 AND c.begun < c.records
  AND NOT EXISTS (SELECT 1 FROM chunk_places p WHERE p.run = c.run AND p.chunk BETWEEN c.first_chunk AND c.first_chunk + c.records - 1)
ORDER BY 1, 2`

// ByLine returns the chunks that took a physical line of a file, and the segments
// that have it for a chunk without a row: the file's whole path, or the end of it
// from a slash on.
func (r *Reader) ByLine(ctx context.Context, path string, line int64) ([]Place, error) {
	return r.places(ctx, placesByLine, path, "/"+path, line)
}

// DeadPlace is a dead letter with its run and path.
type DeadPlace struct {
	Run  *Run
	Path string
	DeadLetter
}

const deadByLine = `
SELECT d.run, s.path, d.number, d.file, d.line, d.column, d.byte_start, d.byte_end, d.reason, d.detail
FROM dead_letters d JOIN snapshots s ON s.run = d.run AND s.file = d.file
WHERE (s.path = ?1 OR substr(s.path, -length(?2)) = ?2) AND d.line = ?3
ORDER BY d.run`

// DeadByLine returns the dead letters at a physical line of a file.
func (r *Reader) DeadByLine(ctx context.Context, path string, line int64) ([]DeadPlace, error) {
	rows, err := r.ro.QueryContext(ctx, deadByLine, path, "/"+path, line)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []DeadPlace
	var runs []int64
	for rows.Next() {
		var d DeadPlace
		var run int64
		err := rows.Scan(&run, &d.Path, &d.Number, &d.File, &d.Line, &d.Column, &d.ByteStart, &d.ByteEnd, &d.Reason, &d.Detail)
		if err != nil {
			return nil, err
		}
		list, runs = append(list, d), append(runs, run)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Run, err = r.RunOfRow(ctx, runs[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

const runByFile = `
SELECT ` + runColumns + ` FROM runs WHERE id = (
  SELECT max(s.run) FROM snapshots s WHERE s.path = ?1 OR substr(s.path, -length(?2)) = ?2)`

// LatestWithFile returns the newest run that found a file, named as for ByLine;
// nil if none did.
func (r *Reader) LatestWithFile(ctx context.Context, path string) (*Run, error) {
	return oneRun(ctx, r.ro, runByFile, path, "/"+path)
}

const runByRow = `SELECT ` + runColumns + ` FROM runs WHERE id = ?`

// RunOfRow returns the run that other rows name by its row.
func (r *Reader) RunOfRow(ctx context.Context, id int64) (*Run, error) {
	return scanRun(r.ro.QueryRowContext(ctx, runByRow, id))
}

func (r *Reader) places(ctx context.Context, query string, args ...any) ([]Place, error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	type row struct{ run, chunk, segment int64 }
	var found []row
	for rows.Next() {
		var f row
		if err := rows.Scan(&f.run, &f.chunk, &f.segment); err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	list := make([]Place, len(found))
	for i, f := range found {
		run, err := r.RunOfRow(ctx, f.run)
		if err != nil {
			return nil, err
		}
		list[i] = Place{Run: run, Chunk: f.chunk, Segment: f.segment}
	}
	return list, nil
}
