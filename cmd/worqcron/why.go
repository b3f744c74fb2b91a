package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// whyJSON is what became of an instant, or will.
type whyJSON struct {
	Schedule string `json:"schedule"`
	Asked    string `json:"asked"` // the time as it was given
	slotJSON
	IsSlot   bool           `json:"is_slot"`
	Path     string         `json:"path,omitempty"`     // the file that made the slot by its arrival
	Others   []time.Time    `json:"others,omitempty"`   // with on_arrival: more slots in the time that was asked for
	State    string         `json:"state"`              // ran, skipped, missed, waiting; coming; undecided, unrecorded; not due, no slot
	Reason   string         `json:"reason"`             // why it did not run, or waits
	Run      *store.Receipt `json:"run,omitempty"`      // the newest of the slot
	Previous *time.Time     `json:"previous,omitempty"` // the slots around it
	Next     *time.Time     `json:"next,omitempty"`
	Text     []string       `json:"text"` // the same for a person, a line each
}

func newWhy(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "why NAME TIME",
		Short: "what became of an instant, also one that was never due",
		Long: `why says whether a time is a slot of a schedule and what became of it: the run, or
why there was none. For one that is to come it says what will happen, and for a
time that is no slot, which ones are around it and what daylight saving did.

TIME is in the schedule's zone unless it has an offset from UTC.`,
		Example: "  worqcron why orders 2026-11-24T02:30\n  worqcron why orders 2026-11-24T07:30:00Z",
		Args:    exactly("NAME", "TIME"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.why(c.Context(), args[0], args[1])
		},
	}
}

func (p *program) why(ctx context.Context, name, text string) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := schedule(cfg, name)
	if err != nil {
		return err
	}
	table, err := p.pausedTimetable(ctx, cfg)
	if err != nil {
		return err
	}
	for _, each := range table {
		if each.Name == name {
			s.Schedule = each
			s.Spec = s.Due // which is another schedule's, if this one has none
		}
	}
	r, err := readerIfAny(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w := inquiry{schedule: s, reader: r, now: time.Now()}
	list, notes, err := w.asked(ctx, text)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Asked = text
		list[i].Text = append(append([]string{}, notes...), list[i].Text...)
	}
	if p.json {
		return printJSON(p.out, list[0])
	}
	for i, j := range list {
		if i > 0 {
			j.Text = j.Text[len(notes):]
		}
		for _, line := range j.Text {
			fmt.Fprintln(p.out, line)
		}
	}
	return nil
}

// instantsMeant reads a time as a person writes it, and says what daylight saving
// has to do with it. A local time that does not exist means the slot that it made,
// or else the jump over it.
func instantsMeant(s config.Schedule, text string) (list []time.Time, notes []string, err error) {
	zone := zoneOf(s)
	wall, exact, ok := scheduler.ReadTime(text)
	if !ok {
		_, err := parseTime(text, zone)
		return nil, nil, err
	}
	wall = wall.Truncate(time.Second) // slots are whole seconds
	if exact {
		return []time.Time{wall.UTC()}, nil, nil
	}
	list, gap := scheduler.Instants(wall, zone)
	clock, date := wall.Format("15:04:05"), wall.Format(time.DateOnly)
	switch {
	case gap:
		jump := list[0]
		before := jump.Add(-time.Second).In(zone)
		notes = append(notes, fmt.Sprintf("%s does not exist on %s in %s: the clock jumps to %s", clock, date, zone, jump.In(zone).Format(localLayout)))
		_, offset := before.Zone()
		if shifted := wall.Add(-time.Duration(offset) * time.Second); !s.Spec.Is(jump) && s.Spec.Is(shifted) {
			list = []time.Time{shifted}
		}
	case len(list) == 2:
		notes = append(notes, fmt.Sprintf("%s comes twice on %s in %s: at %s and %s", clock, date, zone,
			list[0].In(zone).Format(localLayout), list[1].In(zone).Format(localLayout)))
	}
	return list, notes, nil
}

// inquiry is one question about a schedule.
type inquiry struct {
	schedule config.Schedule
	reader   *store.Reader // nil: there is no ledger yet
	now      time.Time
}

// asked explains a time as a person writes it; the notes say what daylight saving
// has to do with it.
func (w inquiry) asked(ctx context.Context, text string) (list []whyJSON, notes []string, err error) {
	if at, _, _ := scheduler.ReadTime(text); w.schedule.OnArrival || at.Nanosecond() != 0 {
		list, err = w.whyArrival(ctx, text)
		return list, nil, err
	}
	instants, notes, err := instantsMeant(w.schedule, text)
	if err == nil {
		list, err = w.all(ctx, instants)
	}
	return list, notes, err
}

// all explains instants. Of a time that comes twice, the passes that are no slots
// are left out, unless none is.
func (w inquiry) all(ctx context.Context, instants []time.Time) ([]whyJSON, error) {
	var slots, others []whyJSON
	for _, at := range instants {
		j, err := w.explain(ctx, at)
		if err != nil {
			return nil, err
		}
		if j.State == noSlot {
			others = append(others, j)
		} else {
			slots = append(slots, j)
		}
	}
	if len(slots) == 0 {
		return others[:1], nil
	}
	return slots, nil
}

// States of an instant beside those of the ledger's rows.
const (
	noSlot     = "no slot"
	coming     = "coming"
	undecided  = "undecided"  // due, and nobody looked yet
	unrecorded = "unrecorded" // due long ago, and no row
)

func (w inquiry) explain(ctx context.Context, at time.Time) (whyJSON, error) {
	s := w.schedule
	j := whyJSON{Schedule: s.Name, slotJSON: slotJSON{Schedule: s.Name, ScheduledFor: at.UTC(), Local: w.local(at)}, IsSlot: s.Spec.Is(at)}
	if s.After == "" {
		j.slotJSON = slotOf(s.Schedule, at)
	}
	if before, ok := s.Spec.Prev(at); ok {
		j.Previous = &before
	}
	if after, ok := s.Spec.Next(at); ok {
		j.Next = &after
	}
	var row store.Slot
	var mark store.Mark
	var decided bool
	if w.reader != nil {
		var err error
		if row, decided, err = w.reader.Slot(ctx, s.Name, at); err != nil {
			return j, err
		}
		if mark, _, err = w.reader.Mark(ctx, s.Name); err != nil {
			return j, err
		}
	}
	if !j.IsSlot || decided {
		j.StartsAt, j.Skipped = nil, ""
	}
	if s.After != "" && !decided {
		err := w.explainFollower(ctx, &j)
		return j, err
	}
	switch {
	case decided:
		if err := w.explainRow(ctx, &j, row); err != nil {
			return j, err
		}
	case !j.IsSlot:
		j.State, j.Note = noSlot, ""
		w.explainNone(&j)
	case at.After(w.now):
		j.State, j.Reason = coming, ""
		w.explainComing(&j, at)
	default:
		w.explainUndecided(&j, at, mark)
	}
	return j, nil
}

// local writes an instant as the schedule's people read it.
func (w inquiry) local(t time.Time) string { return t.In(zoneOf(w.schedule)).Format(localLayout) }

func (j *whyJSON) say(format string, args ...any) {
	j.Text = append(j.Text, fmt.Sprintf(format, args...))
}

func (w inquiry) explainNone(j *whyJSON) {
	s := w.schedule
	j.say("%s is no slot of %s (%s, %s)", j.Local, s.Name, whenText(s), zoneOf(s))
	if pass, ok := otherPass(s, j.ScheduledFor); ok {
		j.say("this time of day comes twice that day, and the slot is %s (dst_fold)", w.local(pass))
	}
	if j.Next != nil {
		j.say("next after it is %s", w.local(*j.Next))
	} else {
		j.say("it has none after it")
	}
	if j.Previous != nil {
		j.say("the one before it is %s", w.local(*j.Previous))
	}
}

func (w inquiry) explainComing(j *whyJSON, at time.Time) {
	j.say("%s is a slot of %s and due in %s", j.Local, j.Schedule, roundWait(at.Sub(w.now)))
	if j.Note != "" {
		j.say("%s", j.Note)
	}
}

// otherPass finds the slot with the same local time as an instant that is none.
func otherPass(s config.Schedule, at time.Time) (time.Time, bool) {
	wall, err := time.Parse(time.DateTime, at.In(zoneOf(s)).Format(time.DateTime))
	if err != nil {
		return time.Time{}, false
	}
	list, _ := scheduler.Instants(wall, zoneOf(s))
	for _, each := range list {
		if len(list) == 2 && s.Spec.Is(each) {
			return each, true
		}
	}
	return time.Time{}, false
}

func roundWait(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}

func (w inquiry) explainUndecided(j *whyJSON, at time.Time, mark store.Mark) {
	j.State = undecided
	switch {
	case mark.WaitingFor.Equal(at):
		j.State, j.Reason = string(store.SlotWaiting), "jitter"
		until := mark.WaitingUntil
		j.StartsAt = &until
		j.say("%s is a slot of %s and waits: it starts %s by its jitter", j.Local, j.Schedule, w.local(until))
		return
	case mark.At.IsZero():
		j.say("%s is a slot of %s, but no daemon has looked at this schedule yet", j.Local, j.Schedule)
	case at.After(mark.At):
		j.say("%s is a slot of %s and not decided yet: no daemon has looked since %s", j.Local, j.Schedule, w.local(mark.At))
	default:
		j.State = unrecorded
		j.Skipped, j.StartsAt = "", nil
		j.say("%s is a slot of %s as it is now, but has no row: the schedule was not there then, was due at other times, "+
			"or the row was older than ledger.retain", j.Local, j.Schedule)
		return
	}
	if j.Skipped != "" {
		j.say("it will be skipped: %s", j.Skipped)
	} else {
		j.say("when 'worqcron serve' runs, catch_up = %q decides about it", w.schedule.CatchUp)
	}
}

func (w inquiry) explainRow(ctx context.Context, j *whyJSON, row store.Slot) error {
	j.State, j.Reason = string(row.State), row.Reason
	if w.schedule.After == "" {
		j.Note = w.schedule.Spec.Note(row.ScheduledFor)
	}
	run, err := w.reader.LatestOfSlot(ctx, row.Schedule, row.ScheduledFor)
	if err != nil {
		return err
	}
	if run != nil {
		if j.Run, err = w.reader.Receipt(ctx, run); err != nil {
			return err
		}
		if run.State == store.Skipped && row.State == store.SlotRan {
			j.State, j.Reason = string(store.SlotSkipped), run.Reason
		}
	}
	what := j.State
	if j.Reason != "" {
		what += ": " + j.Reason
	}
	j.say("%s of %s: %s", j.Local, j.Schedule, what)
	if err := w.sayArrival(ctx, j, row); err != nil {
		return err
	}
	if w.schedule.After != "" {
		if err := w.sayOther(ctx, j); err != nil {
			return err
		}
	} else if !j.IsSlot {
		j.say("it was a slot of an earlier timetable; now it is none (%s)", w.schedule.Spec)
	}
	if j.Note != "" {
		j.say("%s", j.Note)
	}
	if j.Run != nil {
		w.sayRun(j)
	}
	return nil
}

// sayRun is the run with its receipt, in two lines.
func (w inquiry) sayRun(j *whyJSON) {
	c := j.Run
	status := string(c.Status)
	if c.Reason != "" {
		status += ": " + c.Reason
	}
	j.say("run %s (%s) %s", c.Name, c.Origin, status)
	printRecords(func(label, format string, args ...any) {
		if label != "" {
			j.say("  "+format, args...)
		}
	}, c)
	j.say("  worqcron show %s", c.Name)
}
