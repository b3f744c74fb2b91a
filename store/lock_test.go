package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func wantBusy(t *testing.T, path, role string, pid int) {
	t.Helper()
	began := time.Now()
	l, err := Open(context.Background(), path, "run")
	if err == nil {
		t.Error(l.Close())
		t.Fatal("two senders hold the ledger")
	}
	var busy *BusyError
	if !errors.As(err, &busy) || *busy != (BusyError{Path: path, Role: role, PID: pid}) {
		t.Errorf("got %#v, want role %s, process %d", err, role, pid)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

func TestSecondSenderOfOneProcess(t *testing.T) {
	l := open(t)
	wantBusy(t, l.Path(), "serve", os.Getpid())
	planned(t, l, slotRun("orders"), 1) // the first is not disturbed
}

func TestSecondSenderIsAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worqcron.db")
	c := startChild(t, path)
	if c.said != "open" {
		t.Fatal(c.said)
	}
	wantBusy(t, path, "serve", c.cmd.Process.Pid)
	c.kill()
	l := openAt(t, path)
	second := startChild(t, path)
	if want := fmt.Sprintf("('worqcron serve', process %d)", os.Getpid()); !strings.Contains(second.said, want) {
		t.Errorf("the child said %q, want %q in it", second.said, want)
	}
	planned(t, l, slotRun("orders"), 1)
}

func TestLinkedLedgerHasOneLock(t *testing.T) {
	l := open(t)
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "file.db"), filepath.Join(dir, "folder")
	must(t, os.Symlink(l.Path(), file))
	must(t, os.Symlink(filepath.Dir(l.Path()), folder))
	wantBusy(t, file, "serve", os.Getpid())
	wantBusy(t, filepath.Join(folder, filepath.Base(l.Path())), "serve", os.Getpid())
}

func TestLedgerBehindALinkWorks(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
	first, err := Open(context.Background(), filepath.Join(dir, "real", "worqcron.db"), "run")
	must(t, err)
	must(t, first.Close())
	link := filepath.Join(dir, "link.db")
	must(t, os.Symlink(filepath.Join(dir, "real", "worqcron.db"), link))
	l, err := Open(context.Background(), link, "run")
	must(t, err)
	planned(t, l, slotRun("orders"), 1)
	must(t, l.Close())
}

func TestLockIsFreeAfterFailedOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worqcron.db")
	must(t, os.WriteFile(path, []byte("this is no database, this is a text of some length"), 0o600))
	for range 2 { // the second would be busy if the first had kept the lock
		_, err := Open(context.Background(), path, "run")
		var busy *BusyError
		if err == nil || errors.As(err, &busy) {
			t.Fatalf("got %v, want an error about the file", err)
		}
	}
}

func TestHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worqcron.db")
	for text, want := range map[string]BusyError{
		"serve 42\n": {Path: path, Role: "serve", PID: 42},
		"":           {Path: path},
		"serve":      {Path: path},
		"serve x\n":  {Path: path},
	} {
		must(t, os.WriteFile(path+".lock", []byte(text), 0o600))
		if got := Holder(path); *got != want {
			t.Errorf("%q: got %+v, want %+v", text, *got, want)
		}
	}
}
