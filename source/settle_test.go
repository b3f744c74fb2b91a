package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// put writes a file that changed so long ago, by the clock of the bubble.
func put(t *testing.T, path, text string, ago time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-ago)); err != nil {
		t.Fatal(err)
	}
}

// settle opens what o names and says how long that took.
func settle(t *testing.T, o Options, atMost time.Duration) (names []string, took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	s, err := OpenSettled(t.Context(), o, Settling{For: 10 * time.Second, AtMost: atMost})
	if err != nil {
		return nil, time.Since(began), err
	}
	for _, f := range s.Files {
		names = append(names, filepath.Base(f.Path))
	}
	closeSnapshot(t, s)
	return names, time.Since(began), nil
}

func TestSettleBelievesTheTimeOfAFile(t *testing.T) {
	for _, c := range []struct {
		name      string
		ago, want time.Duration
	}{
		{"changed long ago", time.Hour, 0},
		{"changed just long enough ago", 10 * time.Second, 0},
		{"changed lately", 3 * time.Second, 7 * time.Second},
		{"changed now", 0, 10 * time.Second},
		{"will change in an hour", -time.Hour, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "a.csv")
				put(t, path, "a\n1\n", c.ago)
				if _, took, err := settle(t, Options{Path: path}, time.Hour); err != nil || took != c.want {
					t.Errorf("took %s, want %s; %v", took, c.want, err)
				}
			})
		})
	}
}

func TestSettleWaitsWhileAFileGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.csv")
		put(t, path, "a\n", 0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 6 {
				time.Sleep(4 * time.Second)
				put(t, path, "a\n"+strings.Repeat("1\n", i+1), 0)
			}
		}()
		var told []string
		began := time.Now()
		s, err := OpenSettled(t.Context(), Options{Path: path}, Settling{
			For: 10 * time.Second, AtMost: time.Hour, Waiting: func(path string, _ time.Duration) { told = append(told, path) },
		})
		<-done
		if err != nil {
			t.Fatal(err)
		}
		// The last change, at 24 s, is noticed at the next look.
		if took := time.Since(began); took < 34*time.Second || took > 37*time.Second || s.Files[0].Size != 14 {
			t.Errorf("opened after %s with %d bytes", took, s.Files[0].Size)
		}
		if !slices.Equal(told, []string{path}) {
			t.Errorf("told to wait for %q, want once for %s", told, path)
		}
		closeSnapshot(t, s)
	})
}

// TestSettleSeesASizeWithoutTime holds that the time alone is not believed once
// a file is watched: some programs set it back.
func TestSettleSeesASizeWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.csv")
		put(t, path, "a\n", 5*time.Second)
		at := time.Now().Add(-5 * time.Second)
		go func() {
			time.Sleep(3 * time.Second)
			put(t, path, "a\n1\n", time.Since(at))
		}()
		if _, took, err := settle(t, Options{Path: path}, time.Hour); err != nil || took < 13*time.Second {
			t.Errorf("opened after %s; %v", took, err)
		}
	})
}

func TestSettleGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "a.csv"), "a\n1\n", time.Hour)
		path := filepath.Join(dir, "b.csv")
		put(t, path, "a\n", 0)
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for text := "a\n"; ; text += "1\n" {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Second):
					put(t, path, text, 0)
				}
			}
		}()
		_, took, err := settle(t, Options{Path: filepath.Join(dir, "*.csv")}, time.Minute)
		close(stop)
		<-done
		var own *Error
		if !errors.As(err, &own) || own.Path != path || !strings.Contains(own.Msg, "still being written") || own.Hint == "" || took != time.Minute {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestSettleEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.csv")
		put(t, path, "a\n1\n", 0)
		why := errors.New("told to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(why) })
		began := time.Now()
		_, err := OpenSettled(ctx, Options{Path: path}, Settling{For: 10 * time.Second, AtMost: time.Hour})
		if took := time.Since(began); !errors.Is(err, why) || took != 3*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// TestSettleAndNewFiles holds that a file which comes during the wait is taken
// along if it has settled by the end, and is not waited for if not.
func TestSettleAndNewFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "b.csv"), "a\n1\n", 0)
		go func() {
			time.Sleep(3 * time.Second)
			put(t, filepath.Join(dir, "a.csv"), "a\n2\n", time.Hour) // moved in
			put(t, filepath.Join(dir, "c.csv"), "a\n3\n", 0)
		}()
		names, took, err := settle(t, Options{Path: filepath.Join(dir, "*.csv")}, time.Hour)
		if want := []string{"a.csv", "b.csv"}; err != nil || !slices.Equal(names, want) || took != 10*time.Second {
			t.Errorf("got %v after %s, want %v after 10s; %v", names, took, want, err)
		}
	})
}

func TestSettleWithoutFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if _, took, err := settle(t, Options{Path: filepath.Join(dir, "a.csv")}, time.Hour); !errors.Is(err, fs.ErrNotExist) || took != 0 {
			t.Errorf("missing file after %s: %v", took, err)
		}
		for _, glob := range []string{"*.csv", "none/*.csv"} {
			names, took, err := settle(t, Options{Path: filepath.Join(dir, glob)}, time.Hour)
			if err != nil || names != nil || took != 0 {
				t.Errorf("%s: %v after %s, %v", glob, names, took, err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "d.csv"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, took, err := settle(t, Options{Path: filepath.Join(dir, "*.csv")}, time.Hour); err == nil || took != 0 {
			t.Errorf("a directory after %s: %v", took, err)
		}
	})
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for name, ago := range map[string]time.Duration{"a": time.Minute, "b": time.Hour, "d": 2 * time.Minute, "c": 2 * time.Minute} {
			put(t, filepath.Join(dir, name+".csv"), "a\n1\n", ago)
		}
		for order, want := range map[string]string{"": "abcd", "name": "abcd", "mtime": "bcda"} {
			o := Options{Path: filepath.Join(dir, "*.csv"), Order: order}
			s, err := OpenSnapshot(o)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range s.Files {
				got += strings.TrimSuffix(filepath.Base(f.Path), ".csv")
			}
			closeSnapshot(t, s)
			if got != want {
				t.Errorf("%q: got %s, want %s", order, got, want)
			}
			names, _, err := settle(t, o, time.Hour)
			if got := strings.ReplaceAll(strings.Join(names, ""), ".csv", ""); err != nil || got != want {
				t.Errorf("%q, settled: got %s, want %s; %v", order, got, want, err)
			}
		}
		if _, err := OpenSnapshot(Options{Path: filepath.Join(dir, "*.csv"), Order: "size"}); err == nil {
			t.Error("an order that does not exist was taken")
		}
	})
}
