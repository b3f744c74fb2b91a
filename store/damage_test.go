package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled makes a closed ledger with rows in it and returns its path and run.
func filled(t *testing.T) (string, *Run) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worqcron.db")
	l, err := Open(context.Background(), path, "run")
	must(t, err)
	r := planned(t, l, slotRun("orders"), 300)
	try(t, l, r, 1, ChunkAccepted)
	must(t, l.Close())
	return path, r
}

// wantRefused checks that neither writer nor asker takes the ledger, and that
// its bytes stay for whoever repairs it.
func wantRefused(t *testing.T, path, says string) {
	t.Helper()
	before := get[[]byte](t)(os.ReadFile(path))
	l, err := Open(context.Background(), path, "run")
	if err == nil {
		must(t, l.Close())
		t.Fatal("the ledger was opened")
	}
	if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want %q and the path in it", err, says)
	}
	if after := get[[]byte](t)(os.ReadFile(path)); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
}

func execAt(t *testing.T, path, sql string) {
	t.Helper()
	l, err := Open(context.Background(), path, "run")
	must(t, err)
	_, err = l.rw.Exec(sql)
	must(t, err)
	must(t, l.Close())
}

func TestNewerLedgerIsRefused(t *testing.T) {
	path, _ := filled(t)
	execAt(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	wantRefused(t, path, "written by a newer worqcron (version 999")
	_, err := OpenReader(context.Background(), path)
	if err == nil || !strings.Contains(err.Error(), "newer worqcron") {
		t.Errorf("reader: got %v", err)
	}
}

func TestOlderLedger(t *testing.T) {
	ctx := context.Background()
	path, _ := filled(t)
	execAt(t, path, `DELETE FROM goose_db_version WHERE version_id > 0`)
	_, err := OpenReader(ctx, path)
	if err == nil || !strings.Contains(err.Error(), "to migrate it") {
		t.Errorf("reader: got %v", err)
	}
	// A migration that cannot be applied changes nothing.
	l, err := Open(ctx, path, "run")
	if err == nil || !strings.Contains(err.Error(), "migrating it from version 0") {
		t.Fatalf("got %v, %v", l, err)
	}
}

func TestEmptyFileBecomesALedger(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	must(t, os.WriteFile(path, nil, 0o600)) // as a kill leaves it right after its creation
	if _, err := OpenReader(ctx, path); err == nil || !strings.Contains(err.Error(), "never set up") {
		t.Errorf("reader: got %v", err)
	}
	planned(t, openAt(t, path), slotRun("orders"), 1)
}

func TestAnotherProgramsDatabaseIsRefused(t *testing.T) {
	path, _ := filled(t)
	execAt(t, path, `DROP TABLE goose_db_version`)
	wantRefused(t, path, "another program's database")
}

func TestDamagedLedgerIsRefused(t *testing.T) {
	for name, damage := range map[string]func([]byte){
		"header":          func(b []byte) { clear(b[:100]) },
		"schema":          func(b []byte) { fill(b[100:4096]) },
		"a page of rows":  func(b []byte) { fill(b[len(b)/2&^4095:][:4096]) },
		"the last page":   func(b []byte) { fill(b[len(b)-4096:]) },
		"all but page 1":  func(b []byte) { fill(b[4096:]) },
		"a text, instead": func(b []byte) { copy(b, bytes.Repeat([]byte("no ledger "), len(b)/10)) },
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := filled(t)
			b := get[[]byte](t)(os.ReadFile(path))
			damage(b)
			must(t, os.WriteFile(path, b, 0o600))
			wantRefused(t, path, "damaged")
		})
	}
	t.Run("cut short", func(t *testing.T) {
		path, _ := filled(t)
		must(t, os.Truncate(path, 3*4096))
		wantRefused(t, path, "damaged")
	})
}

func fill(b []byte) {
	for i := range b {
		b[i] = byte(i*7 + 13)
	}
}

func wantHalted(t *testing.T, l *Ledger, r *Run) {
	t.Helper()
	ctx := context.Background()
	select {
	case <-l.Halted():
		t.Fatal("halted before anything was written")
	default:
	}
	_, err := l.BeginAttempt(ctx, r.ID, 2, "h", 1)
	wantErr(t, err, ErrHalted)
	select {
	case <-l.Halted():
	default:
		t.Error("Halted is not closed")
	}
	wantErr(t, l.SetMark(ctx, "orders", Mark{At: slotTime, Spec: ""}), ErrHalted) // and stays so
	_, err = l.BeginRun(ctx, handRun("orders", slotTime))
	wantErr(t, err, ErrHalted)
}

func TestDamageWhileOpenHalts(t *testing.T) {
	path, r := filled(t)
	l := openAt(t, path)
	f := get[*os.File](t)(os.OpenFile(path, os.O_WRONLY, 0))
	size := get[os.FileInfo](t)(f.Stat()).Size()
	junk := make([]byte, size-4096)
	fill(junk)
	get[int](t)(f.WriteAt(junk, 4096))
	// Kept open until the end: closing it would drop SQLite's locks on the file.
	t.Cleanup(func() { must(t, f.Close()) })
	_, err := l.rw.Exec(`PRAGMA shrink_memory`) // what is cached is not read again
	must(t, err)
	wantHalted(t, l, r)
}

func TestTakenAwayWhileOpenHalts(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"ledger deleted":  os.Remove,
		"ledger moved":    func(p string) error { return os.Rename(p, p+".old") },
		"ledger replaced": replace,
		"folder moved":    func(p string) error { return os.Rename(filepath.Dir(p), filepath.Dir(p)+".old") },
		"log deleted":     func(p string) error { return os.Remove(p + "-wal") },
		"log replaced":    func(p string) error { return replace(p + "-wal") },
		"lock deleted":    func(p string) error { return os.Remove(p + ".lock") },
		"lock replaced":   func(p string) error { return replace(p + ".lock") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "worqcron.db")
			l, err := Open(context.Background(), path, "serve")
			must(t, err)
			r := planned(t, l, slotRun("orders"), 3)
			must(t, change(path))
			wantHalted(t, l, r)
			if strings.HasPrefix(name, "ledger deleted") {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the ledger was created again: %v", err)
				}
			}
			must(t, l.Close())
		})
	}
}

// replace puts a copy in a file's place.
func replace(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// An intent that was not committed before the halt is not in the ledger.
func TestNothingIsWrittenOnceHalted(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	l, err := Open(ctx, path, "serve")
	must(t, err)
	r := planned(t, l, slotRun("orders"), 3)
	must(t, os.Rename(path, path+".old"))
	wantHalted(t, l, r)
	must(t, os.Rename(path+".old", path))
	_, err = l.BeginAttempt(ctx, r.ID, 1, "h", 1)
	wantErr(t, err, ErrHalted)
	must(t, l.Close())
	again := openAt(t, path)
	if n := count(t, again, `SELECT count(*) FROM attempts`); n != 0 {
		t.Errorf("got %d attempts, want none", n)
	}
}

func TestUnusablePlaces(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	for name, path := range map[string]string{
		"a folder": filepath.Join(dir, "folder"), "below a file": filepath.Join(dir, "file", "worqcron.db"),
	} {
		l, err := Open(ctx, path, "run")
		if err == nil {
			must(t, l.Close())
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want the path in it", name, err)
		}
	}
}
