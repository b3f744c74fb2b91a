package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"worqcron/failpoint"
)

// Chunk is one request body as planned.
type Chunk struct {
	Chunk      int64 // its number in the run, from 1
	State      ChunkState
	Reason     string
	Records    int64
	BodyBytes  int64  // exact, envelope included
	SourceHash string // of the bytes of its ranges; if it is one record of a segment: of the segment's
	Key        string
	Segment    int64  // which has it, and with it its hash, key and place; 0: it has them itself
	BodyHash   string // of a segment's chunk with a row: what its last attempt had to send; else ""
	NotBefore  time.Time
	Spool      *SpoolRange // nil: the ranges are read from the files themselves
	RedriveOf  int64       // the chunk of Run.RedriveOf that it sends again; 0: none
	Ranges     []ChunkRange
	Parent     int64 // the chunk that was split into this one and another; 0: as planned
}

// SpoolRange is where a chunk's records lie in the run's spool. Line says which
// line there is the chunk's record, from 1; 0: all lines are its records.
type SpoolRange struct{ Start, End, Line int64 }

// ChunkRange is a run of consecutive records of one file.
type ChunkRange struct {
	File                int // place in the run's list of files
	ByteStart, ByteEnd  int64
	FirstLine, LastLine int64
	Records             int64
}

// SnapshotFile is a file as the run found it.
type SnapshotFile struct {
	File           int
	Path           string
	Size           int64
	ModTime        time.Time
	Inode          uint64
	Format         string
	Compression    string
	Header         string // JSON list; "" without one
	Columns        string // JSON list of the names that bodies carry; "" where they carry none
	ContentHash    string // "" until read whole
	UnchangedSince string // run that delivered this content before; "" if it is read now
	Records        int64  // read, good and bad
	Gone           string // the path that when_done moved it to, GoneDeleted or GoneAway; "" while it lies at Path
}

// DeadLetter is a record that was given up on before anything was sent.
type DeadLetter struct {
	Number             int64 // order in the run, from 1
	File               int
	Line, Column       int64
	ByteStart, ByteEnd int64
	Reason, Detail     string
}

// PlanHead is what decides the bodies of a run.
type PlanHead struct {
	Shape   string
	Job     string
	Payload string
	Path    string // the source's path, if it had expressions
	Files   []SnapshotFile
}

var discardPlan = []string{
	`DELETE FROM chunks WHERE run = ?`, // takes ranges with it
	`DELETE FROM segments WHERE run = ?`,
	`DELETE FROM dead_letters WHERE run = ?`,
	`DELETE FROM snapshots WHERE run = ?`, // takes mended with it
	`DELETE FROM notes WHERE run = ?`,
}

const updatePlanHead = `UPDATE runs SET shape = ?, job = ?, payload = ?, source_path = ? WHERE id = ? AND state = 'planning'`

const insertSnapshot = `
INSERT INTO snapshots (run, file, path, size, mtime_ns, inode, format, compression, header, columns, content_hash, unchanged_since, records, gone)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// StartPlan begins the plan of a run in Planning. What a crash left of an
// earlier plan of the same run is discarded: nothing of it was sent.
func (l *Ledger) StartPlan(ctx context.Context, r *Run, h PlanHead) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, query := range discardPlan {
			if _, err := tx.ExecContext(ctx, query, r.ID); err != nil {
				return err
			}
		}
		if err := mustChange(tx.ExecContext(ctx, updatePlanHead, h.Shape, h.Job, h.Payload, h.Path, r.ID)); err != nil {
			return err
		}
		for _, f := range h.Files {
			_, err := tx.ExecContext(ctx, insertSnapshot, r.ID, f.File, f.Path, f.Size, f.ModTime.UnixNano(), int64(f.Inode), f.Format,
				f.Compression, f.Header, f.Columns, f.ContentHash, f.UnchangedSince, f.Records, f.Gone)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("plan of run %s: %w", r.RunID, err)
	}
	r.Shape, r.Job, r.Payload, r.SourcePath = h.Shape, h.Job, h.Payload, h.Path
	return nil
}

// PlanPart is a piece of a plan, so that no plan has to fit in memory.
type PlanPart struct {
	Chunks   []Chunk
	Segments []Segment // with chunk.mode = "records", in place of chunks
	Dead     []DeadLetter
	Files    []SnapshotFile // read to their end
	Notes    []string       // a line each for a person
	Mended   []Mended
}

const insertChunk = `
INSERT INTO chunks (run, chunk, state, reason, records, body_bytes, source_hash, key, not_before, spool_start, spool_end, spool_line, parent, redrive_of)
VALUES (?, ?, 'planned', '', ?, ?, ?, ?, 0, ?, ?, ?, nullif(?, 0), nullif(?, 0))`

const insertRange = `
INSERT INTO chunk_ranges (run, chunk, part, file, byte_start, byte_end, first_line, last_line, records)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

const insertDead = `
INSERT INTO dead_letters (run, number, file, line, column, byte_start, byte_end, reason, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

const updateSnapshot = `
UPDATE snapshots SET header = ?, columns = ?, content_hash = ?, records = ? WHERE run = ? AND file = ?`

const stateOfRun = `SELECT state FROM runs WHERE id = ?`

// AddToPlan commits a piece of the plan of a run in Planning.
func (l *Ledger) AddToPlan(ctx context.Context, r *Run, p PlanPart) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		var state RunState
		if err := tx.QueryRowContext(ctx, stateOfRun, r.ID).Scan(&state); err != nil {
			return err
		}
		if state != Planning { // a chunk that comes late would be sent without having been planned
			return fmt.Errorf("%w: the run is %s", ErrState, state)
		}
		for i := range p.Chunks {
			if err := addChunk(ctx, tx, r.ID, &p.Chunks[i]); err != nil {
				return err
			}
		}
		for i := range p.Segments {
			if err := addSegment(ctx, tx, r.ID, &p.Segments[i]); err != nil {
				return err
			}
		}
		for _, d := range p.Dead {
			failpoint.Hit("dead-letter")
			_, err := tx.ExecContext(ctx, insertDead, r.ID, d.Number, d.File, d.Line, d.Column, d.ByteStart, d.ByteEnd, d.Reason, d.Detail)
			if err != nil {
				return err
			}
		}
		for _, f := range p.Files {
			if err := mustChange(tx.ExecContext(ctx, updateSnapshot, f.Header, f.Columns, f.ContentHash, f.Records, r.ID, f.File)); err != nil {
				return err
			}
		}
		if err := addMended(ctx, tx, r.ID, p.Mended); err != nil {
			return err
		}
		return addNotes(ctx, tx, r.ID, notePlan, p.Notes)
	})
	if err != nil {
		return fmt.Errorf("plan of run %s: %w", r.RunID, err)
	}
	return nil
}

func addChunk(ctx context.Context, tx *sql.Tx, run int64, c *Chunk) error {
	start, end := c.Spool.columns()
	line := int64(0)
	if c.Spool != nil {
		line = c.Spool.Line
	}
	_, err := tx.ExecContext(ctx, insertChunk, run, c.Chunk, c.Records, c.BodyBytes, c.SourceHash, c.Key, start, end, line, c.Parent, c.RedriveOf)
	if err != nil {
		return err
	}
	for part, g := range c.Ranges {
		_, err := tx.ExecContext(ctx, insertRange, run, c.Chunk, part, g.File, g.ByteStart, g.ByteEnd, g.FirstLine, g.LastLine, g.Records)
		if err != nil {
			return err
		}
	}
	return nil
}

// columns are a range's values in a row; the range may be nil.
func (s *SpoolRange) columns() (start, end sql.NullInt64) {
	if s == nil {
		return start, end
	}
	return sql.NullInt64{Int64: s.Start, Valid: true}, sql.NullInt64{Int64: s.End, Valid: true}
}

// PlanTotals is what the plan counted as it read.
type PlanTotals struct {
	RecordsRead      int64
	RecordsFiltered  int64
	RecordsUnchanged int64
	RecordsElsewhere int64
	BytesRead        int64
	TakenOver        []TakenOver // chunks of earlier runs whose records this plan has
}

// TakenOver names a planned chunk of an earlier run, or a segment: those of its
// chunks that have no row.
type TakenOver struct {
	Run     int64
	Chunk   int64
	Segment int64 // 0: it is the chunk
}

const finishPlan = `
UPDATE runs SET state = 'delivering', planned_at = ?, records_read = ?, records_filtered = ?, records_unchanged = ?,
       records_elsewhere = ?, bytes_read = ?
WHERE id = ? AND state = 'planning'`

const abandonTaken = `
UPDATE chunks SET state = 'failed', reason = ? WHERE run = ? AND chunk = ? AND state = 'planned'`

// FinishPlan commits the plan as a whole: from here on its chunks may be sent.
func (l *Ledger) FinishPlan(ctx context.Context, r *Run, t PlanTotals) error {
	at := fromMS(ms(time.Now()))
	err := l.write(ctx, func(tx *sql.Tx) error {
		err := mustChange(tx.ExecContext(ctx, finishPlan, ms(at), t.RecordsRead, t.RecordsFiltered, t.RecordsUnchanged,
			t.RecordsElsewhere, t.BytesRead, r.ID))
		if err != nil {
			return err
		}
		for _, c := range t.TakenOver {
			query, number := abandonTaken, c.Chunk
			if c.Segment != 0 {
				query, number = abandonSegment, c.Segment
			}
			if err := mustChange(tx.ExecContext(ctx, query, "taken over by run "+r.RunID, c.Run, number)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("plan of run %s: %w", r.RunID, err)
	}
	r.State, r.PlannedAt = Delivering, &at
	r.RecordsRead, r.RecordsFiltered, r.RecordsUnchanged = t.RecordsRead, t.RecordsFiltered, t.RecordsUnchanged
	r.RecordsElsewhere, r.BytesRead = t.RecordsElsewhere, t.BytesRead
	return nil
}

// mustChange turns an update that found no row into ErrState.
func mustChange(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrState
	}
	return nil
}
