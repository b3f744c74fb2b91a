package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const chunkColumns = `chunk, state, reason, records, body_bytes, source_hash, key, not_before, spool_start, spool_end, spool_line,
    coalesce(parent, 0), coalesce(redrive_of, 0)`

// The planner would walk over all chunks of the run, of which most are accepted
// when one is resumed: hence INDEXED BY.
const plannedChunks = `
SELECT ` + chunkColumns + ` FROM chunks INDEXED BY chunks_by_state
WHERE run = ? AND state = 'planned' AND chunk > ? ORDER BY chunk LIMIT ?`

// PlannedChunks returns the next planned chunks of a run after a number, with
// their ranges.
func (r *Reader) PlannedChunks(ctx context.Context, run, after int64, limit int) ([]Chunk, error) {
	return r.chunks(ctx, run, plannedChunks, run, after, limit)
}

const allChunks = `SELECT ` + chunkColumns + ` FROM chunks WHERE run = ? AND chunk > ? ORDER BY chunk LIMIT ?`

// Chunks returns the next chunks of a run after a number, in any state.
func (r *Reader) Chunks(ctx context.Context, run, after int64, limit int) ([]Chunk, error) {
	return r.chunks(ctx, run, allChunks, run, after, limit)
}

const chunksInState = `
SELECT ` + chunkColumns + ` FROM chunks INDEXED BY chunks_by_state
WHERE run = ? AND state = ? AND chunk > ? ORDER BY chunk LIMIT ?`

// ChunksInState returns the next chunks of a run after a number that are in a
// state.
func (r *Reader) ChunksInState(ctx context.Context, run int64, state ChunkState, after int64, limit int) ([]Chunk, error) {
	return r.chunks(ctx, run, chunksInState, run, state, after, limit)
}

const oneChunk = `SELECT ` + chunkColumns + ` FROM chunks WHERE run = ? AND chunk = ?`

// Chunk returns one chunk; sql.ErrNoRows if the run has no such number.
func (r *Reader) Chunk(ctx context.Context, run, chunk int64) (*Chunk, error) {
	list, err := r.chunks(ctx, run, oneChunk, run, chunk)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, sql.ErrNoRows
	}
	return &list[0], nil
}

func (r *Reader) chunks(ctx context.Context, run int64, query string, args ...any) ([]Chunk, error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Chunk
	for rows.Next() {
		var c Chunk
		var notBefore int64
		var start, end sql.NullInt64
		var line int64
		err := rows.Scan(&c.Chunk, &c.State, &c.Reason, &c.Records, &c.BodyBytes, &c.SourceHash, &c.Key, &notBefore, &start, &end, &line,
			&c.Parent, &c.RedriveOf)
		if err != nil {
			return nil, err
		}
		c.NotBefore = fromMS(notBefore)
		if start.Valid {
			c.Spool = &SpoolRange{start.Int64, end.Int64, line}
		}
		list = append(list, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	if len(list) > 0 && list[0].Key == "" { // all are of segments, then
		return list, r.addRecords(ctx, run, list)
	}
	return list, r.addRanges(ctx, run, list)
}

// addRecords gives chunks of segments, in order, what their segments know.
func (r *Reader) addRecords(ctx context.Context, run int64, list []Chunk) (err error) {
	var s *Segment
	var places []ChunkRange
	for i := range list {
		c := &list[i]
		if s == nil || c.Chunk > s.LastChunk() {
			if s, err = r.SegmentOf(ctx, run, c.Chunk); err != nil {
				return err
			}
			if places, err = r.RecordPlaces(ctx, run, s); err != nil {
				return err
			}
		}
		s.describe(c, places)
		sent, err := r.Sent(ctx, run, c.Chunk, c.Chunk)
		if err != nil {
			return err
		}
		c.BodyHash = sent[c.Chunk].BodyHash
	}
	return nil
}

// addRanges gives chunks, in order, their ranges: by one query if few others lie
// between them.
func (r *Reader) addRanges(ctx context.Context, run int64, list []Chunk) (err error) {
	if n := len(list); n > 1 && list[n-1].Chunk-list[0].Chunk < 2*int64(n) {
		return r.addAllRanges(ctx, run, list)
	}
	for i := range list {
		if list[i].Ranges, err = r.ranges(ctx, rangesOfChunk, run, list[i].Chunk); err != nil {
			return err
		}
	}
	return nil
}

const rangesOfChunks = `
SELECT chunk, file, byte_start, byte_end, first_line, last_line, records FROM chunk_ranges
WHERE run = ? AND chunk BETWEEN ? AND ? ORDER BY chunk, part`

func (r *Reader) addAllRanges(ctx context.Context, run int64, list []Chunk) error {
	rows, err := r.ro.QueryContext(ctx, rangesOfChunks, run, list[0].Chunk, list[len(list)-1].Chunk)
	if err != nil {
		return err
	}
	defer rows.Close()
	for i := 0; rows.Next(); {
		var chunk int64
		var g ChunkRange
		if err := rows.Scan(&chunk, &g.File, &g.ByteStart, &g.ByteEnd, &g.FirstLine, &g.LastLine, &g.Records); err != nil {
			return err
		}
		for list[i].Chunk < chunk {
			i++
		}
		if list[i].Chunk == chunk {
			list[i].Ranges = append(list[i].Ranges, g)
		}
	}
	return rows.Err()
}

const rangesOfChunk = `
SELECT file, byte_start, byte_end, first_line, last_line, records FROM chunk_ranges WHERE run = ? AND chunk = ? ORDER BY part`

func (r *Reader) ranges(ctx context.Context, query string, run, number int64) ([]ChunkRange, error) {
	rows, err := r.ro.QueryContext(ctx, query, run, number)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []ChunkRange
	for rows.Next() {
		var g ChunkRange
		if err := rows.Scan(&g.File, &g.ByteStart, &g.ByteEnd, &g.FirstLine, &g.LastLine, &g.Records); err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, rows.Err()
}

const fileColumns = `s.file, s.path, s.size, s.mtime_ns, s.inode, s.format, s.compression, s.header, s.columns, s.content_hash, s.unchanged_since,
    s.records, s.gone`

const filesOfRun = `
SELECT ` + fileColumns + ` FROM snapshots s WHERE run = ? ORDER BY file`

// Files returns the files of a run in order.
func (r *Reader) Files(ctx context.Context, run int64) ([]SnapshotFile, error) {
	return r.files(ctx, filesOfRun, run)
}

func (r *Reader) files(ctx context.Context, query string, args ...any) ([]SnapshotFile, error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanFiles(rows)
}

// scanFiles reads rows of fileColumns and closes them.
func scanFiles(rows *sql.Rows) (list []SnapshotFile, err error) {
	defer rows.Close()
	for rows.Next() {
		var f SnapshotFile
		var mtime, inode int64
		err := rows.Scan(&f.File, &f.Path, &f.Size, &mtime, &inode, &f.Format, &f.Compression, &f.Header, &f.Columns, &f.ContentHash, &f.UnchangedSince,
			&f.Records, &f.Gone)
		if err != nil {
			return nil, err
		}
		f.ModTime, f.Inode = time.Unix(0, mtime), uint64(inode)
		list = append(list, f)
	}
	return list, rows.Err()
}

const deadOfRun = `
SELECT number, file, line, column, byte_start, byte_end, reason, detail FROM dead_letters
WHERE run = ? AND number > ? ORDER BY number LIMIT ?`

// DeadLetters returns the next dead letters of a run after a number.
func (r *Reader) DeadLetters(ctx context.Context, run, after int64, limit int) ([]DeadLetter, error) {
	rows, err := r.ro.QueryContext(ctx, deadOfRun, run, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []DeadLetter
	for rows.Next() {
		var d DeadLetter
		err := rows.Scan(&d.Number, &d.File, &d.Line, &d.Column, &d.ByteStart, &d.ByteEnd, &d.Reason, &d.Detail)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}
