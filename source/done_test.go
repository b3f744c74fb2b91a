package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// readFile makes a file in a folder and says which one it is.
func readFile(t *testing.T, path, text string) Identity {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Path: path, Dialect: Dialect{Format: FormatCSV}})
	return s.Files[0].Identity()
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
	}
}

func wantGone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	for _, glob := range []string{filepath.Join(dir, "in", "a.csv"), filepath.Join(dir, "in", "*.csv"), filepath.Join(dir, "**", "*.csv")} {
		path := filepath.Join(dir, "in", "a.csv")
		was := readFile(t, path, "a\n1\n")
		if err := Remove(Options{Path: glob}, path, was); err != nil {
			t.Errorf("%s: %v", glob, err)
		}
		wantGone(t, path)
		if err := Remove(Options{Path: glob}, path, was); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, again: %v", glob, err)
		}
	}
}

// TestDoneLeavesOthersAlone holds that what is not the file that was read stays,
// whoever put it there.
func TestDoneLeavesOthersAlone(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.csv")
	secret := readFile(t, outside, "a\n1\n")
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, path string) error
		want  string
	}{
		{"replaced by the same bytes", func(t *testing.T, path string) error {
			readFile(t, path+".new", "a\n1\n")
			return os.Rename(path+".new", path)
		}, "was replaced since it was read"},
		{"grown", func(_ *testing.T, path string) error { return os.Truncate(path, 100) }, "was written since it was read"},
		{"written with the same length", func(_ *testing.T, path string) error {
			return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour))
		}, "was written since it was read"},
		{"a link instead", func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.Symlink(outside, path))
		}, "is a symbolic link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "in", "a.csv")
			was := readFile(t, path, "a\n1\n")
			if err := c.spoil(t, path); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Path: filepath.Join(dir, "in", "*.csv")}
			_, moveErr := MoveInto(t.Context(), o, path, was, filepath.Join(dir, "done"))
			for _, err := range []error{moveErr, Remove(o, path, was)} {
				if err == nil || !strings.Contains(err.Error(), path+": "+c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
			wantContent(t, path, string(before))
		})
	}
	if err := Remove(Options{Path: filepath.Join(t.TempDir(), "*.csv")}, outside, secret); err == nil {
		t.Error("a file outside the glob's folder was deleted")
	}
	wantContent(t, outside, "a\n1\n")
}

// TestDoneStaysInItsFolder replaces a folder on the way by a link that leads out.
func TestDoneStaysInItsFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "in", "a.csv")
	readFile(t, path, "a\n1\n")
	was := readFile(t, filepath.Join(outside, "a.csv"), "a\n1\n") // even if it were the one
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "in")), os.Symlink(outside, filepath.Join(dir, "in"))); err != nil {
		t.Fatal(err)
	}
	if err := Remove(Options{Path: filepath.Join(dir, "*", "*.csv")}, path, was); err == nil {
		t.Error("a file outside the glob's folder was deleted")
	}
	wantContent(t, filepath.Join(outside, "a.csv"), "a\n1\n")
}

func TestMoveInto(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "old", "done")
	o := Options{Path: filepath.Join(dir, "in", "*.csv.gz")}
	for i, want := range []string{"a.b.csv.gz", "a.b-1.csv.gz", "a.b-2.csv.gz"} {
		path := filepath.Join(dir, "in", "a.b.csv.gz")
		text := strings.Repeat("x", i+1)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		to, err := MoveInto(t.Context(), o, path, identityOf(info), folder)
		if err != nil || to != filepath.Join(folder, want) {
			t.Errorf("moved to %s, %v, want %s", to, err, want)
		}
		wantContent(t, to, text)
		wantGone(t, path)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	path := filepath.Join(folder, "a.csv")
	was := readFile(t, path, "a\n")
	if _, err := MoveInto(t.Context(), Options{Path: path}, path, was, folder); err == nil || !strings.Contains(err.Error(), "lies in the folder for delivered files already") {
		t.Errorf("into its own folder: %v", err)
	}
	wantContent(t, path, "a\n")
}

func TestNumbered(t *testing.T) {
	for name, want := range map[string]string{
		"a.csv": "a-1.csv", "a.csv.gz": "a-1.csv.gz", "a.b.ndjson.zst": "a.b-1.ndjson.zst", "a": "a-1", "a.gz": "a-1.gz", ".csv": ".csv-1",
	} {
		if got := numbered(name, 1); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestCopyAcross moves as between file systems: the way that takes is the same
// within one.
func TestCopyAcross(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	text := "a\n" + strings.Repeat("1\n", 200_000)
	path := filepath.Join(dir, "a.csv")
	was := readFile(t, path, text)
	readFile(t, filepath.Join(folder, "a.csv"), "taken")
	p, err := openDone(Options{Path: path}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	to, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()

	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.copyAcross(stopped, to, was); err == nil {
		t.Error("copied although the run was stopped")
	}
	other := was
	other.Inode++
	if _, err := p.copyAcross(t.Context(), to, other); err == nil {
		t.Error("another file was copied")
	}
	other = was
	other.Size--
	if _, err := p.copyAcross(t.Context(), to, other); err == nil {
		t.Error("a file that grew was copied")
	}
	wantContent(t, path, text)
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}

	name, err := p.copyAcross(t.Context(), to, was)
	if err != nil || name != "a-1.csv" {
		t.Fatalf("copied as %q, %v", name, err)
	}
	wantGone(t, path)
	wantContent(t, filepath.Join(folder, name), text)
	wantContent(t, filepath.Join(folder, "a.csv"), "taken")
	info, err := os.Stat(filepath.Join(folder, name))
	if err != nil || !info.ModTime().Equal(was.ModTime) || info.Mode().Perm() != 0o640 {
		t.Errorf("the copy has %v, %v, %v", info.ModTime(), info.Mode(), err)
	}
}

// TestMoveAcrossFileSystems does it for real where the machine has a second one.
func TestMoveAcrossFileSystems(t *testing.T) {
	const shm = "/dev/shm"
	dir := t.TempDir()
	folder := filepath.Join(shm, fmt.Sprintf("worqcron-test-%d", os.Getpid()))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "a.csv")
	was := readFile(t, path, "a\n1\n")
	if err := os.Link(path, filepath.Join(folder, "probe")); !errors.Is(err, unix.EXDEV) {
		t.Skipf("%s is no other file system: %v", shm, err)
	}
	to, err := MoveInto(t.Context(), Options{Path: path}, path, was, folder)
	if err != nil || to != filepath.Join(folder, "a.csv") {
		t.Fatalf("moved to %q, %v", to, err)
	}
	wantGone(t, path)
	wantContent(t, to, "a\n1\n")
}

// TestLinkNew holds the way of file systems without RENAME_NOREPLACE.
func TestLinkNew(t *testing.T) {
	dir := t.TempDir()
	readFile(t, filepath.Join(dir, "a"), "1")
	readFile(t, filepath.Join(dir, "b"), "2")
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := linkNew(int(d.Fd()), "a", int(d.Fd()), "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	if err := linkNew(int(d.Fd()), "a", int(d.Fd()), "c"); err != nil {
		t.Error(err)
	}
	wantGone(t, filepath.Join(dir, "a"))
	wantContent(t, filepath.Join(dir, "b"), "2")
	wantContent(t, filepath.Join(dir, "c"), "1")
}
