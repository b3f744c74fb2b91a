package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of its own with so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	return dir
}

// fillUp leaves no room on a disk; the file that takes it is returned.
func fillUp(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f := get[*os.File](t)(os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600))
	defer func() { must(t, f.Close()) }()
	for _, size := range []int{64 << 10, 4 << 10, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	return path
}

func TestFullDiskAtIntent(t *testing.T) {
	ctx, dir := context.Background(), smallDisk(t, "4m")
	l := openAt(t, filepath.Join(dir, "worqcron.db"))
	r := planned(t, l, slotRun("orders"), 2)
	_, err := l.rw.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`) // what room the log has is taken too
	must(t, err)
	filler := fillUp(t, dir)
	for range 3 {
		_, err := l.BeginAttempt(ctx, r.ID, 1, "h", 1)
		wantErr(t, err, ErrFull)
	}
	if got, n := chunkState(t, l, r, 1), count(t, l, `SELECT count(*) FROM attempts`); got != ChunkPlanned || n != 0 {
		t.Errorf("the chunk is %s with %d attempts", got, n)
	}
	must(t, os.Remove(filler))
	try(t, l, r, 1, ChunkAccepted)
	select {
	case <-l.Halted():
		t.Error("a full disk halted the ledger")
	default:
	}
}

func TestFullDiskAtOutcome(t *testing.T) {
	ctx, dir := context.Background(), smallDisk(t, "4m")
	path := filepath.Join(dir, "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(t, err)
	r := planned(t, l, slotRun("orders"), 2)
	id := get[int64](t)(l.BeginAttempt(ctx, r.ID, 1, "h", 1))
	_, err = l.rw.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	must(t, err)
	end := ends[ChunkAccepted]
	end.AnalyticsID, end.Answer = "a-1", bytes.Repeat([]byte("x"), 64<<10)
	filler := fillUp(t, dir)
	wantErr(t, l.FinishAttempt(ctx, id, end), ErrFull)
	if open := get[[]Attempt](t)(l.OpenAttempts(ctx)); len(open) != 1 {
		t.Errorf("open attempts: got %+v", open)
	}
	must(t, os.Remove(filler))
	must(t, l.FinishAttempt(ctx, id, end))
	must(t, l.Close())
	again, err := Open(ctx, path, "run")
	must(t, err)
	defer func() { must(t, again.Close()) }()
	if a := get[[]Attempt](t)(again.Attempts(ctx, r.ID, 1)); len(a) != 1 || a[0].AnalyticsID != "a-1" || len(a[0].Answer) != 64<<10 {
		t.Errorf("got %d attempts", len(a))
	}
	var verdict string
	must(t, again.ro.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		t.Error(verdict)
	}
}

// A plan in small pieces that hits a full disk can go on after it.
func TestFullDiskInPlan(t *testing.T) {
	ctx, dir := context.Background(), smallDisk(t, "4m")
	l := openAt(t, filepath.Join(dir, "worqcron.db"))
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	part := PlanPart{}
	for i := range 2000 {
		part.Chunks = append(part.Chunks, chunkOf(r, int64(i+1)))
	}
	filler := fillUp(t, dir)
	wantErr(t, l.AddToPlan(ctx, r, part), ErrFull)
	must(t, os.Remove(filler))
	must(t, l.AddToPlan(ctx, r, part))
	if n := count(t, l, `SELECT count(*) FROM chunks`); n != 2000 {
		t.Errorf("got %d chunks, want 2000", n)
	}
}

func TestFullDiskAtOpenGivesTheLockBack(t *testing.T) {
	ctx, dir := context.Background(), smallDisk(t, "1m")
	path := filepath.Join(dir, "worqcron.db")
	filler := fillUp(t, dir)
	for range 2 {
		_, err := Open(ctx, path, "run")
		var busy *BusyError
		if err == nil || errors.As(err, &busy) {
			t.Fatalf("got %v, want an error about the disk", err)
		}
	}
	must(t, os.Remove(filler))
	l, err := Open(ctx, path, "run")
	must(t, err)
	must(t, l.Close())
}

func TestReadOnlyDiskIsRefused(t *testing.T) {
	ctx, dir := context.Background(), smallDisk(t, "1m")
	path := filepath.Join(dir, "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(t, err)
	planned(t, l, slotRun("orders"), 1)
	must(t, l.Close())
	must(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, err = Open(ctx, path, "run")
	wantErr(t, err, unix.EROFS)
	_, err = Open(ctx, filepath.Join(dir, "new", "worqcron.db"), "run")
	wantErr(t, err, unix.EROFS)
	if _, err := Ask(ctx, path, "run", "{}"); err == nil {
		t.Error("a request was left on a read-only disk")
	}
}

func TestReadOnlyFilesAreRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anything")
	}
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(t, err)
	must(t, l.Close())
	must(t, os.Chmod(path, 0o400))
	_, err = Open(ctx, path, "run")
	wantErr(t, err, os.ErrPermission)
	must(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { must(t, os.Chmod(dir, 0o700)) })
	_, err = Open(ctx, filepath.Join(dir, "new.db"), "run")
	wantErr(t, err, os.ErrPermission)
}
