package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// program is the built program, once as it is delivered and once with failpoints.
type program struct{ plain, failpoints string }

// Exit codes that a start which ended by itself may have.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUnsettled = 3
)

const (
	// patience is for what must end by itself.
	patience = 60 * time.Second
	// idle is after how long a start is killed whose death never came, because
	// the trigger or hit that it waits for did not.
	idle = 400 * time.Millisecond
	// maxRecovery is from a start after a kill to its first trigger, or its end.
	maxRecovery = 2 * time.Second
)

// start is one process of the program.
type start struct {
	round  *round
	args   []string
	death  death
	cmd    *exec.Cmd
	out    bytes.Buffer
	began  time.Time
	ended  chan struct{} // closed when it has ended
	end    time.Time     // when that was
	err    error         // of waiting for it
	killed sync.Once
	signal bool // this harness killed it
	cut    bool // and took a copy of its disk before
	taken  int  // triggers that were there when the ledger was taken away
}

// run starts the program, lets it die or end, and says whether it was killed.
func (r *round) run(ctx context.Context, d death, args ...string) (killed bool, err error) {
	s := &start{round: r, args: args, death: d, ended: make(chan struct{})}
	r.server.begin(s.seen, s.answered)
	if err := s.launch(ctx); err != nil {
		return false, err
	}
	s.watch()
	if err := r.server.quiet(); err != nil {
		return false, err
	}
	if err := s.putBack(); err != nil {
		return false, err
	}
	if s.cut {
		if err := r.disk.replace(ctx); err != nil {
			return false, err
		}
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	killed = s.wasKilled()
	r.tally.start(d, killed, s.signal)
	if err := s.judge(killed); err != nil {
		return killed, fmt.Errorf("start %d (%s, %s): %w", r.starts, args[0], d, err)
	}
	r.clean = !killed
	r.ends[r.starts] = !killed && s.taken == 0
	return killed, nil
}

func (s *start) launch(ctx context.Context) error {
	r := s.round
	r.starts++
	binary := r.program.plain
	if s.death.how == byFailpoint {
		binary = r.program.failpoints
	}
	s.cmd = exec.CommandContext(ctx, binary, s.args...)
	s.cmd.Dir = r.state
	s.cmd.Env = append(os.Environ(), keyVariable+"="+key)
	if s.death.how == byFailpoint {
		s.cmd.Env = append(s.cmd.Env, fmt.Sprintf("WORQCRON_FAILPOINT=%s:%d", s.death.point, s.death.n))
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.began = time.Now()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.err, s.end = s.cmd.Wait(), time.Now()
		close(s.ended)
	}()
	return nil
}

// watch returns when the program has ended. It kills it in the end, if need be.
func (s *start) watch() {
	limit := patience
	switch {
	case s.death.fromStart():
		limit = s.death.after
	case s.death.how != "":
		limit = idle
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	lastSeen, at := 0, time.Now()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
		}
		if n, _, _, _ := s.round.server.counts(); n != lastSeen && !s.death.fromStart() {
			lastSeen, at = n, time.Now()
		}
		if time.Since(at) >= limit {
			s.kill()
			<-s.ended
			return
		}
	}
}

func (s *start) kill() {
	s.killed.Do(func() {
		s.signal = true
		if s.death.how != byCut {
			_ = s.cmd.Process.Kill() // it may have ended by itself
			return
		}
		err := s.round.disk.cut(s.cmd.Process)
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.round.server.complain(err)
		}
		s.cut = err == nil
	})
}

// seen is told of each trigger before its answer, answered of each after it.
func (s *start) seen(n int) {
	if n != s.death.n {
		return
	}
	switch s.death.how {
	case bySeen, byCut:
		pauseFor(s.death.after)
		s.kill()
	case byTaking:
		s.take()
	}
}

func (s *start) answered(n int) {
	if n == s.death.n && s.death.how == byAnswered {
		pauseFor(s.death.after)
		s.kill()
	}
}

func pauseFor(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// take puts the ledger out of the way, as somebody's mv would.
func (s *start) take() {
	path := filepath.Join(s.round.state, ledgerName)
	if err := os.Rename(path, path+".taken"); err != nil {
		s.round.server.complain(err)
		return
	}
	_, _, _, s.taken = s.round.server.counts()
}

func (s *start) putBack() error {
	if s.taken == 0 {
		return nil
	}
	path := filepath.Join(s.round.state, ledgerName)
	return os.Rename(path+".taken", path)
}

func (s *start) wasKilled() bool {
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// judge checks how the process ended, and how soon it went on with what the kill
// before it had left.
func (s *start) judge(killed bool) error {
	var exit *exec.ExitError
	if s.err != nil && !errors.As(s.err, &exit) {
		return s.err
	}
	code := s.cmd.ProcessState.ExitCode()
	said := "\n" + s.out.String()
	_, first, pause, all := s.round.server.counts()
	switch {
	case !killed && s.taken > 0:
		if code == exitDone || code == exitUnsettled || code == exitFailed {
			break
		}
		return fmt.Errorf("it ended with %d after its ledger was taken away%s", code, said)
	case !killed && code != exitDone && code != exitUnsettled && code != exitFailed:
		return fmt.Errorf("it ended with %d%s", code, said)
	case killed && s.death.how == "":
		return fmt.Errorf("it had to be killed: it sent nothing for %s%s", patience, said)
	}
	if s.taken > 0 && all-s.taken > maxInFlight {
		return fmt.Errorf("I9: %d triggers came after the ledger was taken away%s", all-s.taken, said)
	}
	if bytes.Contains(s.out.Bytes(), []byte(key)) {
		return fmt.Errorf("I7: the key is in its output%s", said)
	}
	return s.judgeRecovery(killed, first, pause)
}

// judgeRecovery measures a start after a kill: to its first trigger, or to its end.
// A wait that the server asked for does not count.
func (s *start) judgeRecovery(killed bool, first, pause time.Time) error {
	to := first
	if first.IsZero() && !killed {
		to = s.end
	}
	if s.round.clean || to.IsZero() {
		return nil
	}
	from := s.began
	if pause.After(from) {
		from = pause
	}
	took := to.Sub(from)
	s.round.tally.recovered(took)
	if took > maxRecovery {
		return fmt.Errorf("it went on only after %s\n%s", took, s.out.String())
	}
	return nil
}
