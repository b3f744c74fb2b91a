package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// childLedger makes this test binary a second sender instead: it opens the
// ledger named here, says so, and holds it until its stdin ends or it is killed.
const childLedger = "STORE_TEST_CHILD_LEDGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(childLedger); path != "" {
		os.Exit(holdLedger(path))
	}
	goleak.VerifyTestMain(m)
}

func holdLedger(path string) int {
	l, err := Open(context.Background(), path, "serve")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := l.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// child is another process that wants to send from a ledger.
type child struct {
	cmd  *exec.Cmd
	said string // its first line: "open", or why not
}

func startChild(t *testing.T, ledger string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe)}
	c.cmd.Env = append(os.Environ(), childLedger+"="+ledger)
	if _, err := c.cmd.StdinPipe(); err != nil { // stays open until Wait
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	line := bufio.NewScanner(out)
	line.Scan()
	c.said = line.Text()
	return c
}

// kill ends the child as kill -9 does, and waits until it is gone.
func (c *child) kill() {
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.cmd.Process.Kill() // gone already: Wait says the same
	_ = c.cmd.Wait()         // "signal: killed"
}
