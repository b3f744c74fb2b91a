package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/source"
	"worqcron/store"
)

// arrivalsJSON is a schedule whose slots files make, for programs.
type arrivalsJSON struct {
	Schedule string `json:"schedule"`
	Path     string `json:"path"`              // of its source
	Waiting  int64  `json:"waiting"`           // files that arrived, or lie there and will
	HeldBack string `json:"skipped,omitempty"` // why none is read now: a pause, a calendar
}

func filesWait(n int64) string {
	if n == 1 {
		return "1 file waits"
	}
	return fmt.Sprintf("%d files wait", n)
}

// waits says in words how many files wait; "" if none does.
func (j arrivalsJSON) waits() string {
	text := ""
	switch j.Waiting {
	case 0:
	case 1:
		text = "1 waits"
	default:
		text = fmt.Sprintf("%d wait", j.Waiting)
	}
	if j.HeldBack != "" && text != "" {
		text += ": "
	}
	return text + j.HeldBack
}

// arrivals lists those of a timetable that files make due.
func (p *program) arrivals(ctx context.Context, c *config.Config, table []scheduler.Schedule) (list []arrivalsJSON, err error) {
	r, err := readerIfAny(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, t := range table {
		s, ok := c.Schedule(t.Name)
		if !ok || !s.OnArrival {
			continue
		}
		j := arrivalsJSON{Schedule: s.Name, Path: s.Job.Source.Path, HeldBack: t.SkipReason(time.Now())}
		var known []source.Arrived
		if r != nil {
			name, err := nameInLedger(ctx, r, s)
			if err != nil {
				return nil, err
			}
			if known, err = lyingFiles(ctx, r, name); err != nil {
				return nil, err
			}
			if j.Waiting, err = r.WaitingArrivals(ctx, name); err != nil {
				return nil, err
			}
		}
		lying, err := source.Lying(*s.Job.Source, known)
		if err != nil {
			return nil, err
		}
		j.Waiting += int64(len(lying))
		list = append(list, j)
	}
	return list, nil
}

// nextArrivals are those that 'next' lists: of the configuration, unless it was asked
// for an expression.
func (p *program) nextArrivals(ctx context.Context, f nextFlags, table []scheduler.Schedule) ([]arrivalsJSON, error) {
	if f.cron != "" {
		return []arrivalsJSON{}, nil
	}
	c, err := p.load()
	if err != nil {
		return nil, err
	}
	list, err := p.arrivals(ctx, c, table)
	return append([]arrivalsJSON{}, list...), err
}

// spanMeant is the span of time that a person means by its beginning, written to the
// day, the minute, the second or more exactly.
func spanMeant(s config.Schedule, text string) (from, until time.Time, err error) {
	wall, exact, ok := scheduler.ReadTime(text)
	if !ok {
		_, err := parseTime(text, s.Spec.Zone())
		return from, until, err
	}
	from = wall.UTC()
	if !exact {
		list, _ := scheduler.Instants(wall.Truncate(time.Second), s.Spec.Zone())
		if len(list) == 0 {
			return from, until, usageError{fmt.Errorf("%q is no time in %s", text, s.Spec.Zone())}
		}
		from = list[0].Add(time.Duration(wall.Nanosecond()))
	}
	clock := strings.SplitN(strings.Replace(text, " ", "T", 1), "T", 2)
	switch {
	case len(clock) == 1:
		until = from.AddDate(0, 0, 1)
	case from.Nanosecond() != 0:
		until = from.Add(time.Millisecond)
	case len(clock[1]) < len("15:04:05") || clock[1][5] != ':':
		until = from.Add(time.Minute)
	default:
		until = from.Add(time.Second)
	}
	return from, until, nil
}

// arrivalSlot finds the one slot that --at means where files make them.
func (p *program) arrivalSlot(ctx context.Context, cfg *config.Config, s config.Schedule, text string) (at time.Time, err error) {
	from, until, err := spanMeant(s, text)
	if err != nil {
		return at, err
	}
	var slots []store.Slot
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return at, err
	default:
		slots, err = r.Slots(ctx, s.Name, from, until)
		if err := errors.Join(err, r.Close()); err != nil {
			return at, err
		}
	}
	switch len(slots) {
	case 0:
		return at, usageError{fmt.Errorf("%s is no slot of %s: no file arrived then\n  hint: 'worqcron runs %s' lists those that ran", text, s.Name, s.Name)}
	case 1:
		return slots[0].ScheduledFor, nil
	}
	return at, usageError{fmt.Errorf("%s means %d slots of %s\n  hint: write one exactly, such as %s", text, len(slots), s.Name,
		slots[0].ScheduledFor.UTC().Format(time.RFC3339Nano))}
}

// whyArrival explains the slots in the span of time that a person means.
func (w inquiry) whyArrival(ctx context.Context, text string) ([]whyJSON, error) {
	from, until, err := spanMeant(w.schedule, text)
	if err != nil {
		return nil, err
	}
	var slots []store.Slot
	if w.reader != nil {
		if slots, err = w.reader.Slots(ctx, w.schedule.Name, from, until); err != nil {
			return nil, err
		}
	}
	if len(slots) == 0 {
		j, err := w.noArrival(ctx, text, from, until)
		return []whyJSON{j}, err
	}
	var list []whyJSON
	for _, slot := range slots {
		j, err := w.explain(ctx, slot.ScheduledFor)
		if err != nil {
			return nil, err
		}
		j.Local = slot.ScheduledFor.In(w.schedule.Spec.Zone()).Format(exactLayout)
		list = append(list, j)
	}
	for _, slot := range slots[1:] {
		list[0].Others = append(list[0].Others, slot.ScheduledFor)
	}
	return list, nil
}

const exactLayout = "2006-01-02T15:04:05.000Z07:00"

// noArrival explains a time at which no file arrived.
func (w inquiry) noArrival(ctx context.Context, text string, from, until time.Time) (whyJSON, error) {
	zone := w.schedule.Spec.Zone()
	j := whyJSON{Schedule: w.schedule.Name, slotJSON: slotJSON{Schedule: w.schedule.Name, ScheduledFor: from, Local: from.In(zone).Format(localLayout)}, State: noSlot}
	if w.reader != nil {
		var err error
		if j.Previous, j.Next, err = w.reader.ArrivalsAround(ctx, w.schedule.Name, from, until); err != nil {
			return j, err
		}
	}
	if from.After(w.now) {
		j.say("%s is to come: %s has a slot when a file arrives at %s", text, j.Schedule, w.schedule.Job.Source.Path)
		return j, nil
	}
	j.say("%s is no slot of %s: no file arrived then", text, j.Schedule)
	for _, each := range []struct {
		at   *time.Time
		what string
	}{{j.Next, "next after it"}, {j.Previous, "the one before it"}} {
		if each.at != nil {
			j.say("%s is %s", each.what, each.at.In(zone).Format(exactLayout))
		}
	}
	return j, nil
}

// sayArrival tells which file made a slot, and what keeps it waiting.
func (w inquiry) sayArrival(ctx context.Context, j *whyJSON, row store.Slot) error {
	a, ok, err := w.reader.Arrival(ctx, row.Schedule, row.ScheduledFor)
	if err != nil || !ok {
		return err
	}
	j.IsSlot, j.Path = true, a.Path
	j.say("file %s, %d bytes", a.Path, a.Size)
	if row.State != store.SlotWaiting {
		return nil
	}
	if why := w.schedule.SkipReason(w.now); why != "" {
		j.say("it waits for the end of what keeps the schedule from running: %s", why)
	} else {
		j.say("it runs when nothing is in its way, after those that arrived before it, while 'worqcron serve' runs")
	}
	return nil
}
