package faults

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// onSmallDisk is a world whose ledger lies on a file system of 12 MB. fill takes
// all the room that is left there, or gives it back.
func onSmallDisk(t *testing.T, s script, records int) (w *world, fill func(bool)) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w = newWorld(t, s, records, `delivery = { max_in_flight = 2 }`)
	w.ledger = filepath.Join(dir, "worqcron.db")
	w.configure(w.server.url, `delivery = { max_in_flight = 2 }`)
	filler := filepath.Join(dir, "filler")
	return w, func(full bool) {
		if !full {
			if err := os.Remove(filler); err != nil {
				t.Error(err)
			}
			return
		}
		f, err := os.Create(filler)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	}
}

// mountReadOnly makes the world's folder read-only; permissions do not bind root.
func mountReadOnly(t *testing.T, w *world) {
	t.Helper()
	if err := syscall.Mount(w.dir, w.dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(w.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("", w.dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}
