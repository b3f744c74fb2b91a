package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"worqcron/batch"
	"worqcron/config"
)

// cmdHours puts hours around now, in UTC, into files: for OPEN, CLOSED.
func cmdHours(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: hours FILE...")
	}
	now := time.Now().UTC()
	hours := func(from, to time.Duration) []byte {
		return []byte(now.Add(from).Format("15:04") + "-" + now.Add(to).Format("15:04"))
	}
	for _, name := range args {
		data, err := os.ReadFile(ts.MkAbs(name))
		ts.Check(err)
		data = bytes.ReplaceAll(data, []byte("OPEN"), hours(-time.Hour, 2*time.Hour))
		data = bytes.ReplaceAll(data, []byte("CLOSED"), hours(2*time.Hour, 3*time.Hour))
		ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o600))
	}
}

// cmdSpaced asserts that each trigger came at the sandbox so long after the one
// before, or later.
func cmdSpaced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: spaced DURATION")
	}
	least, err := time.ParseDuration(args[0])
	ts.Check(err)
	all := holderOf(ts).Requests()
	for i := 1; i < len(all); i++ {
		if gap := all[i].Time.Sub(all[i-1].Time); gap < least {
			ts.Fatalf("trigger %d of %d came %s after the one before", i+1, len(all), gap)
		}
	}
}

// cmdWaited asserts, from 'show --chunk N --json', that each attempt began so
// long after the one before had ended, or later.
func cmdWaited(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waited FILE DURATION")
	}
	least, err := time.ParseDuration(args[1])
	ts.Check(err)
	var chunk struct{ Attempts []attemptJSON }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &chunk))
	if len(chunk.Attempts) < 2 {
		ts.Fatalf("only %d attempts", len(chunk.Attempts))
	}
	for i, a := range chunk.Attempts[1:] {
		if gap := a.StartedAt.Sub(*chunk.Attempts[i].FinishedAt); gap < least {
			ts.Fatalf("attempt %d began %s after the one before had ended", a.Number, gap)
		}
	}
}

func TestWaitsText(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	night := batch.Window{{From: 22 * 60, To: 6 * 60}}
	tests := []struct {
		name   string
		window batch.Window
		until  time.Time
		now    time.Time
		want   string
	}{
		{"nothing", nil, time.Time{}, now, ""},
		{"a pause that is over", nil, now, now, ""},
		{"a pause", nil, now.Add(time.Minute), now, "the key waits until 2026-11-24T13:01:00+01:00: 429"},
		{"open", night, time.Time{}, now.Add(10 * time.Hour), ""},
		{"closed", night, time.Time{}, now, "outside its window 22:00-06:00 (Europe/Berlin): waits until 2026-11-24T22:00:00+01:00"},
		{"both", night, now.Add(time.Minute), now, "outside its window 22:00-06:00 (Europe/Berlin): waits until 2026-11-24T22:00:00+01:00"},
	}
	for _, tt := range tests {
		s := config.Schedule{Job: batch.Job{Zone: berlin, Delivery: batch.DeliveryOptions{Window: tt.window}}}
		got := waitsText(s, func() (time.Time, string) { return tt.until, "429" }, tt.now)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestShortest(t *testing.T) {
	tests := []struct {
		key, own float64
		burst    int
		want     time.Duration
		rate     float64
	}{
		{0, 0, 1, 0, 0},
		{1, 0, 1, 9 * time.Second, 1},
		{1, 0, 4, 6 * time.Second, 1},
		{1, 0, 40, 0, 1},
		{0, 3, 4, 3 * time.Second, 3},
		{1, 3, 1, 9 * time.Second, 1},
		{1, 0.5, 4, 18 * time.Second, 0.5},
	}
	for _, tt := range tests {
		cfg := &config.Config{}
		cfg.WorqHat.Rate, cfg.WorqHat.Burst = tt.key, tt.burst
		s := config.Schedule{Job: batch.Job{Delivery: batch.DeliveryOptions{Rate: tt.own}}}
		if got, rate := shortest(10, cfg, s); got != tt.want || rate != tt.rate {
			t.Errorf("ten triggers at %g/s, own %g/s, burst %d: got %s at %g, want %s at %g", tt.key, tt.own, tt.burst, got, rate, tt.want, tt.rate)
		}
	}
}
