package faults

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestKilledBetweenTwoSchedules: next is due after in, and the daemon is killed as a
// run of in ends, as next begins, and at each commit around that. After all of it
// next has run once.
func TestKilledBetweenTwoSchedules(t *testing.T) {
	points := []string{"settle:1", "settled:1", "settle:2", "settled:2"}
	for n := 1; n <= 18; n++ {
		points = append(points, fmt.Sprintf("%s:%d", []string{"commit", "committed"}[n%2], n))
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			w := newWorld(t, accept, 1, `delivery = { on_unknown = "resend" }`,
				"[schedules.next]", `after = "in"`, fmt.Sprintf("flow_id = %q", flow), `source = { path = "in.csv" }`, `delivery = { on_unknown = "resend" }`)
			w.resends = true
			daemon := w.start("serve") // which knows from then on that next follows
			daemon.says("daemon started")
			daemon.signal(syscall.SIGTERM)
			daemon.wait()

			w.killedBeside(point, "run", "in", "--at", slotOfIn)

			daemon = w.start("serve")
			daemon.says("daemon started")
			w.want(0, "run", "in", "--at", slotOfIn) // which may not have come to its end
			w.until("next has run", w.nextSucceeded)
			daemon.signal(syscall.SIGTERM)
			daemon.wait()
			if runs, slots := w.number(`SELECT count(*) FROM runs WHERE schedule = 'next'`), w.number(`SELECT count(*) FROM slots WHERE schedule = 'next'`); runs != 1 || slots != 1 {
				t.Errorf("next has %d runs and %d slots, want one", runs, slots)
			}
			if n := w.number(`SELECT count(DISTINCT scheduled_for) FROM runs`); n != 1 {
				t.Error("next does not have the slot of in")
			}
		})
	}
}

const slotOfIn = "2026-01-01T00:00"

func (w *world) nextSucceeded() bool {
	return w.number(`SELECT count(*) FROM runs WHERE schedule = 'next' AND state = 'succeeded'`) == 1
}

// killedBeside starts a daemon that is killed at a point, or where it never comes to
// that when next has run, and asks it for something.
func (w *world) killedBeside(point string, ask ...string) {
	w.t.Helper()
	path, err := killable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := w.command("serve")
	cmd.Path = path
	cmd.Env = append(cmd.Env, "WORQCRON_FAILPOINT="+point)
	daemon := w.launch(cmd)
	ended := make(chan struct{})
	go func() {
		_, _ = cmd.Process.Wait()
		close(ended)
	}()
	orEnded := func(holds func() bool) func() bool {
		return func() bool {
			select {
			case <-ended:
				return true
			default:
				return holds()
			}
		}
	}
	w.until("the daemon has started or was killed", orEnded(func() bool { return strings.Contains(daemon.text(daemon.err), "daemon started") }))
	w.run(ask...)
	w.until("the daemon was killed, or next has run", orEnded(w.nextSucceeded))
	_ = cmd.Process.Kill() // it may have ended by itself
	<-ended
	daemon.ended = true
}
