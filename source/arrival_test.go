package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// witness is told what a watch finds.
type witness struct {
	mu       sync.Mutex
	dir      string
	events   []string
	looks    int
	refusing error // of Arrived
}

func (w *witness) say(format string, args ...any) {
	w.events = append(w.events, strings.ReplaceAll(fmt.Sprintf(format, args...), w.dir+"/", ""))
}

// take returns what was told since it was last asked.
func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.events
	w.events = nil
	return list
}

func (w *witness) watch(pattern string, settle time.Duration) *ArrivalWatch {
	return &ArrivalWatch{
		Options: Options{Path: filepath.Join(w.dir, pattern)}, Settle: settle,
		Arrived: func(_ context.Context, list []Arrived) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.refusing != nil {
				return w.refusing
			}
			for _, a := range list {
				w.say("%s arrived, %d bytes", a.Path, a.Size)
			}
			return nil
		},
		Left: func(_ context.Context, paths []string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.say("left: %s", strings.Join(paths, " "))
			return nil
		},
		Looked: func(context.Context) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.looks++
		},
		Trouble: func(path string, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.say("trouble %s: %v", path, err)
		},
	}
}

// in runs steps beside a watch that looks by itself, on a clock of its own.
func in(t *testing.T, pattern string, settle time.Duration, steps func(w *witness)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &witness{dir: dir}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.watch(pattern, settle).Run(ctx) }()
		synctest.Wait()
		steps(w)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// put writes a file as if it was written now, by the clock of the bubble.
func (w *witness) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, time.Now(), time.Now())); err != nil {
		t.Fatal(err)
	}
}

func (w *witness) after(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := w.take(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestArrivals(t *testing.T) {
	const settle = 10 * time.Second
	t.Run("written slowly", func(t *testing.T) {
		in(t, "*.csv", settle, func(w *witness) {
			for i := range 20 {
				w.put(t, "a.csv", strings.Repeat("x", i+1))
				w.after(t, 4*time.Second)
			}
			w.after(t, settle+lookOften, "a.csv arrived, 20 bytes")
			w.after(t, time.Hour)
		})
	})
	t.Run("renamed into place", func(t *testing.T) {
		in(t, "*.csv", settle, func(w *witness) {
			w.put(t, "a.part", "whole")
			w.after(t, time.Minute)
			must(t, os.Rename(filepath.Join(w.dir, "a.part"), filepath.Join(w.dir, "a.csv")))
			w.after(t, lookOften, "a.csv arrived, 5 bytes")
		})
	})
	t.Run("replaced and touched", func(t *testing.T) {
		in(t, "*.csv", settle, func(w *witness) {
			w.put(t, "a.csv", "1")
			w.after(t, time.Minute, "a.csv arrived, 1 bytes")
			w.put(t, "b.part", "2")
			must(t, os.Rename(filepath.Join(w.dir, "b.part"), filepath.Join(w.dir, "a.csv")))
			w.after(t, time.Minute, "a.csv arrived, 1 bytes")
		})
	})
	t.Run("removed before it settles", func(t *testing.T) {
		in(t, "*.csv", settle, func(w *witness) {
			w.put(t, "a.csv", "1")
			w.after(t, 6*time.Second)
			must(t, os.Remove(filepath.Join(w.dir, "a.csv")))
			w.after(t, time.Hour)
			w.put(t, "a.csv", "1")
			w.after(t, 6*time.Second)
			w.after(t, 10*time.Second, "a.csv arrived, 1 bytes")
		})
	})
	t.Run("several, and gone again", func(t *testing.T) {
		in(t, "*.csv", settle, func(w *witness) {
			w.put(t, "b.csv", "22")
			w.put(t, "a.csv", "1")
			w.after(t, time.Minute, "a.csv arrived, 1 bytes", "b.csv arrived, 2 bytes")
			must(t, os.Remove(filepath.Join(w.dir, "a.csv")))
			w.after(t, lookOften, "left: a.csv")
		})
	})
	t.Run("not recorded, told again", func(t *testing.T) {
		in(t, "*.csv", settle, func(w *witness) {
			w.mu.Lock()
			w.refusing = errors.New("the disk is full")
			w.mu.Unlock()
			w.put(t, "a.csv", "1")
			w.after(t, time.Minute)
			w.mu.Lock()
			w.refusing = nil
			w.mu.Unlock()
			w.after(t, 6*time.Second, "a.csv arrived, 1 bytes")
		})
	})
	t.Run("by a whole name", func(t *testing.T) {
		in(t, "in/orders.csv", settle, func(w *witness) {
			w.after(t, time.Minute)
			w.put(t, "in/other.csv", "1")
			w.put(t, "in/orders.csv", "22")
			w.after(t, time.Minute, "in/orders.csv arrived, 2 bytes")
			must(t, os.Remove(filepath.Join(w.dir, "in", "orders.csv")))
			w.after(t, time.Minute, "left: in/orders.csv")
		})
	})
	t.Run("folders", func(t *testing.T) {
		in(t, "in/**/*.csv", settle, func(w *witness) {
			w.after(t, time.Minute)
			w.put(t, "in/deep/er/a.csv", "1")
			must(t, os.Mkdir(filepath.Join(w.dir, "in", "folder.csv"), 0o700))
			w.after(t, time.Minute, "in/deep/er/a.csv arrived, 1 bytes")
			// Missing as a whole, it may be a disk that is not mounted.
			must(t, os.Rename(filepath.Join(w.dir, "in"), filepath.Join(w.dir, "out")))
			w.after(t, time.Minute)
			must(t, os.Rename(filepath.Join(w.dir, "out"), filepath.Join(w.dir, "in")))
			w.after(t, time.Minute)
			must(t, os.RemoveAll(filepath.Join(w.dir, "in")))
			w.put(t, "in/b.csv", "22")
			w.after(t, time.Minute, "left: in/deep/er/a.csv", "in/b.csv arrived, 2 bytes")
		})
	})
}

func TestArrivalsInTrouble(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root reads everything: the mode is not tried")
	}
	in(t, "*.csv", time.Second, func(w *witness) {
		must(t, os.Symlink("/etc/hosts", filepath.Join(w.dir, "out.csv")))
		must(t, os.Symlink("nowhere", filepath.Join(w.dir, "loose.csv")))
		w.put(t, "real.txt", "1")
		must(t, os.Symlink("real.txt", filepath.Join(w.dir, "link.csv")))
		time.Sleep(time.Minute)
		synctest.Wait()
		got := w.take()
		if len(got) != 2 || !strings.HasPrefix(got[0], "trouble out.csv: ") || got[1] != "link.csv arrived, 1 bytes" {
			t.Errorf("got %q", got)
		}
		// It is told once, and no more when it is gone.
		w.after(t, time.Hour)
		must(t, os.Remove(filepath.Join(w.dir, "out.csv")))
		w.put(t, "out.csv", "22")
		w.after(t, time.Minute, "trouble out.csv: <nil>", "out.csv arrived, 2 bytes")
		w.put(t, "real.txt", "333")
		w.after(t, time.Minute, "link.csv arrived, 3 bytes")
		if os.Geteuid() == 0 {
			return
		}
		w.put(t, "closed.csv", "1")
		must(t, os.Chmod(filepath.Join(w.dir, "closed.csv"), 0))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.take(); len(got) != 1 || !strings.Contains(got[0], "permission denied") {
			t.Errorf("got %q", got)
		}
		must(t, os.Chmod(filepath.Join(w.dir, "closed.csv"), 0o600))
		w.after(t, time.Minute, "trouble closed.csv: <nil>", "closed.csv arrived, 1 bytes")
	})
}

// What is known is not told again, and Lying counts what would be.
func TestArrivalsKnown(t *testing.T) {
	w := &witness{dir: t.TempDir()}
	var all []Arrived
	for _, name := range []string{"a.csv", "b.csv"} {
		w.put(t, name, name)
		info, err := os.Stat(filepath.Join(w.dir, name))
		must(t, err)
		all = append(all, arrivedOf(filepath.Join(w.dir, name), info))
	}
	o := Options{Path: filepath.Join(w.dir, "*.csv")}
	for n := range 3 {
		list, err := Lying(o, all[:n])
		if err != nil || len(list) != 2-n {
			t.Errorf("%d known: got %q, %v", n, list, err)
		}
	}
	gone := Arrived{Path: filepath.Join(w.dir, "gone.csv")}
	watch := w.watch("*.csv", 0)
	watch.Known = []Arrived{all[0], gone}
	ctx, stop := context.WithCancel(t.Context())
	watch.Looked = func(context.Context) { stop() }
	must(t, watch.Run(ctx))
	if got, want := w.take(), []string{"b.csv arrived, 5 bytes", "left: gone.csv"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		path, file string
		want       bool
	}{
		{"/in/*.csv", "/in/a.csv", true},
		{"/in/*.csv", "/in/b/a.csv", false},
		{"/in/**/*.csv", "/in/b/a.csv", true},
		{"/in/a.csv", "/in/a.csv", true},
		{"/in/a.csv", "/in/b.csv", false},
		{`/in\[1\]/*.csv`, "/in[1]/a.csv", true},
	} {
		if got := (&Options{Path: c.path}).Names(c.file); got != c.want {
			t.Errorf("%s names %s: got %v", c.path, c.file, got)
		}
	}
}
