package main

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"worqcron/alert"
	"worqcron/batch"
	"worqcron/config"
	"worqcron/notify"
	"worqcron/store"
)

const (
	// watchGrace is how long after its start a daemon looks for late slots: what
	// was missed is decided by then, and catch-up has begun.
	watchGrace = 15 * time.Second
	// watchAtLeast is how often the clock is read: timers know nothing of one that
	// was set.
	watchAtLeast = 30 * time.Second
	watchRetry   = 5 * time.Second
	// keepMark is how far the ledger may lag behind about the slots that were
	// looked at and were not late.
	keepMark = 10 * time.Minute
	// storeAtOnce is how many schedules share a commit: slots that are due do not
	// wait for all of them.
	storeAtOnce = 500
	// pingGrace is how long the end of a daemon waits for heartbeats.
	pingGrace = 5 * time.Second
)

// watch sees how the schedules stand: it judges runs that came to rest and slots
// whose time is up, keeps that in the ledger together with what is to be told, and
// lets the teller tell it. It stands in no run's way: runs only leave a word. A nil
// watch does nothing.
type watch struct {
	ledger *store.Ledger
	log    *slog.Logger
	heart  *notify.Heartbeat
	teller *teller
	grace  time.Duration // watchGrace
	begun  time.Time

	wake chan struct{} // holds one: there is something to look at

	mu     sync.Mutex
	next   *config.Config  // to be taken over; nil: none
	rested map[string]bool // schedules with a run that came to rest

	// Used by look alone.
	config  *config.Config
	entries map[string]*watched
	usual   *alert.Template // the text of messages where the configuration has none; nil: not made yet
}

// watched is one schedule.
type watched struct {
	*config.Schedule             // of the configuration, not copied: there may be thousands
	saved            store.Alert // as the ledger has it
	now              store.Alert // the same, with slots that were looked at since
	due              time.Time   // when the next slot is to be looked at; zero: none
}

func newWatch(ledger *store.Ledger, c *config.Config, log *slog.Logger) *watch {
	w := &watch{
		ledger: ledger, log: log, heart: notify.NewHeartbeat(log), teller: newTeller(ledger, log), grace: watchGrace, begun: time.Now(),
		wake: make(chan struct{}, 1), rested: map[string]bool{},
	}
	w.take(c)
	return w
}

// take hands over a configuration.
func (w *watch) take(c *config.Config) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.next = c
	w.mu.Unlock()
	w.teller.take(c.Notify)
	w.hurry()
}

// began says that a run begins or goes on.
func (w *watch) began(s config.Schedule, run *store.Run) {
	if w == nil || run.State.Ended() || run.Origin == batch.OriginBackfill {
		return
	}
	w.heart.Ping(notify.Ping{Schedule: s.Name, URL: s.HeartbeatURL(), Kind: notify.PingStart, RunID: run.RunID, Text: "run " + run.Name()})
}

// ended says that a run of a schedule came to rest, or is not what it was.
func (w *watch) ended(schedule string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.rested[schedule] = true
	w.mu.Unlock()
	w.hurry()
}

// skipped says that a slot does not run. Where a calendar says so, nothing is
// wrong: who watches from outside knows no calendar, so the heartbeat goes on.
func (w *watch) skipped(s config.Schedule, reason string) {
	if w == nil || !strings.HasPrefix(reason, "calendar ") && !strings.HasPrefix(reason, "blackout ") {
		return
	}
	w.heart.Ping(notify.Ping{Schedule: s.Name, URL: s.HeartbeatURL(), Kind: notify.PingSuccess, Text: "skipped: " + reason})
}

func (w *watch) hurry() {
	select {
	case w.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// run watches and tells until ctx ends.
func (w *watch) run(ctx context.Context) error {
	if w == nil {
		return nil
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { w.teller.run(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-timer.C:
		}
		timer.Reset(w.look(ctx, time.Now().Round(0), false))
	}
}

// close looks a last time when all runs have come to rest, and gives heartbeats and
// messages a moment.
func (w *watch) close() {
	if w == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingGrace)
	defer cancel()
	w.look(ctx, time.Now().Round(0), true)
	var both sync.WaitGroup
	both.Go(func() { w.teller.last(ctx) })
	w.heart.Close(pingGrace)
	both.Wait()
}

// finding is what a look found out about one schedule, to be stored, and what
// follows then.
type finding struct {
	entry   *watched
	change  store.AlertChange
	changes []*alert.Change // of state, in order
	ping    *notify.Ping
}

// look takes over a new configuration, judges what came to rest and what is late,
// and stores it; it gives how long to wait for the next look. ending: the daemon
// ends, and runs that were interrupted go on with the next.
func (w *watch) look(ctx context.Context, now time.Time, ending bool) time.Duration {
	now = now.UTC().Truncate(time.Millisecond) // as the ledger has times
	if err := w.takeOver(ctx, now); err != nil {
		return w.failed(ctx, err)
	}
	w.mu.Lock()
	rested := w.rested
	w.rested = map[string]bool{}
	w.mu.Unlock()
	err := w.judge(ctx, now, rested, ending)
	if err != nil {
		w.mu.Lock()
		for name := range rested {
			w.rested[name] = true
		}
		w.mu.Unlock()
		return w.failed(ctx, err)
	}
	wait := watchAtLeast
	for _, e := range w.entries {
		if !e.due.IsZero() {
			wait = min(wait, max(0, e.due.Sub(now)))
		}
	}
	return wait
}

func (w *watch) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() == nil {
		w.log.Error("how schedules stand not looked at; trying again", "err", err, "retry_in", watchRetry)
	}
	return watchRetry
}

// judge looks at schedules with a run that came to rest, and at those with a slot
// whose time is up, and stores what that means.
func (w *watch) judge(ctx context.Context, now time.Time, rested map[string]bool, ending bool) error {
	var list []finding
	for _, e := range w.entries {
		f := finding{entry: e, change: store.AlertChange{Alert: e.now}}
		if err := w.judgeSlots(ctx, &f, now); err != nil {
			return err
		}
		if rested[e.Name] {
			if err := w.judgeRun(ctx, &f, now, ending); err != nil {
				return err
			}
		}
		if f.change.Alert != e.now || ending && e.now != e.saved {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b finding) int { return cmp.Compare(a.entry.Name, b.entry.Name) })
	for part := range slices.Chunk(list, storeAtOnce) {
		if err := w.store(ctx, part, now, ending); err != nil {
			return err
		}
	}
	return nil
}

// store keeps what was found, all at once. Slots that were in time are kept from
// time to time only: to look at them again says the same.
func (w *watch) store(ctx context.Context, list []finding, now time.Time, ending bool) error {
	var changes []store.AlertChange
	for _, f := range list {
		if ending || f.matters() {
			changes = append(changes, f.change)
		}
	}
	if len(changes) > 0 {
		if err := w.ledger.SetAlerts(ctx, changes); err != nil {
			return err
		}
	}
	tell := false
	for _, f := range list {
		f.entry.now = f.change.Alert
		f.entry.due = f.entry.nextDue(now, w.begun.Add(w.grace))
		if ending || f.matters() {
			f.entry.saved = f.change.Alert
		}
		for _, c := range f.changes {
			w.logChange(f.entry.Name, c)
		}
		if f.ping != nil {
			w.heart.Ping(*f.ping)
		}
		tell = tell || len(f.change.Messages) > 0
	}
	if tell {
		w.teller.hurry()
	}
	return nil
}

// matters says whether a finding must not be lost.
func (f finding) matters() bool {
	a, b := f.change.Alert, f.entry.saved
	lag := max(a.StartedTo.Sub(b.StartedTo), a.FinishedTo.Sub(b.FinishedTo))
	a.StartedTo, a.FinishedTo = b.StartedTo, b.FinishedTo
	return a != b || len(f.change.Notes) > 0 || lag > keepMark
}

func (w *watch) logChange(schedule string, c *alert.Change) {
	level := slog.LevelWarn
	if c.Kind == alert.Recovered {
		level = slog.LevelInfo
	}
	w.log.Log(context.Background(), level, "schedule "+c.Kind, "schedule", schedule, "reason", c.Now.Reason, "before", string(c.Before.State))
}
