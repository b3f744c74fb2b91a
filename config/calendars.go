package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// calendar is one [calendars.NAME].
type calendar struct {
	days map[string]bool // "2006-01-02"
	file string          // absolute; "" without one
}

func calendarKeys() section {
	return section{
		name: calendarSection,
		doc:  "Days on which schedules that name the calendar in `exclude` do not run. It needs `dates` or `file`, and may have both.",
		keys: []key{
			{
				name: "dates", words: "none",
				kind: kind{"list of dates", `["2027-01-01"]`, setDates},
				doc:  "The days.",
			},
			{
				name: "file", words: "none",
				kind: textKind("path", `"holidays.txt"`, func(s *settings, text string) *fault {
					if wrong := checkPath(text); wrong != nil {
						return wrong
					}
					s.calendar.file = absolute(s.dir, text)
					return nil
				}),
				doc: "A file with one day a line, such as `2027-01-01`. What follows a `#` is a comment; empty lines count for nothing. It is read with the configuration, also at a reload, and has to be there.",
			},
		},
	}
}

func setDates(s *settings, n *node) *fault {
	const example = `["2027-01-01"]`
	if n.kind != kindList {
		return wrongType(n, "list", example)
	}
	var all faults
	for _, item := range n.items {
		text, ok := timeText(item)
		if !ok {
			all.add(item, wrongType(item, "date", `"2027-01-01"`))
			continue
		}
		if wrong := s.calendar.add(text); wrong != nil {
			all.add(item, wrong)
		}
	}
	return all.joined()
}

func (c *calendar) add(text string) *fault {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return &fault{msg: fmt.Sprintf("%q is no date", shorten(text)), hint: `year, month and day: "2027-01-01"`}
	}
	c.days[text] = true
	return nil
}

// readCalendars reads all calendars, with their files: a schedule that runs on a
// holiday because a file is missing would be worse than one that does not load.
func (r *reader) readCalendars(root *node) {
	all, _ := r.table(root, "calendars")
	if all == nil {
		return
	}
	for _, table := range all.children {
		if f := checkName(table.key); f != nil {
			f.msg = strings.Replace(f.msg, "a schedule's name", "a calendar's name", 1)
			r.reject(table.keyOffset, f.msg, f.hint)
		}
		if table.kind != kindTable {
			r.blame(table, &fault{msg: fmt.Sprintf("calendars.%s is no table", table.key), hint: "a calendar is a table of its own: [calendars.NAME]"})
			continue
		}
		c := calendar{days: map[string]bool{}}
		s := r.newSettings("")
		s.calendar = &c
		r.refuseUnknownKeys(r.sections[calendarSection], table)
		r.readKeys(r.sections[calendarSection], place{table: table}, s)
		switch {
		case table.child("dates") == nil && table.child("file") == nil:
			r.reject(table.keyOffset, fmt.Sprintf("calendar %q has no days", table.key), `add dates = ["2027-01-01"] or file = "holidays.txt"`)
		case c.file != "":
			r.readCalendarFile(&c, table.child("file"))
		}
		r.calendars[table.key] = c
		r.config.Calendars[table.key] = sortedKeys(c.days)
	}
}

func (r *reader) readCalendarFile(c *calendar, n *node) {
	data, err := os.ReadFile(c.file)
	if err != nil {
		var where *fs.PathError
		if errors.As(err, &where) {
			err = where.Err // the path stands in the file
		}
		r.blame(n, &fault{msg: fmt.Sprintf("%v: %v", n.value, err), hint: "a relative path starts at the configuration file's folder"})
		return
	}
	shown := c.file
	if near, err := filepath.Rel(r.dir, c.file); err == nil && filepath.IsLocal(near) && !filepath.IsAbs(n.value.(string)) {
		shown = filepath.Join(filepath.Dir(r.file), near) // as the configuration is named
	}
	for i, line := range strings.Split(string(data), "\n") {
		text, _, _ := strings.Cut(strings.TrimPrefix(line, "\ufeff"), "#")
		before := len(text) - len(strings.TrimLeft(text, " \t"))
		day := strings.TrimSpace(text)
		if day == "" {
			continue
		}
		if wrong := c.add(day); wrong != nil {
			column := utf8.RuneCountInString(text[:before]) + 1
			r.errors.add(Problem{File: shown, Line: i + 1, Column: column, Message: wrong.msg, Hint: `one day a line, such as 2027-01-01; # starts a comment`})
		}
	}
}
