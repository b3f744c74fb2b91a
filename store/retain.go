package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Retention removes runs that ended long ago, a few rows a transaction, so that no
// intent waits for it. A run that is being removed is marked first; from then on
// no method but those of this file finds it, and database triggers let its rows go.
// A kill at any point leaves the mark, and Removing finds it.
//
// What a later run needs of one that goes is kept apart: delivered_files, and for
// files that were delivered in part delivered_ranges.

// A run is settled if nothing of it is planned, sending or unknown, and it has a
// plan, or never will have one. The latest run of each schedule stays, and a redrive
// as long as the run that it redrives: what it sent is not sent again.
const removableRuns = `
SELECT ` + runColumns + ` FROM runs INDEXED BY runs_by_end
WHERE finished_at < ?1 AND (finished_at, id) > (?2, ?3) AND removing IS NULL
  AND state NOT IN ('planning', 'delivering') AND NOT (state = 'stopped' AND planned_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM chunks WHERE run = runs.id AND chunks.state IN ('planned', 'sending', 'unknown'))
  AND NOT EXISTS (SELECT 1 FROM segments WHERE run = runs.id AND segments.state IN ('planned', 'unknown') AND begun < records)
  AND id < (SELECT max(l.id) FROM runs l WHERE l.schedule = runs.schedule)
  AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.run_id = runs.redrive_of AND o.removing IS NULL)
ORDER BY finished_at, id LIMIT ?4`

// Removable returns the next settled runs that ended before an instant, after one
// that it returned before (nil: from the first).
func (r *Reader) Removable(ctx context.Context, before time.Time, after *Run, limit int) ([]*Run, error) {
	var finished, id int64
	if after != nil {
		finished, id = ms(*after.FinishedAt), after.ID
	}
	return queryRuns(ctx, r.ro, removableRuns, ms(before), finished, id, limit)
}

const removingRuns = `SELECT ` + runColumns + ` FROM runs INDEXED BY runs_removing WHERE removing IS NOT NULL ORDER BY id`

// Removing returns the runs of which a removal was begun and not ended.
func (r *Reader) Removing(ctx context.Context) ([]*Run, error) {
	return queryRuns(ctx, r.ro, removingRuns)
}

const acceptedRanges = `
SELECT ?1, '', c.chunk, c.state, g.byte_start, g.byte_end, g.records
FROM chunk_ranges g INDEXED BY chunk_ranges_by_file
CROSS JOIN chunks c ON c.run = g.run AND c.chunk = g.chunk
WHERE g.run = ?1 AND g.file = ?2 AND c.state = 'accepted'
ORDER BY g.byte_start`

const acceptedSegments = `
SELECT DISTINCT g.run, g.segment FROM segment_ranges g INDEXED BY segment_ranges_by_file
JOIN segments c ON c.run = g.run AND c.segment = g.segment
WHERE g.run = ? AND g.file = ? AND c.state = 'accepted' AND c.begun < c.records ORDER BY g.byte_start`

const segmentsOfFile = `SELECT DISTINCT run, segment, '' FROM segment_ranges INDEXED BY segment_ranges_by_file WHERE run = ? AND file = ?`

// AcceptedRanges returns which bytes of a file a run delivered, neighbours as one
// range. They are in order, but for those of chunks that have no row, which come
// last.
func (r *Reader) AcceptedRanges(ctx context.Context, run *Run, file int) ([]Earlier, error) {
	list, err := r.earlier(ctx, acceptedRanges, run.ID, file)
	if err != nil {
		return nil, err
	}
	if list, err = r.withRecords(ctx, list, segmentsOfFile, run.ID, file); err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e Earlier) bool { return e.State != ChunkAccepted })
	segments, err := pairs(ctx, r.ro, acceptedSegments, run.ID, file)
	if err != nil {
		return nil, err
	}
	for _, s := range segments {
		more, err := r.UnbegunRanges(ctx, TakenOver{Run: s[0], Segment: s[1]})
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

const keepRange = `
INSERT INTO delivered_ranges (schedule, shape, size, content_hash, run_id, byte_start, byte_end, records) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET byte_end = max(byte_end, excluded.byte_end), records = max(records, excluded.records)`

// KeepRanges keeps for later runs which bytes of a file a run delivered that is
// about to go, or another one where the range says so. To keep the same ones twice changes nothing.
func (l *Ledger) KeepRanges(ctx context.Context, run *Run, of Content, ranges []Earlier) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, g := range ranges {
			_, err := tx.ExecContext(ctx, keepRange, run.Schedule, run.Shape, of.Size, of.Hash, cmp.Or(g.RunID, run.RunID), g.Start, g.End, g.Records)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("run %s: what it delivered of a file: %w", run.RunID, err)
	}
	return nil
}

const markRemoving = `
UPDATE runs SET removing = ?2
WHERE id = ?1 AND removing IS NULL AND state NOT IN ('planning', 'delivering')
  AND NOT EXISTS (SELECT 1 FROM chunks WHERE run = ?1 AND chunks.state IN ('planned', 'sending', 'unknown'))
  AND NOT EXISTS (SELECT 1 FROM segments WHERE run = ?1 AND segments.state IN ('planned', 'unknown') AND begun < records)`

// BeginRemoval marks a run of Removable: from here on it is not found any more, and
// only its removal is left. One that is not settled is ErrState.
func (l *Ledger) BeginRemoval(ctx context.Context, run *Run) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		return mustChange(tx.ExecContext(ctx, markRemoving, run.ID, ms(time.Now())))
	})
	if err != nil {
		return fmt.Errorf("removal of run %s: %w", run.RunID, err)
	}
	return nil
}

// removeRows are all tables with rows of a run, in an order that foreign keys
// allow. Each takes the run and how many rows may go.
var removeRows = []string{
	`DELETE FROM attempts WHERE attempt_id IN (SELECT attempt_id FROM attempts WHERE run = ? LIMIT ?)`,
	`DELETE FROM chunk_ranges WHERE (run, chunk, part) IN (SELECT run, chunk, part FROM chunk_ranges WHERE run = ? LIMIT ?)`,
	`DELETE FROM chunks WHERE (run, chunk) IN (SELECT run, chunk FROM chunks WHERE run = ? LIMIT ?)`,
	`DELETE FROM segment_ranges WHERE (run, segment, part) IN (SELECT run, segment, part FROM segment_ranges WHERE run = ? LIMIT ?)`,
	`DELETE FROM segment_places WHERE (run, segment) IN (SELECT run, segment FROM segment_places WHERE run = ? LIMIT ?)`,
	`DELETE FROM segments WHERE (run, segment) IN (SELECT run, segment FROM segments WHERE run = ? LIMIT ?)`,
	`DELETE FROM dead_letters WHERE (run, number) IN (SELECT run, number FROM dead_letters WHERE run = ? LIMIT ?)`,
	`DELETE FROM mended WHERE (run, file, number) IN (SELECT run, file, number FROM mended WHERE run = ? LIMIT ?)`,
	`DELETE FROM snapshots WHERE (run, file) IN (SELECT run, file FROM snapshots WHERE run = ? LIMIT ?)`,
	`DELETE FROM attempt_sums WHERE run IN (SELECT run FROM attempt_sums WHERE run = ? LIMIT ?)`,
	`DELETE FROM notes WHERE (run, number) IN (SELECT run, number FROM notes WHERE run = ? LIMIT ?)`,
}

const removeRun = `DELETE FROM runs WHERE id = ? AND removing IS NOT NULL`

// RemoveRows removes so many rows at most of a run whose removal was begun, and at
// last the run itself. It says how many rows went, and whether the run is gone.
func (l *Ledger) RemoveRows(ctx context.Context, run *Run, limit int64) (rows int64, gone bool, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		rows, gone = 0, false
		for _, query := range removeRows {
			n, err := changed(tx.ExecContext(ctx, query, run.ID, limit-rows))
			if rows += n; err != nil || rows == limit {
				return err
			}
		}
		gone = true
		return mustChange(tx.ExecContext(ctx, removeRun, run.ID))
	})
	if err != nil {
		return 0, false, fmt.Errorf("removal of run %s: %w", run.RunID, err)
	}
	return rows, gone, nil
}

func changed(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

const nextSlotSchedule = `SELECT coalesce(min(schedule), '') FROM slots WHERE schedule > ?`

// The scheduler decides no slot up to a schedule's mark again, unless the clock
// goes back: a row that is younger by the clock or the ledger stays. So does that
// of a run which is there.
const removeSlots = `
DELETE FROM slots WHERE (schedule, scheduled_for) IN (
  SELECT schedule, scheduled_for FROM slots s
  WHERE schedule = ?1 AND scheduled_for < min(?2, coalesce((SELECT decided_to FROM schedule_state WHERE schedule = ?1), ?2)) AND decided_at < ?2
    AND decided_at < coalesce((SELECT since FROM followers WHERE schedule = ?1), ?2)
    AND state <> 'waiting' AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.schedule = s.schedule AND r.scheduled_for = s.scheduled_for)
  LIMIT ?3)`

// RemoveSlots removes so many slots at most of one schedule that were due and
// decided before an instant and have no run, and with them what is known of files
// that arrived and are gone. It begins behind a schedule ("": with
// the first) and says which one it looked at; "" if there is none left.
func (l *Ledger) RemoveSlots(ctx context.Context, behind string, before time.Time, limit int64) (schedule string, rows int64, err error) {
	if err := l.ro.QueryRowContext(ctx, nextSlotSchedule, behind).Scan(&schedule); err != nil || schedule == "" {
		return "", 0, err
	}
	err = l.write(ctx, func(tx *sql.Tx) error {
		if rows, err = changed(tx.ExecContext(ctx, removeSlots, schedule, ms(before), limit)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, removeArrivals, schedule, ms(before), limit)
		return err
	})
	return schedule, rows, err
}

const removeRequests = `
DELETE FROM requests WHERE request_id IN (SELECT request_id FROM requests WHERE finished_at < ? ORDER BY request_id LIMIT ?)`

// RemoveRequests removes so many requests at most that were answered before an
// instant.
func (l *Ledger) RemoveRequests(ctx context.Context, before time.Time, limit int64) (rows int64, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		rows, err = changed(tx.ExecContext(ctx, removeRequests, ms(before), limit))
		return err
	})
	return rows, err
}

// A pause that ended still says why slots did not run that are not decided yet: one
// that pausesThatCount lists stays.
const removePauses = `
DELETE FROM pauses WHERE pause_id IN (SELECT pause_id FROM pauses p
  WHERE resumed_at < ?1 AND resumed_at <= coalesce((SELECT min(decided_to, coalesce(waiting_for - 1, decided_to)) FROM schedule_state s WHERE s.schedule = p.schedule), 0)
  LIMIT ?2)`

// RemovePauses removes so many pauses at most that ended before an instant and no
// longer decide anything.
func (l *Ledger) RemovePauses(ctx context.Context, before time.Time, limit int64) (rows int64, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		rows, err = changed(tx.ExecContext(ctx, removePauses, ms(before), limit))
		return err
	})
	return rows, err
}

// FreePages says how many pages of the file are free, and how large a page is in
// bytes.
func (r *Reader) FreePages(ctx context.Context) (pages, size int64, err error) {
	const query = `SELECT freelist_count, page_size FROM pragma_freelist_count, pragma_page_size`
	err = r.ro.QueryRowContext(ctx, query).Scan(&pages, &size)
	return pages, size, err
}

// GiveBack takes so many free pages off the end of the file; what lies there moves
// to free ones. The file gets shorter with the next checkpoint. A ledger that was
// not made for it (auto_vacuum) keeps its pages for what comes next.
func (l *Ledger) GiveBack(ctx context.Context, pages int64) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", pages))
		return err
	})
}
