package config

import (
	"fmt"
	"strings"
	"time"

	"worqcron/scheduler"
)

// finishTime reads what says when a schedule is due, in its zone.
func (r *reader) finishTime(table *node, s *settings) {
	zone := s.schedule.Job.Zone
	if zone == nil {
		zone = time.UTC // the zone is wrong and reported; the rest can be checked anyhow
	}
	r.finishBlackout(s, zone)
	o := scheduler.SpecOptions{Gap: s.gap, Fold: s.fold}
	o.Start, o.End = instantIn(s.start, zone), instantIn(s.end, zone)
	if s.start != nil && s.end != nil && !o.Start.Before(o.End) {
		r.blame(s.end, &fault{msg: "it is not after start", hint: "slots lie from start on and before end"})
		o.Start, o.End = time.Time{}, time.Time{}
	}
	cron, at, after := table.child("cron"), table.child("at"), table.child("after")
	if after == nil && s.schedule.AfterAny {
		r.blame(table.child("after_any"), &fault{msg: "it is for schedules with after", hint: "leave it out"})
	}
	switch {
	case s.schedule.OnArrival:
		r.finishArrival(table, s, zone)
	case after != nil:
		r.finishFollower(table, s)
	case cron == nil && at == nil:
		r.reject(table.keyOffset, fmt.Sprintf("schedule %q has no cron", table.key), `add cron = "30 2 * * *", at = "2027-01-31T09:00:00" for once, after = "other", or on_arrival = true`)
	case cron != nil && at != nil:
		r.blame(at, &fault{msg: "cron is set as well", hint: "keep one of the two"})
	case at != nil && s.at != nil:
		r.finishAt(s, zone, o)
	case cron != nil && cron.kind == kindString:
		r.finishCron(cron, s, zone, o)
	}
	if s.schedule.Paused {
		r.warn(firstOf(table.child("paused"), r.doc.root.child(defaultsSection).child("paused"), table).offset,
			fmt.Sprintf("schedule %q is paused: its slots do not run", table.key), "")
	}
}

func (r *reader) finishCron(cron *node, s *settings, zone *time.Location, o scheduler.SpecOptions) {
	spec, err := scheduler.Parse(s.schedule.Cron, zone, o)
	if err != nil {
		r.blame(cron, cronFault(err))
		return
	}
	s.schedule.Spec = spec
	for _, text := range spec.Warnings(time.Now()) {
		r.warn(cron.offset, text, "")
	}
	if _, ok := spec.Next(time.Now()); !ok && s.end != nil {
		r.warn(cron.offset, "it is never due again: end has passed", "")
	}
}

func (r *reader) finishAt(s *settings, zone *time.Location, o scheduler.SpecOptions) {
	text, _ := timeText(s.at)
	spec, err := scheduler.Once(text, zone, o)
	if err != nil {
		f := cronFault(err)
		f.inside = false
		r.blame(s.at, f)
		return
	}
	s.schedule.Spec, s.schedule.At = spec, text
	if _, ok := spec.Next(time.Now()); !ok {
		r.warn(s.at.offset, "at has passed: it is not due again", "")
	}
}

// instantIn is a time that was checked before, in a zone; a wall time that comes
// twice is its first pass, one that does not exist the jump over it.
func instantIn(n *node, zone *time.Location) time.Time {
	if n == nil {
		return time.Time{}
	}
	text, _ := timeText(n)
	at, _ := instantOf(text, zone)
	return at
}

func instantOf(text string, zone *time.Location) (time.Time, bool) {
	t, exact, ok := scheduler.ReadTime(text)
	if !ok || exact {
		return t, ok
	}
	list, _ := scheduler.Instants(t, zone)
	if len(list) == 0 {
		return time.Time{}, false
	}
	return list[0], true
}

// finishBlackout turns the spans into what the scheduler knows.
func (r *reader) finishBlackout(s *settings, zone *time.Location) {
	for _, item := range s.blackout {
		text, _ := item.value.(string)
		from, until, wrong := spanIn(text, zone)
		if wrong != nil {
			continue // reported
		}
		s.schedule.Exclude = append(s.schedule.Exclude, scheduler.Exclusion{Name: "blackout " + text, From: from, Until: until})
	}
}

// spanIn reads "FROM/UNTIL".
func spanIn(text string, zone *time.Location) (from, until time.Time, wrong *fault) {
	const hint = `from and until, such as "2026-12-24T18:00/2026-12-27T06:00"`
	first, last, found := strings.Cut(text, "/")
	from, okFrom := instantOf(strings.TrimSpace(first), zone)
	until, okUntil := instantOf(strings.TrimSpace(last), zone)
	switch {
	case !found || !okFrom || !okUntil:
		return from, until, &fault{msg: fmt.Sprintf("%q is no span of time", shorten(text)), hint: hint}
	case !from.Before(until):
		return from, until, &fault{msg: fmt.Sprintf("%q does not end after its start", shorten(text)), hint: hint}
	}
	return from, until, nil
}
