package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"worqcron/alert"
	"worqcron/batch"
	"worqcron/notify"
	"worqcron/store"
)

// judgeRun looks at the run of a schedule for its latest time, if that came to rest
// since the last look. Older ones are history: a schedule stands as its latest run
// does.
func (w *watch) judgeRun(ctx context.Context, f *finding, now time.Time, ending bool) error {
	e, a := f.entry, &f.change.Alert
	run, err := w.ledger.NewestSlotRun(ctx, e.Name)
	switch {
	case err != nil:
		return err
	case run == nil || run.FinishedAt == nil || !run.State.Ended():
		return nil
	case run.RunID == a.JudgedRun && run.FinishedAt.Equal(a.JudgedEnd):
		return nil
	case ending && run.Reason == batch.ReasonInterrupted:
		return nil // the next start goes on with it, or finds it lying
	}
	facts := alert.Run{
		RunID: run.RunID, Name: run.Name(), State: string(run.State), Reason: run.Reason, Read: run.RecordsRead,
		Uncounted: batch.WasUnchanged(run) || run.RedriveOf != "", OnPurpose: batch.StoppedOnPurpose(run),
	}
	if run.RedriveOf != "" {
		left, err := w.ledger.LeftToRedrive(ctx, run.RedriveOf)
		if err != nil {
			return err
		}
		facts.Rest = left > 0
	}
	v := e.Expect.Judge(facts)
	a.JudgedRun, a.JudgedEnd = run.RunID, *run.FinishedAt
	if v.Breach != "" {
		f.change.Notes = append(f.change.Notes, store.RunNote{Run: run, Text: v.Breach})
	}
	f.ping = pingOf(e, run, v)
	return w.apply(ctx, f, v, run, now)
}

// pingOf tells the heartbeat how a run went; nil if that is no news.
func pingOf(e *watched, run *store.Run, v alert.Verdict) *notify.Ping {
	if v.State == "" || run.Origin == batch.OriginBackfill {
		return nil
	}
	p := &notify.Ping{Schedule: e.Name, URL: e.HeartbeatURL(), Kind: notify.PingSuccess, RunID: run.RunID, Text: v.Reason}
	if v.State != alert.OK {
		p.Kind = notify.PingFail
	}
	return p
}

// apply takes over what a verdict means: the new state, and what is told about it.
// run is the one that it is about; nil if there is none.
func (w *watch) apply(ctx context.Context, f *finding, v alert.Verdict, run *store.Run, now time.Time) error {
	a := &f.change.Alert
	runID := ""
	if run != nil {
		runID = run.RunID
	}
	before := alert.Standing{State: alert.State(a.State), Since: a.Since, RunID: a.RunID, Reason: a.Reason, Told: a.Told}
	after, change := before.After(v, runID, now)
	if change == nil {
		return nil
	}
	f.changes = append(f.changes, change)
	services := w.teller.names()
	tell := change.Tells(w.config.Notify.On) && len(services) > 0
	a.State, a.Since, a.RunID, a.Reason, a.Told = string(after.State), after.Since, after.RunID, after.Reason, tell
	if !tell {
		return nil
	}
	text, err := w.textOf(ctx, f.entry, change, v, run)
	if err != nil {
		return err
	}
	for _, name := range services {
		f.change.Messages = append(f.change.Messages, store.NewNotification{Service: name, Kind: change.Kind, Text: text})
	}
	return nil
}

// textOf is the message about a change.
func (w *watch) textOf(ctx context.Context, e *watched, c *alert.Change, v alert.Verdict, run *store.Run) (string, error) {
	zone := zoneOf(*e.Schedule)
	facts := alert.Facts{
		Schedule: e.Name, Alert: c.Kind, Before: string(c.Before.State), Since: c.Now.Since.In(zone), Reason: v.Reason,
		Look: fmt.Sprintf("worqcron why %s %s", e.Name, v.Slot.In(zone).Format(time.RFC3339)),
	}
	if run != nil {
		receipt, err := w.ledger.Receipt(ctx, run)
		if err != nil {
			return "", err
		}
		facts.Run, facts.RunID, facts.Receipt = run.Name(), run.RunID, receiptLine(receipt)
		facts.Look = "worqcron show " + run.Name()
	}
	if c.Kind == alert.Recovered {
		facts.Reason += fmt.Sprintf("; it was %s since %s", c.Before.State, c.Before.Since.In(zone).Format("2006-01-02 15:04 MST"))
		held, err := w.stillHeld(ctx, c.Before, run)
		if err != nil {
			return "", err
		}
		facts.Reason += held
	}
	if t := w.config.Notify.Template; t != nil {
		text, err := t.Text(facts)
		if err == nil && text != "" {
			return text, nil
		}
		w.log.Warn("notify.template not taken, the usual text is", "schedule", e.Name, "err", err)
	}
	if w.usual == nil {
		usual, err := alert.NewTemplate(alert.DefaultTemplate)
		if err != nil {
			return "", err
		}
		w.usual = usual
	}
	return w.usual.Text(facts)
}

// stillHeld says that the run which was held before is held yet: a good run after it
// decides nothing about it.
func (w *watch) stillHeld(ctx context.Context, before alert.Standing, run *store.Run) (string, error) {
	if before.State != alert.Held || run == nil || before.RunID == run.RunID {
		return "", nil
	}
	old, err := w.ledger.FindRun(ctx, before.RunID)
	var gone *store.NotFoundError
	switch {
	case errors.As(err, &gone):
		return "", nil
	case err != nil || old.State != store.Held:
		return "", err
	}
	return fmt.Sprintf("; run %s still waits for a decision (worqcron resolve)", old.Name()), nil
}

// receiptLine is a run's balance in one line, of what there is.
func receiptLine(c *store.Receipt) string {
	var parts []string
	add := func(n int64, word string) {
		if n > 0 {
			parts = append(parts, humanize.Comma(n)+" "+word)
		}
	}
	if rec := c.Records; rec != (store.RecordBalance{}) {
		add(rec.Accepted, "accepted")
		add(rec.Failed, "failed")
		add(rec.Dead, "dead")
		add(rec.Filtered, "filtered")
		add(rec.Unchanged, "unchanged")
		add(rec.Unknown, "unknown")
		add(rec.Pending, "pending")
		return strings.TrimSuffix(count(rec.Read, "record")+" read = "+strings.Join(parts, " + "), " = ")
	}
	add(c.Chunks.Accepted, "accepted")
	add(c.Chunks.Failed, "failed")
	add(c.Chunks.Unknown, "unknown")
	add(c.Chunks.Pending, "pending")
	if len(parts) == 0 {
		return ""
	}
	return "triggers: " + strings.Join(parts, ", ")
}
