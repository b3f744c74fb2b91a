package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// fence is a fenced block of a Markdown page: its language, a file's name and
// that file's encoding where they follow, and its text.
var fence = regexp.MustCompile("(?s)\n```(\\w+)(?: (\\S+))?(?: (\\S+))?\n(.*?\n)```")

var tableName = regexp.MustCompile(`(?m)^\[schedules\.([\w-]+)`)

// TestSourcesPage follows docs/sources.md as a reader would: the files that it
// shows are written, each snippet is loaded and planned, and the bodies must be
// what the page says.
func TestSourcesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("WORQHAT_API_KEY", canaryKey)
	t.Chdir(t.TempDir())
	var names []string
	var plan string
	snippets := 0
	for _, m := range fence.FindAllStringSubmatch(string(page), -1) {
		language, file, encoding, text := m[1], m[2], m[3], m[4]
		switch {
		case language == "text" && file != "":
			writeShown(t, file, encoding, text)
		case language == "text":
			for line := range strings.Lines(text) {
				if !strings.Contains(plan, strings.TrimSpace(line)) {
					t.Errorf("%v: the plan has no line %s:\n%s", names, line, plan)
				}
			}
		case language == "toml":
			snippets++
			names = configure(t, text)
			plan = ""
		case language == "json" && len(names) == 1:
			plan = command(t, "plan", names[0])
			records := strings.ReplaceAll(strings.TrimSpace(text), "\n", ",")
			checkBody(t, names[0], `{"records":[`+records+`],"_batch":{`)
		case language == "json":
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if len(lines) != len(names) {
				t.Fatalf("%d bodies for %v", len(lines), names)
			}
			for i, line := range lines {
				command(t, "plan", names[i])
				checkBody(t, names[i], strings.TrimSuffix(line, "…"))
			}
		}
	}
	if snippets < 8 {
		t.Errorf("only %d snippets were found", snippets)
	}
}

// writeShown writes a file of the page; paths in the page are short.
func writeShown(t *testing.T, file, encoding, text string) {
	t.Helper()
	if encoding != "" {
		e, err := htmlindex.Get(encoding)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = e.NewEncoder().String(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// configure writes a snippet as schedules.toml, with what the page leaves out of
// it, and returns its schedules.
func configure(t *testing.T, snippet string) (names []string) {
	t.Helper()
	keys := "cron = \"30 2 * * *\"\nflow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\n"
	if strings.Contains(snippet, "on_arrival = true") {
		_, keys, _ = strings.Cut(keys, "\n")
	}
	config := snippet
	for _, m := range tableName.FindAllStringSubmatch(snippet, -1) {
		table := "[schedules." + m[1] + "]\n"
		if strings.Contains(config, table+keys) {
			continue
		}
		names = append(names, m[1])
		if strings.Contains(snippet, table) {
			config = strings.Replace(config, table, table+keys, 1)
		} else {
			config = table + keys + config
		}
	}
	if err := os.WriteFile("schedules.toml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := command(t, "check"); !strings.Contains(out, "schedules.toml: good") {
		t.Errorf("%s\n%s", config, out)
	}
	return names
}

// checkBody compares the begin of a schedule's first body.
func checkBody(t *testing.T, name, begin string) {
	t.Helper()
	if body := command(t, "show", name, "--chunk", "1", "--body"); !strings.HasPrefix(body, begin) {
		t.Errorf("%s: the page has\n%s\nand the body is\n%s", name, begin, body)
	}
}

// command runs a command and returns its result.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot(&program{in: strings.NewReader(""), out: &out, err: &errs})
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return out.String()
}
