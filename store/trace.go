package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
)

// Place is a chunk of a run.
type Place struct {
	Run   *Run
	Chunk int64
}

// UNION: an attempt comes once, whoever knows the id.
const placesByAnalyticsID = attemptsWithID + `
SELECT run, chunk FROM attempts WHERE attempt_id IN (
  SELECT attempt_id FROM given
  UNION SELECT attempt_id FROM remote_status WHERE execution_id = ?1
  UNION SELECT attempt_id FROM remote_hints WHERE execution_id = ?1)
ORDER BY attempt_id`

// ByAnalyticsID returns the chunks that WorqHat answered with this id, or that
// were accepted without one and are known to have started this execution, or
// that are unknown and may have. It is one, unless WorqHat gave the same id
// twice or several may have started it.
func (r *Reader) ByAnalyticsID(ctx context.Context, id string) ([]Place, error) {
	return r.places(ctx, placesByAnalyticsID, id, 0, everyBlock)
}

const placesByKey = `
SELECT run, chunk FROM chunks WHERE key = ?1 AND key <> ''
UNION ALL
SELECT run, ?3 FROM segments WHERE key_prefix = ?2 AND ?3 BETWEEN first_chunk AND first_chunk + records - 1
ORDER BY 1, 2`

// ByKey returns the chunks with this key.
func (r *Reader) ByKey(ctx context.Context, key string) ([]Place, error) {
	prefix, number := key, int64(0)
	if n := len(key) - keyNumberLen; n > 0 {
		if v, err := strconv.ParseUint(key[n:], 16, 32); err == nil {
			prefix, number = key[:n], int64(v)
		}
	}
	return r.places(ctx, placesByKey, key, prefix, number)
}

const filesByPath = `
SELECT s.run, s.file FROM snapshots s JOIN runs r ON r.id = s.run
WHERE (s.path = ?1 OR substr(s.path, -length(?2)) = ?2) AND r.removing IS NULL ORDER BY s.run, s.file`

const rangesUpToLine = `
SELECT chunk, last_line FROM chunk_ranges INDEXED BY chunk_ranges_by_file
WHERE run = ? AND file = ? AND first_line <= ? ORDER BY first_line DESC, last_line DESC`

const segmentsAtLine = `
SELECT DISTINCT run, segment FROM segment_ranges INDEXED BY segment_ranges_by_file
WHERE run = ? AND file = ? AND first_line <= ? AND last_line >= ? ORDER BY segment`

// ByLine returns the chunks that have a physical line of a file: the file's whole
// path, or the end of it from a slash on.
func (r *Reader) ByLine(ctx context.Context, path string, line int64) (list []Place, err error) {
	files, err := pairs(ctx, r.ro, filesByPath, path, "/"+path)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		more, err := r.byLineOf(ctx, f[0], f[1], line)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// byLineOf looks at one file of one run.
func (r *Reader) byLineOf(ctx context.Context, run, file, line int64) (list []Place, err error) {
	chunks, err := r.chunksAtLine(ctx, run, file, line)
	if err != nil {
		return nil, err
	}
	records, err := r.recordsAtLine(ctx, run, file, line)
	if err != nil || len(chunks)+len(records) == 0 {
		return nil, err
	}
	of, err := r.RunOfRow(ctx, run)
	if err != nil {
		return nil, err
	}
	for _, c := range append(chunks, records...) {
		list = append(list, Place{Run: of, Chunk: c})
	}
	return list, nil
}

// maxBefore is how many ranges in a row may end before a line until no more is
// looked for. Ranges follow each other, but a chunk that was split lies across the
// smaller ones that replaced it.
const maxBefore = 256

// chunksAtLine walks back from the line: a file may have a million ranges.
func (r *Reader) chunksAtLine(ctx context.Context, run, file, line int64) (list []int64, err error) {
	rows, err := r.ro.QueryContext(ctx, rangesUpToLine, run, file, line)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for before := 0; before < maxBefore && rows.Next(); before++ {
		var chunk, last int64
		if err := rows.Scan(&chunk, &last); err != nil {
			return nil, err
		}
		if last >= line {
			list, before = append(list, chunk), -1
		}
	}
	slices.Sort(list)
	return slices.Compact(list), errors.Join(rows.Err(), rows.Close())
}

// recordsAtLine returns the chunks that are records of segments.
func (r *Reader) recordsAtLine(ctx context.Context, run, file, line int64) (list []int64, err error) {
	segments, err := pairs(ctx, r.ro, segmentsAtLine, run, file, line, line)
	if err != nil {
		return nil, err
	}
	for _, at := range segments {
		s, err := r.Segment(ctx, run, at[1])
		if err != nil {
			return nil, err
		}
		places, err := r.RecordPlaces(ctx, run, s)
		if err != nil {
			return nil, err
		}
		for i, g := range places {
			if g.FirstLine <= line && line <= g.LastLine {
				list = append(list, s.FirstChunk+int64(i))
			}
		}
	}
	return list, nil
}

// DeadPlace is a dead letter with its run and path.
type DeadPlace struct {
	Run  *Run
	Path string
	DeadLetter
}

const deadByLine = `
SELECT d.run, s.path, d.number, d.file, d.line, d.column, d.byte_start, d.byte_end, d.reason, d.detail
FROM dead_letters d JOIN snapshots s ON s.run = d.run AND s.file = d.file JOIN runs r ON r.id = d.run AND r.removing IS NULL
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
  SELECT max(s.run) FROM snapshots s JOIN runs r ON r.id = s.run AND r.removing IS NULL WHERE s.path = ?1 OR substr(s.path, -length(?2)) = ?2)`

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

func (r *Reader) places(ctx context.Context, query string, args ...any) (list []Place, err error) {
	found, err := pairs(ctx, r.ro, query, args...)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		run, err := oneRun(ctx, r.ro, runStillThere, f[0])
		if err != nil {
			return nil, err
		}
		if run != nil {
			list = append(list, Place{Run: run, Chunk: f[1]})
		}
	}
	return list, nil
}

// runStillThere finds no run that retention is about to remove.
const runStillThere = `SELECT ` + runColumns + ` FROM runs WHERE id = ? AND removing IS NULL`

// pairs reads all rows of a query that has two numbers in each.
func pairs(ctx context.Context, db *sql.DB, query string, args ...any) (list [][2]int64, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p [2]int64
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
