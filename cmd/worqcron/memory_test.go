//go:build linux && !race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"worqcron/sample"
	"worqcron/worqhat/sandbox"
)

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
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
	t.Logf("%d orders, peak RSS %d MB", orders, peak/1_000_000)
	if peak > limit {
		t.Errorf("peak RSS %d MB, at most %d", peak/1_000_000, limit/1_000_000)
	}
}
