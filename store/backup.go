package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Backup is a copy of a ledger as it was proved after it was made.
type Backup struct {
	Bytes          int64
	Runs           int64
	Attempts       int64
	HighestAttempt int64 // that was ever made, by the copy's account
}

// ErrExists means that a backup would overwrite a file.
var ErrExists = errors.New("the file exists")

// Backup copies the ledger, as of one instant, to a file that is private, whole
// and on the disk when it has its name. A writer goes on meanwhile. The copy holds
// no free pages. A file that exists is ErrExists, unless it is to be replaced; the
// ledger's own files never are.
func (r *Reader) Backup(ctx context.Context, file string, replace bool) (b *Backup, err error) {
	if err := r.mayWrite(file, replace); err != nil {
		return nil, err
	}
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, ".worqcron-backup-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("backup %s: %w", file, err), f.Close(), os.Remove(f.Name()))
		}
	}()
	if b, err = r.copyTo(ctx, f.Name()); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := r.mayWrite(file, replace); err != nil { // it took a while
		return nil, err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return nil, err
	}
	if err := errors.Join(syncAll(f, dir), f.Close()); err != nil {
		return nil, fmt.Errorf("backup %s: %w", file, err)
	}
	return b, nil
}

// mayWrite refuses what a backup must not overwrite.
func (r *Reader) mayWrite(file string, replace bool) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, end := range []string{"", "-wal", "-shm", ".lock", ".high"} {
		if own, err := os.Stat(realPath(r.path) + end); err == nil && os.SameFile(own, info) {
			return fmt.Errorf("backup %s: that is a file of the ledger itself", file)
		}
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("backup %s: it is there, and no file", file)
	}
	if !replace {
		return fmt.Errorf("backup %s: %w", file, ErrExists)
	}
	return nil
}

// copyTo fills an empty file with a copy and proves it.
func (r *Reader) copyTo(ctx context.Context, to string) (b *Backup, err error) {
	before, err := readMark(ctx, r.ro)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(r.path, toCopy))
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	after, err := readMark(ctx, r.ro)
	if err != nil {
		return nil, err
	}
	return proved(ctx, to, before, after)
}

const countBackup = `SELECT (SELECT count(*) FROM runs WHERE removing IS NULL), (SELECT count(*) FROM attempts)`

// proved reads a whole copy. It must lie between what the ledger was before and
// after it was made.
func proved(ctx context.Context, path string, before, after mark) (b *Backup, err error) {
	c, err := OpenReader(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var verdict string
	if err := c.ro.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return nil, err
	}
	if verdict != "ok" {
		return nil, fmt.Errorf("the copy is damaged, and so may the ledger be: %s", strings.TrimSpace(verdict))
	}
	own, err := readMark(ctx, c.ro)
	if err != nil {
		return nil, err
	}
	if own.id != before.id || own.high < before.high || own.high > after.high {
		return nil, fmt.Errorf("the copy knows attempts up to %d, and the ledger had %d before and %d after it", own.high, before.high, after.high)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	b = &Backup{Bytes: info.Size(), HighestAttempt: own.high}
	return b, c.ro.QueryRowContext(ctx, countBackup).Scan(&b.Runs, &b.Attempts)
}
