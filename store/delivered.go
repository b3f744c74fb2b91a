package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
)

const knowsSize = `
SELECT EXISTS (SELECT 1 FROM snapshots s JOIN runs r ON r.id = s.run
    WHERE s.size = ?1 AND s.content_hash <> '' AND r.schedule = ?2 AND r.shape = ?3 AND r.removing IS NULL)
  OR EXISTS (SELECT 1 FROM delivered_files WHERE schedule = ?2 AND shape = ?3 AND size = ?1)
  OR EXISTS (SELECT 1 FROM delivered_ranges WHERE schedule = ?2 AND shape = ?3 AND size = ?1)`

// KnowsSize says whether the schedule planned a file of this size before in
// this shape, so that it is worth hashing one to see if it is the same. It may have
// been in a run that is gone.
func (r *Reader) KnowsSize(ctx context.Context, schedule, shape string, size int64) (known bool, err error) {
	err = r.ro.QueryRowContext(ctx, knowsSize, size, schedule, shape).Scan(&known)
	return known, err
}

const deliveredBy = `SELECT run_id FROM delivered_files WHERE schedule = ? AND content_hash = ? AND shape = ?`

// DeliveredBy returns the run that delivered this content whole; "" if none did.
func (r *Reader) DeliveredBy(ctx context.Context, schedule, shape, contentHash string) (runID string, err error) {
	err = r.ro.QueryRowContext(ctx, deliveredBy, schedule, contentHash, shape).Scan(&runID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return runID, err
}

// Earlier is a range of a file's content that an earlier run planned. If it is
// accepted it may be of several chunks, and Chunk is the first of them; Run and
// Chunk are 0 if that run is gone.
type Earlier struct {
	Run     int64
	RunID   string
	Chunk   int64
	State   ChunkState
	Start   int64
	End     int64
	Records int64
}

const earlierRanges = `
SELECT r.id, r.run_id, c.chunk, c.state, g.byte_start, g.byte_end, g.records
FROM snapshots s
JOIN runs r ON r.id = s.run
JOIN chunk_ranges g INDEXED BY chunk_ranges_by_file ON g.run = s.run AND g.file = s.file
JOIN chunks c ON c.run = g.run AND c.chunk = g.chunk
WHERE s.size = ?1 AND s.content_hash = ?2 AND r.schedule = ?3 AND r.shape = ?4 AND r.planned_at IS NOT NULL AND r.id <> ?5
  AND r.removing IS NULL AND c.state IN ('accepted', 'unknown', 'sending', 'planned')
UNION ALL
SELECT 0, run_id, 0, 'accepted', byte_start, byte_end, records FROM delivered_ranges
WHERE schedule = ?3 AND shape = ?4 AND size = ?1 AND content_hash = ?2
ORDER BY 5`

// EarlierRanges returns what earlier runs of the schedule did, in the same
// shape, with a file of this content, in the order of the file: ranges that
// were accepted, are unknown, or are still planned. Failed ones are left out, and
// neighbours that were accepted are one range.
func (r *Reader) EarlierRanges(ctx context.Context, run *Run, size int64, contentHash string) ([]Earlier, error) {
	list, err := r.earlier(ctx, earlierRanges, size, contentHash, run.Schedule, run.Shape, run.ID)
	if err != nil {
		return nil, err
	}
	return r.withRecords(ctx, list, segmentsOfContent, size, contentHash, run.Schedule, run.Shape, run.ID)
}

func (r *Reader) earlier(ctx context.Context, query string, args ...any) ([]Earlier, error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Earlier
	for rows.Next() {
		var e Earlier
		if err := rows.Scan(&e.Run, &e.RunID, &e.Chunk, &e.State, &e.Start, &e.End, &e.Records); err != nil {
			return nil, err
		}
		list = appendJoined(list, e)
	}
	return list, rows.Err()
}

// withRecords adds to ranges, in order, those of chunks that are records of the
// segments that a query names.
func (r *Reader) withRecords(ctx context.Context, list []Earlier, query string, args ...any) ([]Earlier, error) {
	records, err := r.recordsTried(ctx, query, args...)
	if err != nil || len(records) == 0 {
		return list, err
	}
	list = append(list, records...)
	slices.SortStableFunc(list, func(a, b Earlier) int { return cmp.Compare(a.Start, b.Start) })
	joined := list[:0]
	for _, e := range list {
		joined = appendJoined(joined, e)
	}
	return joined, nil
}

// appendJoined appends a range, or makes the last one longer by it.
func appendJoined(list []Earlier, e Earlier) []Earlier {
	if last := len(list) - 1; last >= 0 && list[last].joins(e) {
		list[last].End, list[last].Records = max(list[last].End, e.End), list[last].Records+e.Records
		return list
	}
	return append(list, e)
}

const segmentsOfContent = `
SELECT DISTINCT g.run, g.segment, r.run_id
FROM snapshots s
JOIN runs r ON r.id = s.run
JOIN segment_ranges g INDEXED BY segment_ranges_by_file ON g.run = s.run AND g.file = s.file
WHERE s.size = ? AND s.content_hash = ? AND r.schedule = ? AND r.shape = ? AND r.planned_at IS NOT NULL AND r.id <> ?
  AND r.removing IS NULL`

// recordsTried returns where the records lie that were tried, or are, and have not
// failed, of the segments that a query names.
func (r *Reader) recordsTried(ctx context.Context, query string, args ...any) (list []Earlier, err error) {
	rows, err := r.ro.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	type found struct {
		run, segment int64
		runID        string
	}
	var segments []found
	for rows.Next() {
		var f found
		if err := rows.Scan(&f.run, &f.segment, &f.runID); err != nil {
			return nil, err
		}
		segments = append(segments, f)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, f := range segments {
		s, err := r.Segment(ctx, f.run, f.segment)
		if err == nil {
			list, err = r.addRecordsTried(ctx, list, Earlier{Run: f.run, RunID: f.runID, Records: 1}, s)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// A record's chunk has no row while its first attempt is open.
const recordsTried = `
SELECT chunk, state FROM chunks WHERE run = ?1 AND chunk BETWEEN ?2 AND ?3 AND state IN ('accepted', 'unknown', 'sending', 'planned')
UNION ALL
SELECT chunk, 'sending' FROM attempts a WHERE run = ?1 AND chunk BETWEEN ?2 AND ?3 AND over = 0
  AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.run = ?1 AND c.chunk = a.chunk)
ORDER BY chunk`

// addRecordsTried appends where the records of a segment lie that were tried, or
// are, and have not failed. e names their run.
func (r *Reader) addRecordsTried(ctx context.Context, list []Earlier, e Earlier, s *Segment) ([]Earlier, error) {
	places, err := r.RecordPlaces(ctx, e.Run, s)
	if err != nil {
		return nil, err
	}
	rows, err := r.ro.QueryContext(ctx, recordsTried, e.Run, s.FirstChunk, s.LastChunk())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&e.Chunk, &e.State); err != nil {
			return nil, err
		}
		p := places[e.Chunk-s.FirstChunk]
		e.Start, e.End = p.ByteStart, p.ByteEnd
		list = appendJoined(list, e)
	}
	return list, rows.Err()
}

// joins says whether e goes on where a range ends and nothing tells them apart:
// a file of which each record was a trigger would otherwise be as many ranges.
func (a Earlier) joins(e Earlier) bool {
	return a.State == ChunkAccepted && e.State == ChunkAccepted && a.Run == e.Run && a.RunID == e.RunID && a.End == e.Start
}
