//go:build linux && !race

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"worqcron/sample"
	"worqcron/worqhat/sandbox"
)

// peakOf looks at the peak of a process's memory until it has ended. Its rusage
// would begin with the memory of this process, from which it was forked.
func peakOf(t *testing.T, pid int) (peak int64) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(status), "VmHWM:")
		if !found { // it has ended, and waits to be waited for
			return peak
		}
		var kB int64
		if _, err := fmt.Sscan(rest, &kB); err != nil {
			t.Fatal(err)
		}
		peak = kB * 1024
	}
	return peak
}

// TestMemory holds the program below 96 MB at the defaults, for a source that is
// several times larger; what it needs does not depend on the source's size.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and sends 250 MB")
	}
	const size, limit int64 = 250_000_000, 96_000_000
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "in.csv"))
	if err != nil {
		t.Fatal(err)
	}
	orders, err := sample.CSV(f, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := sandbox.Start(sandbox.Options{Check: sandbox.CheckFast})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text := fmt.Sprintf(`
[worqhat]
base_url = %q
rate = "off"
[schedules.big]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
source = { path = "in.csv" }
`, s.URL())
	if err := os.WriteFile(filepath.Join(dir, "schedules.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "worqcron", "run", "big")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WORQHAT_API_KEY=wh_test")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := peakOf(t, cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Logf("%d orders, peak RSS %d MB", orders, peak/1_000_000)
	if peak > limit {
		t.Errorf("peak RSS %d MB, at most %d", peak/1_000_000, limit/1_000_000)
	}
}
