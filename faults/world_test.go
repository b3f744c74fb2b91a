package faults

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// program is the built worqcron.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "worqcron-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "worqcron")
	build := exec.Command("go", "build", "-o", program, "worqcron/cmd/worqcron")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
	}
	_ = os.RemoveAll(dir) // a leftover in the temporary folder is no reason to fail
	os.Exit(code)
}

const (
	canary = "wh_canary_7f3a9c51e2" // the key; it must be seen nowhere
	flow   = "f825ab82-371f-40cb-9bed-b325531ead4a"

	// patience bounds every wait: what takes longer has failed.
	patience = 30 * time.Second
)

// world is a folder with a configuration, a source and a ledger, and the server
// that plays WorqHat.
type world struct {
	t      *testing.T
	dir    string // the configuration, and the source in in.csv
	ledger string
	env    []string
	server *server

	damaged  bool // the ledger was, by the test: it is not looked at in the end
	restored bool // an older ledger was put back: it knows less than the server
	resends  bool // on_unknown = "resend": a flow may run twice
}

// newWorld makes a folder whose schedule "in" sends in.csv, a record a trigger,
// to a server with this script. more are further lines of the configuration:
// they begin inside of [schedules.in].
func newWorld(t *testing.T, s script, records int, more ...string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, ledger: filepath.Join(dir, "worqcron.db"), server: startServer(t, s)}
	w.configure(w.server.url, more...)
	w.write("in.csv", rows(records))
	t.Cleanup(w.check)
	return w
}

func rows(n int) string {
	var b strings.Builder
	b.WriteString("id,text\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,line %d\n", i, i)
	}
	return b.String()
}

// configure writes the configuration for a server.
func (w *world) configure(url string, more ...string) {
	w.write("schedules.toml", w.text(url, more...))
}

func (w *world) text(url string, more ...string) string {
	top := fmt.Sprintf(`[worqhat]
base_url = %q
rate = "off"
[ledger]
path = %q
[dashboard]
listen = ""
[schedules.in]
cron = "0 0 1 1 *"
flow_id = %q
source = { path = "in.csv" }
chunk = { max_records = 1 }
`, url, w.ledger, flow)
	return top + strings.Join(more, "\n") + "\n"
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(append(os.Environ(), "WORQHAT_API_KEY="+canary, "NO_COLOR=1"), w.env...)
	return cmd
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
	took     time.Duration
}

// run runs a command to its end.
func (w *world) run(args ...string) result {
	w.t.Helper()
	return w.start(args...).wait()
}

// want runs a command that must end with a code.
func (w *world) want(code int, args ...string) result {
	w.t.Helper()
	r := w.run(args...)
	if r.code != code {
		w.t.Fatalf("worqcron %s: exit %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// process is a command under way. Its output goes to files, so that nobody has
// to read it for it to go on.
type process struct {
	w        *world
	cmd      *exec.Cmd
	out, err *os.File
	began    time.Time
	ended    bool
}

func (w *world) start(args ...string) *process {
	w.t.Helper()
	return w.launch(w.command(args...))
}

func (w *world) launch(cmd *exec.Cmd) *process {
	w.t.Helper()
	p := &process{w: w, cmd: cmd, began: time.Now()}
	for _, f := range []**os.File{&p.out, &p.err} {
		var err error
		if *f, err = os.CreateTemp(w.t.TempDir(), "output-"); err != nil {
			w.t.Fatal(err)
		}
	}
	cmd.Stdout = p.out
	if cmd.Stderr == nil {
		cmd.Stderr = p.err
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if !p.ended {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return p
}

// wait waits for the end.
func (p *process) wait() result {
	p.w.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) }) // shows where it hangs
	err := p.cmd.Wait()
	p.ended = true
	if !timer.Stop() {
		p.w.t.Fatalf("worqcron %v did not end in %s\n%s", p.cmd.Args, patience, p.text(p.err))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.w.t.Fatal(err)
	}
	return result{p.cmd.ProcessState.ExitCode(), p.text(p.out), p.text(p.err), time.Since(p.began)}
}

func (p *process) text(f *os.File) string {
	b, err := os.ReadFile(f.Name())
	if err != nil {
		p.w.t.Fatal(err)
	}
	return string(b)
}

func (p *process) signal(s syscall.Signal) {
	p.w.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.w.t.Fatal(err)
	}
}

// says waits until the process has logged a text.
func (p *process) says(text string) {
	p.w.t.Helper()
	p.saysTimes(text, 1)
}

func (p *process) saysTimes(text string, times int) {
	p.w.t.Helper()
	p.w.until(fmt.Sprintf("the log says %q", text), func() bool { return strings.Count(p.text(p.err), text) >= times })
}

// until waits for something to become true.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			w.t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// during makes sure that something stays true for a time.
func (w *world) during(d time.Duration, what string, holds func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		if !holds() {
			w.t.Fatalf("not so any more: %s", what)
		}
	}
}

// number asks the ledger.
func (w *world) number(query string, args ...any) (n int64) {
	w.t.Helper()
	w.query(query, args, &n)
	return n
}

// word is number for a text.
func (w *world) word(query string, args ...any) (s string) {
	w.t.Helper()
	w.query(query, args, &s)
	return s
}

func (w *world) query(query string, args []any, into any) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.ledger+"?_pragma=busy_timeout(10000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(context.Background(), query, args...).Scan(into); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// chunks counts the chunks in a state.
func (w *world) chunks(state string) int64 {
	w.t.Helper()
	return w.number(`SELECT count(*) FROM chunks WHERE state = ?`, state)
}

// check is what must hold after every fault: I2 to I5 and I7 of the table.
func (w *world) check() {
	w.t.Helper()
	w.checkKey()
	if _, err := os.Stat(w.ledger); err != nil || w.t.Failed() {
		return
	}
	if w.damaged {
		return
	}
	if got := w.word(`PRAGMA integrity_check`); got != "ok" {
		w.t.Errorf("integrity_check: %s", got)
	}
	if n := w.number(`SELECT count(*) FROM pragma_foreign_key_check`); n != 0 {
		w.t.Errorf("foreign_key_check: %d rows", n)
	}
	if w.restored {
		return
	}
	seen := w.server.requests()
	if attempts := w.number(`SELECT count(*) FROM attempts`); int64(len(seen)) > attempts {
		w.t.Errorf("the server saw %d triggers, the ledger has %d attempts", len(seen), attempts)
	}
	perKey := map[string]int{}
	for _, r := range seen {
		if r.accepted {
			perKey[r.key]++
		}
		if r.id != "" && r.answered && w.number(`SELECT count(*) FROM attempts WHERE analytics_id = ?`, r.id) == 0 &&
			w.number(`SELECT count(*) FROM attempts WHERE outcome = 'unknown'`) == 0 {
			w.t.Errorf("the answer %s was given and is not in the ledger", r.id)
		}
	}
	for key, n := range perKey {
		if n > 1 && !w.resends || n > 2 {
			w.t.Errorf("the flow ran %d times for %s", n, key)
		}
	}
}

// checkKey looks for the key in all files of the world.
func (w *world) checkKey() {
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(canary)) {
			w.t.Errorf("the key is in %s", path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		w.t.Error(err)
	}
}
