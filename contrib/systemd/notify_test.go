package systemd

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watchdogInterval is what the program is told; short, so that the test is.
const watchdogInterval = "400000" // microseconds

// patience bounds each wait for the program.
const patience = 30 * time.Second

// TestServeNotifies starts the real program as systemd would, and expects what
// Type=notify and WatchdogSec= rely on: READY=1 once it is up, WATCHDOG=1 again
// and again, a reload on SIGHUP, STOPPING=1 and exit 0 after SIGTERM.
func TestServeNotifies(t *testing.T) {
	program := build(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "schedules.toml")
	writeConfig(t, config, "30 2 * * *")
	socket := listen(t)
	journal := filepath.Join(dir, "journal")

	cmd := exec.CommandContext(t.Context(), program, "serve", "-c", config)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "STATE_DIRECTORY=" + filepath.Join(dir, "state"), "WORQHAT_API_KEY=wh_test",
		"NOTIFY_SOCKET=" + socket.LocalAddr().String(), "WATCHDOG_USEC=" + watchdogInterval,
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			text, err := os.ReadFile(journal)
			t.Logf("the program wrote (%v):\n%s", err, text)
		}
	})

	expect(t, socket, "READY=1")
	expect(t, socket, "WATCHDOG=1")
	writeConfig(t, config, "45 3 * * *")
	send(t, cmd.Process, syscall.SIGHUP)
	waitForText(t, journal, "configuration loaded")
	expect(t, socket, "WATCHDOG=1") // it lives on after the reload
	send(t, cmd.Process, syscall.SIGTERM)
	expect(t, socket, "STOPPING=1")
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after SIGTERM: %v, want exit 0", err)
		}
	case <-time.After(patience):
		t.Error("it did not end after SIGTERM")
	}
}

// build makes the program as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worqcron")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "worqcron/cmd/worqcron")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func writeConfig(t *testing.T, path, cron string) {
	t.Helper()
	text := "[schedules.report]\ncron = \"" + cron + "\"\nflow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listen opens the socket that systemd would.
func listen(t *testing.T) *net.UnixConn {
	t.Helper()
	// A socket's path may have 107 bytes at most: hence the short name.
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// expect reads messages until one has the line.
func expect(t *testing.T, socket *net.UnixConn, line string) {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for buffer := make([]byte, 4096); ; {
		n, err := socket.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("no %q within %s, only %q", line, patience, seen)
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(buffer[:n])), "\n")
		if slices.Contains(lines, line) {
			return
		}
		seen = append(seen, lines...)
	}
}

func send(t *testing.T, p *os.Process, s os.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// waitForText waits until a file holds a text.
func waitForText(t *testing.T, path, text string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), text) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s never held %q", path, text)
		}
	}
}
