package store

import (
	"context"
	"database/sql"
	"fmt"
)

// A file is delivered whole when it has its row in delivered_files. It is done
// when no record of it is a dead letter either, and this run found that out:
// that it delivered it, or that an earlier run did.
const doneFiles = `
SELECT ` + fileColumns + ` FROM snapshots s JOIN runs r ON r.id = s.run
WHERE s.run = ? AND s.gone IN ('', 'away') AND EXISTS (
  SELECT 1 FROM delivered_files d
  WHERE d.schedule = r.schedule AND d.content_hash = s.content_hash AND d.shape = r.shape AND d.dead = 0
    AND (s.unchanged_since <> '' OR d.run_id = r.run_id AND d.path = s.path))
ORDER BY s.file`

// DoneFiles returns the files of a run that nothing more is needed of: each
// record was accepted, filtered or unchanged. Those that were moved or deleted
// are left out. Of several files with the same bytes that a run read, it is one;
// the next run finds the others unchanged.
func (r *Reader) DoneFiles(ctx context.Context, run *Run) ([]SnapshotFile, error) {
	return r.files(ctx, doneFiles, run.ID)
}

// What SnapshotFile.Gone is beside a path.
const (
	GoneDeleted = "deleted"
	GoneAway    = "away" // it is about to be moved or deleted, or somebody else did that
)

const markGone = `
UPDATE snapshots SET gone = ?
WHERE size = ? AND content_hash = ? AND path = ?
  AND EXISTS (SELECT 1 FROM runs WHERE id = snapshots.run AND schedule = ?)`

// MarkGone notes what becomes of files of a run, by Gone, for all runs of the
// schedule that read them: none of them needs the file any more. It comes before
// the file goes; "" takes it back.
func (l *Ledger) MarkGone(ctx context.Context, run *Run, files []SnapshotFile) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, f := range files {
			if err := mustChange(tx.ExecContext(ctx, markGone, f.Gone, f.Size, f.ContentHash, f.Path, run.Schedule)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("files of run %s: %w", run.RunID, err)
	}
	return nil
}
