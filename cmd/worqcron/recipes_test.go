package main

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"worqcron/worqhat/sandbox"
)

// step is a fenced block of docs/recipes.md, or a comment that says how its
// sandbox misbehaves from there on.
var step = regexp.MustCompile("(?s)\n(?:<!-- sandbox(.*?) -->|```(\\w+)(?: (\\S+))?\n(.*?\n)```)")

// TestRecipesPage follows docs/recipes.md: files are written, snippets loaded, and
// commands run in a shell, with the exit code behind "sh" and the output shown
// below. Of "sh help" only the flags are looked up, and "toml KEY" needs that key;
// what is not built yet is passed over.
func TestRecipesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	f := &recipes{T: t}
	f.sandbox("")
	t.Setenv("WORQHAT_API_KEY", canaryKey)
	t.Setenv("WORQHAT_BASE_URL", f.server.URL())
	t.Chdir(t.TempDir())
	ran := 0
	for _, m := range step.FindAllStringSubmatch(string(page), -1) {
		faults, language, word, text := m[1], m[2], m[3], m[4]
		switch {
		case language == "":
			f.sandbox(strings.TrimSpace(faults))
		case language == "text" && word != "":
			writeShown(t, word, "", text)
		case language == "text":
			for line := range strings.Lines(text) {
				if !strings.Contains(f.out, strings.TrimSpace(line)) {
					t.Errorf("there is no line %s:\n%s", line, f.out)
				}
			}
		case language == "toml" && (word == "" || strings.Contains(string(keys), "`"+word+"`")):
			configure(t, text)
		case language == "sh" && word == "help":
			f.lookUp(text)
		case language == "sh":
			ran++
			f.run(word, text)
		case language == "sql":
			f.sql(text)
		}
	}
	if ran < 9 || f.inserted != 2 {
		t.Errorf("only %d blocks of commands were run, %d insertions tried", ran, f.inserted)
	}
}

// recipes is the reader of the page.
type recipes struct {
	*testing.T
	server   *sandbox.Server
	out      string // of the last commands
	db       *sql.DB
	inserted int
}

// sandbox plays WorqHat with these faults, always at one address.
func (f *recipes) sandbox(faults string) {
	f.Helper()
	chosen, err := sandbox.ParseFaults(faults)
	if err != nil {
		f.Fatal(err)
	}
	addr := "127.0.2.1:0"
	if f.server != nil {
		addr = strings.TrimPrefix(f.server.URL(), "http://")
		if err := f.server.Close(); err != nil {
			f.Fatal(err)
		}
	} else {
		f.Cleanup(func() {
			if err := f.server.Close(); err != nil {
				f.Error(err)
			}
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	f.server, err = sandbox.Start(sandbox.Options{Addr: addr, Faults: chosen, Key: canaryKey})
	for tries := 0; errors.Is(err, syscall.EADDRINUSE) && tries < 500; tries++ { // a child that was just forked may hold it
		<-tick.C
		f.server, err = sandbox.Start(sandbox.Options{Addr: addr, Faults: chosen, Key: canaryKey})
	}
	if err != nil {
		f.Fatal(err)
	}
}

// run runs commands in a shell, up to the first that fails.
func (f *recipes) run(exit, commands string) {
	f.Helper()
	c := exec.CommandContext(f.Context(), "sh", "-e", "-c", commands)
	out, err := c.CombinedOutput()
	f.out = string(out)
	want, _ := strconv.Atoi(exit) // "" is 0
	if got := c.ProcessState.ExitCode(); got != want {
		f.Fatalf("%sexits with %d (%v), the page says %d:\n%s", commands, got, err, want, out)
	}
}

var longFlag = regexp.MustCompile(`--[\w-]+`)

// lookUp asks each command for help: it must know the flags that are shown.
func (f *recipes) lookUp(commands string) {
	f.Helper()
	for line := range strings.Lines(commands) {
		name := strings.Fields(line)[1]
		if c, _, err := newRoot(&program{}).Find([]string{name}); err != nil || c.Name() != name {
			f.Logf("%s is not built yet", name)
			continue
		}
		help := command(f.T, name, "--help")
		for _, flag := range longFlag.FindAllString(line, -1) {
			if !strings.Contains(help, flag) {
				f.Errorf("%s: there is no %s:\n%s", line, flag, help)
			}
		}
	}
}

// sql runs a statement; one that inserts inserts a row, and none the second time.
func (f *recipes) sql(statement string) {
	f.Helper()
	if f.db == nil {
		var err error
		if f.db, err = sql.Open("sqlite", ":memory:"); err != nil {
			f.Fatal(err)
		}
		f.db.SetMaxOpenConns(1)
		f.Cleanup(func() {
			if err := f.db.Close(); err != nil {
				f.Error(err)
			}
		})
	}
	if !strings.HasPrefix(statement, "INSERT") {
		if _, err := f.db.ExecContext(f.Context(), statement); err != nil {
			f.Fatalf("%s: %v", statement, err)
		}
		return
	}
	for want := int64(1); want >= 0; want-- {
		f.inserted++
		res, err := f.db.ExecContext(f.Context(), statement, "f6d1b7")
		if err != nil {
			f.Fatalf("%s: %v", statement, err)
		}
		if n, err := res.RowsAffected(); err != nil || n != want {
			f.Errorf("%s inserted %d rows (%v), want %d", statement, n, err, want)
		}
	}
}
