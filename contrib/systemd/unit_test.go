// Package systemd holds the unit for systemd, and the tests that it is as tight
// as it claims and that the program speaks its protocol.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const unitFile = "worqcron.service"

// maxExposure is what 'systemd-analyze security' may give at most; 0 is a
// service that can do nothing, 10 one without any hardening.
const maxExposure = 1.2

// analyze runs systemd-analyze, or skips the test where there is none.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestUnitIsTight(t *testing.T) {
	out := analyze(t, "security", "--offline=true", "./"+unitFile)
	m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure level in:\n%s", out)
	}
	got, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	if got > maxExposure {
		t.Errorf("exposure %.1f, want at most %.1f:\n%s", got, maxExposure, out)
	}
}

// TestUnitIsValid has systemd read the unit. The program is not installed where
// the tests run, so a copy of the unit names one that is there.
func TestUnitIsValid(t *testing.T) {
	unit, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	const installed = "ExecStart=/usr/local/bin/worqcron "
	if n := strings.Count(string(unit), installed); n != 1 {
		t.Fatalf("%d lines with %q, want 1", n, installed)
	}
	here, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), unitFile)
	text := strings.Replace(string(unit), installed, "ExecStart="+here+" ", 1)
	if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := analyze(t, "verify", "--man=no", copied); strings.Contains(out, unitFile) {
		t.Errorf("systemd-analyze verify complains:\n%s", out)
	}
}
