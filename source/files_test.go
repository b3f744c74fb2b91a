package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRefusedFiles opens what is no CSV or NDJSON file.
func TestRefusedFiles(t *testing.T) {
	for _, c := range []struct {
		name, file, data, want string
	}{
		{"Excel workbook", "f.csv", "PK\x03\x04\x14\x00", "is a ZIP archive, perhaps an Excel workbook (.xlsx)"},
		{"old Excel workbook", "f.csv", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"},
		{"Parquet", "f.ndjson", "PAR1rest", "is a Parquet file"},
		{"gzip without .gz", "f.csv", "\x1f\x8b\x08", "is gzip data"},
		{"no gzip with .gz", "f.csv.gz", "a,b\n", "is not gzip data"},
		{"no zstd with .zst", "f.csv.zst", "a,b\n", "is not zstd data"},
		{"empty file with .gz", "f.csv.gz", "", "is not gzip data"},
		{"UTF-32", "f.csv", "\x00\x00\xfe\xff\x00\x00\x00a", "is UTF-32 text"},
		{"UTF-16 without a mark", "f.csv", "a\x00,\x00b\x00\n\x00", "looks like UTF-16LE text without a byte order mark"},
		{"UTF-16, big endian", "f.csv", "\x00a\x00,\x00b\x00\n", "looks like UTF-16BE text without a byte order mark"},
		{"unknown extension", "f.txt", "a,b\n", "the name does not tell the format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.file, []byte(c.data))
			_, err := OpenSnapshot(Options{Path: path})
			var own *Error
			if !errors.As(err, &own) || own.Path != path || !strings.Contains(own.Msg, c.want) || own.Hint == "" {
				t.Errorf("OpenSnapshot: %v, want a hint and %q", err, c.want)
			}
		})
	}
}

func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "pipe.csv")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder.csv")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo: "is a FIFO", folder: "is a directory", filepath.Join(dir, "p*.csv"): "is a FIFO", filepath.Join(dir, "fol*.csv"): "is a directory",
	} {
		if _, err := OpenSnapshot(Options{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenSnapshot(%s): %v, want %q", filepath.Base(path), err, want)
		}
	}
	missing := filepath.Join(dir, "missing.csv")
	if _, err := OpenSnapshot(Options{Path: missing}); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("OpenSnapshot of a missing file: %v", err)
	}
	if _, err := OpenFiles(Options{Path: filepath.Join(dir, "m*.csv")}, []string{missing}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenFiles of a missing file: %v", err)
	}
}

func TestGlob(t *testing.T) {
	dir := t.TempDir()
	outside := write(t, "secret.csv", []byte("a\n1\n"))
	for _, name := range []string{"in/b.csv", "in/a.csv", "in/deep/c.csv", "in/x.txt", "links/ok.csv"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "links", "out.csv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ok.csv", filepath.Join(dir, "links", "within.csv")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		glob, format string
		want         []string
		err          string
	}{
		{glob: "in/*.csv", want: []string{"in/a.csv", "in/b.csv"}},
		{glob: "in/{b,a,b}.csv", want: []string{"in/a.csv", "in/b.csv"}},
		{glob: "in/{*,a}.csv", want: []string{"in/a.csv", "in/b.csv"}},
		{glob: "in/**/*.csv", want: []string{"in/a.csv", "in/b.csv", "in/deep/c.csv"}},
		{glob: "in/*", format: FormatCSV, want: []string{"in/a.csv", "in/b.csv", "in/x.txt"}},
		{glob: "none/*.csv"},
		{glob: "in/z*.csv"},
		{glob: "links/w*.csv", want: []string{"links/within.csv"}},
		{glob: "links/*.csv", err: "links/out.csv: open: "},
		{glob: "in/[a.csv", err: "is not a valid glob"},
	} {
		s, err := OpenSnapshot(Options{Path: filepath.Join(dir, c.glob), Dialect: Dialect{Format: c.format}})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.glob, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.glob, err)
			continue
		}
		var got []string
		for _, f := range s.Files {
			got = append(got, strings.TrimPrefix(f.Path, dir+"/"))
		}
		closeSnapshot(t, s)
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: got %q, want %q", c.glob, got, c.want)
		}
	}
	if _, err := OpenFiles(Options{Path: filepath.Join(dir, "in", "*.csv")}, []string{outside}); err == nil {
		t.Error("OpenFiles opened a file outside the glob's tree")
	}
}

// TestTabs has files whose name says that tabs separate their fields.
func TestTabs(t *testing.T) {
	plain := []byte("a\tb\n1,2\t3\n")
	for name, data := range map[string][]byte{
		"f.tsv": plain, "F.TSV": plain, "f.tsv.gz": gzipped(t, plain), "f.zip": zipped(t, member{name: "x.tsv", data: string(plain)}),
	} {
		got := checkedScan(t, Options{Path: write(t, name, data)}, plain, sequential)
		if got.Err != "" || len(got.Records) != 1 || got.Records[0].JSON != `{"a":"1,2","b":"3"}` {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for key, d := range map[string]Dialect{"quote": {Quote: "\t"}, "comment": {Comment: "\t#"}} {
		got := checkedScan(t, Options{Path: write(t, "f.tsv", plain), Dialect: d}, plain, sequential)
		if !strings.Contains(got.Err, "f.tsv:1:1: tab separates the fields and ") {
			t.Errorf("with a tab as %s: %+v", key, got)
		}
	}
	o := Options{Path: write(t, "f.tsv", plain), Dialect: Dialect{Delimiter: ","}}
	if got := checkedScan(t, o, plain, sequential); !strings.Contains(got.Err, "looks like tab-separated, not ','-separated") {
		t.Errorf("with a comma: %+v", got)
	}
}
