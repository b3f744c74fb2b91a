package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// Marks of a slot, for programs; its note says the same in words.
const (
	markDST      = "dst"      // daylight saving moved it, or its hour comes twice
	markExcluded = "excluded" // a calendar or blackout keeps it from running
	markPaused   = "paused"
	markJitter   = "jitter" // it starts later
	markOnce     = "once"
	markLast     = "last" // there is none after it
)

// slotOf says about a slot what the scheduler will do with it.
func slotOf(s scheduler.Schedule, at time.Time) slotJSON { return slotStarting(s, at, s.StartOf(at)) }

func slotStarting(s scheduler.Schedule, at, start time.Time) slotJSON {
	zone := s.Spec.Zone()
	j := slotJSON{Schedule: s.Name, ScheduledFor: at.UTC(), Local: at.In(zone).Format(localLayout), Skipped: s.SkipReason(at), Marks: []string{}}
	var notes []string
	note := func(mark, text string) {
		j.Marks, notes = append(j.Marks, mark), append(notes, text)
	}
	if text := s.Spec.Note(at); text != "" {
		note(markDST, text)
	}
	_, goesOn := s.Spec.Next(at)
	switch {
	case s.Spec.IsOnce():
		note(markOnce, "once")
	case !goesOn && s.Spec.Is(at):
		note(markLast, "the last one")
	}
	if start.After(at) && j.Skipped == "" {
		start = start.UTC()
		j.StartsAt = &start
		note(markJitter, "starts "+start.In(zone).Format("15:04:05")+" by its jitter")
	}
	switch {
	case j.Skipped == "":
	case s.ExcludedBy(at) != "":
		note(markExcluded, "will be skipped: "+j.Skipped)
	default:
		note(markPaused, "will be skipped: "+j.Skipped)
	}
	j.Note = strings.Join(notes, "; ")
	return j
}

// begunSlot is the slot of a schedule that has come and is yet to start, by its
// jitter. The ledger's mark has its start, which no edit moves; before a daemon
// looked at the schedule it is the computed one.
func begunSlot(s scheduler.Schedule, mark store.Mark, now time.Time) (slotJSON, bool) {
	if mark.WaitingUntil.After(now) {
		return slotStarting(s, mark.WaitingFor, mark.WaitingUntil), true
	}
	last, ok := s.Spec.Prev(now)
	if !ok || !last.After(mark.At) || !s.StartOf(last).After(now) || s.SkipReason(last) != "" {
		return slotJSON{}, false
	}
	return slotOf(s, last), true
}

// marksNow are the marks of the ledger by schedule; none where there is no ledger.
func marksNow(ctx context.Context, cfg *config.Config) (map[string]store.Mark, error) {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	marks, err := r.Marks(ctx)
	return marks, errors.Join(err, r.Close())
}
