package faults

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// killable is the program that kills itself at a named point; see package failpoint.
var killable = sync.OnceValues(func() (string, error) {
	path := program + "-killable"
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", path, "worqcron/cmd/worqcron")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// killedAt runs the schedule once and has it killed.
func (w *world) killedAt(point string) {
	w.t.Helper()
	path, err := killable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := w.command("run", "in")
	cmd.Path = path
	cmd.Env = append(cmd.Env, "WORQCRON_FAILPOINT="+point)
	if r := w.launch(cmd).wait(); r.code != -1 {
		w.t.Fatalf("at %s: exit %d, want a kill\n%s%s", point, r.code, r.out, r.err)
	}
}

// TestKilledInDelivery: three chunks, and the kill befalls the first. Its outcome is
// committed together with the intent for the second.
func TestKilledInDelivery(t *testing.T) {
	for _, c := range []struct {
		point, policy string
		before, after int   // triggers that the server saw at the kill, and of the first record in the end
		code          int   // of the rerun
		unknown       int64 // chunks in the end
	}{
		{"before-intent:1", "hold", 0, 1, 0, 0},
		{"after-intent:1", "hold", 0, 0, 3, 1},
		{"after-intent:1", "resend", 0, 1, 0, 0},
		{"after-answer:1", "hold", 1, 1, 3, 1},
		{"after-answer:1", "resend", 1, 2, 0, 0},
		{"before-outcome:1", "hold", 1, 1, 3, 1},
		{"after-outcome:1", "hold", 1, 1, 3, 1},
		{"after-outcome:1", "resend", 1, 1, 0, 0},
	} {
		t.Run(c.point+" "+c.policy, func(t *testing.T) {
			w := newWorld(t, accept, 3, fmt.Sprintf("delivery = { on_unknown = %q, max_in_flight = 1 }", c.policy))
			w.resends = c.policy == "resend"
			w.killedAt(c.point)
			if got := w.server.count(); got != c.before {
				t.Fatalf("%d triggers at the kill, want %d", got, c.before)
			}
			w.want(c.code, "run", "in")
			firsts := 0
			for _, r := range w.server.requests() {
				if r.row == 0 {
					firsts++
				}
			}
			if firsts != c.after || w.chunks("unknown") != c.unknown || w.chunks("accepted") != 3-c.unknown {
				t.Errorf("the first record was sent %d times, want %d; %d unknown, %d accepted", firsts, c.after, w.chunks("unknown"), w.chunks("accepted"))
			}
		})
	}
}

// TestKilledAfterTheSend: the server has the trigger, and the kill comes before
// its answer.
func TestKilledAfterTheSend(t *testing.T) {
	for policy, triggers := range map[string]int{"hold": 1, "resend": 2} {
		t.Run(policy, func(t *testing.T) {
			gate := make(chan struct{})
			w := newWorld(t, first(1, after(gate, accept)), 1, fmt.Sprintf("delivery = { on_unknown = %q }", policy))
			w.resends = policy == "resend"
			p := w.start("run", "in")
			w.until("the trigger is there", func() bool { return w.server.count() == 1 })
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			p.wait()
			close(gate)
			w.run("run", "in")
			if w.server.count() != triggers {
				t.Errorf("%d triggers, want %d", w.server.count(), triggers)
			}
		})
	}
}

// TestKilledBeforeDelivery: in the plan, the spool, the migration, among the dead
// letters. Nothing was sent, and the rerun sends each record once.
func TestKilledBeforeDelivery(t *testing.T) {
	for _, point := range []string{"migrate:1", "migrated:1", "plan-part:1", "plan-end:1", "dead-letter:1", "spool-frame:1", "spool-sync:1"} {
		t.Run(point, func(t *testing.T) {
			w := newWorld(t, accept, 3)
			text := rows(5)
			if strings.HasPrefix(point, "dead") {
				text += "6,a,b,c\n"
			}
			w.write("in.csv", text)
			if strings.HasPrefix(point, "spool") {
				w.write("in.csv.gz", packed(t, text))
				w.write("schedules.toml", strings.Replace(w.text(w.server.url), "in.csv", "in.csv.gz", 1))
			}
			if strings.HasPrefix(point, "dead") {
				w.write("schedules.toml", strings.Replace(w.text(w.server.url), `"in.csv"`, `"in.csv", max_bad = "50%"`, 1))
			}
			w.killedAt(point)
			if w.server.count() != 0 {
				t.Fatalf("%d triggers before the plan was committed", w.server.count())
			}
			r := w.run("run", "in")
			if w.server.count() != 5 || w.chunks("accepted") != 5 || w.number(`SELECT count(*) FROM runs`) != 1 {
				t.Errorf("exit %d, %d triggers, %d accepted, %d runs\n%s", r.code, w.server.count(), w.chunks("accepted"), w.number(`SELECT count(*) FROM runs`), r.out)
			}
		})
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestKilledInRecovery: a second kill, among what the first one left, is the same
// as one.
func TestKilledInRecovery(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *request) {
		if r.number > 1 && r.number <= 5 {
			after(gate, accept)(rw, r)
			return
		}
		accept(rw, r)
	}, 8)
	p := w.start("run", "in")
	w.until("four triggers are under way", func() bool { return w.server.count() == 5 })
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait()
	close(gate)
	w.killedAt("recovery:2")
	w.want(3, "run", "in")
	if w.server.count() != 8 || w.chunks("unknown") != 4 || w.chunks("accepted") != 4 {
		t.Errorf("%d triggers, %d unknown, %d accepted", w.server.count(), w.chunks("unknown"), w.chunks("accepted"))
	}
}

// TestOlderBackup: a copy of the ledger that was made before some triggers is put
// back. Nothing is sent until a person accepts it, and what may have gone out
// since is held.
func TestOlderBackup(t *testing.T) {
	w := newWorld(t, accept, 5)
	w.want(0, "run", "in", "--limit", "2")
	backup := filepath.Join(t.TempDir(), "backup.db")
	w.want(0, "backup", backup)
	w.want(0, "run", "in")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(w.ledger + suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(backup, w.ledger); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"run", "in"}, {"serve"}} {
		if r := w.want(1, command...); !strings.Contains(r.err, "--accept-restore") {
			t.Errorf("%v: %s", command, r.err)
		}
	}
	w.run("run", "in", "--accept-restore")
	if w.server.count() != 5 || w.chunks("unknown") != 3 {
		t.Errorf("%d triggers, %d unknown; want 5 and 3", w.server.count(), w.chunks("unknown"))
	}
	w.restored = true
}
