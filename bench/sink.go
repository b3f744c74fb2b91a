package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"

	"worqcron/worqhat/sandbox"
)

// sinkRole is the argument that makes this program the sandbox.
const sinkRole = "sink"

// serveSink is the sandbox in a process of its own: it prints its address and
// serves until its input ends. Bodies are only looked at from outside, so that
// the figures are those of the sender.
func serveSink(in io.Reader, out io.Writer) error {
	debug.SetGCPercent(400)
	s, err := sandbox.Start(sandbox.Options{Check: sandbox.CheckFast})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, s.URL())
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	return errors.Join(err, s.Close())
}

// sink is the sandbox's process.
type sink struct {
	url   string
	cmd   *exec.Cmd
	input io.Closer
}

func startSink(ctx context.Context) (*sink, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, sinkRole)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &sink{cmd: cmd, input: input}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: it gave no address: %w", err), s.stop())
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

// stop ends the sandbox and waits for it.
func (s *sink) stop() error {
	return errors.Join(s.input.Close(), s.cmd.Wait())
}
