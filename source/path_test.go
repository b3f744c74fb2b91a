package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"worqcron/expression"
)

var tuesday = expression.Moment{
	Schedule: "orders", Origin: "slot", RunID: "0193",
	ScheduledFor:  time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC),
	IntervalStart: time.Date(2026, 11, 23, 2, 30, 0, 0, time.UTC),
}

func TestRenderedPath(t *testing.T) {
	for _, c := range []struct{ path, want, base, below string }{
		{"/srv/in/a.csv", "/srv/in/a.csv", "", ""},
		{"/srv/in/${ strftime(scheduled_for, '%F') }.csv", "/srv/in/2026-11-24.csv", "/srv/in", "2026-11-24.csv"},
		{"/srv/${ strftime(interval_start, '%Y/%m/%d') }/*.csv", "/srv/2026/11/23/*.csv", "/srv", "2026/11/23/*.csv"},
		{"/srv/*/${schedule}-${scheduled_for.Day()}.csv", "/srv/*/orders-24.csv", "/srv", "*/orders-24.csv"},
		{`/srv/\[a]/${schedule}.csv`, `/srv/\[a]/orders.csv`, "/srv/[a]", "orders.csv"},
		{"/srv/${ '/etc/' }/x.csv", "/srv/etc/x.csv", "/srv", "etc/x.csv"},
		{"/srv/${ '.' }/${'a..b'}.csv", "/srv/a..b.csv", "/srv", "a..b.csv"},
		{"/srv/$${day}-${schedule}.csv", "/srv/${day}-orders.csv", "/srv", "${day}-orders.csv"},
		{"/${schedule}", "/orders", "/", "orders"},
	} {
		got, err := (Options{Path: c.path, Moment: tuesday}).Rendered()
		if err != nil || got.Path != c.want || got.Base != c.base || got.Below != c.below {
			t.Errorf("%s: %v, got %q = %q + %q", c.path, err, got.Path, got.Base, got.Below)
		}
	}
}

// TestPathStaysInItsFolder renders what would lead out of the fixed folder, or
// bring a wildcard into the path.
func TestPathStaysInItsFolder(t *testing.T) {
	for path, want := range map[string]string{
		"/srv/${ '..' }/x.csv":               "leads out",
		"/srv/${ '../../etc/passwd' }":       "leads out",
		"/srv/${ '.' }${ '.' }/x.csv":        "leads out",
		"/srv/a/${ 'b/../..' }/x.csv":        "leads out",
		"/srv/${ '/' }":                      "its fixed folder itself",
		"/srv/${ '' }.csv":                   "an empty text",
		"/srv/${ '*' }.csv":                  "a meaning",
		"/srv/${ '{a,b}' }.csv":              "a meaning",
		`/srv/${ 'a\\b' }.csv`:               "a meaning",
		"/srv/${ 'a' + \"\\x00\" }.csv":      "a meaning",
		"/srv/${ [1][scheduled_for.Day()] }": "out of range",
		"/srv/${ {'a': nil}.a }.csv":         "not text",
	} {
		_, err := (Options{Path: path, Moment: tuesday}).Rendered()
		var own *expression.Error
		if !errors.As(err, &own) || !strings.Contains(own.Msg, want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestSnapshotOfRenderedPath(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret.csv")
	for path, text := range map[string]string{
		filepath.Join(dir, "in", "orders.csv"): "a\n1\n", filepath.Join(dir, "in", "24", "x.csv"): "a\n2\n", secret: "a\n3\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(dir, "in", "slot.csv")); err != nil {
		t.Fatal(err)
	}
	for _, settle := range []time.Duration{0, time.Nanosecond} {
		for path, want := range map[string]string{
			"in/${schedule}.csv":              "in/orders.csv",
			"in/${scheduled_for.Day()}/*":     "in/24/x.csv",
			"in/${interval_start.Day()}/*":    "",
			"gone/${schedule}/*":              "",
			"in/${origin}.csv":                "error: path escapes from parent",
			"in/${run_id}.csv":                "error: " + filepath.Join(dir, "in", "0193.csv") + ": file does not exist",
			"gone/${scheduled_for.Day()}.csv": "error: " + filepath.Join(dir, "gone", "24.csv") + ": file does not exist",
		} {
			got := ""
			o, err := (Options{Path: dir + "/" + path, Moment: tuesday}).Rendered()
			if err != nil {
				t.Fatal(err)
			}
			s, err := OpenSettled(t.Context(), o, Settling{For: settle, AtMost: time.Minute})
			if err != nil {
				got = "error: " + err.Error()
			} else {
				for _, f := range s.Files {
					got += strings.TrimPrefix(f.Path, dir+"/")
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if got != want && !(strings.HasPrefix(want, "error: ") && strings.Contains(got, strings.TrimPrefix(want, "error: "))) {
				t.Errorf("settle %s, %s: got %q, want %q", settle, path, got, want)
			}
			if strings.HasSuffix(want, "file does not exist") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v does not wrap fs.ErrNotExist", path, err)
			}
		}
	}
}
