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

// copyLedger copies a ledger that nobody has open.
func copyLedger(t *testing.T, from, to string) {
	t.Helper()
	must(t, os.WriteFile(to, get[[]byte](t)(os.ReadFile(from)), 0o600))
}

// sentSince makes a ledger with a run of 5 chunks, of which one was sent when a
// copy was made and three are now, and puts the copy back.
func sentSince(t *testing.T) (path string) {
	t.Helper()
	ctx := context.Background()
	path = filepath.Join(t.TempDir(), "worqcron.db")
	l := get[*Ledger](t)(Open(ctx, path, "run"))
	r := planned(t, l, slotRun("orders"), 5)
	try(t, l, r, 1, ChunkAccepted)
	must(t, l.SetMark(ctx, "orders", Mark{At: slotTime, Spec: "spec"}))
	must(t, l.Close())
	copyLedger(t, path, path+".copy")
	l = get[*Ledger](t)(Open(ctx, path, "run"))
	try(t, l, r, 2, ChunkAccepted)
	try(t, l, r, 3, ChunkAccepted)
	must(t, l.Close())
	must(t, os.Rename(path+".copy", path))
	return path
}

func TestOlderCopyIsRefused(t *testing.T) {
	path := sentSince(t)
	for range 2 {
		before := get[[]byte](t)(os.ReadFile(path))
		_, err := Open(context.Background(), path, "run")
		var older *RestoredError
		if !errors.As(err, &older) || older.Own != 1 || older.Made != 3 {
			t.Fatalf("got %v", err)
		}
		for _, says := range []string{"attempts up to 1, and 3 were made", "--accept-restore", path} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%v does not say %q", err, says)
			}
		}
		if !bytes.Equal(get[[]byte](t)(os.ReadFile(path)), before) {
			t.Error("the file changed")
		}
	}
}

func TestLostLedgerIsNotBegunAnew(t *testing.T) {
	ctx, path := context.Background(), sentSince(t)
	for name, lose := range map[string]func() error{
		"deleted": func() error { return os.Remove(path) }, "emptied": func() error { return os.Truncate(path, 0) },
	} {
		must(t, lose())
		_, err := Open(ctx, path, "run")
		var older *RestoredError
		if !errors.As(err, &older) || older.Own != 0 || older.Made != 3 || !strings.Contains(err.Error(), "gone or empty") {
			t.Fatalf("%s: got %v", name, err)
		}
	}
	l := get[*Ledger](t)(OpenRestored(ctx, path, "run", &Restore{Actor: "ann"}))
	r := planned(t, l, slotRun("orders"), 1)
	if id := try(t, l, r, 1, ChunkAccepted); id <= 3+syncEvery {
		t.Errorf("attempt %d: its id may have been used before", id)
	}
	must(t, l.Close())
	must(t, get[*Ledger](t)(Open(ctx, path, "run")).Close())
}

func TestHighFile(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name    string
		change  func(t *testing.T, path string)
		warning string
	}{
		{"as it was left", func(*testing.T, string) {}, ""},
		{"missing", func(t *testing.T, p string) { must(t, os.Remove(p+".high")) }, "is missing or unreadable"},
		{"emptied by a power cut", func(t *testing.T, p string) { must(t, os.Truncate(p+".high", 0)) }, "is missing or unreadable"},
		{"another text", func(t *testing.T, p string) {
			must(t, os.WriteFile(p+".high", []byte("0123456789abcdef0123456789abcdef 99999 and more\n"), 0o600))
		}, "is missing or unreadable"},
		{"of another ledger", func(t *testing.T, p string) {
			must(t, os.WriteFile(p+".high", []byte(mark{strings.Repeat("ab", 16), 99999}.line()), 0o600))
		}, "belongs to another ledger"},
		{"behind, as after a power cut", func(t *testing.T, p string) {
			m, found, err := readHigh(p + ".high")
			if err != nil || !found {
				t.Fatal(m, found, err)
			}
			m.high--
			must(t, os.WriteFile(p+".high", []byte(m.line()), 0o600))
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, r := filled(t)
			c.change(t, path)
			l := get[*Ledger](t)(Open(ctx, path, "run"))
			if got := l.Warning(); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("got warning %q", got)
			}
			id := try(t, l, r, 2, ChunkAccepted)
			// As a kill leaves it: no close.
			m, found, err := readHigh(highPath(path))
			if err != nil || !found || m.high != id {
				t.Errorf("got %+v %t %v, want attempt %d", m, found, err, id)
			}
			if info := get[os.FileInfo](t)(os.Stat(path + ".high")); info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			must(t, l.Close())
			must(t, get[*Ledger](t)(Open(ctx, path, "run")).Close())
		})
	}
}

// A transaction that is rolled back takes its ids back, so they must not count.
func TestHighFileIsNeverAhead(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "worqcron.db")
	l := get[*Ledger](t)(Open(ctx, path, "run"))
	r := planned(t, l, slotRun("orders"), 2)
	try(t, l, r, 1, ChunkAccepted)
	_, err := l.rw.Exec(`CREATE TRIGGER refuse AFTER INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'no'); END`)
	must(t, err)
	_, err = l.BeginAttempt(ctx, r.ID, 2, "h", 1)
	wantErr(t, err, ErrState)
	must(t, l.SetMark(ctx, "orders", Mark{At: slotTime, Spec: ""})) // another commit
	if m, _, err := readHigh(highPath(path)); err != nil || m.high != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
	must(t, l.Close())
	must(t, get[*Ledger](t)(Open(ctx, path, "run")).Close())
}

func TestHighFileThatCannotBeWrittenIsSaidAtTheEnd(t *testing.T) {
	l := get[*Ledger](t)(Open(context.Background(), filepath.Join(t.TempDir(), "worqcron.db"), "run"))
	r := planned(t, l, slotRun("orders"), 1)
	must(t, l.high.file.Close())
	try(t, l, r, 1, ChunkAccepted)
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "could not be kept up") {
		t.Errorf("got %v", err)
	}
}

func TestNothingToAccept(t *testing.T) {
	path, _ := filled(t)
	_, err := OpenRestored(context.Background(), path, "run", &Restore{Actor: "ann"})
	wantErr(t, err, ErrNotRestored)
}

// Without the file nobody can tell, but a person may know.
func TestAcceptWithoutTheFile(t *testing.T) {
	path, r := filled(t)
	must(t, os.Remove(path+".high"))
	l := get[*Ledger](t)(OpenRestored(context.Background(), path, "run", &Restore{Actor: "ann"}))
	if got := chunkState(t, l, r, 2); got != ChunkUnknown {
		t.Errorf("chunk 2 is %s", got)
	}
	must(t, l.Close())
}

func BenchmarkRaise(b *testing.B) {
	h, err := openHigh(filepath.Join(b.TempDir(), "worqcron.db"), mark{id: strings.Repeat("ab", 16)})
	must(b, err)
	for id := int64(1); b.Loop(); id++ {
		h.raise(id * 20) // as many in a group
	}
	must(b, h.close())
}
