package main

import (
	"fmt"
	"strings"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
)

// slotsAhead is how far ahead another configuration's slots are told.
const slotsAhead = 7 * 24 * time.Hour

// maxSlotsListed bounds the slots that a change names for programs.
const maxSlotsListed = 20

// changeJSON is what another configuration does to a schedule, for programs.
type changeJSON struct {
	Schedule    string             `json:"schedule"`
	Change      string             `json:"change"` // added, removed, changed, renamed
	RenamedFrom string             `json:"renamed_from,omitempty"`
	Keys        []config.KeyChange `json:"keys"`
	Slots       slotsChange        `json:"slots"`

	compared scheduler.Comparison
}

// slotsChange are the slots of the days ahead that come or go.
type slotsChange struct {
	Until       time.Time   `json:"until"` // those before it were compared
	LostCount   int         `json:"lost_count"`
	GainedCount int         `json:"gained_count"`
	Lost        []time.Time `json:"lost"`   // the first of them
	Gained      []time.Time `json:"gained"` // the first of them
}

func changeOf(c *config.Change, now time.Time) changeJSON {
	j := changeJSON{Schedule: c.Name(), Change: c.What, Keys: append([]config.KeyChange{}, c.Keys...)}
	if c.What == config.Renamed {
		j.RenamedFrom = c.Old.Name
	}
	j.compared = scheduler.Compare(c.Old.Schedule, c.New.Schedule, now, now.Add(slotsAhead))
	j.Slots = slotsChange{
		Until: j.compared.End.UTC().Truncate(time.Second), LostCount: len(j.compared.Lost), GainedCount: len(j.compared.Gained),
		Lost: firstSlots(j.compared.Lost), Gained: firstSlots(j.compared.Gained),
	}
	return j
}

func firstSlots(list []time.Time) []time.Time {
	return append([]time.Time{}, list[:min(len(list), maxSlotsListed)]...)
}

// slotsText says which slots come and go: "today 09:00 will not come any more; 08:00
// from tomorrow on comes".
func (j *changeJSON) slotsText(c *config.Change, now time.Time) string {
	var parts []string
	if text := slotsPhrase(j.compared.Lost, j.compared.AllLost, zoneOf(c.Old), now); text != "" {
		parts = append(parts, text+" will not come any more")
	}
	if text := slotsPhrase(j.compared.Gained, j.compared.AllGained, zoneOf(c.New), now); text != "" {
		parts = append(parts, text+" will come")
	}
	return strings.Join(parts, "; ")
}

// slotsPhrase names slots as a person would. all says that they are all that a
// timetable has ahead.
func slotsPhrase(list []time.Time, all bool, zone *time.Location, now time.Time) string {
	const most = 3
	var names []string
	clocks := map[string]bool{}
	for i, at := range list {
		at = at.In(zone)
		clock := at.Format("15:04")
		if at.Second() != 0 {
			clock = at.Format("15:04:05")
		}
		clocks[clock] = true
		if i < most {
			names = append(names, dayName(at, now.In(zone))+" "+clock)
		}
	}
	switch {
	case len(list) == 0:
		return ""
	case all && len(list) > 1 && len(clocks) == 1:
		day, clock, _ := strings.Cut(names[0], " ")
		return clock + " from " + day + " on"
	case len(list) > most:
		return fmt.Sprintf("%s and %d more in the days ahead", strings.Join(names, ", "), len(list)-most)
	}
	return strings.Join(names, ", ")
}

// dayName is the day of a local time, seen from another.
func dayName(at, now time.Time) string {
	date := at.Format(time.DateOnly)
	switch date {
	case now.Format(time.DateOnly):
		return "today"
	case now.AddDate(0, 0, 1).Format(time.DateOnly):
		return "tomorrow"
	}
	return date
}

// keysText lists changed keys on one line. What a payload says is shown only where a
// person asked for it: a log is read by others.
func keysText(keys []config.KeyChange, payload bool) string {
	const most = 8
	var parts []string
	for i, k := range keys {
		switch {
		case i == most:
			parts = append(parts, fmt.Sprintf("%d more", len(keys)-i))
		case i > most:
		case strings.HasPrefix(k.Key, "payload.") && !payload, k.Old == "" && k.New == "":
			parts = append(parts, k.Key)
		default:
			old, now := shortPair(k.Old, k.New)
			parts = append(parts, fmt.Sprintf("%s %s → %s", k.Key, shownValue(old), shownValue(now)))
		}
	}
	return strings.Join(parts, ", ")
}

func shownValue(toml string) string {
	if toml == "" {
		return "(not set)"
	}
	return toml
}

// shortPair shortens two values so that what differs stays in sight.
func shortPair(a, b string) (string, string) {
	const most, context = 60, 20
	x, y := []rune(a), []rune(b)
	if len(x) <= most && len(y) <= most {
		return a, b
	}
	same := 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	cut := func(r []rune) string {
		text := ""
		if from := same - context; from > 0 && from < len(r) {
			r, text = r[from:], "…"
		}
		if len(r) > most {
			return text + string(r[:most]) + "…"
		}
		return text + string(r)
	}
	return cut(x), cut(y)
}
