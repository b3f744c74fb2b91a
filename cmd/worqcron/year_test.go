package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
	"worqcron/worqhat"
)

// yearSchedules are in zones whose clocks change; answers take up to 50 minutes, so
// those of every 20 and 30 minutes have runs in their way.
var yearSchedules = map[string]string{
	"nightly":  `cron = "30 2 * * *"` + "\n" + `timezone = "America/New_York"` + "\n" + `catch_up = "all"` + "\n" + `catch_up_window = "90d"`,
	"jittered": `cron = "15 2 * * 0,3"` + "\n" + `timezone = "Australia/Lord_Howe"` + "\n" + `catch_up = "last"` + "\n" + `catch_up_window = "2d"` + "\n" + `jitter = "3h"`,
	"midnight": `cron = "0 0 * * *"` + "\n" + `timezone = "America/Santiago"` + "\n" + `catch_up = "none"`,
	"twice":    `cron = "30 1 * * *"` + "\n" + `timezone = "Europe/Berlin"` + "\n" + `dst_fold = "both"` + "\n" + `catch_up = "last"` + "\n" + `catch_up_window = "6h"`,
	"queued":   `cron = "*/30 6-8 * * 2"` + "\n" + `timezone = "Asia/Kathmandu"` + "\n" + `overlap = "queue"` + "\n" + `catch_up = "all"` + "\n" + `catch_up_window = "1h"`,
	"skipped":  `cron = "*/20 8-9 * * 1"` + "\n" + `timezone = "UTC"`,
	"every":    `cron = "@every 31h"` + "\n" + `catch_up = "all"` + "\n" + `catch_up_window = "40h"` + "\n" + `jitter = "20m"`,
}

// slowly is a WorqHat that takes its time, and counts what it was sent for each slot.
type slowly struct {
	mu   sync.Mutex
	r    *rand.Rand
	sent map[string]int // by schedule and slot
}

func (s *slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	var body struct{ Schedule, Slot string }
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &body); err != nil || body.Slot == "" {
		return nil, fmt.Errorf("body %s: %w", data, err)
	}
	s.mu.Lock()
	s.sent[body.Schedule+" "+body.Slot]++
	id := len(s.sent)
	wait := time.Duration(s.r.Int64N(int64(50 * time.Minute)))
	s.mu.Unlock()
	time.Sleep(wait)
	answer := fmt.Sprintf(`{"success":true,"analytics_id":"year-%d"}`, id)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)), Request: r,
	}, nil
}

// yearOf is the daemon's time: its files, and one life after the other.
type yearOf struct {
	t    *testing.T
	file string
	far  *slowly
}

// live is a life of the daemon, as serve makes it, without its signals and requests:
// it begins, and ends after so long.
func (y yearOf) live(span time.Duration) {
	t := y.t
	ctx, end := context.WithCancel(t.Context())
	defer end()
	cfg, err := config.Load(y.file)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	ledger, err := store.Open(ctx, cfg.Ledger.Path, "serve")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{ledger: ledger, log: log, config: cfg, busy: map[string]*busyRun{}, turns: map[string]*sync.Mutex{}, backfilling: map[string]bool{}}
	d.runner = newRunner(cfg, ledger, log)
	key, _, err := worqhat.LoadKey(cfg.WorqHat)
	if err != nil {
		t.Fatal(err)
	}
	client, err := worqhat.NewClient(cfg.WorqHat, key, y.far)
	if err != nil {
		t.Fatal(err)
	}
	d.runner.Connect(client, nil)
	interrupted, err := recoverLedger(ctx, d.runner, cfg)
	for _, step := range []func(context.Context) error{d.takeOff, d.missOldWaiting} {
		if err == nil {
			err = step(ctx)
		}
	}
	table, tableErr := timetableOf(ctx, &ledger.Reader, cfg)
	if err != nil || tableErr != nil {
		t.Fatal(err, tableErr)
	}
	d.resume(ctx, interrupted, table)
	d.scheduler = scheduler.New(slots{d, ctx}, log)
	d.scheduler.Set(table)
	d.startAllWaiting(ctx)
	done := make(chan error, 1)
	go func() { done <- d.scheduler.Run(ctx) }()
	time.Sleep(span)
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.runs.Wait()
	if err := ledger.Close(); err != nil {
		t.Error(err)
	}
}

// A year of the daemon on a real ledger, going down and up at random: each due slot
// has one row, each that ran has one run, and of none more than one trigger was sent.
// Without WORQCRON_ORACLE=full it is two months of spring, when clocks change.
func TestYearOfTheDaemon(t *testing.T) {
	t.Setenv("WORQHAT_API_KEY", canaryKey)
	dir := t.TempDir()
	text := "[worqhat]\nbase_url = \"http://127.0.0.1:1\"\nrate = \"off\"\n[defaults.delivery]\ntimeout = \"1h\"\n"
	for name, keys := range yearSchedules {
		text += fmt.Sprintf("[schedules.%s]\n%s\nflow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\npayload = { schedule = %q, slot = \"${ strftime(scheduled_for, '%%Y-%%m-%%dT%%H:%%M:%%S%%z') }\" }\n", name, keys, name)
	}
	file := filepath.Join(dir, "schedules.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 17))
		y := yearOf{t, file, &slowly{r: rand.New(rand.NewPCG(5, 18)), sent: map[string]int{}}}
		end := time.Now().AddDate(1, 0, 0)
		if os.Getenv("WORQCRON_ORACLE") != "full" {
			time.Sleep(70 * 24 * time.Hour)
			end = time.Now().AddDate(0, 2, 0)
		}
		begun := time.Now()
		for time.Now().Before(end) {
			y.live(time.Duration(1 + r.Int64N(int64(8*24*time.Hour))))
			time.Sleep(time.Duration(r.Int64N(int64(9 * time.Hour)))) // down
			if r.IntN(8) == 0 {
				time.Sleep(time.Duration(r.Int64N(int64(4 * 24 * time.Hour))))
			}
		}
		y.live(4 * time.Hour)
		y.check(begun, time.Now().Add(-4*time.Hour))
	})
}

// check compares the ledger and what was sent with what was due in (from, until).
func (y yearOf) check(from, until time.Time) {
	t := y.t
	cfg, err := config.Load(y.file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.OpenReader(t.Context(), cfg.Ledger.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	states := map[string]int{}
	for _, s := range cfg.Schedules {
		rows, err := r.Slots(t.Context(), s.Name, from, until)
		if err != nil {
			t.Fatal(err)
		}
		k := 0
		for due := range s.Spec.Between(from.Add(1), until) {
			if k == len(rows) || !rows[k].ScheduledFor.Equal(due) {
				t.Errorf("%s: row %d is %v, due was %v", s.Name, k, rows[k:min(k+1, len(rows))], due)
				break
			}
			y.checkSlot(r, s, rows[k])
			states[s.Name+" "+string(rows[k].State)+" "+strings.SplitN(rows[k].Reason, " run ", 2)[0]]++
			k++
		}
		if k != len(rows) {
			t.Errorf("%s: %d rows, %d were due", s.Name, len(rows), k)
		}
	}
	t.Logf("%v", states)
	for _, want := range []string{"nightly ran ", "midnight missed catch_up is none", "twice ran ", "skipped skipped overlap with", "every ran "} {
		if states[want] == 0 {
			t.Errorf("no slot is %q", want)
		}
	}
}

// checkSlot holds that a slot that ran has one run and one trigger, and that others
// have none.
func (y yearOf) checkSlot(r *store.Reader, s config.Schedule, row store.Slot) {
	runs, err := r.RunsOfSlots(y.t.Context(), s.Name, row.ScheduledFor, row.ScheduledFor.Add(time.Second))
	if err != nil {
		y.t.Fatal(err)
	}
	sent := y.far.sent[s.Name+" "+row.ScheduledFor.In(s.Spec.Zone()).Format("2006-01-02T15:04:05-0700")]
	want := 0
	if row.State == store.SlotRan {
		want = 1
	}
	if len(runs) != want || sent > want || want == 1 && runs[0].State == store.Succeeded && sent != 1 {
		y.t.Errorf("%s: slot %s %s has %d runs and %d triggers", s.Name, row.ScheduledFor, row.State, len(runs), sent)
	}
	if want == 1 && !runs[0].State.Ended() {
		y.t.Errorf("run %s is %s", runs[0].Name(), runs[0].State)
	}
}
