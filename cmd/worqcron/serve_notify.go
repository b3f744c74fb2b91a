package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"worqcron/config"
	"worqcron/notify"
	"worqcron/store"
)

const (
	// gather is how long a message waits for others: a hundred schedules that fail
	// because of one key are one message.
	gather = 5 * time.Second
	// giveUpAfter is how long a service is tried.
	giveUpAfter = 12 * time.Hour
	// Waits between tries are random up to a range that doubles from 20 s to an hour.
	firstWait = 10 * time.Second
	longWait  = 30 * time.Minute
	// maxTold and maxTextBytes bound one message; the others are counted.
	maxTold      = 20
	maxTextBytes = 3000
	// tellIdle is how often the ledger is read for messages without a word.
	tellIdle = time.Minute
	// sendGrace is how long a message under way has when the daemon ends.
	sendGrace = 5 * time.Second
)

// teller sends what the ledger says is to be told. What it does is at least once: a
// message that a crash leaves without its mark goes again.
type teller struct {
	ledger *store.Ledger
	log    *slog.Logger
	gather time.Duration
	wake   chan struct{} // holds one

	mu       sync.Mutex
	services []*notify.Service
}

func newTeller(ledger *store.Ledger, log *slog.Logger) *teller {
	return &teller{ledger: ledger, log: log, gather: gather, wake: make(chan struct{}, 1)}
}

// take makes the services of a configuration. What is wrong with one is logged, and
// the others are told.
func (t *teller) take(n config.Notify) {
	services, errs := n.Load()
	for _, err := range errs {
		t.log.Warn("a place of notify URLs is of no use", "err", err)
	}
	t.mu.Lock()
	t.services = services
	t.mu.Unlock()
	t.hurry()
}

func (t *teller) now() []*notify.Service {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.services
}

// names are the services as the ledger calls them.
func (t *teller) names() []string {
	var list []string
	for _, s := range t.now() {
		list = append(list, s.Name())
	}
	return list
}

func (t *teller) hurry() {
	select {
	case t.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// run sends until ctx ends; what is on its way then has sendGrace.
func (t *teller) run(ctx context.Context) {
	sending, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() {
		timer := time.NewTimer(sendGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-sending.Done():
		}
	})()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-timer.C:
		}
		timer.Reset(t.tell(sending, time.Now(), t.gather))
	}
}

// last sends what is not waiting for a service that failed, without waiting for
// more.
func (t *teller) last(ctx context.Context) { t.tell(ctx, time.Now(), 0) }

// tell sends what is due, to all services side by side, and gives how long to wait.
func (t *teller) tell(ctx context.Context, now time.Time, gather time.Duration) time.Duration {
	list, err := t.ledger.WaitingNotifications(ctx)
	if err != nil {
		if ctx.Err() == nil {
			t.log.Error("messages not read; trying again", "err", err, "retry_in", tellIdle)
		}
		return tellIdle
	}
	of := map[string][]store.Notification{}
	for _, n := range list {
		of[n.Service] = append(of[n.Service], n)
	}
	wait := tellIdle
	var all sync.WaitGroup
	for _, s := range t.now() {
		waiting := of[s.Name()]
		delete(of, s.Name())
		if len(waiting) == 0 {
			continue
		}
		if due := goesOut(waiting, gather); due.After(now) {
			wait = min(wait, due.Sub(now))
			continue
		}
		wait = 0 // look again: a try that failed says when the next one comes
		all.Go(func() { t.send(ctx, s, waiting) })
	}
	all.Wait()
	t.abandon(ctx, of, now)
	return max(wait, 10*time.Millisecond)
}

// goesOut is when the messages that wait for a service go out, all together: when the
// oldest has waited for others, or after a failed try with its next one.
func goesOut(waiting []store.Notification, gather time.Duration) time.Time {
	due := waiting[0].CreatedAt.Add(gather)
	for _, n := range waiting {
		if n.Attempts > 0 && n.NotBefore.After(due) {
			due = n.NotBefore
		}
	}
	return due
}

// send makes one message of all and records what became of it.
func (t *teller) send(ctx context.Context, s *notify.Service, list []store.Notification) {
	title, text := joined(list)
	err := s.Send(ctx, title, text)
	if err != nil && ctx.Err() != nil {
		return // the next start sends it
	}
	keep := context.WithoutCancel(ctx)
	if err == nil {
		t.log.Info("notification sent", "service", s.Name(), "alerts", len(list))
		err = t.ledger.NotificationsSent(keep, list)
	} else {
		err = t.again(keep, s, list, err)
	}
	if err != nil {
		t.log.Error("what became of a message is not in the ledger: it goes again", "service", s.Name(), "err", err)
	}
}

// again decides when messages are tried again, and gives up those that were tried
// for too long.
func (t *teller) again(ctx context.Context, s *notify.Service, list []store.Notification, why error) error {
	var later, never []store.Notification
	tries := 0
	now := time.Now()
	for _, n := range list {
		if now.Sub(n.CreatedAt) > giveUpAfter {
			never = append(never, n)
			continue
		}
		later = append(later, n)
		tries = max(tries, n.Attempts)
	}
	if len(never) > 0 {
		t.log.Warn("notification given up", "service", s.Name(), "alerts", len(never), "after", giveUpAfter, "err", why)
		if err := t.ledger.GiveUpNotifications(ctx, never, why.Error(), true); err != nil {
			return err
		}
	}
	if len(later) == 0 {
		return nil
	}
	wait := waitBefore(tries)
	t.log.Warn("notification not sent", "service", s.Name(), "alerts", len(later), "err", why, "retry_in", wait.Round(time.Second))
	return t.ledger.DelayNotifications(ctx, later, now.Add(wait), why.Error())
}

// waitBefore is the wait after so many failed tries before the last one.
func waitBefore(tries int) time.Duration {
	b := &backoff.ExponentialBackOff{InitialInterval: firstWait, RandomizationFactor: 1, Multiplier: 2, MaxInterval: longWait}
	b.Reset()
	wait := b.NextBackOff()
	for range min(tries, 20) {
		wait = b.NextBackOff()
	}
	return max(wait, time.Second)
}

// abandon gives up what waits for services that are configured no more, once it is
// old: an address may only be missing for now.
func (t *teller) abandon(ctx context.Context, of map[string][]store.Notification, now time.Time) {
	for name, list := range of {
		var old []store.Notification
		for _, n := range list {
			if now.Sub(n.CreatedAt) > giveUpAfter {
				old = append(old, n)
			}
		}
		if len(old) == 0 {
			continue
		}
		t.log.Warn("notification given up", "service", name, "alerts", len(old), "err", "there is no such service any more")
		if err := t.ledger.GiveUpNotifications(ctx, old, "there is no such service any more", false); err != nil && ctx.Err() == nil {
			t.log.Error("messages not given up", "err", err)
		}
	}
}

// joined makes one message of several, with a title.
func joined(list []store.Notification) (title, text string) {
	if len(list) == 1 {
		return fmt.Sprintf("worqcron: %s %s", list[0].Schedule, list[0].Kind), list[0].Text
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d alerts", len(list))
	for i, n := range list {
		if i == maxTold || b.Len()+len(n.Text) > maxTextBytes && i > 0 {
			fmt.Fprintf(&b, "\n\n… and %d more: worqcron notify", len(list)-i)
			break
		}
		b.WriteString("\n\n" + n.Text)
	}
	return fmt.Sprintf("worqcron: %d alerts", len(list)), b.String()
}
