package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// warnAhead is how far ahead Warnings looks for a jump of the clock.
const warnAhead = 400 * secondsPerDay

// Note says what daylight saving has to do with a slot, for a person; "" if
// nothing, or if the instant is no slot.
func (s Spec) Note(t time.Time) string {
	if s.every > 0 || !s.Is(t) {
		return ""
	}
	at := t.Unix()
	last, changed := changeBefore(s.zone, at)
	if changed && last.gap() && !s.interval {
		if note := s.gapNote(last, at); note != "" {
			return note
		}
	}
	if changed && last.fold() && at < last.at+last.before-last.after {
		return "second pass of a repeated hour"
	}
	if next, ok := changeAfter(s.zone, at, at+reach); ok && next.fold() && at >= next.at-(next.before-next.after) {
		return "first pass of a repeated hour"
	}
	return ""
}

// gapNote names the local times in a gap that made the slot.
func (s *Spec) gapNote(gap change, at int64) string {
	first, until := gap.at+gap.before, gap.at+gap.after
	switch s.gap {
	case GapShift:
		first = at + gap.before // the one that landed here
		if first >= until {
			return ""
		}
		until = first + 1
	case GapRun:
		if at != gap.at {
			return ""
		}
	default:
		return ""
	}
	swallowed := s.wallTimes(first, until, at+gap.after)
	if swallowed == "" {
		return ""
	}
	if s.calendar.has(at+gap.after, at+gap.after+1) {
		return fmt.Sprintf("also for %s, which daylight saving leaves out", swallowed)
	}
	return fmt.Sprintf("shifted by daylight saving: %s does not exist", swallowed)
}

// wallTimes lists the first few matching wall seconds in [first, until), with the
// date where it is not that of wall second day.
func (s *Spec) wallTimes(first, until, day int64) string {
	var times []string
	for {
		wall, ok := s.calendar.from(first, 2)
		if !ok || wall >= until {
			return strings.Join(times, ", ")
		}
		if len(times) == 3 {
			return strings.Join(times, ", ") + ", …"
		}
		times = append(times, wallTime(wall, day))
		first = wall + 1
	}
}

func wallTime(wall, day int64) string {
	t := time.Unix(wall, 0).UTC()
	layout := "15:04"
	if t.Second() != 0 {
		layout = "15:04:05"
	}
	if t.Format(time.DateOnly) != time.Unix(day, 0).UTC().Format(time.DateOnly) {
		layout = time.DateOnly + " " + layout
	}
	return t.Format(layout)
}

// Warnings tells what is legal but seldom meant: steps that do not divide their
// field evenly, and fixed times inside a jump of the clock in the 400 days after
// now.
func (s Spec) Warnings(now time.Time) []string {
	if s.zone == nil || s.every > 0 {
		return nil
	}
	var warnings []string
	words := splitFields(s.expr)
	if len(words) >= 5 {
		for i, w := range words {
			kind := fieldKinds[len(fieldKinds)-len(words)+i]
			for _, item := range strings.Split(w.text, ",") {
				if text := uneven(kind, item); text != "" {
					warnings = append(warnings, text)
				}
			}
		}
	}
	if text := s.comingGap(now.Unix()); text != "" {
		warnings = append(warnings, text)
	}
	return warnings
}

// uneven says how an open step ends short: "*/45" runs at 0, 45 and again at 0.
func uneven(k fieldKind, item string) string {
	base, step, stepped := strings.Cut(item, "/")
	first, end := k.min, k.max
	if k.isDow() {
		end = 6
	}
	whole := base == "*" || base == "?" || base == fmt.Sprintf("%d", first) || base == fmt.Sprintf("%d-%d", first, end)
	by, ok := number(step)
	size := end - first + 1
	if !stepped || !whole || !ok || by <= 1 || size%by == 0 && !k.isDom() {
		return ""
	}
	if by >= size {
		return fmt.Sprintf("%s %q only ever means %d, since a step starts anew in each round; for an even rhythm use @every", k.name, item, first)
	}
	last := first + (size-1)/by*by
	return fmt.Sprintf("%s %q is uneven: after %d it starts again at %d; for an even rhythm use @every", k.name, item, last, first)
}

// comingGap describes the first jump of the clock ahead that swallows a slot.
func (s *Spec) comingGap(now int64) string {
	if s.interval {
		return ""
	}
	for from, until := now, now+warnAhead; ; {
		next, ok := changeAfter(s.zone, from, until)
		if !ok || next.at >= s.end {
			return ""
		}
		from = next.at
		if !next.gap() || next.at < s.start {
			continue
		}
		day := next.at + next.before
		times := s.wallTimes(day, next.at+next.after, day)
		if times == "" {
			continue
		}
		date := time.Unix(day, 0).UTC().Format(time.DateOnly)
		then := map[string]string{
			GapRun:   "it is due at " + time.Unix(next.at, 0).In(s.zone).Format("15:04 -07:00") + " instead",
			GapShift: "it is due later by what the clock skips",
			GapSkip:  "it is left out",
		}[s.gap]
		return fmt.Sprintf("%s does not exist on %s in %s (daylight saving): %s", times, date, s.zone, then)
	}
}
