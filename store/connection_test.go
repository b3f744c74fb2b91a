package store

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettingsOfEachConnection(t *testing.T) {
	ctx, l := context.Background(), open(t)
	alone := get[*Reader](t)(OpenReader(ctx, l.Path()))
	defer func() { must(t, alone.Close()) }()
	for name, c := range map[string]struct {
		db   *sql.DB
		want map[string]string
	}{
		"writer":       {l.rw, map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "0"}},
		"readers":      {l.ro, map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "1"}},
		"reader alone": {alone.ro, map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "1"}},
	} {
		for pragma, want := range c.want {
			var got string
			must(t, c.db.QueryRow("PRAGMA "+pragma).Scan(&got))
			if got != want {
				t.Errorf("%s: %s is %s, want %s", name, pragma, got, want)
			}
		}
	}
	if _, err := l.ro.Exec(`DELETE FROM slots`); err == nil {
		t.Error("a reader could write")
	}
}

// A transaction of the writer has the write lock from its beginning.
func TestWriterBeginsImmediate(t *testing.T) {
	ctx, l := context.Background(), open(t)
	tx, err := l.rw.Begin()
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	other, err := sql.Open("sqlite", strings.Replace(dsn(l.Path(), toWrite), "busy_timeout%2810000%29", "busy_timeout%280%29", 1))
	must(t, err)
	defer func() { must(t, other.Close()) }()
	_, err = other.ExecContext(ctx, `UPDATE runs SET reason = ''`)
	if err == nil {
		t.Fatal("another connection wrote beside an open transaction")
	}
	wantErr(t, l.judge(err), ErrLocked)
	wantErr(t, l.judge(err), ErrFull) // the same to a caller: wait and try again
}

func TestPathsWithOddCharacters(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{
		"plain.db", "with space.db", "what?.db", "100%.db", "%41.db", "a#b.db", "a&mode=memory.db", "a;b.db", "a+b.db", "ü.db", ":memory:",
		"file:x.db", "über uns?/50% #1/worqcron.db",
	} {
		for _, relative := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, name)
				if relative {
					t.Chdir(dir)
					path = name
				}
				l, err := Open(ctx, path, "run")
				must(t, err)
				r := planned(t, l, slotRun("orders"), 1)
				get[int64](t)(Ask(ctx, path, "run", "{}"))
				alone := get[*Reader](t)(OpenReader(ctx, path))
				get[*Run](t)(alone.FindRun(ctx, r.RunID))
				must(t, alone.Close())
				want := []string{filepath.Base(name), filepath.Base(name) + "-shm", filepath.Base(name) + "-wal", filepath.Base(name) + ".high", filepath.Base(name) + ".lock"}
				var got []string
				must(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
					if err == nil && !d.IsDir() {
						got = append(got, d.Name())
					}
					return err
				}))
				if strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("files: got %q, want %q", got, want)
				}
				must(t, l.Close())
			})
		}
	}
}

func TestLedgerIsFoundAgain(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "state", "deep", "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(t, err)
	r := planned(t, l, slotRun("orders"), 1)
	must(t, l.Close())
	again := openAt(t, path)
	if got := get[*Run](t)(again.FindRun(ctx, r.RunID)); got.State != Delivering {
		t.Errorf("got %+v", got)
	}
}

func TestReaderOfMissingLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worqcron.db")
	_, err := OpenReader(context.Background(), path)
	wantErr(t, err, fs.ErrNotExist)
	if entries := get[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path))); len(entries) != 0 {
		t.Errorf("reading created %v", entries)
	}
}

// A cancelled query costs its connection. When all are lost at once, as a stop
// of the daemon may do it, the ledger must not take that for somebody else's
// hand on its log, and new connections must have the settings of the old.
func TestWritesGoOnWithNewConnections(t *testing.T) {
	l := open(t)
	r := planned(t, l, slotRun("orders"), 2)
	try(t, l, r, 1, ChunkAccepted)
	for _, db := range []*sql.DB{l.ro, l.rw} { // a writer that goes last removes the log
		db.SetMaxIdleConns(0) // closes what is idle: all but the pinned one
		db.SetMaxIdleConns(2)
	}
	if n := l.rw.Stats().OpenConnections; n != 0 {
		t.Fatalf("the writer still has %d connections", n)
	}
	try(t, l, r, 2, ChunkAccepted)
	settle(t, l, r, Succeeded)
	for pragma, want := range map[string]string{"synchronous": "2", "foreign_keys": "1"} {
		var got string
		must(t, l.rw.QueryRow("PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("a new connection's %s is %s, want %s", pragma, got, want)
		}
	}
}

// A transition whose context ends leaves nothing half done, and the next works.
func TestCancelledTransition(t *testing.T) {
	l := open(t)
	r := planned(t, l, slotRun("orders"), 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := l.BeginAttempt(ctx, r.ID, 1, "h", 1)
	wantErr(t, err, context.Canceled)
	if n := count(t, l, `SELECT count(*) FROM attempts`); n != 0 {
		t.Errorf("got %d attempts, want none", n)
	}
	try(t, l, r, 1, ChunkAccepted)
}
