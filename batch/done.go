package batch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"worqcron/failpoint"
	"worqcron/source"
	"worqcron/store"
)

// finishDone deletes or moves the files of a run that came to rest of which
// nothing more is needed, as when_done says, and returns the receipt with what
// is to be noted about it. A file that an earlier run delivered counts as well,
// so what a crash, or a decision by hand, left lying goes with the next run.
//
// A file that cannot be moved is a warning and a note: the run stays what it
// is. The errors are the ledger's.
func (r *Runner) finishDone(ctx context.Context, job *Job, run *store.Run, c *store.Receipt) (*store.Receipt, error) {
	if job.Source == nil || job.Files.WhenDone == "" || job.Files.WhenDone == DoneKeep || ctx.Err() != nil {
		return c, nil
	}
	files, err := r.Ledger.DoneFiles(ctx, run)
	if err != nil || len(files) == 0 {
		return c, err
	}
	for i := range files {
		files[i].Gone = store.GoneAway
	}
	if err := r.Ledger.MarkGone(ctx, run, files); err != nil {
		return c, err
	}
	failpoint.Hit("done-marked")
	var notes []string
	for i := range files {
		gone, err := r.finishFile(ctx, job, run, files[i])
		if err != nil {
			notes = append(notes, "when_done: "+oneLine(err))
		}
		files[i].Gone = gone
		failpoint.Hit("done-moved")
	}
	ctx = context.WithoutCancel(ctx)
	if err := errors.Join(r.Ledger.MarkGone(ctx, run, files), r.Ledger.NoteDone(ctx, run, notes)); err != nil {
		return c, err
	}
	return r.Ledger.Receipt(ctx, run)
}

// finishFile deletes or moves one file and says where it is now.
func (r *Runner) finishFile(ctx context.Context, job *Job, run *store.Run, f store.SnapshotFile) (gone string, err error) {
	log := r.Log.With("schedule", run.Schedule, "run_id", run.RunID, "path", f.Path)
	was := source.Identity{Size: f.Size, ModTime: f.ModTime, Inode: f.Inode}
	gone = store.GoneDeleted
	if job.Files.WhenDone == DoneMove {
		gone, err = source.MoveInto(ctx, *job.Source, f.Path, was, job.Files.Folder)
	} else {
		err = source.Remove(*job.Source, f.Path, was)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(f.Path):
		log.Info("delivered file is gone already")
		return store.GoneAway, nil
	case err != nil:
		log.Warn("delivered file stays where it is", "when_done", job.Files.WhenDone, "err", err)
		return "", err
	}
	log.Info("delivered file is done", "now", gone)
	return gone, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// whereNow is the path at which a file of an earlier run can be read, or why it
// cannot: it may have been moved or deleted when it was delivered.
func whereNow(f store.SnapshotFile) (string, error) {
	switch {
	case f.Gone == "", f.Gone == store.GoneAway && exists(f.Path):
		return f.Path, nil
	case filepath.IsAbs(f.Gone) && exists(f.Gone):
		return f.Gone, nil
	case filepath.IsAbs(f.Gone):
		return "", &SourceChangedError{Path: f.Path, How: "was moved to " + f.Gone + " when it was delivered, and is not there"}
	}
	return "", &SourceChangedError{Path: f.Path, How: "was moved or deleted when it was delivered"}
}
