package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keptFile is a file that must stay where it is while the ledger is open.
type keptFile struct {
	path string
	info os.FileInfo
}

// keepFiles remembers the files that the ledger lives by: its own, the log that
// commits are written to first (SQLite never removes it while a connection is
// open), and the sender's lock (without which another sender could start).
func (l *Ledger) keepFiles(path string) error {
	for _, p := range []string{path, realPath(path) + "-wal", lockPath(path)} {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		l.kept = append(l.kept, keptFile{p, info})
	}
	mine, err := l.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(mine, l.kept[0].info) {
		return errors.New("it was replaced while it was being opened")
	}
	return nil
}

// sameFiles checks that each path still names the file that is open: a commit
// to a deleted ledger would be durable for nobody.
func (l *Ledger) sameFiles() error {
	for _, f := range l.kept {
		now, err := os.Stat(f.path)
		if err != nil {
			return fmt.Errorf("%s was taken away while it was in use: %w", f.path, err)
		}
		if !os.SameFile(now, f.info) {
			return fmt.Errorf("%s was replaced while it was in use", f.path)
		}
	}
	return nil
}

// realPath follows links, so that one ledger has one lock whatever it is called
// by. SQLite names its log by the real path too.
func realPath(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	// The ledger is not there yet, but its folder may be a link.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// makeFolder makes a private folder and those above it, each on the disk before
// it returns: SQLite sees to what it writes in a folder, not to the folder.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	above, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(above.Sync(), above.Close())
}
