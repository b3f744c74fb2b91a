package systemd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestUnitRuns boots a real systemd in a container and starts the unit there as
// it is shipped, with every restriction in force: SQLite must work without
// writable and executable memory and with the filtered system calls, the user
// must be made, the credential found, triggers sent. It needs root and
// systemd-nspawn (Debian: apt-get install systemd-container).
//
// The container sees this machine's files under a layer that is thrown away,
// and no network but its own loopback.
func TestUnitRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it boots a container")
	}
	for _, program := range []string{"systemd-nspawn", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: apt-get install systemd-container)", program)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root can boot a container")
	}
	dir := t.TempDir()
	fill(t, dir, build(t))

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// The mounts live in a namespace of their own and end with it.
	boot := exec.CommandContext(ctx, "unshare", "--mount", "--", "sh", "-euc", `
mount -t tmpfs tmpfs "$1/layer"
mkdir "$1/layer/upper" "$1/layer/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" "$1/root"
install -m 0755 "$1/worqcron" "$1/root/usr/local/bin/worqcron"
install -D -m 0600 "$1/key" "$1/root/etc/worqcron/worqhat-api-key"
install -m 0644 "$1/schedules.toml" "$1/root/etc/worqcron/schedules.toml"
install -D -m 0644 "$1/orders.csv" "$1/root/srv/inbox/orders.csv"
install -D -m 0644 "$1/short.conf" "$1/root/etc/systemd/system/worqcron.service.d/short.conf"
install -m 0644 "$1"/*.service "$1/try.target" "$1/root/etc/systemd/system/"
status=0
systemd-nspawn --quiet --directory="$1/root" --register=no --keep-unit --private-network \
  --bind="$1/try:/try" --boot systemd.unit=try.target || status=$?
# It leaves its cgroups, which are empty now.
find /sys/fs/cgroup -depth -mindepth 2 -type d \( -path '*/payload' -o -path '*/payload/*' -o -name supervisor \) \
  -exec rmdir {} + 2>/dev/null || :
exit $status
`, "boot", dir)
	boot.WaitDelay = 10 * time.Second
	console, err := boot.CombinedOutput()
	report, readErr := os.ReadFile(filepath.Join(dir, "try", "report"))
	if !strings.Contains(string(report), "booted=yes") {
		t.Skipf("no container can be booted here: %v, %v\n%s", err, readErr, console)
	}
	for _, want := range []string{
		"started=0", "triggered=yes", "seccomp=2", "capabilities=0000000000000000", "user=worqcron",
		"state=700 0 loose files", "reload=0", "reloaded=yes", "triggered_again=yes", "restarts=0 active",
		"stopped=success 0", "again=active",
	} {
		if !strings.Contains(string(report), want+"\n") {
			t.Errorf("want %s", want)
		}
	}
	if t.Failed() {
		t.Logf("report:\n%s", report)
	}
}

// fill puts into dir what the container is given.
func fill(t *testing.T, dir, program string) {
	t.Helper()
	inside, err := os.ReadFile("testdata/inside")
	if err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(program, filepath.Join(dir, "worqcron")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"try", "layer"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		unitFile:     string(unit),
		"key":        "wh_try\n",
		"orders.csv": "id,name\n1,Zoë\n2,José\n",
		"try/inside": string(inside),
		// The watchdog must bite within the test's time.
		"short.conf": "[Service]\nWatchdogSec=2s\n",
		"schedules.toml": `[worqhat]
base_url = "http://127.0.0.1:8411"
rate = "off"

[schedules.orders]
cron = "* * * * * *"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"

[schedules.orders.source]
path = "/srv/inbox/orders.csv"
unchanged = "send"
`,
		"sandbox.service": `[Service]
ExecStart=/usr/local/bin/worqcron sandbox --key wh_try --log /try/accepted
`,
		"try.target": "[Unit]\nRequires=basic.target\nWants=try.service\nAfter=basic.target\n",
		"try.service": `[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /try/inside
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=file:/try/report
StandardError=inherit
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
