package config

import (
	"fmt"
	"slices"
	"strings"
)

// refuseUnknownTables looks at the top level of the file.
func (r *reader) refuseUnknownTables(root *node) {
	for _, child := range root.children {
		switch {
		case slices.Contains(topLevel(), child.key):
		default:
			hint := "the tables are " + strings.Join(topLevel(), ", ")
			if near := nearest(child.key, topLevel()); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			} else if other := r.homeOf(child.key, ""); other != "" {
				hint = child.key + " belongs in " + other
			}
			r.reject(child.keyOffset, fmt.Sprintf("unknown key %q", shorten(child.key)), hint)
		}
	}
}

// refuseUnknownKeys looks at the keys of one section's table, if there is one.
func (r *reader) refuseUnknownKeys(s section, table *node) {
	if table == nil {
		return
	}
	known := slices.Clone(s.below)
	for _, k := range s.keys {
		known = append(known, k.name)
	}
	for _, child := range table.children {
		switch {
		case slices.Contains(known, child.key):
		case slices.Contains(s.later, child.key):
			r.reject(child.keyOffset, child.key+" is not supported yet", "leave it out")
		default:
			r.reject(child.keyOffset, fmt.Sprintf("unknown key %q", shorten(child.key)), r.unknownHint(s, child, known))
		}
	}
}

// unknownHint guesses what a key was meant to be: a slip of the pen, a key of
// another table, or a schedule whose name has a dot.
func (r *reader) unknownHint(s section, child *node, known []string) string {
	isDefaults := strings.HasPrefix(s.name, defaultsSection)
	other := r.homeOf(child.key, s.name)
	if isDefaults {
		other = strings.Replace(other, scheduleSection, defaultsSection, 1)
	}
	switch near := nearest(child.key, known); {
	case s.name == worqhatSection && (child.key == "api_key" || child.key == "key"):
		return "the key itself never goes into this file: name its variable with api_key_env or its file with api_key_file"
	case isDefaults && r.isOwn(s, child.key):
		return child.key + " has no default: set it in each schedule"
	case other != "":
		return child.key + " belongs in " + other
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case s.name == scheduleSection && child.kind == kindTable && child.header:
		return `a schedule's name with a dot needs quotes: [schedules."a.b"]`
	}
	slices.Sort(known)
	return "the keys here are " + strings.Join(known, ", ")
}

// isOwn tells whether a section of [defaults] lacks a key that the section of
// a schedule has.
func (r *reader) isOwn(shared section, name string) bool {
	whole := r.sections[strings.Replace(shared.name, defaultsSection, scheduleSection, 1)]
	return slices.ContainsFunc(whole.keys, func(k key) bool { return k.name == name && k.own })
}

// homeOf is the table that has a key, as it is written in the file; "" if none
// has, or if it is the table named.
func (r *reader) homeOf(key, except string) string {
	for _, s := range tableOfKeys() {
		if s.name == except {
			continue
		}
		for _, k := range s.keys {
			if k.name == key {
				return "[" + s.name + "]"
			}
		}
	}
	return ""
}
