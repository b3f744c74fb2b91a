package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// What finds a note out.
const (
	notePlan    = "plan"
	noteDeliver = "deliver"
	noteDone    = "done"
	noteExpect  = "expect"
)

const insertNote = `
INSERT INTO notes (run, number, stage, text) SELECT ?, coalesce(max(number), 0) + 1, ?, ? FROM notes WHERE run = ?`

func addNotes(ctx context.Context, tx *sql.Tx, run int64, stage string, notes []string) error {
	for _, text := range notes {
		if _, err := tx.ExecContext(ctx, insertNote, run, stage, text, run); err != nil {
			return err
		}
	}
	return nil
}

const deleteNotes = `DELETE FROM notes WHERE run = ? AND stage = ?`

// NoteDone replaces what was noted about a run after its end.
func (l *Ledger) NoteDone(ctx context.Context, run *Run, notes []string) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, deleteNotes, run.ID, noteDone); err != nil {
			return err
		}
		return addNotes(ctx, tx, run.ID, noteDone, notes)
	})
	if err != nil {
		return fmt.Errorf("notes of run %s: %w", run.RunID, err)
	}
	return nil
}

// NoteDelivery adds a note about a run's delivery.
func (l *Ledger) NoteDelivery(ctx context.Context, run *Run, note string) error {
	err := l.write(ctx, func(tx *sql.Tx) error { return addNotes(ctx, tx, run.ID, noteDeliver, []string{note}) })
	if err != nil {
		return fmt.Errorf("notes of run %s: %w", run.RunID, err)
	}
	return nil
}

const notesOfRun = `SELECT text FROM notes WHERE run = ? ORDER BY number`

// notes returns what was noted about a run, never nil.
func notes(ctx context.Context, tx *sql.Tx, run int64) ([]string, error) {
	rows, err := tx.QueryContext(ctx, notesOfRun, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

const lastWithHeader = `
SELECT ` + runColumns + ` FROM runs INDEXED BY runs_by_schedule
WHERE schedule = ? AND id < ? AND planned_at IS NOT NULL AND removing IS NULL
  AND EXISTS (SELECT 1 FROM snapshots WHERE run = runs.id AND header <> '')
ORDER BY scheduled_for DESC, number DESC LIMIT 1`

// LastWithHeader returns, of the schedule's runs that began before this one, that
// of the latest due time that has a whole plan and read a file with a header;
// nil if there is none.
func (r *Reader) LastWithHeader(ctx context.Context, run *Run) (*Run, error) {
	before, err := scanRun(r.ro.QueryRowContext(ctx, lastWithHeader, run.Schedule, run.ID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return before, err
}
