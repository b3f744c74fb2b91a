package config

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"worqcron/batch"
	"worqcron/source"
)

// sourceOf parses a schedule with these keys of its source.
func sourceOf(t *testing.T, keys string) (*Config, batch.Job) {
	t.Helper()
	c := mustParse(t, minimal+"[schedules.orders.source]\n"+keys)
	return c, c.Schedules[0].Job
}

func TestEverySourceKey(t *testing.T) {
	cleanEnvironment(t)
	_, job := sourceOf(t, `
path = "in/*.csv"
order = "mtime"
settle = "10s"
settle_timeout = "5m"
when_done = "move:../done"
format = "csv"
compression = "zip"
encoding = "Windows-1252"
invalid_utf8 = "replace"
delimiter = ";"
quote = "'"
header = ["id", "a b"]
skip_lines = 3
comment = "#"
ragged = "pad"
null_values = ["", "NULL"]
types = { id = "integer", "a b" = "json" }
keep = ["id", "a"]
where = "id > 3"
[schedules.orders.source.rename]
"a b" = "a"
[schedules.orders.source.set]
z = "1"
b = "id + 1"
m = "'x'"
[schedules.orders.chunk]
records_as = "columns"
`)
	want := &source.Options{
		Path: "/etc/worqcron/in/*.csv", Order: "mtime", MaxRecordBytes: 9_500_000,
		Dialect: source.Dialect{
			Format: "csv", Compression: "zip", Encoding: "windows-1252", InvalidUTF8: "replace",
			Delimiter: ";", Quote: "'", Header: "none", Columns: []string{"id", "a b"}, SkipLines: 3, Comment: "#", Ragged: "pad",
			Mapping: source.Mapping{
				NullValues: []string{"", "NULL"}, Types: map[string]string{"id": "integer", "a b": "json"},
				Rename: map[string]string{"a b": "a"}, Keep: []string{"id", "a"}, Where: "id > 3",
				Set: []source.Assignment{{Name: "z", Value: "1"}, {Name: "b", Value: "id + 1"}, {Name: "m", Value: "'x'"}},
			},
			RecordsAs: "columns",
		},
	}
	if diff := cmp.Diff(want, job.Source); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	wantFiles := batch.FilePolicy{Settle: 10 * time.Second, SettleTimeout: 5 * time.Minute, WhenDone: "move", Folder: "/etc/done"}
	if diff := cmp.Diff(wantFiles, job.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestWrittenDefaults holds that writing a default out changes no shape.
func TestWrittenDefaults(t *testing.T) {
	cleanEnvironment(t)
	_, plain := sourceOf(t, `path = "in/a.csv"`)
	c := mustParse(t, minimal+`
source = { path = "in/a.csv", encoding = "UTF-8", invalid_utf8 = "bad", delimiter = ",", quote = '"', header = "first", skip_lines = 0, ragged = "bad", header_duplicates = "error", null_values = [], types = {}, rename = {}, set = {}, order = "name", settle = "0s", settle_timeout = "1h", when_done = "keep" }
chunk = { mode = "chunks", records_as = "array" }
`)
	written := c.Schedules[0].Job
	plain.Payload, written.Payload = nil, nil
	plain.Zone, written.Zone = nil, nil
	plain.Slots, written.Slots = nil, nil
	if diff := cmp.Diff(plain, written); diff != "" {
		t.Errorf("(-plain +written):\n%s", diff)
	}
}

func TestSourceValues(t *testing.T) {
	cleanEnvironment(t)
	for _, c := range []struct {
		name, keys string
		want       source.Dialect
	}{
		{"the tab of a .tsv file", "path = \"a.tsv\"\ndelimiter = \"\\t\"", source.Dialect{}},
		{"a comma in a .tsv file", "path = \"a.tsv.gz\"\ndelimiter = \",\"", source.Dialect{Delimiter: ","}},
		{"a comma where both may lie", "path = \"in/*\"\nformat = \"csv\"\ndelimiter = \",\"", source.Dialect{Format: "csv", Delimiter: ","}},
		{"UTF-16 by its mark", "path = \"a.csv\"\nencoding = \"UTF-16\"", source.Dialect{Encoding: "utf-16"}},
		{"no quotes", "path = \"a.csv\"\nquote = \"none\"", source.Dialect{Quote: "none"}},
		{"no header", "path = \"a.csv\"\nheader = \"none\"", source.Dialect{Header: "none"}},
		{"a pointer", "path = \"a.json.zip\"\npointer = \"/data/a~1b~0/0\"", source.Dialect{Pointer: "/data/a~1b~0/0"}},
		{"a name with a dot", "path = \"a.csv\"\ntypes.\"a.b\" = \"number\"", source.Dialect{Mapping: source.Mapping{Types: map[string]string{"a.b": "number"}}}},
		{"a column that is kept out", "path = \"a.csv\"\ndrop = [\"x\"]", source.Dialect{Mapping: source.Mapping{Drop: []string{"x"}}}},
		{"CSV by any ending", "path = \"in/*\"\ndelimiter = \"|\"", source.Dialect{Delimiter: "|"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, job := sourceOf(t, c.keys)
			if diff := cmp.Diff(c.want, job.Source.Dialect); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDefaultsSuitOtherFormats holds that [defaults.source] may speak of CSV
// although one schedule reads something else.
func TestDefaultsSuitOtherFormats(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, "[defaults.source]\ndelimiter = \";\"\nwhen_done = \"move:done\"\n"+minimal+"source.path = \"a.ndjson\"\n")
	if got := c.Schedules[0].Job.Files.Folder; got != "/etc/worqcron/done" {
		t.Errorf("folder: got %s", got)
	}
}

func TestRecordsMode(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, minimal+"source.path = \"a.csv\"\nchunk.mode = \"records\"\n")
	if got := c.Schedules[0].Job.Chunk.Mode; got != "records" {
		t.Errorf("mode: got %q", got)
	}
	c = mustParse(t, "[defaults.chunk]\nmode = \"records\"\n"+minimal)
	if got := c.Schedules[0].Job.Chunk.Mode; got != "" {
		t.Errorf("mode without a source: got %q", got)
	}
}

func TestStdin(t *testing.T) {
	cleanEnvironment(t)
	c, job := sourceOf(t, "path = \"-\"\nformat = \"ndjson\"\n")
	if job.Source.Path != source.Stdin || job.Records.Empty != "fail" {
		t.Errorf("path %q, empty %q", job.Source.Path, job.Records.Empty)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "cron cannot run this schedule") {
		t.Errorf("warnings: %v", c.Warnings)
	}
	if _, job := sourceOf(t, "path = \"./-\"\nformat = \"csv\"\n"); job.Source.Path != "/etc/worqcron/-" {
		t.Errorf("a file of that name: %s", job.Source.Path)
	}
}

func TestFindsAgain(t *testing.T) {
	for _, c := range []struct {
		glob, folder string
		want         bool
	}{
		{"/in/*.csv", "/in/done", false},
		{"/in/*.csv", "/in", true},
		{"/in/a.csv", "/in", true},
		{"/in/a.csv", "/done", false},
		{"/in/*/a.csv", "/in/done", true},
		{"/in/*/a.csv", "/in/done/deep", false},
		{"/in/**/*.csv", "/in/done", true},
		{"/in/**/*.csv", "/in", true},
		{"/in/**", "/in/done/deep", true},
		{"/in/**", "/done", false},
		{"/in/{a,b/c}.csv", "/in/b", true},
		{"/in/{a,b/c}.csv", "/inbox", false},
		{`/srv/\[a]/in/*.csv`, "/srv/[a]/in", true},
		{`/srv/\[a]/in/*.csv`, "/srv/a/in", false},
	} {
		if got := findsAgain(c.glob, c.folder); got != c.want {
			t.Errorf("%s in %s: got %v", c.glob, c.folder, got)
		}
	}
}

func TestFilesThatALaterRunMayWant(t *testing.T) {
	cleanEnvironment(t)
	for where, warned := range map[string]bool{"day == strftime(scheduled_for, '%Y-%m-%d')": true, "day != ''": false} {
		c, _ := sourceOf(t, "path = \"a.csv\"\nwhen_done = \"delete\"\nwhere = \""+where+"\"\n")
		if len(c.Warnings) == 1 != warned || warned && !strings.HasPrefix(c.Warnings[0].Message, "when_done: ") {
			t.Errorf("%s: %v", where, c.Warnings)
		}
	}
}

// TestPathWithExpressions holds what becomes of a path's text, and what counts as
// a glob.
func TestPathWithExpressions(t *testing.T) {
	for _, c := range []struct{ path, want, empty string }{
		{`exports/${ strftime(scheduled_for, '%Y//%m') }.csv`, "/etc/worqcron/exports/${ strftime(scheduled_for, '%Y//%m') }.csv", "fail"},
		{`/srv/${schedule}/*.csv`, "/srv/${schedule}/*.csv", "skip"},
		{`in/$${a}.csv`, "/etc/worqcron/in/$${a}.csv", "skip"},
		{`in/${ {"a": "*"}.a == "*" ? schedule : "x" }.csv`, `/etc/worqcron/in/${ {"a": "*"}.a == "*" ? schedule : "x" }.csv`, "fail"},
	} {
		_, job := sourceOf(t, "path = "+strconv.Quote(c.path)+"\n")
		if job.Source.Path != c.want || job.Records.Empty != c.empty {
			t.Errorf("%s: path %q, empty %q", c.path, job.Source.Path, job.Records.Empty)
		}
	}
}
