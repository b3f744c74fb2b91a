package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSourceThatIsNone: each fails within a second, and nothing is sent.
func TestSourceThatIsNone(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string) error
		says string
	}{
		{"missing", func(_ *testing.T, _ string) error { return nil }, "does not exist"},
		{"a directory", func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		{"a FIFO", func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) }, "not a regular file"},
		{"a device", func(_ *testing.T, path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|5) }, "not a regular file"},
		{"a link out of the tree, behind a glob", func(t *testing.T, path string) error {
			outside := filepath.Join(t.TempDir(), "secret.csv")
			if err := os.WriteFile(outside, []byte("id\n1\n"), 0o600); err != nil {
				return err
			}
			return os.Symlink(outside, path)
		}, ""},
		{"a FIFO behind a glob", func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, accept, 1)
			path := filepath.Join(w.dir, "in.csv")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := c.make(t, path); err != nil {
				t.Skipf("cannot be made here: %v", err)
			}
			if strings.Contains(c.name, "glob") {
				w.write("schedules.toml", strings.Replace(w.text(w.server.url), `"in.csv"`, `"in*.csv", empty = "fail"`, 1))
			}
			r := w.want(1, "run", "in")
			if w.server.count() != 0 || r.took > time.Second || !strings.Contains(r.out, c.says) {
				t.Errorf("%d triggers after %s, want %q in\n%s", w.server.count(), r.took, c.says, r.out)
			}
		})
	}
}

// TestUnreadableSource needs a user whom permissions bind.
func TestUnreadableSource(t *testing.T) {
	w := newWorld(t, accept, 1)
	if os.Geteuid() != 0 {
		w.chmod("in.csv", 0)
		w.unreadable(w.start("run", "in"))
		return
	}
	const nobody = 65534
	w.atHome(nobody)
	w.chmod("in.csv", 0o600)
	cmd := w.command("run", "in")
	cmd.Path = filepath.Join(w.dir, "worqcron")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	w.unreadable(w.launch(cmd))
}

// atHome moves the world, with the program, to a folder that another user can reach
// and write to; the one for temporary files may be private.
func (w *world) atHome(user int) {
	w.t.Helper()
	dir, err := os.MkdirTemp("/tmp", "worqcron-faults-")
	if err != nil {
		w.t.Skipf("no folder for another user: %v", err)
	}
	before := w.dir
	w.t.Cleanup(func() {
		w.check()
		w.dir = before
		_ = os.RemoveAll(dir)
	})
	w.must(os.Chmod(dir, 0o755))
	w.must(os.Chown(dir, user, user))
	binary, err := os.ReadFile(program)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, "worqcron"), binary, 0o755))
	w.dir, w.ledger = dir, filepath.Join(dir, "worqcron.db")
	w.configure(w.server.url)
	w.chmod("schedules.toml", 0o644)
	w.write("in.csv", rows(1))
}

func (w *world) chmod(name string, mode os.FileMode) {
	w.t.Helper()
	if err := os.Chmod(filepath.Join(w.dir, name), mode); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) unreadable(p *process) {
	w.t.Helper()
	if r := p.wait(); r.code != 1 || w.server.count() != 0 || !strings.Contains(r.out, "permission denied") {
		w.t.Errorf("exit %d, %d triggers\n%s%s", r.code, w.server.count(), r.out, r.err)
	}
}

// changed is a run with a fault that befalls the source while the first trigger is under way.
func changed(t *testing.T, more string, change func(w *world)) (*world, result) {
	t.Helper()
	w := newWorld(t, nil, 12, `delivery = { max_in_flight = 1 }`)
	w.write("schedules.toml", strings.Replace(w.text(w.server.url, `delivery = { max_in_flight = 1 }`), `"in.csv"`, `"in.csv"`+more, 1))
	w.server.plays(func(rw http.ResponseWriter, r *request) {
		if r.number == 1 {
			change(w)
		}
		accept(rw, r)
	})
	r := w.run("run", "in")
	return w, r
}

// TestSourceChangesDuringTheRun: the run keeps the file that it planned, or stops
// before the first chunk that is not what was planned.
func TestSourceChangesDuringTheRun(t *testing.T) {
	path := func(w *world) string { return filepath.Join(w.dir, "in.csv") }
	t.Run("truncated", func(t *testing.T) {
		w, r := changed(t, "", func(w *world) { w.must(os.Truncate(path(w), 40)) })
		if r.code != 1 || !strings.Contains(r.out, "source changed") || w.server.count() >= 12 {
			t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.out)
		}
	})
	t.Run("overwritten in place", func(t *testing.T) {
		w, r := changed(t, "", func(w *world) { w.write("in.csv", strings.ReplaceAll(rows(12), "line", "LINE")) })
		if r.code != 1 || !strings.Contains(r.out, "source changed") {
			t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.out)
		}
		// What went out is from one version: a resume does not mix in another.
		if again := w.run("run", "in"); again.code != 1 || !strings.Contains(again.out, "source changed") {
			t.Errorf("resume: exit %d\n%s", again.code, again.out)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		w, r := changed(t, "", func(w *world) { w.must(os.Remove(path(w))) })
		if r.code != 0 || w.server.count() != 12 {
			t.Errorf("exit %d, %d triggers: the file is held open\n%s", r.code, w.server.count(), r.out)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		w, r := changed(t, "", func(w *world) {
			w.write("new.csv", rows(3))
			w.must(os.Rename(filepath.Join(w.dir, "new.csv"), path(w)))
		})
		if r.code != 0 || w.server.count() != 12 {
			t.Errorf("exit %d, %d triggers: the file is held open\n%s", r.code, w.server.count(), r.out)
		}
	})
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Error(err)
	}
}

// TestGrowingSource: a file that is being written is waited for.
func TestGrowingSource(t *testing.T) {
	w := newWorld(t, accept, 1)
	w.write("schedules.toml", strings.Replace(w.text(w.server.url), `"in.csv"`, `"in.csv", settle = "700ms"`, 1))
	f, err := os.OpenFile(filepath.Join(w.dir, "in.csv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := w.start("run", "in")
	n := 0
	w.during(1500*time.Millisecond, "nothing is sent", func() bool {
		n++
		if n%10 == 0 {
			_, err := f.WriteString("9,more\n")
			w.must(err)
		}
		return w.server.count() == 0
	})
	if r := p.wait(); r.code != 0 || w.server.count() != n/10+1 {
		t.Errorf("exit %d, %d triggers, want %d\n%s", r.code, w.server.count(), n/10+1, r.out)
	}
}
