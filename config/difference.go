package config

import (
	"cmp"
	"slices"
)

// What a reload does to a schedule.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	Renamed = "renamed" // and perhaps changed
)

// Change is what becomes of one schedule when another configuration takes over.
type Change struct {
	What     string // Added, Removed, Changed or Renamed
	Old, New Schedule
	Keys     []KeyChange // of Changed and Renamed
}

// Name is what the schedule is called after it, or was.
func (c *Change) Name() string { return cmp.Or(c.New.Name, c.Old.Name) }

// KeyChange is a key that says something else.
type KeyChange struct {
	Key string `json:"key"`
	Old string `json:"old"` // as TOML; "": it was not there, or a secret
	New string `json:"new"`
}

// Difference compares two configurations: what concerns all schedules, and each
// schedule that changes, by name. What was restored knows no secrets, so they are
// not compared.
func Difference(old, now *Config) (general []KeyChange, schedules []Change) {
	secrets := !old.restored && !now.restored
	general = keyChanges(old.Settings, now.Settings, secrets)
	before := byName(old)
	after := byName(now)
	for i := range now.Schedules {
		s := &now.Schedules[i]
		c := Change{What: Changed, New: *s}
		was, ok := before[s.Name]
		if !ok {
			c.What = Added
			if was, ok = before[s.RenamedFrom]; ok {
				c.What = Renamed
			}
		}
		if ok {
			delete(before, was.Name)
			c.Old = *was
			c.Keys = keyChanges(was.settingsAndDays(old), s.settingsAndDays(now), secrets)
		}
		if c.What != Changed || len(c.Keys) > 0 {
			schedules = append(schedules, c)
		}
	}
	for name, was := range before {
		if after[name] == nil {
			schedules = append(schedules, Change{What: Removed, Old: *was})
		}
	}
	slices.SortFunc(schedules, func(a, b Change) int { return cmp.Compare(a.Name(), b.Name()) })
	return general, schedules
}

func byName(c *Config) map[string]*Schedule {
	m := make(map[string]*Schedule, len(c.Schedules))
	for i := range c.Schedules {
		m[c.Schedules[i].Name] = &c.Schedules[i]
	}
	return m
}

// settingsAndDays are a schedule's settings, and the days of its calendars, which
// may change without them.
func (s *Schedule) settingsAndDays(c *Config) []Setting {
	list := s.Settings
	for _, e := range s.Exclude {
		name, ok := e.Calendar()
		if !ok {
			continue
		}
		n := &node{kind: kindList}
		for _, day := range c.Calendars[name] {
			n.items = append(n.items, &node{kind: kindString, value: day})
		}
		list = append(slices.Clip(list), Setting{"calendars." + tomlKey(name), tomlText(n)})
	}
	return list
}

func keyChanges(old, now []Setting, secrets bool) (list []KeyChange) {
	was := make(map[string]string, len(old))
	for _, s := range old {
		was[s.Key] = s.Value
	}
	note := func(k KeyChange) {
		switch {
		case k.Old == k.New, k.Key == "renamed_from", isSecret(k.Key) && !secrets:
			return
		case isSecret(k.Key):
			k.Old, k.New = "", ""
		}
		list = append(list, k)
	}
	for _, s := range now {
		note(KeyChange{s.Key, was[s.Key], s.Value})
		delete(was, s.Key)
	}
	for key, value := range was {
		note(KeyChange{key, value, ""})
	}
	slices.SortFunc(list, func(a, b KeyChange) int { return cmp.Compare(a.Key, b.Key) })
	return list
}
