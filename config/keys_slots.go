package config

import (
	"fmt"
	"time"

	"worqcron/scheduler"
)

// slotKeys are the keys of a schedule that say which of its times count, and when
// a run starts.
func slotKeys() []key {
	return []key{
		{
			name: "at", words: "none", own: true,
			kind: timeKind(func(s *settings) **node { return &s.at }),
			doc:  "Due once, at this date and time of `timezone`, in place of `cron`. With an offset from UTC behind it, at that instant.",
		},
		{
			name: "start", words: "none",
			kind: timeKind(func(s *settings) **node { return &s.start }),
			doc:  "Nothing is due before this date and time of `timezone`. `@every` counts from it.",
		},
		{
			name: "end", words: "none",
			kind: timeKind(func(s *settings) **node { return &s.end }),
			doc:  "Nothing is due at this date and time of `timezone` or later.",
		},
		{
			name: "jitter", standard: `"0s"`,
			kind: durationKind(func(s *settings) *time.Duration { return &s.schedule.Jitter }, 0, day),
			doc:  "A run starts up to so much later than its slot, so that not all start at once. How much follows from the schedule's name and the slot: it is the same after each restart, and never reaches the next slot. `scheduled_for` stays the slot.",
		},
		{
			name: "overlap", standard: `"` + scheduler.OverlapSkip + `"`,
			kind: choiceKind(func(s *settings) *string { return &s.schedule.Overlap }, scheduler.OverlapSkip, scheduler.OverlapQueue),
			doc:  "What becomes of a slot that comes while a run of the schedule is under way: it is skipped, or it waits for that run. One slot waits at most, the newest.",
		},
		{
			name: "exclude", standard: "[]",
			kind: kind{"list of calendars", `["holidays"]`, setExclude},
			doc:  "Calendars ([calendars.NAME]) on whose days nothing runs. The days are those of `timezone`.",
		},
		{
			name: "blackout", standard: "[]",
			kind: kind{"list of spans", `["2026-12-24T18:00/2026-12-27T06:00"]`, setBlackout},
			doc:  "Spans of time in which nothing runs, from and until, in `timezone` unless they have an offset from UTC. What is due at the end itself runs; a date alone is its midnight.",
		},
		{
			name: "paused", standard: "false",
			kind: kind{"boolean or note", `"until the new flow is there"`, setPaused},
			doc:  "`true`, or a note that says why: nothing runs, each slot is recorded as skipped, and what was due meanwhile is not made up for when the key goes. `worqcron pause` does the same without an edit.",
		},
	}
}

// timeKind is a date and time, as text or as TOML's own. It is understood once the
// zone is known.
func timeKind(field func(*settings) **node) kind {
	const name, example = "date and time", `"2027-01-31T09:00:00"`
	return kind{name, example, func(s *settings, n *node) *fault {
		text, ok := timeText(n)
		if !ok {
			return wrongType(n, name, example)
		}
		if _, _, ok := scheduler.ReadTime(text); !ok {
			return &fault{msg: fmt.Sprintf("%q is no date and time", shorten(text)), hint: "for example " + example}
		}
		*field(s) = n
		return nil
	}}
}

// timeText is a time as it is written.
func timeText(n *node) (string, bool) {
	if n.kind == kindDate {
		return n.raw, true
	}
	text, ok := n.value.(string)
	return text, ok && n.kind == kindString
}

// setExclude looks the calendars up: they are read before any schedule.
func setExclude(s *settings, n *node) *fault {
	if n.kind != kindList {
		return wrongType(n, "list", `["holidays"]`)
	}
	var all faults
	var names []string
	for name := range s.calendars {
		names = append(names, name)
	}
	for _, item := range n.items {
		name, ok := item.value.(string)
		if !ok || item.kind != kindString {
			all.add(item, wrongType(item, "string", `"holidays"`))
			continue
		}
		c, known := s.calendars[name]
		if !known {
			hint := fmt.Sprintf("add a table [calendars.%s] with dates or a file", name)
			if near := nearest(name, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			all.add(item, &fault{msg: fmt.Sprintf("there is no calendar %q", shorten(name)), hint: hint})
			continue
		}
		s.schedule.Exclude = append(s.schedule.Exclude, scheduler.ByCalendar(name, c.days))
	}
	return all.joined()
}

// setBlackout keeps the spans; they are understood once the zone is known.
func setBlackout(s *settings, n *node) *fault {
	if n.kind != kindList {
		return wrongType(n, "list", `["2026-12-24T18:00/2026-12-27T06:00"]`)
	}
	var all faults
	for _, item := range n.items {
		text, ok := item.value.(string)
		if !ok || item.kind != kindString {
			all.add(item, wrongType(item, "string", `"2026-12-24T18:00/2026-12-27T06:00"`))
			continue
		}
		if _, _, wrong := spanIn(text, time.UTC); wrong != nil {
			all.add(item, wrong)
		}
	}
	s.blackout = n.items
	return all.joined()
}

func setPaused(s *settings, n *node) *fault {
	switch v := n.value.(type) {
	case bool:
		s.schedule.Paused = v
	case string:
		if v == "" {
			return &fault{msg: "an empty note", hint: `say why, write true, or leave it out`}
		}
		s.schedule.Paused, s.schedule.PausedNote = true, v
	default:
		return wrongType(n, "boolean or note", `true, or "until the new flow is there"`)
	}
	return nil
}
