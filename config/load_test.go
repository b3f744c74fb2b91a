package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"worqcron/batch"
	"worqcron/expression"
	"worqcron/source"
	"worqcron/worqhat"
)

const minimal = `
[schedules.orders]
cron = "30 2 * * *"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
`

// cleanEnvironment keeps the machine's variables out of a test.
func cleanEnvironment(t testing.TB) {
	t.Helper()
	for _, name := range []string{"WORQHAT_BASE_URL", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"} {
		t.Setenv(name, "")
	}
	t.Setenv("WORQHAT_API_KEY", "wh_"+strings.Repeat("k", 40))
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("/etc/worqcron/schedules.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, minimal+"[schedules.orders.source]\npath = \"inbox/*.csv\"\n")
	wantWorqHat := worqhat.Options{
		BaseURL: "https://api.worqhat.com", KeyEnv: "WORQHAT_API_KEY",
		Rate: 50.0 / 60, Burst: 1, MaxInFlight: 4, Timeout: 5 * time.Minute, Adaptive: true, BackfillShare: 0.5,
	}
	if diff := cmp.Diff(wantWorqHat, c.WorqHat); diff != "" {
		t.Errorf("worqhat (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Ledger{Path: "/etc/worqcron/worqcron.db", KeepBodies: 2e9, Retain: 400 * 24 * time.Hour}, c.Ledger); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	s, found := c.Schedule("orders")
	if !found {
		t.Fatal("orders not found")
	}
	if s.Name != "orders" || s.CatchUp != "last" || s.CatchUpWindow != 24*time.Hour || s.Timezone != "UTC" || s.Cron != "30 2 * * *" || s.Spec.String() != s.Cron {
		t.Errorf("got %+v", s)
	}
	job := s.Job
	if before, ok := job.Slots.Prev(time.Date(2027, 1, 2, 2, 30, 0, 0, time.UTC)); !ok || !before.Equal(time.Date(2027, 1, 1, 2, 30, 0, 0, time.UTC)) {
		t.Errorf("slots: the one before is %v", before)
	}
	if job.Zone.String() != "UTC" || job.Payload == nil || job.Payload.Source() != "{}" {
		t.Errorf("zone %v, payload %v", job.Zone, job.Payload)
	}
	job.Zone, job.Payload, job.Slots = nil, nil, nil
	want := batch.Job{
		Schedule: "orders", FlowID: "f825ab82-371f-40cb-9bed-b325531ead4a", BaseURL: "https://api.worqhat.com",
		Source:  &source.Options{Path: "/etc/worqcron/inbox/*.csv", Order: "name", MaxRecordBytes: 9_500_000},
		Files:   batch.FilePolicy{SettleTimeout: time.Hour, WhenDone: "keep"},
		Records: batch.RecordPolicy{OnBad: "quarantine", MaxBad: batch.Share{Percent: 1, IsPercent: true}, Empty: "skip", Unchanged: "skip"},
		Chunk:   batch.ChunkOptions{MaxBytes: 9_500_000, RecordsKey: "records", BatchKey: "_batch"},
		Delivery: batch.DeliveryOptions{
			MaxInFlight: 4, MaxAttempts: 8, MaxFailed: batch.Share{Percent: 10, IsPercent: true}, OnUnknown: "hold",
			Timeout: 5 * time.Minute, ShutdownTimeout: 30 * time.Second,
		},
	}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
}

func TestEveryKeySet(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, `
worqhat = { base_url = "http://[::1]:8411/", api_key_env = "KEY", api_key_file = "key", rate = "600/h", burst = 3, max_in_flight = 9, adaptive = false, backfill_share = "12.5%", timeout = "1.5s" }
ledger.path = "/var/lib/w.db"
ledger.keep_bodies = 0
ledger.retain = "off"
[dashboard]
listen = ''
[schedules."eu.orders-2_x"]
cron = "@daily"
timezone = "Europe/Berlin"
dst_gap = "skip"
dst_fold = "both"
catch_up = "all"
catch_up_window = "2d12h"
max_duration = "2h"
flow_id = "F825AB82-371F-40CB-9BED-B325531EAD4A"
shutdown_timeout = "0s"
source = { path = "/data/one", format = "ndjson", compression = "zstd", on_bad_record = "fail", max_bad = 7, empty = "skip", unchanged = "send" }
chunk.max_bytes = "1MiB"
chunk.max_records = 10
chunk.records_key = "rows"
chunk.batch_key = ""
[schedules."eu.orders-2_x".delivery]
rate = "30/min"
window = ["22:00-06:00", "12:00-12:30"]
ordered = true
max_attempts = 1
max_failed = "off"
on_unknown = "accept"
timeout = "90s"
[schedules."eu.orders-2_x".payload]
a = [1, 2.5, true, "${schedule}", 2026-01-02, 2026-01-02T03:04:05+01:00]
b.c = 0xFF
`)
	wantWorqHat := worqhat.Options{
		BaseURL: "http://[::1]:8411", KeyEnv: "KEY", KeyFile: "/etc/worqcron/key",
		Rate: 1.0 / 6, Burst: 3, MaxInFlight: 9, Timeout: 1500 * time.Millisecond, BackfillShare: 0.125,
	}
	if diff := cmp.Diff(wantWorqHat, c.WorqHat); diff != "" {
		t.Errorf("worqhat (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Ledger{Path: "/var/lib/w.db"}, c.Ledger); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	s := c.Schedules[0]
	if s.Name != "eu.orders-2_x" || s.CatchUp != "all" || s.CatchUpWindow != 60*time.Hour || s.Timezone != "Europe/Berlin" {
		t.Errorf("got %+v", s)
	}
	payload, err := s.Job.Payload.Render(expression.Moment{Schedule: s.Name})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"a":[1,2.5,true,"eu.orders-2_x","2026-01-02","2026-01-02T03:04:05+01:00"],"b":{"c":255}`; string(payload) != want {
		t.Errorf("payload: got %s, want %s", payload, want)
	}
	job := s.Job
	job.Zone, job.Payload, job.Slots = nil, nil, nil
	want := batch.Job{
		Schedule: "eu.orders-2_x", FlowID: "F825AB82-371F-40CB-9BED-B325531EAD4A", BaseURL: "http://[::1]:8411",
		Source: &source.Options{
			Path: "/data/one", Order: "name", Dialect: source.Dialect{Format: "ndjson", Compression: "zstd"}, MaxRecordBytes: 1 << 20,
		},
		Files:   batch.FilePolicy{SettleTimeout: time.Hour, WhenDone: "keep"},
		Records: batch.RecordPolicy{OnBad: "fail", MaxBad: batch.Share{Count: 7}, Empty: "skip", Unchanged: "send"},
		Chunk:   batch.ChunkOptions{MaxBytes: 1 << 20, MaxRecords: 10, RecordsKey: "rows"},
		Delivery: batch.DeliveryOptions{
			MaxInFlight: 9, Rate: 0.5, Window: batch.Window{{From: 22 * 60, To: 6 * 60}, {From: 12 * 60, To: 12*60 + 30}},
			MaxAttempts: 1, MaxFailed: batch.Share{Percent: 100, IsPercent: true}, Ordered: true, OnUnknown: "accept", Timeout: 90 * time.Second,
			MaxDuration: 2 * time.Hour,
		},
	}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
}

func TestSectionDefaults(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, `
[defaults]
timezone = "Asia/Tokyo"
catch_up = "none"
[defaults.source]
delimiter = ";"
[defaults.chunk]
max_records = 5
[defaults.delivery]
on_unknown = "resend"
[schedules.a]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
catch_up = "all"
[schedules.b]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
[schedules.b.source]
path = "b.csv"
[schedules.b.chunk]
max_records = 6
`)
	a, _ := c.Schedule("a")
	b, _ := c.Schedule("b")
	if a.Job.Source != nil {
		t.Errorf("[defaults.source] gave a a source: %+v", a.Job.Source)
	}
	if a.Timezone != "Asia/Tokyo" || a.CatchUp != "all" || b.CatchUp != "none" {
		t.Errorf("a: %s %s, b: %s", a.Timezone, a.CatchUp, b.CatchUp)
	}
	if a.Job.Chunk.MaxRecords != 5 || b.Job.Chunk.MaxRecords != 6 || b.Job.Source.Delimiter != ";" || b.Job.Delivery.OnUnknown != "resend" {
		t.Errorf("a: %+v, b: %+v %+v", a.Job.Chunk, b.Job.Chunk, b.Job.Source)
	}
	if b.Job.Records.Empty != "fail" {
		t.Errorf("empty for a single file: got %s, want fail", b.Job.Records.Empty)
	}
}

func TestEnvironment(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("WORQHAT_BASE_URL", "http://127.0.0.1:9/x/")
	t.Setenv("STATE_DIRECTORY", "/var/lib/worqcron:/var/lib/other")
	c := mustParse(t, minimal)
	if c.WorqHat.BaseURL != "http://127.0.0.1:9/x" || c.Schedules[0].Job.BaseURL != c.WorqHat.BaseURL {
		t.Errorf("base URL: got %s and %s", c.WorqHat.BaseURL, c.Schedules[0].Job.BaseURL)
	}
	if c.Ledger.Path != "/var/lib/worqcron/worqcron.db" {
		t.Errorf("ledger: got %s", c.Ledger.Path)
	}
	c = mustParse(t, "worqhat.base_url = \"https://example.com\"\n"+minimal)
	if c.WorqHat.BaseURL != "https://example.com" {
		t.Errorf("the file must win over the environment: got %s", c.WorqHat.BaseURL)
	}
	t.Setenv("WORQHAT_BASE_URL", "http://example.com")
	_, err := Parse("s.toml", []byte(minimal))
	want := "s.toml:1:1: base_url: http to example.com would send the API key in the clear (environment variable WORQHAT_BASE_URL)\n  hint: write https:// (http is for localhost alone)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestFolderWithGlobCharacters(t *testing.T) {
	cleanEnvironment(t)
	c, err := Parse("/srv/[a]/s.toml", []byte(minimal+"[schedules.orders.source]\npath = \"x.csv\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Schedules[0].Job.Source.Path, `/srv/\[a]/x.csv`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := c.Schedules[0].Job.Records.Empty; got != "fail" {
		t.Errorf("empty: got %s, want fail", got)
	}
}

func TestExampleLoads(t *testing.T) {
	cleanEnvironment(t)
	c, err := Load("../schedules.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings {
		if !strings.HasPrefix(w.Message, "path: folder ") {
			t.Errorf("unexpected warning: %s", w)
		}
	}
	var names []string
	for _, s := range c.Schedules {
		names = append(names, s.Name)
	}
	if want := []string{"events", "invoices", "nightly-report", "orders"}; !slices.Equal(names, want) {
		t.Errorf("schedules: got %v, want %v", names, want)
	}
	zone := c.Schedules[2].Job.Zone
	payload, err := c.Schedules[2].Job.Payload.Render(expression.Moment{ScheduledFor: time.Date(2026, 11, 24, 2, 30, 0, 0, zone)})
	if err != nil || string(payload) != `"day":"2026-11-23","report":"orders"` {
		t.Errorf("payload: got %s, %v", payload, err)
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := Find("x.toml"); got != "x.toml" || err != nil {
		t.Errorf("flag: got %s, %v", got, err)
	}
	if _, err := os.Stat(systemFile); err == nil {
		t.Skipf("this machine has a %s", systemFile)
	}
	if got, err := Find(""); err == nil || !strings.Contains(err.Error(), "--config FILE") {
		t.Errorf("nothing there: got %s, %v", got, err)
	}
	if err := os.WriteFile(localFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); got != localFile || err != nil {
		t.Errorf("local: got %s, %v", got, err)
	}
}

func TestNearest(t *testing.T) {
	c := &Config{}
	for _, name := range []string{"orders", "events", "nightly-report"} {
		s := Schedule{}
		s.Name = name
		c.Schedules = append(c.Schedules, s)
	}
	for name, want := range map[string]string{"order": "orders", "Orders": "orders", "odrers": "orders", "nightlyreport": "nightly-report", "x": "", "invoices": ""} {
		if got := c.Nearest(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, found := c.Schedule("order"); found {
		t.Error("found a schedule that is not there")
	}
}

func TestLoadWithoutFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	var invalid *Invalid
	if !errors.Is(err, os.ErrNotExist) || errors.As(err, &invalid) {
		t.Errorf("got %v, want that the file does not exist", err)
	}
}

func TestLoadRefusesHugeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "huge.toml")
	if err := os.WriteFile(file, make([]byte, maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func TestCountAsText(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, minimal+"source = { path = \"x.csv\", max_bad = \"100\" }\npayload = { a.b.c = 1, l = [[1], {x = 2}] }\n")
	if got, want := c.Schedules[0].Job.Records.MaxBad, (batch.Share{Count: 100}); got != want {
		t.Errorf("max_bad: got %+v, want %+v", got, want)
	}
	if got, want := c.Schedules[0].Job.Payload.Source(), `{"a":{"b":{"c":1}},"l":[[1],{"x":2}]}`; got != want {
		t.Errorf("payload: got %s, want %s", got, want)
	}
}
