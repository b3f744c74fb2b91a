package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
	"worqcron/worqhat/sandbox"
)

// testDaemon is a daemon that was not started: its parts are called by hand.
func testDaemon(t testing.TB, log *slog.Logger) *daemon {
	t.Helper()
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	t.Setenv("WORQHAT_API_KEY", canaryKey)
	dir := t.TempDir()
	text := fmt.Sprintf(`
[worqhat]
base_url = %q
rate = "off"
[schedules.orders]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
payload = { report = "orders" }
`, s.URL())
	path := filepath.Join(dir, "schedules.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := store.Open(t.Context(), filepath.Join(dir, "worqcron.db"), "serve")
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(cfg, ledger, log)
	t.Cleanup(func() {
		d.runs.Wait()
		d.runner.Connect(nil, nil)
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// A slot that is due just when somebody asks for a run of its schedule: one of
// them goes first, and no run is executed twice.
func TestSlotAndRequestAtOnce(t *testing.T) {
	var log bytes.Buffer
	d := testDaemon(t, slog.New(slog.NewTextHandler(&log, nil)))
	ctx := t.Context()
	body, err := json.Marshal(runRequest{Schedule: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 40
	for i := range rounds {
		due := scheduler.Due{Schedule: "orders", At: time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)}
		id, err := store.Ask(ctx, d.ledger.Path(), "run", string(body))
		if err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if err := (slots{d, ctx}).Claim(ctx, due); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() { d.serveRequest(ctx, store.Request{RequestID: id, Kind: "run", Body: string(body)}) })
		both.Wait()
		d.runs.Wait()
	}
	if text := log.String(); strings.Contains(text, "broke off") || strings.Contains(text, "level=ERROR") {
		t.Error(text)
	}
	runs, err := d.ledger.Runs(ctx, "orders", 3*rounds)
	if err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		if run.State != store.Succeeded {
			t.Errorf("run %s is %s: %s", run.Name(), run.State, run.Reason)
		}
		if i > 0 && run.FinishedAt.After(runs[i-1].StartedAt) {
			t.Errorf("run %s began at %s, before %s ended at %s", runs[i-1].Name(), runs[i-1].StartedAt, run.Name(), run.FinishedAt)
		}
	}
}
