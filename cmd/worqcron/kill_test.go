package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// The kill test runs the real program against a server that logs each trigger
// before it answers, kills it at random instants, and checks after each kill
// what the ledger says against what the server saw. The checks share nothing
// with the program: they read the server's own log and ask SQL.

// killRoundsEnv is how many rounds each case has; 1 unless it is set.
const killRoundsEnv = "WORQCRON_KILL_ROUNDS"

const (
	killsPerRound = 8
	killRecords   = 120
)

// killCase is what a kill test sends, and how.
type killCase struct {
	mode, policy string
	file         string
	mapped       bool // a filter that reads the run, and a field with the run's id
	move         bool // when_done
	serve        bool // every other start is the daemon
}

var killCases = []killCase{
	{mode: "chunks", policy: "hold", file: "in.csv", move: true},
	{mode: "records", policy: "hold", file: "in.csv", serve: true},
	{mode: "chunks", policy: "resend", file: "in.csv.gz", serve: true},
	{mode: "records", policy: "resend", file: "in.csv.gz", move: true},
	{mode: "chunks", policy: "hold", file: "in.csv", mapped: true, serve: true},
	{mode: "records", policy: "resend", file: "in.csv", mapped: true, move: true},
	{mode: "records", policy: "hold", file: "in.csv.gz", mapped: true, move: true, serve: true},
}

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the program dozens of times")
	}
	rounds := 1
	if text := os.Getenv(killRoundsEnv); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", killRoundsEnv, err)
		}
	}
	for _, c := range killCases {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			for round := range rounds {
				seed := uint64(time.Now().UnixNano())
				t.Run(fmt.Sprint(round), func(t *testing.T) { killRound(t, c, seed) })
			}
		})
	}
}

func killRound(t *testing.T, c killCase, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	h := newKillHarness(t, c, seed)
	for i := range killsPerRound {
		h.runAndKill(c.serve && i%2 == 1)
		h.check(false)
	}
	h.finish()
	h.check(true)
}

// accepted is a line of the server's log.
type accepted struct {
	key  string
	id   string
	ids  []int  // the records' own numbers
	body []byte // whole
}

// killServer accepts all triggers, writes each down, waits a little, answers.
type killServer struct {
	mu   sync.Mutex
	log  []accepted
	rand *rand.Rand
	http *http.Server
	url  string
	done chan struct{}
}

func startKillServer(t *testing.T, r *rand.Rand) *killServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &killServer{rand: r, url: "http://" + listener.Addr().String(), done: make(chan struct{})}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		_ = s.http.Close()
		<-s.done
	})
	return s
}

func (s *killServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ID      *int `json:"id,string"` // with one trigger a record
		Records []struct {
			ID int `json:"id,string"`
		} `json:"records"`
		Batch struct {
			Key string `json:"key"`
		} `json:"_batch"`
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(raw, &body) != nil {
		return // the program was killed while it sent: the trigger never arrived whole
	}
	a := accepted{key: body.Batch.Key, body: raw}
	if body.ID != nil {
		a.ids = append(a.ids, *body.ID)
	}
	for _, record := range body.Records {
		a.ids = append(a.ids, record.ID)
	}
	s.mu.Lock()
	a.id = fmt.Sprintf("id-%d", len(s.log))
	s.log = append(s.log, a)
	wait := time.Duration(s.rand.IntN(6)) * time.Millisecond
	s.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	fmt.Fprintf(w, `{"success":true,"analytics_id":%q}`, a.id)
}

func (s *killServer) seen() []accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]accepted(nil), s.log...)
}

// killHarness is one ledger, one source and one server.
type killHarness struct {
	killCase
	t      *testing.T
	dir    string
	data   []byte // of the source's file
	rand   *rand.Rand
	server *killServer
	bin    string
}

// killSlot is the slot of the one run: not due yet, so that the daemon goes on with
// it at any age and begins no other. Its day is what mapped cases send.
const killSlot = "2099-01-01"

func killDay(i int) string { return []string{"02", "01", "01"}[i%3] }

// wanted says whether a record is to be sent.
func (c killCase) wanted(i int) bool { return !c.mapped || killDay(i) == "01" }

func newKillHarness(t *testing.T, c killCase, seed uint64) *killHarness {
	bin, err := exec.LookPath("worqcron")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	h := &killHarness{killCase: c, t: t, dir: t.TempDir(), rand: r, bin: bin}
	h.server = startKillServer(t, rand.New(rand.NewPCG(seed, 1)))
	var csv bytes.Buffer
	csv.WriteString("id,day,text\n")
	for i := range killRecords {
		fmt.Fprintf(&csv, "%d,%s,\"line %d,\nnext\"\n", i, killDay(i), i)
	}
	h.data = csv.Bytes()
	if filepath.Ext(c.file) == ".gz" {
		h.data = gzipped(t, h.data)
	}
	h.write(c.file, string(h.data))
	extra := ""
	if c.mapped {
		extra += `, where = "day == strftime(scheduled_for, '%d')", set = { run = "run_id" }`
	}
	if c.move {
		extra += `, when_done = "move:done"`
	}
	h.write("schedules.toml", fmt.Sprintf(`
[worqhat]
base_url = %q
rate = "off"
max_in_flight = 3
[dashboard]
listen = ""
[schedules.big]
cron = "0 0 1 1 *"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
source = { path = %q%s }
chunk = { mode = %q, max_bytes = "1kB", max_records = 4 }
delivery = { on_unknown = %q }
`, h.server.url, c.file, extra, c.mode, c.policy))
	return h
}

func (h *killHarness) write(name, text string) {
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *killHarness) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.bin, args...)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "WORQHAT_API_KEY=wh_test")
	return cmd
}

// runAndKill starts a run, or the daemon, which goes on with it, and kills it
// after a random time: from before it has a ledger to just after the last trigger.
func (h *killHarness) runAndKill(serve bool) {
	cmd := h.command("run", "big", "--at", killSlot)
	if serve {
		cmd = h.command("serve")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.waitToKill()
	_ = cmd.Process.Kill() // it may have ended by itself
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != -1 && code != exitDone && code != exitUnsettled {
		h.t.Fatalf("%s ended with %d:\n%s", cmd.Args[1], code, out.String())
	}
}

func (h *killHarness) waitToKill() {
	before := len(h.server.seen())
	deadline := time.Now().Add(time.Duration(h.rand.IntN(400)) * time.Millisecond)
	sends := h.rand.IntN(8) // or as soon as so many triggers were seen
	if h.rand.IntN(4) == 0 {
		sends, deadline = h.rand.IntN(killRecords), deadline.Add(time.Second)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for all := false; time.Now().Before(deadline); {
		n := len(h.server.seen())
		switch {
		case all:
		case h.allSeen(): // what follows takes but a moment
			all, deadline = true, time.Now().Add(time.Duration(h.rand.IntN(80))*time.Millisecond)
		case sends > 0 && n >= before+sends:
			return
		}
		<-tick.C
	}
}

// allSeen says whether each record has reached the server.
func (h *killHarness) allSeen() bool {
	seen := map[int]bool{}
	for _, a := range h.server.seen() {
		for _, id := range a.ids {
			seen[id] = true
		}
	}
	return len(seen) == h.wantedRecords()
}

func (h *killHarness) wantedRecords() (n int) {
	for i := range killRecords {
		if h.wanted(i) {
			n++
		}
	}
	return n
}

// finish lets the run come to rest and decides what is unknown by what the
// server saw, as a person would.
func (h *killHarness) finish() {
	for range 3 {
		out, err := h.command("run", "big", "--at", killSlot).CombinedOutput()
		if err == nil {
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitUnsettled {
			h.t.Fatalf("run: %v\n%s", err, out)
		}
		h.resolveUnknown()
	}
	h.t.Fatal("the run never came to rest")
}

func (h *killHarness) resolveUnknown() {
	seen := map[string]bool{}
	for _, a := range h.server.seen() {
		seen[a.key] = true
	}
	type unknown struct {
		run, key string
		chunk    int64
	}
	var list []unknown
	h.query(`SELECT r.run_id, c.chunk, c.key FROM chunks c JOIN runs r ON r.id = c.run WHERE c.state = 'unknown'`, func(rows *sql.Rows) error {
		var u unknown
		err := rows.Scan(&u.run, &u.chunk, &u.key)
		list = append(list, u)
		return err
	})
	for _, u := range list {
		decision := "--resend"
		if seen[u.key] {
			decision = "--accepted"
		}
		out, err := h.command("resolve", u.run, "--chunk", fmt.Sprint(u.chunk), decision, "--reason", "server's log", "--yes").CombinedOutput()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitUnsettled) {
			h.t.Fatalf("resolve: %v\n%s", err, out)
		}
	}
}

func (h *killHarness) query(query string, each func(*sql.Rows) error) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "worqcron.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		h.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *killHarness) strings(query string) (list []string) {
	h.t.Helper()
	h.query(query, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		list = append(list, s)
		return err
	})
	return list
}
