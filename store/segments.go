package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Segment is a run of records of one file of which each is a chunk of its own
// (chunk.mode = "records"). A plan of a million records is a hundred of them; a
// chunk's row is written with its first intent.
type Segment struct {
	Segment    int64      // its number in the run, from 1
	State      ChunkState // of its chunks that have no row: planned or failed
	Reason     string
	FirstChunk int64 // the chunk of its first record; the others follow
	Records    int64
	Begun      int64  // how many of its chunks have a row
	SourceHash string // of the bytes of its ranges
	Spool      *SpoolRange
	Ranges     []ChunkRange
}

// LastChunk is the chunk of its last record.
func (s *Segment) LastChunk() int64 { return s.FirstChunk + s.Records - 1 }

const insertSegment = `
INSERT INTO segments (run, segment, state, reason, first_chunk, records, begun, source_hash, spool_start, spool_end)
VALUES (?, ?, 'planned', '', ?, ?, 0, ?, ?, ?)`

const insertSegmentRange = `
INSERT INTO segment_ranges (run, segment, part, file, byte_start, byte_end, first_line, last_line, records)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

func addSegment(ctx context.Context, tx *sql.Tx, run int64, s *Segment) error {
	start, end, _ := s.Spool.columns()
	if _, err := tx.ExecContext(ctx, insertSegment, run, s.Segment, s.FirstChunk, s.Records, s.SourceHash, start, end); err != nil {
		return err
	}
	for part, g := range s.Ranges {
		_, err := tx.ExecContext(ctx, insertSegmentRange, run, s.Segment, part, g.File, g.ByteStart, g.ByteEnd, g.FirstLine, g.LastLine, g.Records)
		if err != nil {
			return err
		}
	}
	return nil
}

// Of the segments that begin at or before the chunk only the last can have it.
const takeFromSegment = `
UPDATE segments SET begun = begun + 1
WHERE run = ?1 AND state = 'planned' AND ?2 < first_chunk + records
  AND segment = (SELECT segment FROM segments INDEXED BY segments_by_chunk
    WHERE run = ?1 AND first_chunk <= ?2 ORDER BY first_chunk DESC LIMIT 1)`

// BeginRecord is BeginAttempt for a chunk that is still only in its segment: it
// writes the chunk's row, as c has it, together with the intent. A chunk that
// has its row already, or that no planned segment has, is ErrState.
func (l *Ledger) BeginRecord(ctx context.Context, run int64, c *Chunk, bodyHash string, bodyBytes int64) (attemptID int64, err error) {
	err = l.share(ctx, func(tx *sql.Tx) (err error) {
		if err := mustChange(tx.ExecContext(ctx, takeFromSegment, run, c.Chunk)); err != nil {
			return err
		}
		if err := addChunk(ctx, tx, run, c); err != nil {
			return err
		}
		attemptID, err = l.prepared.beginAttempt(ctx, tx, intent{run, c.Chunk, bodyHash, bodyBytes})
		l.begun = max(l.begun, attemptID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("intent for chunk %d: %w", c.Chunk, err)
	}
	return attemptID, nil
}

const segmentColumns = `segment, state, reason, first_chunk, records, begun, source_hash, spool_start, spool_end`

const openSegments = `
SELECT ` + segmentColumns + ` FROM segments WHERE run = ? AND segment > ? AND begun < records ORDER BY segment LIMIT ?`

// OpenSegments returns the next segments of a run after a number that have
// chunks without a row, planned or failed.
func (r *Reader) OpenSegments(ctx context.Context, run, after int64, limit int) ([]Segment, error) {
	return r.segments(ctx, run, openSegments, run, after, limit)
}

const segmentOfChunk = `
SELECT ` + segmentColumns + ` FROM segments WHERE run = ? AND first_chunk <= ? ORDER BY first_chunk DESC LIMIT 1`

// SegmentOf returns the segment that a chunk number belongs to; sql.ErrNoRows if
// there is none.
func (r *Reader) SegmentOf(ctx context.Context, run, chunk int64) (*Segment, error) {
	list, err := r.segments(ctx, run, segmentOfChunk, run, chunk)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || list[0].LastChunk() < chunk {
		return nil, sql.ErrNoRows
	}
	return &list[0], nil
}

const oneSegment = `SELECT ` + segmentColumns + ` FROM segments WHERE run = ? AND segment = ?`

// Segment returns one segment; sql.ErrNoRows if the run has no such number.
func (r *Reader) Segment(ctx context.Context, run, segment int64) (*Segment, error) {
	list, err := r.segments(ctx, run, oneSegment, run, segment)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, sql.ErrNoRows
	}
	return &list[0], nil
}

func (r *Reader) segments(ctx context.Context, run int64, query string, args ...any) ([]Segment, error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Segment
	for rows.Next() {
		var s Segment
		var start, end sql.NullInt64
		err := rows.Scan(&s.Segment, &s.State, &s.Reason, &s.FirstChunk, &s.Records, &s.Begun, &s.SourceHash, &start, &end)
		if err != nil {
			return nil, err
		}
		if start.Valid {
			s.Spool = &SpoolRange{Start: start.Int64, End: end.Int64}
		}
		list = append(list, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Ranges, err = r.ranges(ctx, rangesOfSegment, run, list[i].Segment); err != nil {
			return nil, err
		}
	}
	return list, nil
}

const rangesOfSegment = `
SELECT file, byte_start, byte_end, first_line, last_line, records FROM segment_ranges WHERE run = ? AND segment = ? ORDER BY part`

const begunChunks = `SELECT chunk FROM chunks WHERE run = ? AND chunk BETWEEN ? AND ? ORDER BY chunk`

// BegunChunks returns which chunks of a segment have their row, in order.
func (r *Reader) BegunChunks(ctx context.Context, run int64, s *Segment) ([]int64, error) {
	rows, err := r.ro.QueryContext(ctx, begunChunks, run, s.FirstChunk, s.LastChunk())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var chunk int64
		if err := rows.Scan(&chunk); err != nil {
			return nil, err
		}
		list = append(list, chunk)
	}
	return list, rows.Err()
}

const earlierSegments = `
SELECT DISTINCT g.run, g.segment
FROM snapshots s
JOIN runs r ON r.id = s.run
JOIN segment_ranges g INDEXED BY segment_ranges_by_file ON g.run = s.run AND g.file = s.file
JOIN segments c ON c.run = g.run AND c.segment = g.segment
WHERE s.size = ? AND s.content_hash = ? AND r.schedule = ? AND r.shape = ? AND r.planned_at IS NOT NULL AND r.id <> ?
  AND c.state = ? AND c.begun < c.records AND r.removing IS NULL`

// EarlierSegments returns the segments of earlier runs of the schedule, in the
// same shape, of a file of this content, that have chunks without a row in a
// state. A segment never has records of another file, so a run that has the file
// can take all planned ones over.
func (r *Reader) EarlierSegments(ctx context.Context, run *Run, size int64, contentHash string, state ChunkState) ([]TakenOver, error) {
	rows, err := r.ro.QueryContext(ctx, earlierSegments, size, contentHash, run.Schedule, run.Shape, run.ID, state)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []TakenOver
	for rows.Next() {
		var t TakenOver
		if err := rows.Scan(&t.Run, &t.Segment); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}

const begunRanges = `
SELECT byte_start, byte_end FROM chunk_ranges WHERE run = ? AND chunk BETWEEN ? AND ? ORDER BY chunk, part`

// UnbegunRanges returns where the records of a segment lie whose chunks have no
// row, in the order of the file; where nothing else lies between them they are
// one range. Its Chunk and Records are 0.
func (r *Reader) UnbegunRanges(ctx context.Context, t TakenOver) (list []Earlier, err error) {
	s, err := r.Segment(ctx, t.Run, t.Segment)
	if err != nil {
		return nil, err
	}
	begun, err := r.begunRanges(ctx, t.Run, s)
	if err != nil {
		return nil, err
	}
	for _, g := range s.Ranges {
		start := g.ByteStart
		for len(begun) > 0 && begun[0].ByteStart < g.ByteEnd {
			if start < begun[0].ByteStart {
				list = append(list, Earlier{Run: t.Run, State: s.State, Start: start, End: begun[0].ByteStart})
			}
			start, begun = begun[0].ByteEnd, begun[1:]
		}
		if start < g.ByteEnd {
			list = append(list, Earlier{Run: t.Run, State: s.State, Start: start, End: g.ByteEnd})
		}
	}
	return list, nil
}

func (r *Reader) begunRanges(ctx context.Context, run int64, s *Segment) (list []ChunkRange, err error) {
	rows, err := r.ro.QueryContext(ctx, begunRanges, run, s.FirstChunk, s.LastChunk())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var g ChunkRange
		if err := rows.Scan(&g.ByteStart, &g.ByteEnd); err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, rows.Err()
}

const abandonSegment = `
UPDATE segments SET state = 'failed', reason = ? WHERE run = ? AND segment = ? AND state = 'planned' AND begun < records`
