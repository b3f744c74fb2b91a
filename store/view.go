package store

import (
	"context"
	"database/sql"
	"errors"
)

// View is the ledger as of one instant, whatever is written meanwhile. Its
// cursors may be open beside each other. While it is open the write-ahead log
// grows, so it should not wait for a person.
type View struct{ tx *sql.Tx }

// View runs fn with the ledger as of the instant of its first question.
func (r *Reader) View(ctx context.Context, fn func(*View) error) error {
	tx, err := r.ro.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(fn(&View{tx}), rollback(tx))
}

// Run returns a run by its row.
func (v *View) Run(ctx context.Context, id int64) (*Run, error) {
	return scanRun(v.tx.QueryRowContext(ctx, runByRow, id))
}

// Receipt computes the balance of a run.
func (v *View) Receipt(ctx context.Context, run *Run) (*Receipt, error) {
	return countReceipt(ctx, v.tx, run.ID)
}

// Files returns the files of a run in order.
func (v *View) Files(ctx context.Context, run int64) ([]SnapshotFile, error) {
	rows, err := v.tx.QueryContext(ctx, filesOfRun, run)
	if err != nil {
		return nil, err
	}
	return scanFiles(rows)
}

// Cursor goes over the rows of a query without keeping them.
type Cursor[T any] struct {
	rows *sql.Rows
	scan func(*sql.Rows, *T) error
}

// Next gives the next row; false behind the last one.
func (c *Cursor[T]) Next() (row T, ok bool, err error) {
	if !c.rows.Next() {
		return row, false, c.rows.Err()
	}
	err = c.scan(c.rows, &row)
	return row, err == nil, err
}

// Close ends the cursor.
func (c *Cursor[T]) Close() error { return c.rows.Close() }

func openCursor[T any](ctx context.Context, tx *sql.Tx, scan func(*sql.Rows, *T) error, query string, args ...any) (*Cursor[T], error) {
	rows, err := tx.QueryContext(ctx, query, args...) //nolint:rowserrcheck // Next does
	if err != nil {
		return nil, err
	}
	return &Cursor[T]{rows, scan}, nil
}

// OwnedRange is a range of a chunk, with the chunk and what its attempts came to.
type OwnedRange struct {
	ChunkRange
	Chunk        int64
	State        ChunkState
	Reason       string
	Key          string
	ChunkRecords int64 // of the whole chunk
	BodyBytes    int64
	SourceHash   string
	Spooled      bool   // SourceHash is of the records' lines in the spool
	AnalyticsID  string // the last that WorqHat gave, or that was found later; "" if none
	RemoteStatus string // of that execution; "" if it was not looked up
	BodyHash     string // of its attempts since the plan; "" without one
	Bodies       int    // different hashes among them
}

// The attempt that counts is the last with an id, else the last. An attempt from
// before the plan was of an earlier plan's chunk.
const ownedColumns = `
c.chunk, c.state, c.reason, c.key, c.records, c.body_bytes, c.source_hash, c.spool_start IS NOT NULL,
coalesce(a.analytics_id, rs.execution_id, ''), coalesce(rs.status, ''),
coalesce((SELECT max(body_hash) FROM attempts x WHERE x.run = c.run AND x.chunk = c.chunk AND x.started_at >= r.planned_at), ''),
(SELECT count(DISTINCT body_hash) FROM attempts x WHERE x.run = c.run AND x.chunk = c.chunk AND x.started_at >= r.planned_at)`

const attemptThatCounts = `
LEFT JOIN attempts a ON a.attempt_id = (
  SELECT attempt_id FROM attempts x WHERE x.run = c.run AND x.chunk = c.chunk ORDER BY analytics_id IS NULL, number DESC LIMIT 1)
LEFT JOIN remote_status rs ON rs.attempt_id = a.attempt_id`

// CROSS JOIN: the ranges first, in the order of their index.
const ownedRanges = `
SELECT g.file, g.byte_start, g.byte_end, g.first_line, g.last_line, g.records, ` + ownedColumns + `
FROM chunk_ranges g INDEXED BY chunk_ranges_by_file
CROSS JOIN chunks c ON c.run = g.run AND c.chunk = g.chunk
CROSS JOIN runs r ON r.id = g.run ` + attemptThatCounts + `
WHERE g.run = ? ORDER BY g.file, g.byte_start`

// OwnedRanges goes over all ranges of a run's chunks by file and byte, those of
// chunks that were split included. A run with segments has none: see RecordChunks.
func (v *View) OwnedRanges(ctx context.Context, run int64) (*Cursor[OwnedRange], error) {
	return openCursor(ctx, v.tx, func(rows *sql.Rows, o *OwnedRange) error {
		return rows.Scan(&o.File, &o.ByteStart, &o.ByteEnd, &o.FirstLine, &o.LastLine, &o.ChunkRange.Records,
			&o.Chunk, &o.State, &o.Reason, &o.Key, &o.ChunkRecords, &o.BodyBytes, &o.SourceHash, &o.Spooled,
			&o.AnalyticsID, &o.RemoteStatus, &o.BodyHash, &o.Bodies)
	}, ownedRanges, run)
}

const rangelessChunks = `
SELECT ` + ownedColumns + `
FROM chunks c CROSS JOIN runs r ON r.id = c.run ` + attemptThatCounts + `
WHERE c.run = ? AND c.records = 0 ORDER BY c.chunk`

// RangelessChunks goes over the chunks of a run that have no records: the one of a
// run without a source.
func (v *View) RangelessChunks(ctx context.Context, run int64) (*Cursor[OwnedRange], error) {
	return openCursor(ctx, v.tx, scanRangeless, rangelessChunks, run)
}

const recordChunks = `
SELECT ` + ownedColumns + `
FROM chunks c CROSS JOIN runs r ON r.id = c.run ` + attemptThatCounts + `
WHERE c.run = ? AND c.key = '' ORDER BY c.chunk`

// RecordChunks goes over the chunks with a row of a run with segments, by number,
// which is by file and byte. Their place, hash and key are those of their record
// in its segment.
func (v *View) RecordChunks(ctx context.Context, run int64) (*Cursor[OwnedRange], error) {
	return openCursor(ctx, v.tx, scanRangeless, recordChunks, run)
}

func scanRangeless(rows *sql.Rows, o *OwnedRange) error {
	return rows.Scan(&o.Chunk, &o.State, &o.Reason, &o.Key, &o.ChunkRecords, &o.BodyBytes, &o.SourceHash, &o.Spooled,
		&o.AnalyticsID, &o.RemoteStatus, &o.BodyHash, &o.Bodies)
}

// OwnedSegment is a range of a segment, with the segment.
type OwnedSegment struct {
	ChunkRange
	Segment        int64
	State          ChunkState // of its chunks that have no row
	Reason         string
	FirstChunk     int64
	SegmentRecords int64 // of the whole segment
	Begun          int64
	SourceHash     string
	KeyPrefix      string // see Key
	Spool          *SpoolRange
}

const ownedSegments = `
SELECT g.file, g.byte_start, g.byte_end, g.first_line, g.last_line, g.records,
       s.segment, s.state, s.reason, s.first_chunk, s.records, s.begun, s.source_hash, s.key_prefix, s.spool_start, s.spool_end
FROM segment_ranges g INDEXED BY segment_ranges_by_file
CROSS JOIN segments s ON s.run = g.run AND s.segment = g.segment
WHERE g.run = ? ORDER BY g.file, g.byte_start`

// OwnedSegments goes over all ranges of a run's segments by file and byte.
func (v *View) OwnedSegments(ctx context.Context, run int64) (*Cursor[OwnedSegment], error) {
	return openCursor(ctx, v.tx, func(rows *sql.Rows, o *OwnedSegment) error {
		var start, end sql.NullInt64
		err := rows.Scan(&o.File, &o.ByteStart, &o.ByteEnd, &o.FirstLine, &o.LastLine, &o.Records,
			&o.Segment, &o.State, &o.Reason, &o.FirstChunk, &o.SegmentRecords, &o.Begun, &o.SourceHash, &o.KeyPrefix, &start, &end)
		if start.Valid {
			o.Spool = &SpoolRange{Start: start.Int64, End: end.Int64}
		}
		return err
	}, ownedSegments, run)
}

const allDead = `
SELECT number, file, line, column, byte_start, byte_end, reason, detail FROM dead_letters WHERE run = ? ORDER BY file, byte_start, number`

// Dead goes over the dead letters of a run by file and byte.
func (v *View) Dead(ctx context.Context, run int64) (*Cursor[DeadLetter], error) {
	return openCursor(ctx, v.tx, func(rows *sql.Rows, d *DeadLetter) error {
		return rows.Scan(&d.Number, &d.File, &d.Line, &d.Column, &d.ByteStart, &d.ByteEnd, &d.Reason, &d.Detail)
	}, allDead, run)
}

// RecordPlaces returns where each record of a segment lies, in order.
func (v *View) RecordPlaces(ctx context.Context, run int64, s *OwnedSegment) ([]ChunkRange, error) {
	return readPlaces(v.tx.QueryRowContext(ctx, placesOfSegment, run, s.Segment), s.File, s.SegmentRecords)
}
