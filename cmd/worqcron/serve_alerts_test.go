package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"worqcron/alert"
	"worqcron/batch"
	"worqcron/config"
	"worqcron/notify"
	"worqcron/scheduler"
	"worqcron/store"
)

// receiver is a web server that keeps what it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string // path and body
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		status := r.status
		if strings.HasPrefix(q.URL.Path, "/beat") {
			status = 200
		}
		w.WriteHeader(status)
		if status == 200 {
			r.got = append(r.got, q.URL.Path+" "+string(body))
		}
	}))
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		r.Close()
	})
	return r
}

// take returns what came since the last take.
func (r *receiver) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) url(path string) notify.URL {
	return notify.NewURL("generic://" + strings.TrimPrefix(r.URL, "http://") + path + "?disabletls=yes")
}

// vigil is a daemon of which the watch is called by hand, at times of the test's.
type vigil struct {
	*daemon
	t   *testing.T
	rec *receiver
	log *bytes.Buffer
}

const hookSecret = "t0ken-2718281828"

func newVigil(t *testing.T, expect alert.Expect) *vigil {
	t.Helper()
	v := &vigil{t: t, rec: newReceiver(t), log: &bytes.Buffer{}}
	v.daemon = testDaemon(t, slog.New(slog.NewTextHandler(v.log, nil)))
	v.scheduler = scheduler.New(slots{v.daemon, t.Context()}, v.daemon.log)
	setSchedule(v.daemon, func(s *config.Schedule) {
		s.Expect, s.Heartbeat = expect, notify.NewURL(v.rec.URL+"/beat/"+hookSecret)
	})
	v.daemon.config.Notify = config.Notify{Options: notify.Options{URLs: []notify.URL{v.rec.url("/hook/" + hookSecret)}}, On: alert.Kinds()}
	v.restart()
	return v
}

// restart is a crash of the daemon's watch and the begin of another.
func (v *vigil) restart() {
	v.t.Helper()
	v.watch = newWatch(v.ledger, v.daemon.config, v.daemon.log)
	v.watch.grace, v.watch.begun = 0, hourAt(0)
	v.t.Cleanup(func() { v.watch.heart.Close(time.Minute) })
}

// look lets the watch look, and tell at once, and gives what was told.
func (v *vigil) look(now time.Time) []string {
	v.t.Helper()
	v.runs.Wait()
	v.watch.look(v.t.Context(), now, false)
	v.watch.teller.tell(v.t.Context(), time.Now(), 0)
	v.watch.heart.Close(time.Minute)
	v.watch.heart = notify.NewHeartbeat(v.daemon.log)
	if strings.Contains(v.log.String(), hookSecret) || strings.Contains(v.log.String(), "level=ERROR") && strings.Contains(v.log.String(), "not looked at") {
		v.t.Errorf("log: %s", v.log)
	}
	return v.rec.take()
}

func (v *vigil) want(what string, got []string, want ...string) {
	v.t.Helper()
	slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(b[:5], a[:5]) }) // messages, then heartbeats
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], hookSecret, "S")
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		v.t.Errorf("%s: got  %q\nwant %q", what, got, want)
	}
}

// end makes a run of the schedule for an hour that ends in a state.
func (v *vigil) end(hour int, state store.RunState, reason string) *store.Run {
	v.t.Helper()
	run, err := v.ledger.BeginRun(v.t.Context(), store.NewRun{Schedule: "orders", ScheduledFor: hourAt(hour), Origin: "slot", Zone: "UTC", Slot: true})
	if err == nil {
		_, err = v.ledger.SettleRun(v.t.Context(), run, func(*store.Receipt) store.End { return store.End{State: state, Reason: reason} })
	}
	if err != nil {
		v.t.Fatal(err)
	}
	v.watch.ended("orders")
	return run
}

// A change is told once, over restarts too; what ended before the first look is not
// told at all.
func TestAlertsOnChange(t *testing.T) {
	v := newVigil(t, alert.Expect{})
	v.watch.begun = time.Now().Add(time.Hour)
	v.end(1, store.Failed, "before anybody watched")
	v.want("first sight", v.look(hourAt(9)))
	v.end(2, store.Succeeded, "")
	v.want("good", v.look(hourAt(9)), "/beat/S run orders@2020-11-24T02:00 succeeded")
	v.end(3, store.Failed, "nothing was accepted")
	v.want("failed", v.look(hourAt(10)), "/hook/S orders failed (2020-11-24 10:00 UTC): run orders@2020-11-24T03:00 failed: nothing was accepted\nworqcron show orders@2020-11-24T03:00",
		"/beat/S/fail run orders@2020-11-24T03:00 failed")
	v.restart()
	v.want("after a restart", v.look(hourAt(11)))
	v.end(4, store.Stopped, "401")
	v.want("still failed", v.look(hourAt(11)), "/beat/S/fail run orders@2020-11-24T04:00 stopped: 401")
	v.end(5, store.Stopped, batch.ReasonLimit)
	v.want("on purpose", v.look(hourAt(11)))
	v.end(6, store.Held, "1 chunk")
	v.want("held", v.look(hourAt(12)), "/hook/S orders is held (2020-11-24 12:00 UTC)", "/beat/S/fail")
	v.end(7, store.Skipped, "unchanged since run x")
	v.want("recovered", v.look(hourAt(13)), "/hook/S orders recovered (2020-11-24 13:00 UTC): run orders@2020-11-24T07:00 skipped: unchanged since run x; "+
		"it was held since 2020-11-24 12:00 UTC; run orders@2020-11-24T06:00 still waits for a decision (worqcron resolve)", "/beat/S run")
	v.end(0, store.Failed, "an older slot")
	v.want("history", v.look(hourAt(13)))
}

// What a daemon that ends or crashes leaves without a look is found by the next.
func TestAlertsAfterACrash(t *testing.T) {
	v := newVigil(t, alert.Expect{})
	v.want("first", v.look(hourAt(1)))
	v.rec.answer(500)
	run := v.end(1, store.Failed, "x")
	v.watch.rested = map[string]bool{} // the word is lost
	v.restart()
	v.want("the service is down", v.look(hourAt(2)), "/beat/S/fail")
	waiting, err := v.ledger.WaitingNotifications(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Attempts != 1 || !strings.Contains(waiting[0].Error, "500") || strings.Contains(waiting[0].Error, hookSecret) {
		t.Fatalf("got %+v, %v", waiting, err)
	}
	v.rec.answer(200)
	v.restart()
	v.watch.teller.tell(t.Context(), waiting[0].NotBefore.Add(-time.Millisecond), 0)
	v.want("before its time", v.rec.take())
	v.watch.teller.tell(t.Context(), waiting[0].NotBefore, 0)
	v.want("in the end", v.rec.take(), "/hook/S orders failed")
	list, err := v.ledger.Notifications(t.Context(), 10)
	if err != nil || len(list) != 1 || list[0].State != store.NotificationSent || list[0].Attempts != 2 {
		t.Errorf("got %+v, %v", list, err)
	}
	// A run that the end of the daemon interrupts is not judged by it.
	reopened, err := v.ledger.BeginRun(t.Context(), store.NewRun{Schedule: "orders", ScheduledFor: hourAt(2), Origin: "slot", Zone: "UTC", Slot: true})
	if err == nil {
		_, err = v.ledger.SettleRun(t.Context(), reopened, func(*store.Receipt) store.End {
			return store.End{State: store.Stopped, Reason: batch.ReasonInterrupted}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	v.watch.ended("orders")
	v.watch.close()
	if rows, err := v.ledger.Alerts(t.Context()); err != nil || rows[0].JudgedRun != run.RunID {
		t.Errorf("got %+v, %v", rows, err)
	}
}

// What was tried for too long is given up, and says so.
func TestNotificationsAreGivenUp(t *testing.T) {
	v := newVigil(t, alert.Expect{})
	v.look(hourAt(1))
	v.rec.answer(500)
	v.end(1, store.Failed, "x")
	v.look(hourAt(2))
	list, err := v.ledger.WaitingNotifications(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("got %+v, %v", list, err)
	}
	list[0].CreatedAt = time.Now().Add(-giveUpAfter - time.Second)
	v.watch.teller.send(t.Context(), v.watch.teller.now()[0], list)
	v.end(2, store.Held, "x")
	v.look(hourAt(3))
	v.watch.teller.take(config.Notify{}) // the service is gone
	v.watch.teller.tell(t.Context(), time.Now().Add(giveUpAfter+time.Minute), 0)
	all, err := v.ledger.Notifications(t.Context(), 10)
	if err != nil || len(all) != 2 || all[0].State != store.NotificationGivenUp || all[1].State != store.NotificationGivenUp || !strings.Contains(all[1].Error, "500") {
		t.Errorf("got %+v, %v", all, err)
	}
	if n := strings.Count(v.log.String(), "notification given up"); n != 2 {
		t.Errorf("logged %d times: %s", n, v.log)
	}
}

// A burst is one message.
func TestBurst(t *testing.T) {
	v := newVigil(t, alert.Expect{})
	v.look(hourAt(1))
	var changes []store.AlertChange
	for i := range 100 {
		changes = append(changes, store.AlertChange{
			Alert:    store.Alert{Schedule: fmt.Sprintf("s%03d", i), State: "failed", Since: hourAt(1)},
			Messages: []store.NewNotification{{Service: "generic", Kind: "failed", Text: fmt.Sprintf("s%03d failed", i)}},
		})
	}
	if err := v.ledger.SetAlerts(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	tell := v.watch.teller
	if wait := tell.tell(t.Context(), time.Now(), time.Hour); wait <= 0 || len(v.rec.take()) != 0 {
		t.Errorf("told before it gathered: %v", wait)
	}
	tell.tell(t.Context(), time.Now(), 0)
	got := v.rec.take()
	if len(got) != 1 || !strings.Contains(got[0], "100 alerts") || !strings.Contains(got[0], "s000 failed") || !strings.Contains(got[0], "… and 80 more") {
		t.Errorf("got %q", got)
	}
	if waiting, err := v.ledger.WaitingNotifications(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("got %d waiting, %v", len(waiting), err)
	}
}

func TestMinRecordsIsNoted(t *testing.T) {
	v := newVigil(t, alert.Expect{MinRecords: 1000})
	v.look(hourAt(1))
	run := v.end(1, store.Succeeded, "")
	v.want("too few", v.look(hourAt(2)), "/hook/S orders failed (2020-11-24 02:00 UTC): run orders@2020-11-24T01:00: 0 records read, at least 1,000 expected", "/beat/S/fail")
	c, err := v.ledger.Receipt(t.Context(), run)
	if err != nil || !slices.Equal(c.Notes, []string{"0 records read, at least 1,000 expected (min_records)"}) {
		t.Errorf("got %q, %v", c.Notes, err)
	}
}

// hourly makes the schedule due each hour.
func (v *vigil) hourly() {
	v.t.Helper()
	spec, err := scheduler.Parse("0 * * * *", time.UTC, scheduler.SpecOptions{Gap: scheduler.GapRun, Fold: scheduler.FoldFirst})
	if err != nil {
		v.t.Fatal(err)
	}
	setSchedule(v.daemon, func(s *config.Schedule) { s.Spec = spec })
	v.watch.take(v.daemon.config)
}

func (v *vigil) closeSlot(hour int, state store.SlotState, reason string) {
	v.t.Helper()
	_, err := v.ledger.CloseSlot(v.t.Context(), store.Slot{Schedule: "orders", ScheduledFor: hourAt(hour), State: state, Reason: reason})
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *vigil) decidedTo(at time.Time) {
	v.t.Helper()
	if err := v.ledger.SetMark(v.t.Context(), "orders", store.Mark{At: at, Spec: "x"}); err != nil {
		v.t.Fatal(err)
	}
}

func TestLateStart(t *testing.T) {
	v := newVigil(t, alert.Expect{StartWithin: 10 * time.Minute})
	v.hourly()
	v.want("first sight", v.look(hourAt(0).Add(time.Minute)))
	v.closeSlot(1, store.SlotSkipped, "calendar holidays")
	v.closeSlot(2, store.SlotSkipped, "overlap with run x")
	v.decidedTo(hourAt(2))
	v.want("not yet", v.look(hourAt(2).Add(10*time.Minute-time.Millisecond)))
	v.want("late", v.look(hourAt(2).Add(10*time.Minute)),
		"/hook/S orders is late (2020-11-24 02:10 UTC): no run began within 10m of 2020-11-24T02:00:00Z: skipped: overlap with run x\nworqcron why orders 2020-11-24T02:00:00Z")
	v.want("once", v.look(hourAt(2).Add(20*time.Minute)))
	// The daemon was down: one alert for all that was missed, and none more, since it is late.
	v.closeSlot(3, store.SlotMissed, scheduler.MissedSuperseded)
	v.closeSlot(4, store.SlotMissed, scheduler.MissedSuperseded)
	v.decidedTo(hourAt(4))
	v.restart()
	v.want("still late", v.look(hourAt(4).Add(30*time.Minute)))
	v.end(5, store.Succeeded, "") // by the machine's clock it began years later
	v.want("recovered", v.look(hourAt(5).Add(5*time.Minute)), "/hook/S orders recovered", "/beat/S")
	v.closeSlot(6, store.SlotMissed, scheduler.MissedWindow)
	v.closeSlot(7, store.SlotMissed, scheduler.MissedWindow)
	v.decidedTo(hourAt(7))
	v.restart()
	v.want("one for all", v.look(hourAt(7).Add(30*time.Minute)), "/hook/S orders is late (2020-11-24 07:30 UTC): no run began within 10m of 2020-11-24T07:00:00Z: missed: outside window; so were 2 slots before it")
	v.want("nobody decided", v.look(hourAt(8).Add(30*time.Minute)))
	rows, err := v.ledger.Alerts(t.Context())
	if err != nil || rows[0].State != "late" || rows[0].RunID != "" {
		t.Errorf("got %+v, %v", rows, err)
	}
}

// A slot that nobody decided is late, unless a pause or a calendar will skip it.
func TestUndecidedSlots(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(*vigil)
		late   bool
	}{
		"nothing happens": {func(*vigil) {}, true},
		"paused": {func(v *vigil) {
			setSchedule(v.daemon, func(s *config.Schedule) { s.Exclude = nil })
			if err := pauseHere(t.Context(), v.ledger, pauseRequest{Schedule: "orders"}); err != nil {
				t.Fatal(err)
			}
		}, false},
		"calendar": {func(v *vigil) {
			day := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
			setSchedule(v.daemon, func(s *config.Schedule) {
				s.Exclude = []scheduler.Exclusion{{Name: "calendar x", Dates: map[string]bool{day: true}}}
			})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVigil(t, alert.Expect{StartWithin: time.Minute})
			tt.before(v)
			v.hourly()
			midnight := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
			v.look(midnight.Add(30 * time.Minute))
			v.decidedTo(midnight.Add(30 * time.Minute))
			if got := v.look(midnight.Add(time.Hour + 2*time.Minute)); (len(got) == 1) != tt.late {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestLateFinish(t *testing.T) {
	v := newVigil(t, alert.Expect{FinishWithin: 30 * time.Minute})
	v.hourly()
	base := time.Now().UTC().Truncate(time.Hour)
	v.look(base.Add(-time.Minute))
	run, err := v.ledger.BeginRun(t.Context(), store.NewRun{Schedule: "orders", ScheduledFor: base, Origin: "slot", Zone: "UTC", Slot: true})
	if err != nil {
		t.Fatal(err)
	}
	v.decidedTo(base)
	v.want("in time yet", v.look(base.Add(29*time.Minute)))
	v.want("late", v.look(base.Add(31*time.Minute)), "/hook/S orders is late")
	c, err := v.ledger.Receipt(t.Context(), run)
	if err != nil || !slices.Equal(c.Notes, []string{"run " + run.Name() + " is not finished 30m after its slot"}) {
		t.Errorf("got %q, %v", c.Notes, err)
	}
	if _, err := v.ledger.SettleRun(t.Context(), run, func(*store.Receipt) store.End { return store.End{State: store.Succeeded} }); err != nil {
		t.Fatal(err)
	}
	v.watch.ended("orders")
	v.want("recovered", v.look(base.Add(40*time.Minute)), "/hook/S orders recovered", "/beat/S run")
}

// An edit of the timetable or of what is expected looks at nothing that is past.
func TestEditsAreNotLate(t *testing.T) {
	v := newVigil(t, alert.Expect{})
	v.hourly()
	v.look(hourAt(1))
	v.decidedTo(hourAt(9))
	setSchedule(v.daemon, func(s *config.Schedule) { s.Expect.StartWithin = time.Minute })
	v.watch.take(v.daemon.config)
	v.want("expected from now on", v.look(hourAt(9).Add(5*time.Minute)))
	setSchedule(v.daemon, func(s *config.Schedule) { s.Name = "others" })
	v.watch.take(v.daemon.config)
	v.look(hourAt(10).Add(30 * time.Minute))
	if rows, err := v.ledger.Alerts(t.Context()); err != nil || len(rows) != 1 || rows[0].Schedule != "others" {
		t.Errorf("got %+v, %v", rows, err)
	}
}

// Heartbeats of the daemon's runs, and of slots that a calendar skips.
func TestHeartbeatsOfRuns(t *testing.T) {
	v := newVigil(t, alert.Expect{})
	v.look(hourAt(1))
	claim(t, v.daemon, 1, false)
	got := v.look(hourAt(2))
	v.want("a run", got, "/beat/S/start run orders@", "/beat/S run orders@")
	for reason, want := range map[string]int{"calendar holidays": 1, "blackout x": 1, "paused": 0, "overlap with run x": 0} {
		v.watch.skipped(v.daemon.config.Schedules[0], reason)
		if got := v.look(hourAt(3)); len(got) != want {
			t.Errorf("%s: got %q", reason, got)
		}
	}
}
