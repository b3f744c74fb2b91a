package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// build makes the program twice in a folder: as it is delivered, and with
// failpoints. overlay is a file for 'go build -overlay', or "".
func build(ctx context.Context, folder, overlay string) (program, error) {
	p := program{filepath.Join(folder, "worqcron"), filepath.Join(folder, "worqcron-failpoints")}
	for _, b := range []struct{ out, tags string }{{p.plain, ""}, {p.failpoints, "failpoint"}} {
		args := []string{"build", "-trimpath", "-tags", b.tags, "-o", b.out}
		if overlay != "" {
			args = append(args, "-overlay", overlay)
		}
		cmd := exec.CommandContext(ctx, "go", append(args, "worqcron/cmd/worqcron")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	return p, nil
}

// writeOverlay lets 'go build -overlay' read changed files in place of the
// repository's own, which stay as they are.
func writeOverlay(folder string, changed map[string][]byte) (string, error) {
	replace := map[string]string{}
	for path, data := range changed {
		to := filepath.Join(folder, fmt.Sprintf("overlay-%d.go", len(replace)))
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return "", err
		}
		replace[path] = to
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}

// moduleRoot is the folder of go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	return string(out[:len(out)-1]), nil
}
