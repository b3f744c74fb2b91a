package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// told is how soon a watch must hear of a change: before it looks anyway.
const told = lookAnyway - 10*time.Second

// listening runs a watch that is told of changes, and gives what it finds.
func listening(t *testing.T, w *witness, pattern string) (n *Notices, found <-chan string) {
	t.Helper()
	n, err := OpenNotices()
	must(t, err)
	names := make(chan string, 100)
	watch := w.watch(pattern, 0)
	watch.Notices = n
	watch.Arrived = func(_ context.Context, list []Arrived) error {
		for _, a := range list {
			names <- strings.TrimPrefix(a.Path, w.dir+"/")
		}
		return nil
	}
	ready := make(chan bool, 1)
	watch.Looked = func(context.Context) {
		select {
		case ready <- true:
		default:
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- n.Run(ctx) }()
	go func() { done <- watch.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(n.bells)+len(n.folders) > 0 {
			t.Errorf("left behind: %v, %v", n.bells, n.folders)
		}
	})
	<-ready
	return n, names
}

func wantArrival(t *testing.T, found <-chan string, want string) {
	t.Helper()
	select {
	case got := <-found:
		if got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	case <-time.After(told):
		t.Fatalf("%s was not found in %s", want, told)
	}
}

// skipIfRemote skips where nothing tells of all changes, and the watch looks often.
func skipIfRemote(t *testing.T, dir string) {
	t.Helper()
	if isRemote(dir) {
		t.Skip("folders here are looked at often")
	}
}

func TestNotices(t *testing.T) {
	w := &witness{dir: t.TempDir()}
	skipIfRemote(t, w.dir)
	_, found := listening(t, w, "in/**/*.csv")
	w.put(t, "in/a.csv", "the folder came later")
	wantArrival(t, found, "in/a.csv")
	w.put(t, "in/x/y/b.csv", "so did these")
	wantArrival(t, found, "in/x/y/b.csv")
	w.put(t, "in/x/y/c.csv", "it is known by now")
	wantArrival(t, found, "in/x/y/c.csv")
	must(t, os.RemoveAll(filepath.Join(w.dir, "in")))
	w.put(t, "in/d.csv", "the folder was made again")
	wantArrival(t, found, "in/d.csv")
	must(t, os.Rename(filepath.Join(w.dir, "in"), filepath.Join(w.dir, "old")))
	w.put(t, "in/e.csv", "another folder has its name")
	wantArrival(t, found, "in/e.csv")
	w.put(t, "in/f.csv", "which is listened to")
	wantArrival(t, found, "in/f.csv")
}

// After an overflow nobody knows what was missed.
func TestNoticesOverflow(t *testing.T) {
	w := &witness{dir: t.TempDir()}
	skipIfRemote(t, w.dir)
	n, found := listening(t, w, "*.csv")
	w.put(t, "a.csv", "1")
	wantArrival(t, found, "a.csv")
	must(t, n.watcher.Remove(w.dir)) // so that nothing else tells of the next one
	w.put(t, "b.csv", "1")
	n.watcher.Errors <- fsnotify.ErrEventOverflow
	wantArrival(t, found, "b.csv")
}

func TestFoldersOfAPattern(t *testing.T) {
	dir := t.TempDir()
	for _, folder := range []string{"a/in/deep", "b/in", "b/out", "c"} {
		must(t, os.MkdirAll(filepath.Join(dir, folder), 0o700))
	}
	for pattern, want := range map[string]string{
		"*.csv":           ".",
		"*/in/*.csv":      ". a b c a/in b/in",
		"a/in/*.csv":      "a/in",
		"{a,b}/*.csv":     ". a b",
		"{a/in,c}/*.csv":  ". a a/in a/in/deep b b/in b/out c",
		"b/**/*.csv":      "b b/in b/out",
		"missing/*.csv":   ".",
		"missing/a/b.csv": ".",
		"c/orders.csv":    "c",
	} {
		o, err := Options{Path: filepath.Join(dir, pattern)}.withDefaults()
		must(t, err)
		list, err := (&lookout{options: o}).folders()
		must(t, err)
		for i := range list {
			list[i], err = filepath.Rel(dir, list[i])
			must(t, err)
		}
		if got := strings.Join(list, " "); got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}

// BenchmarkLook is one look at a folder of 10,000 files that are known.
func BenchmarkLook(b *testing.B) {
	w := &witness{dir: b.TempDir()}
	watch := w.watch("*.csv", 0)
	for i := range 10_000 {
		path := filepath.Join(w.dir, fmt.Sprintf("orders-%05d.csv", i))
		if err := os.WriteFile(path, []byte("id\n1\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	o, err := watch.Options.withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	l := &lookout{watch: watch, options: o, bell: newBell(), vigil: &vigil{options: o, seen: map[string]*sight{}}, reported: map[string]Arrived{}, troubles: map[string]string{}}
	l.look(b.Context())
	if len(l.reported) != 10_000 {
		b.Fatalf("got %d", len(l.reported))
	}
	for b.Loop() {
		l.look(b.Context())
	}
}
