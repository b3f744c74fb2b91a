package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// underWay is a world whose daemon has triggers under way that wait for the gate.
func underWay(t *testing.T, more string) (w *world, daemon *process, gate chan struct{}) {
	t.Helper()
	gate = make(chan struct{})
	w = newWorld(t, func(rw http.ResponseWriter, r *request) {
		if r.number == 1 { // it goes alone
			accept(rw, r)
			return
		}
		after(gate, accept)(rw, r)
	}, 20, more)
	daemon = w.start("serve")
	daemon.says("daemon started")
	asker := w.start("run", "in")
	asker.says("handed over")
	w.until("four triggers are under way", func() bool { return w.server.count() == 5 })
	return w, daemon, gate
}

// TestSIGTERM: nothing new, what is under way comes home, exit 0, and the next
// start goes on with the rest.
func TestSIGTERM(t *testing.T) {
	w, daemon, gate := underWay(t, "")
	began := time.Now()
	daemon.signal(syscall.SIGTERM)
	w.during(300*time.Millisecond, "no new intent", func() bool {
		return w.number(`SELECT count(*) FROM attempts WHERE started_at > ?`, began.Add(100*time.Millisecond).UnixMilli()) == 0
	})
	close(gate)
	if r := daemon.wait(); r.code != 0 {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
	if w.chunks("accepted") != 5 || w.chunks("planned") != 15 || w.chunks("unknown") != 0 {
		t.Errorf("%d accepted, %d planned, %d unknown", w.chunks("accepted"), w.chunks("planned"), w.chunks("unknown"))
	}
	again := w.start("serve")
	w.until("the rest is accepted", func() bool { return w.chunks("accepted") == 20 })
	again.signal(syscall.SIGTERM)
	again.wait()
}

// TestSIGTERMWithoutAnswers: after shutdown_timeout what is under way is unknown.
func TestSIGTERMWithoutAnswers(t *testing.T) {
	w, daemon, _ := underWay(t, `shutdown_timeout = "200ms"`)
	daemon.signal(syscall.SIGTERM)
	if r := daemon.wait(); r.code != 0 || w.chunks("unknown") != 4 {
		t.Errorf("exit %d, %d unknown\n%s", r.code, w.chunks("unknown"), r.err)
	}
}

// TestSecondSIGTERM ends it at once.
func TestSecondSIGTERM(t *testing.T) {
	w, daemon, _ := underWay(t, "")
	daemon.signal(syscall.SIGTERM)
	w.during(100*time.Millisecond, "", func() bool { return true })
	daemon.signal(syscall.SIGTERM)
	if r := daemon.wait(); r.code != 130 {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
	if n := w.number(`SELECT count(*) FROM attempts WHERE outcome IS NULL`); n != 4 {
		t.Errorf("%d intents are open, want 4", n)
	}
}

// TestLogThatCannotBeWritten: closed, or on a full disk. Triggers go on.
func TestLogThatCannotBeWritten(t *testing.T) {
	for name, redirect := range map[string]string{"closed": "2>&-", "disk full": "2>/dev/full"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, first(1, say(400, "")), 5)
			cmd := w.command()
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "exec " + program + " run in --verbose " + redirect}
			if r := w.launch(cmd).wait(); r.code != 3 || w.server.count() != 5 {
				t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.out)
			}
		})
	}
}

// TestFewDescriptors: with 32 it works, or says that it cannot; no half a run.
func TestFewDescriptors(t *testing.T) {
	for _, limit := range []int{32, 16, 10} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			w := newWorld(t, accept, 20)
			cmd := w.command()
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", fmt.Sprintf("ulimit -n %d; exec %s run in", limit, program)}
			r := w.launch(cmd).wait()
			switch {
			case r.code == 0 && w.server.count() == 20:
			case r.code != 0 && strings.Contains(r.out+r.err, "too many open files"):
				w.want(0, "run", "in") // goes on where there are enough
				if w.server.count() != 20 {
					t.Errorf("%d triggers, want 20", w.server.count())
				}
			default:
				t.Errorf("exit %d, %d triggers\n%s%s", r.code, w.server.count(), r.out, r.err)
			}
		})
	}
}

// TestSIGHUP: a broken file changes nothing, a run keeps its configuration, and a
// hundred in a row are fine.
func TestSIGHUP(t *testing.T) {
	w, daemon, gate := underWay(t, "")
	w.write("schedules.toml", "[schedules.in]\ncron = 5\n")
	daemon.signal(syscall.SIGHUP)
	daemon.says("configuration not loaded")
	w.configure(w.server.url, `payload = { added = "later" }`)
	daemon.signal(syscall.SIGHUP)
	daemon.says("configuration loaded")
	close(gate)
	w.until("the run has ended", func() bool { return w.chunks("accepted") == 20 })
	if n := w.number(`SELECT count(*) FROM runs WHERE payload LIKE '%later%'`); n != 0 {
		t.Error("the run took the new payload")
	}
	for range 100 {
		daemon.signal(syscall.SIGHUP)
	}
	daemon.says("run succeeded")
	w.want(0, "run", "in", "--force", "--limit", "1") // handed over: it still serves
	daemon.signal(syscall.SIGTERM)
	if r := daemon.wait(); r.code != 0 {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
}

// TestKeyRotated: a reload reads the new key, also for the run under way.
func TestKeyRotated(t *testing.T) {
	var valid atomic.Value
	valid.Store("wh_old")
	w := newWorld(t, func(rw http.ResponseWriter, r *request) {
		if r.http.Header.Get("Authorization") != "Bearer "+valid.Load().(string) {
			say(401, `{"error":"unknown key"}`)(rw, r)
			return
		}
		accept(rw, r)
	}, 4)
	w.write("schedules.toml", strings.Replace(w.text(w.server.url), `rate = "off"`, "rate = \"off\"\napi_key_file = \"key\"", 1))
	w.write("key", "wh_old")
	daemon := w.start("serve")
	daemon.says("daemon started")
	w.want(0, "run", "in", "--limit", "1")
	valid.Store("wh_new")
	if r := w.want(1, "run", "in"); !strings.Contains(r.out, "401") || w.server.count() > 1+4 {
		t.Errorf("%d triggers\n%s", w.server.count(), r.out)
	}
	w.write("key", "wh_new")
	daemon.signal(syscall.SIGHUP)
	daemon.says("configuration loaded")
	w.want(0, "run", "in")
	daemon.signal(syscall.SIGTERM)
	daemon.wait()
}

// TestMemoryLimit: a file far larger than the memory that the kernel allows.
func TestMemoryLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("sends hundreds of megabytes")
	}
	const limit, size = 128 << 20, 400 << 20
	group := memoryGroup(t, limit)
	w := newWorld(t, accept, 0)
	w.write("schedules.toml", strings.Replace(w.text(w.server.url), "max_records = 1", "", 1))
	row := "1," + strings.Repeat("x", 1000) + "\n"
	w.write("in.csv", "id,text\n"+strings.Repeat(row, size/len(row)))
	cmd := w.command()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "echo $$ > " + group + "/cgroup.procs; exec " + program + " run in --json"}
	r := w.launch(cmd).wait()
	if r.code != 0 || !strings.Contains(r.out, `"balanced": true`) {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// memoryGroup makes a control group with a memory limit.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	for root, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		group := fmt.Sprintf("%s/worqcron-faults-%d", root, os.Getpid())
		if os.Mkdir(group, 0o700) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(group) })
		if os.WriteFile(group+"/"+file, fmt.Append(nil, limit), 0) == nil {
			return group
		}
	}
	t.Skip("no memory control group can be made here")
	return ""
}

// TestServerSeesEachAttemptOnce: net/http must not send a trigger again by itself
// when a reused connection dies.
func TestServerSeesEachAttemptOnce(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *request) {
		if r.number%3 == 0 {
			breakOff(true)(rw, r)
			return
		}
		accept(rw, r)
	}, 12, `delivery = { max_in_flight = 1 }`)
	w.want(3, "run", "in")
	if n := w.number(`SELECT count(*) FROM attempts`); n != 12 || w.server.count() != 12 {
		t.Errorf("%d attempts, %d triggers, want 12", n, w.server.count())
	}
	if n := w.chunks("unknown"); n != 4 {
		t.Errorf("%d unknown, want 4", n)
	}
}

// TestKeyIsNowhere: not even where the server sends it back.
func TestKeyIsNowhere(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *request) {
		say(400, fmt.Sprintf(`{"success":false,"message":"you sent %s","details":%q}`, r.http.Header.Get("Authorization"), canary))(rw, r)
	}, 3)
	r := w.want(1, "run", "in", "--verbose")
	shown := w.want(0, "show", "in", "--chunk", "1", "--json")
	out, err := exec.Command("strings", "-a", w.ledger).Output()
	if err == nil && bytes.Contains(out, []byte(canary)) {
		t.Error("the key is in the ledger")
	}
	if strings.Contains(r.out+r.err+shown.out, canary) {
		t.Error("the key is shown")
	}
}
