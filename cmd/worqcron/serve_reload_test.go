package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// rewrite edits the daemon's file and reloads it.
func rewrite(t *testing.T, d *daemon, edit ...string) {
	t.Helper()
	data, err := os.ReadFile(d.config.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.config.File, []byte(strings.NewReplacer(edit...).Replace(string(data))), 0o600); err != nil {
		t.Fatal(err)
	}
	d.reload(t.Context())
}

func loggingDaemon(t *testing.T) (*daemon, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	d := testDaemon(t, slog.New(slog.NewTextHandler(log, nil)))
	d.config.Ledger.Path = d.ledger.Path()
	d.scheduler = scheduler.New(slots{d, t.Context()}, d.log)
	d.backfilling, d.again = map[string]bool{}, make(chan struct{}, 1)
	return d, log
}

// A slot that the timetable still has under its old name is the new one's.
func TestSlotOfAnOldName(t *testing.T) {
	d, log := loggingDaemon(t)
	claim(t, d, 1, false)
	d.runs.Wait()
	rewrite(t, d, "[schedules.orders]", "[schedules.sales]\nrenamed_from = \"orders\"")
	claim(t, d, 2, false)
	if err := (slots{d, t.Context()}).Advance(t.Context(), "orders", scheduler.Mark{At: hourAt(2), Spec: "s"}); err != nil {
		t.Fatal(err)
	}
	d.runs.Wait()
	for hour := 1; hour <= 2; hour++ {
		row, ok, err := d.ledger.Slot(t.Context(), "sales", hourAt(hour))
		if err != nil || !ok || row.State != store.SlotRan {
			t.Errorf("slot %02d: got %+v, %v, %v", hour, row, ok, err)
		}
	}
	if has, err := d.ledger.HasSchedule(t.Context(), "orders"); has || err != nil {
		t.Errorf("something has the old name: %v\n%s", err, log)
	}
}

func TestRenameWaitsForARun(t *testing.T) {
	d, log := loggingDaemon(t)
	claim(t, d, 1, false)
	d.runs.Wait()
	_, release := block(t, d)
	b := d.busyWith("orders")
	rewrite(t, d, "[schedules.orders]", "[schedules.sales]\nrenamed_from = \"orders\"")
	if _, ok := d.config.Schedule("orders"); !ok || !strings.Contains(log.String(), "configuration waits") {
		t.Errorf("it did not wait:\n%s", log)
	}
	claim(t, d, 2, true) // it waits behind the run
	close(b.done)
	release()
	select {
	case <-d.again:
	case <-time.After(10 * time.Second):
		t.Fatal("it was not loaded again")
	}
	d.reload(t.Context())
	if _, ok := d.config.Schedule("sales"); !ok {
		t.Errorf("not loaded:\n%s", log)
	}
}

func TestRenameDuringABackfillIsRefused(t *testing.T) {
	d, log := loggingDaemon(t)
	d.backfilling["orders"] = true
	rewrite(t, d, "[schedules.orders]", "[schedules.sales]\nrenamed_from = \"orders\"")
	if _, ok := d.config.Schedule("orders"); !ok || !strings.Contains(log.String(), "a backfill is under way") {
		t.Errorf("got\n%s", log)
	}
}

// However many schedules an edit concerns, the log stays short.
func TestReloadLogIsBounded(t *testing.T) {
	d, log := loggingDaemon(t)
	var more strings.Builder
	for c := 'a'; c <= 'z'; c++ {
		more.WriteString("[schedules." + string(c) + "]\ncron = \"@daily\"\nflow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\n")
	}
	rewrite(t, d, "[schedules.orders]", more.String()+"[schedules.orders]")
	text := log.String()
	if n := strings.Count(text, `msg="schedule added"`); n != maxReloadLines {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(text, `msg="more schedules differ" schedules=6`) || !strings.Contains(text, "added=26 removed=0 changed=0 renamed=0") {
		t.Errorf("got\n%s", text)
	}
}

func TestSlotsPhrase(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 8, 30, 0, 0, berlin)
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, berlin).UTC() }
	for _, tt := range []struct {
		list []time.Time
		all  bool
		want string
	}{
		{nil, true, ""},
		{[]time.Time{at(24, 9)}, true, "today 09:00"},
		{[]time.Time{at(25, 8), at(26, 8), at(27, 8), at(28, 8)}, true, "08:00 from tomorrow on"},
		{[]time.Time{at(25, 8), at(26, 8), at(27, 8), at(28, 8)}, false, "tomorrow 08:00, 2026-11-26 08:00, 2026-11-27 08:00 and 1 more in the days ahead"},
		{[]time.Time{at(24, 9), at(24, 10)}, true, "today 09:00, today 10:00"},
		{[]time.Time{at(25, 8).Add(5 * time.Second)}, true, "tomorrow 08:00:05"},
	} {
		if got := slotsPhrase(tt.list, tt.all, berlin, now); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestKeysText(t *testing.T) {
	long := `["` + strings.Repeat("x", 100)
	got := keysText([]config.KeyChange{
		{Key: "jitter", New: `"5m"`}, {Key: "payload.a", Old: "1", New: "2"}, {Key: "exclude", Old: long + `"]`, New: long + `", "y"]`}, {Key: "expect.heartbeat_url"},
	}, false)
	if !strings.Contains(got, `jitter (not set) → "5m", payload.a, exclude …`) || !strings.HasSuffix(got, `xx", "y"], expect.heartbeat_url`) || len([]rune(got)) > 150 {
		t.Errorf("got %s", got)
	}
}
