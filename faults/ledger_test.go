package faults

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLockedLedger: another program holds the database for a while. It is waited
// for, and nothing is sent meanwhile.
func TestLockedLedger(t *testing.T) {
	w := newWorld(t, accept, 3)
	w.want(0, "run", "in", "--limit", "1")
	db, err := sql.Open("sqlite", "file:"+w.ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(context.Background(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	p := w.start("run", "in")
	w.during(700*time.Millisecond, "nothing is sent", func() bool { return w.server.count() == 1 })
	if _, err := conn.ExecContext(context.Background(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(); r.code != 0 || w.server.count() != 3 {
		t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.err)
	}
}

// TestReadOnlyLedger: it is refused before anything is read.
func TestReadOnlyLedger(t *testing.T) {
	w := newWorld(t, accept, 3)
	w.want(0, "run", "in", "--limit", "1")
	mountReadOnly(t, w)
	r := w.run("run", "in")
	if r.code == 0 || !strings.Contains(r.err, "read-only") || w.server.count() != 1 {
		t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.err)
	}
}

// TestCorruptLedger: it is refused, and never made anew.
func TestCorruptLedger(t *testing.T) {
	w := newWorld(t, accept, 3)
	w.want(0, "run", "in", "--limit", "1")
	w.damaged = true
	b, err := os.ReadFile(w.ledger)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i += 4096 {
		copy(b[i:], bytes.Repeat([]byte{0xAA}, 512))
	}
	if err := os.WriteFile(w.ledger, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"run", "in"}, {"serve"}} {
		r := w.want(1, command...)
		if !strings.Contains(r.err, "ledger") || !strings.Contains(r.err, "restore a backup") || w.server.count() != 1 {
			t.Errorf("%v: %d triggers\n%s", command, w.server.count(), r.err)
		}
	}
	if now, err := os.ReadFile(w.ledger); err != nil || !bytes.Equal(now, b) {
		t.Errorf("the damaged ledger was changed (%v)", err)
	}
}

// TestDeletedLedger: a daemon whose ledger is taken away halts.
func TestDeletedLedger(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, first(1, after(gate, accept)), 20, `delivery = { max_in_flight = 1 }`)
	p := w.start("run", "in")
	w.until("a trigger is under way", func() bool { return w.server.count() == 1 })
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(w.ledger + suffix); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	r := p.wait()
	if r.code != 1 || w.server.count() != 1 || !strings.Contains(r.err, "ledger") {
		t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.err)
	}
	if _, err := os.Stat(w.ledger); err == nil {
		t.Error("the ledger was made anew")
	}
}

// TestNewerLedger: one of a later program is refused.
func TestNewerLedger(t *testing.T) {
	w := newWorld(t, accept, 1)
	w.want(0, "run", "in")
	w.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	r := w.want(1, "run", "in", "--force")
	if !strings.Contains(r.err, "newer") || w.server.count() != 1 {
		t.Errorf("%d triggers\n%s", w.server.count(), r.err)
	}
}

// exec changes the ledger from outside.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.ledger+"?_pragma=busy_timeout(10000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}

// TestTwoDaemons: the second exits 75 within a second.
func TestTwoDaemons(t *testing.T) {
	w := newWorld(t, accept, 1)
	p := w.start("serve")
	p.says("daemon started")
	if r := w.want(75, "serve"); r.took > time.Second {
		t.Errorf("it took %s", r.took)
	}
	p.signal(syscall.SIGTERM)
	if r := p.wait(); r.code != 0 {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
}

// TestRunBesideADaemon: it is handed over, and what the daemon has under way is
// not taken for a crash.
func TestRunBesideADaemon(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, first(1, after(gate, accept)), 2)
	daemon := w.start("serve")
	daemon.says("daemon started")
	one := w.start("run", "in")
	w.until("a trigger is under way", func() bool { return w.server.count() == 1 })
	two := w.start("run", "in")
	two.says("handed over")
	if n := w.number(`SELECT count(*) FROM attempts WHERE outcome IS NULL`); n != 1 {
		t.Errorf("%d open attempts, want 1", n)
	}
	close(gate)
	if a, b := one.wait(), two.wait(); a.code != 0 || b.code != 0 || w.server.count() != 2 {
		t.Errorf("exit %d and %d, %d triggers\n%s\n%s", a.code, b.code, w.server.count(), a.err, b.err)
	}
	daemon.signal(syscall.SIGTERM)
	daemon.wait()
}

// TestFullDiskAtIntent: while there is no room nothing is sent, then it goes on.
func TestFullDiskAtIntent(t *testing.T) {
	w, fill := onSmallDisk(t, accept, 400)
	gate := make(chan struct{})
	w.server.plays(func(rw http.ResponseWriter, r *request) {
		if r.number == 5 {
			fill(true)
			close(gate)
		}
		accept(rw, r)
	})
	p := w.start("run", "in")
	<-gate
	p.says("ledger full")
	n := w.server.count()
	w.during(time.Second, "nothing new is sent", func() bool { return w.server.count() == n })
	fill(false)
	if r := p.wait(); r.code != 0 || w.server.count() != 400 {
		t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.err)
	}
}

// TestFullDiskAtOutcome: an outcome that finds no room is kept and tried again;
// nothing new is sent before it is stored.
func TestFullDiskAtOutcome(t *testing.T) {
	w, fill := onSmallDisk(t, accept, 40)
	w.server.plays(func(rw http.ResponseWriter, r *request) {
		if r.number == 1 { // it goes alone
			fill(true)
		}
		accept(rw, r)
	})
	p := w.start("run", "in")
	p.says("an outcome waits for room")
	w.during(500*time.Millisecond, "nothing new is sent", func() bool { return w.server.count() == 1 })
	fill(false)
	if r := p.wait(); r.code != 0 || w.server.count() != 40 {
		t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.err)
	}
	if n := w.number(`SELECT count(*) FROM attempts WHERE analytics_id = 'id-1'`); n != 1 {
		t.Errorf("the answer that waited is stored %d times", n)
	}
}
