package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// The kill test runs the real program against a server that logs each trigger
// before it answers, kills it at random instants, and checks after each kill
// what the ledger says against what the server saw. The checks share nothing
// with the program: they read the server's own log and ask SQL.

// killRounds × killsPerRound kills for each policy.
const (
	killRounds    = 6
	killsPerRound = 10
	killRecords   = 160
)

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the program over a hundred times")
	}
	for _, mode := range []string{"chunks", "records"} {
		for _, policy := range []string{"hold", "resend"} {
			t.Run(mode+"/"+policy, func(t *testing.T) {
				for round := range killRounds {
					seed := uint64(time.Now().UnixNano())
					t.Run(fmt.Sprint(round), func(t *testing.T) { killRound(t, mode, policy, seed) })
				}
			})
		}
	}
}

func killRound(t *testing.T, mode, policy string, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("mode %s, policy %s, seed %d", mode, policy, seed)
		}
	}()
	h := newKillHarness(t, mode, policy, seed)
	for range killsPerRound {
		h.runAndKill()
		h.check(false)
	}
	h.finish()
	h.check(true)
}

// accepted is a line of the server's log.
type accepted struct {
	key string
	id  string
	ids []int // the records' own numbers
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
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return // the program was killed while it sent: the trigger never arrived whole
	}
	a := accepted{key: body.Batch.Key}
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
	t      *testing.T
	policy string
	dir    string
	rand   *rand.Rand
	server *killServer
	bin    string
}

func newKillHarness(t *testing.T, mode, policy string, seed uint64) *killHarness {
	bin, err := exec.LookPath("worqcron")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	h := &killHarness{t: t, policy: policy, dir: t.TempDir(), rand: r, bin: bin}
	h.server = startKillServer(t, rand.New(rand.NewPCG(seed, 1)))
	var csv bytes.Buffer
	csv.WriteString("id,text\n")
	for i := range killRecords {
		fmt.Fprintf(&csv, "%d,\"line %d,\nnext\"\n", i, i)
	}
	h.write("in.csv", csv.String())
	h.write("schedules.toml", fmt.Sprintf(`
[worqhat]
base_url = %q
rate = "off"
max_in_flight = 3
[schedules.big]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
source = { path = "in.csv" }
chunk = { mode = %q, max_bytes = "1kB", max_records = 4 }
delivery = { on_unknown = %q }
`, h.server.url, mode, policy))
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

// runAndKill starts a run and kills it after a random time, from before it has
// a ledger to well within delivery.
func (h *killHarness) runAndKill() {
	cmd := h.command("run", "big", "--at", "2026-11-24")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	before := len(h.server.seen())
	deadline := time.Now().Add(time.Duration(h.rand.IntN(400)) * time.Millisecond)
	sends := h.rand.IntN(8) // or as soon as so many triggers were seen
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) && (sends == 0 || len(h.server.seen()) < before+sends) {
		<-tick.C
	}
	_ = cmd.Process.Kill() // it may have ended by itself
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != -1 && code != exitDone && code != exitUnsettled {
		h.t.Fatalf("run ended with %d:\n%s", code, out.String())
	}
}

// finish lets the run come to rest and decides what is unknown by what the
// server saw, as a person would.
func (h *killHarness) finish() {
	for range 3 {
		out, err := h.command("run", "big", "--at", "2026-11-24").CombinedOutput()
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

// check holds the ledger against the server's log (I1 to I5).
func (h *killHarness) check(ended bool) {
	h.t.Helper()
	if _, err := os.Stat(filepath.Join(h.dir, "worqcron.db")); err != nil && !ended {
		return // killed before it had a ledger: then it must not have sent
	}
	if len(h.strings(`SELECT name FROM sqlite_master WHERE name = 'attempts'`)) == 0 {
		if n := len(h.server.seen()); n > 0 {
			h.t.Fatalf("%d triggers were sent without a ledger", n)
		}
		return
	}
	// I5
	if got := h.strings(`PRAGMA integrity_check`); strings.Join(got, " ") != "ok" {
		h.t.Errorf("integrity_check: %v", got)
	}
	if got := h.strings(`SELECT "table" FROM pragma_foreign_key_check`); len(got) > 0 {
		h.t.Errorf("foreign_key_check: %v", got)
	}
	h.checkAccepts()
	h.checkAnswers()
	if ended {
		h.checkWhole()
	}
}

// checkAccepts holds I2 and I3: each trigger that the server saw has an attempt,
// and none was sent more often than the policy allows.
func (h *killHarness) checkAccepts() {
	accepts := map[string]int{}
	for _, a := range h.server.seen() {
		accepts[a.key]++
	}
	attempts, unknown := map[string]int{}, map[string]int{}
	h.query(`SELECT c.key, count(*), sum(a.outcome = 'unknown' OR a.outcome IS NULL) FROM attempts a
		JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk GROUP BY c.key`, func(rows *sql.Rows) error {
		var key string
		var n, u int
		err := rows.Scan(&key, &n, &u)
		attempts[key], unknown[key] = n, u
		return err
	})
	resent := map[string]bool{}
	for _, key := range h.strings(`SELECT c.key FROM audit a JOIN runs r ON r.run_id = a.run_id
		JOIN chunks c ON c.run = r.id AND c.chunk = a.chunk WHERE a.action LIKE '%resend'`) {
		resent[key] = true
	}
	for key, n := range accepts {
		if attempts[key] < n {
			h.t.Errorf("I3: the server accepted %s %d times, the ledger has %d attempts", key, n, attempts[key])
		}
		if n > 1+unknown[key] {
			h.t.Errorf("I2: the server accepted %s %d times with %d unknown attempts", key, n, unknown[key])
		}
		if h.policy == "hold" && n > 1 && !resent[key] {
			h.t.Errorf("I2: under hold the server accepted %s %d times", key, n)
		}
	}
}

// checkAnswers holds I4: an id in the ledger is the one that the server gave to
// this chunk.
func (h *killHarness) checkAnswers() {
	given := map[string]string{}
	for _, a := range h.server.seen() {
		given[a.id] = a.key
	}
	h.query(`SELECT a.analytics_id, c.key FROM attempts a JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk
		WHERE a.analytics_id IS NOT NULL`, func(rows *sql.Rows) error {
		var id, key string
		err := rows.Scan(&id, &key)
		if given[id] != key {
			h.t.Errorf("I4: the ledger has %s for chunk %s, the server gave it to %q", id, key, given[id])
		}
		return err
	})
}

// checkWhole holds I1: the run succeeded, and each record reached the server,
// in order within its chunk, and only in its own chunk.
func (h *killHarness) checkWhole() {
	if got := h.strings(`SELECT state FROM runs`); strings.Join(got, " ") != "succeeded" {
		h.t.Errorf("runs are %v", got)
	}
	if got := h.strings(`SELECT DISTINCT state FROM chunks`); strings.Join(got, " ") != "accepted" {
		h.t.Errorf("chunks are %v", got)
	}
	owner := map[int]string{}
	for _, a := range h.server.seen() {
		for i, id := range a.ids {
			if i > 0 && id != a.ids[i-1]+1 {
				h.t.Errorf("chunk %s has record %d after %d", a.key, id, a.ids[i-1])
			}
			if was, ok := owner[id]; ok && was != a.key {
				h.t.Errorf("I1: record %d is in chunks %s and %s", id, was, a.key)
			}
			owner[id] = a.key
		}
	}
	if len(owner) != killRecords {
		h.t.Errorf("I1: %d of %d records reached the server", len(owner), killRecords)
	}
}
