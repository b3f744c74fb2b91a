package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Segment is a run of records of one file of which each is a chunk of its own
// (chunk.mode = "records"). A plan of a million records is a hundred of them; a
// chunk's row is written with its first outcome.
type Segment struct {
	Segment    int64      // its number in the run, from 1
	State      ChunkState // of its chunks that have no row: planned or failed
	Reason     string
	FirstChunk int64 // the chunk of its first record; the others follow
	Records    int64
	Begun      int64  // how many of its chunks have a row
	SourceHash string // of the bytes of its ranges
	KeyPrefix  string // of its chunks' keys, see Key
	Spool      *SpoolRange
	Ranges     []ChunkRange
	Places     []byte // where each record lies, as Places packs it; for AddToPlan alone
}

// Key is the key of a chunk: 96 bits that all chunks of one segment share, or that
// a chunk has alone, and the chunk's number in the last 32.
func Key(prefix string, chunk int64) string {
	return fmt.Sprintf("%s%0*x", prefix, keyNumberLen, uint32(chunk))
}

const keyNumberLen = 8

// LastChunk is the chunk of its last record.
func (s *Segment) LastChunk() int64 { return s.FirstChunk + s.Records - 1 }

const insertSegment = `
INSERT INTO segments (run, segment, state, reason, first_chunk, records, begun, source_hash, key_prefix, spool_start, spool_end)
VALUES (?, ?, 'planned', '', ?, ?, 0, ?, ?, ?, ?)`

const insertPlaces = `INSERT INTO segment_places (run, segment, places) VALUES (?, ?, ?)`

const insertSegmentRange = `
INSERT INTO segment_ranges (run, segment, part, file, byte_start, byte_end, first_line, last_line, records)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

func addSegment(ctx context.Context, tx *sql.Tx, run int64, s *Segment) error {
	start, end := s.Spool.columns()
	if _, err := tx.ExecContext(ctx, insertSegment, run, s.Segment, s.FirstChunk, s.Records, s.SourceHash, s.KeyPrefix, start, end); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, insertPlaces, run, s.Segment, s.Places); err != nil {
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

const segmentColumns = `segment, state, reason, first_chunk, records, begun, source_hash, key_prefix, spool_start, spool_end`

const openSegments = `
SELECT ` + segmentColumns + ` FROM segments WHERE run = ? AND segment > ? AND begun < records ORDER BY segment LIMIT ?`

// OpenSegments returns the next segments of a run after a number that have
// chunks without a row, planned or failed.
func (r *Reader) OpenSegments(ctx context.Context, run, after int64, limit int) ([]Segment, error) {
	return r.segments(ctx, run, openSegments, run, after, limit)
}

const allSegments = `SELECT ` + segmentColumns + ` FROM segments WHERE run = ? AND segment > ? ORDER BY segment LIMIT ?`

// Segments returns the next segments of a run after a number; none but with
// chunk.mode = "records".
func (r *Reader) Segments(ctx context.Context, run, after int64, limit int) ([]Segment, error) {
	return r.segments(ctx, run, allSegments, run, after, limit)
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
		err := rows.Scan(&s.Segment, &s.State, &s.Reason, &s.FirstChunk, &s.Records, &s.Begun, &s.SourceHash, &s.KeyPrefix, &start, &end)
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

const begunChunks = `
SELECT chunk FROM chunks WHERE run = ?1 AND chunk BETWEEN ?2 AND ?3
UNION SELECT chunk FROM attempts WHERE run = ?1 AND chunk BETWEEN ?2 AND ?3 AND over = 0
ORDER BY chunk`

// BegunChunks returns which chunks of a segment have their row, or an open
// attempt, in order.
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

// UnbegunRanges returns where the records of a segment lie whose chunks have no
// row, in the order of the file; where nothing else lies between them they are
// one range. Its Chunk and Records are 0.
func (r *Reader) UnbegunRanges(ctx context.Context, t TakenOver) (list []Earlier, err error) {
	s, err := r.Segment(ctx, t.Run, t.Segment)
	if err != nil {
		return nil, err
	}
	places, err := r.RecordPlaces(ctx, t.Run, s)
	if err != nil {
		return nil, err
	}
	numbers, err := r.BegunChunks(ctx, t.Run, s)
	if err != nil {
		return nil, err
	}
	begun := make([]ChunkRange, len(numbers))
	for i, n := range numbers {
		begun[i] = places[n-s.FirstChunk]
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

const abandonSegment = `
UPDATE segments SET state = 'failed', reason = ? WHERE run = ? AND segment = ? AND state = 'planned' AND begun < records`
