package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFilesArePrivate(t *testing.T) {
	for _, umask := range []int{0o022, 0, 0o077} {
		old := unix.Umask(umask)
		dir := filepath.Join(t.TempDir(), "state")
		path := filepath.Join(dir, "worqcron.db")
		l, err := Open(context.Background(), path, "run")
		unix.Umask(old)
		must(t, err)
		planned(t, l, slotRun("orders"), 1)
		for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
			if got := get[os.FileInfo](t)(os.Stat(name)).Mode(); got != 0o600 {
				t.Errorf("umask %03o: %s has mode %o, want 600", umask, filepath.Base(name), got)
			}
		}
		if got := get[os.FileInfo](t)(os.Stat(dir)).Mode().Perm(); got != 0o700 {
			t.Errorf("umask %03o: the folder has mode %o, want 700", umask, got)
		}
		must(t, l.Close())
	}
}

// A reader that comes first after the writer closed makes the log anew.
func TestReaderMakesPrivateFiles(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(t, err)
	must(t, l.Close())
	old := unix.Umask(0)
	r, err := OpenReader(ctx, path)
	unix.Umask(old)
	must(t, err)
	get[[]*Run](t)(r.Runs(ctx, "", 1))
	for _, e := range get[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path))) {
		if got := get[os.FileInfo](t)(e.Info()).Mode(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", e.Name(), got)
		}
	}
	must(t, r.Close())
}
