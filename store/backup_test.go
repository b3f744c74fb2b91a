package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// A copy that is made while attempts go on is one instant of the ledger, and
// the writer goes on.
func TestBackupBesideAWriter(t *testing.T) {
	ctx, l := context.Background(), open(t)
	const chunks = 1500
	r := planned(t, l, slotRun("orders"), chunks)
	reader := get[*Reader](t)(OpenReader(ctx, l.Path()))
	defer func() { must(t, reader.Close()) }()
	file := filepath.Join(t.TempDir(), "copy.db")
	begun := make(chan struct{})
	var both errgroup.Group
	both.Go(func() error {
		for i := int64(1); i <= chunks; i++ {
			id, err := l.BeginAttempt(ctx, r.ID, i, "h", 1)
			if err != nil {
				return err
			}
			if i == 10 {
				close(begun)
			}
			if err := l.FinishAttempt(ctx, id, ends[ChunkAccepted]); err != nil {
				return err
			}
		}
		return nil
	})
	<-begun
	b := get[*Backup](t)(reader.Backup(ctx, file, false))
	must(t, both.Wait())
	if b.Runs != 1 || b.Attempts < 10 || b.Attempts != b.HighestAttempt {
		t.Errorf("got %+v", b)
	}
	info := get[os.FileInfo](t)(os.Stat(file))
	if info.Size() != b.Bytes || info.Mode().Perm() != 0o600 {
		t.Errorf("got %d bytes, mode %v", info.Size(), info.Mode())
	}
	if names := get[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(file))); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	// Each chunk of the copy has the attempt that it was moved by.
	again := openAt(t, file)
	if n := count(t, again, `SELECT count(*) FROM chunks WHERE state <> 'planned'`); n != b.Attempts {
		t.Errorf("%d chunks were tried with %d attempts", n, b.Attempts)
	}
	for _, check := range []string{"integrity_check", "foreign_key_check"} {
		if got := get[[]string](t)(texts(again, "PRAGMA "+check)); strings.Join(got, "") != "ok" && len(got) > 0 {
			t.Errorf("%s: %v", check, got)
		}
	}
	if n := count(t, again, `PRAGMA auto_vacuum`); n != 2 {
		t.Errorf("auto_vacuum of the copy is %d", n)
	}
}

func TestBackupRefusesToOverwrite(t *testing.T) {
	ctx, l := context.Background(), open(t)
	planned(t, l, slotRun("orders"), 3)
	dir := t.TempDir()
	file := filepath.Join(dir, "copy.db")
	must(t, os.WriteFile(file, []byte("precious"), 0o600))
	must(t, os.Symlink(l.Path(), filepath.Join(dir, "link.db")))
	_, err := l.Backup(ctx, file, false)
	wantErr(t, err, ErrExists)
	for _, own := range []string{l.Path(), l.Path() + "-wal", l.Path() + ".high", l.Path() + ".lock", filepath.Join(dir, "link.db")} {
		if _, err := l.Backup(ctx, own, true); err == nil || !strings.Contains(err.Error(), "file of the ledger itself") {
			t.Errorf("%s: got %v", own, err)
		}
	}
	if _, err := l.Backup(ctx, dir, true); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a folder: got %v", err)
	}
	if _, err := l.Backup(ctx, filepath.Join(dir, "no", "copy.db"), true); err == nil {
		t.Error("a copy in a folder that is not there")
	}
	if got := get[[]byte](t)(os.ReadFile(file)); string(got) != "precious" {
		t.Error("the file was overwritten")
	}
	get[*Backup](t)(l.Backup(ctx, file, true))
	must(t, get[*Reader](t)(OpenReader(ctx, file)).Close())
}

func TestBackupThatIsInterruptedLeavesNothing(t *testing.T) {
	l, dir := open(t), t.TempDir()
	planned(t, l, slotRun("orders"), 300)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := l.Backup(ctx, filepath.Join(dir, "copy.db"), false)
	wantErr(t, err, context.Canceled)
	if names := get[[]os.DirEntry](t)(os.ReadDir(dir)); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestDamagedLedgerGivesNoBackup(t *testing.T) {
	path, _ := filled(t)
	r := get[*Reader](t)(OpenReader(context.Background(), path))
	defer func() { must(t, r.Close()) }()
	f := get[*os.File](t)(os.OpenFile(path, os.O_WRONLY, 0))
	size := get[os.FileInfo](t)(f.Stat()).Size()
	junk := make([]byte, size/2&^4095)
	fill(junk)
	get[int](t)(f.WriteAt(junk, size-int64(len(junk))))
	dir := t.TempDir()
	if _, err := r.Backup(context.Background(), filepath.Join(dir, "copy.db"), false); err == nil {
		t.Error("a damaged ledger was copied as if it were whole")
	}
	if names := get[[]os.DirEntry](t)(os.ReadDir(dir)); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	must(t, f.Close())
}
