package config

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"worqcron/source"
)

// reader turns one document into a Config and collects what is wrong with it.
type reader struct {
	file      string
	dir       string
	doc       *document
	sections  map[string]section
	config    *Config
	schedules map[string]*node // the table of each schedule
	calendars map[string]calendar
	standards map[string]*node // parsed defaults, by key and text
	zones     map[string]*time.Location
	errors    problems
	warnings  problems
}

func newReader(file string, data []byte) (*reader, error) {
	dir, err := folder(file)
	if err != nil {
		return nil, err
	}
	r := &reader{
		file: file, dir: dir, doc: readDocument(data),
		sections: map[string]section{}, config: &Config{File: file, Calendars: map[string][]string{}}, schedules: map[string]*node{}, calendars: map[string]calendar{},
		standards: map[string]*node{}, zones: map[string]*time.Location{},
	}
	for _, s := range tableOfKeys() {
		r.sections[s.name] = s
	}
	return r, nil
}

// read goes through the whole document.
func (r *reader) read() {
	for _, f := range r.doc.faults {
		r.reject(f.offset, f.msg, f.hint)
	}
	root := r.doc.root
	if root == nil {
		return // not TOML
	}
	r.refuseUnknownTables(root)
	s := &settings{config: r.config, dir: r.dir}
	for _, name := range []string{worqhatSection, ledgerSection, dashboardSection, notifySection} {
		if table, ok := r.table(root, name); ok {
			r.refuseUnknownKeys(r.sections[name], table)
			r.readKeys(r.sections[name], place{table: table}, s)
		}
	}
	r.readCalendars(root)
	r.readDefaults(root)
	r.readSchedules(root)
	r.finishAfter()
}

// result is the configuration, or what is wrong with it.
func (r *reader) result() (*Config, error) {
	warnings := r.warnings.sorted()
	if errs := r.errors.sorted(); len(errs) > 0 {
		return nil, &Invalid{Errors: errs, Warnings: warnings}
	}
	slices.SortFunc(r.config.Schedules, func(a, b Schedule) int { return cmp.Compare(a.Name, b.Name) })
	r.config.Warnings = warnings
	return r.config, nil
}

// table gets a table of a table. It is nil where there is none; false where the
// name is no table, which is reported.
func (r *reader) table(parent *node, name string) (*node, bool) {
	n := parent.child(name)
	if n == nil || n.kind == kindTable {
		return n, true
	}
	header := name
	switch {
	case parent == r.doc.root && name == "schedules":
		header = scheduleSection
	case parent == r.doc.root && name == "calendars":
		header = calendarSection
	case parent == r.doc.root:
	case parent == r.doc.root.child(defaultsSection):
		header = defaultsSection + "." + name
	default:
		header = "schedules." + parent.key + "." + name
	}
	r.blame(n, wrongType(n, "table", "["+header+"]"))
	return nil, false
}

// place is where a section's keys are looked for.
type place struct {
	table    *node // the section itself; nil if the file does not have it
	defaults *node // its counterpart in [defaults]
	owner    *node // where a missing key is reported
}

// readKeys gives each key of a section the value of the file, of [defaults], of
// the environment or of the table of keys, the first that there is.
func (r *reader) readKeys(s section, at place, to *settings) {
	for _, k := range s.keys {
		n := at.table.child(k.name)
		if n == nil && !k.own {
			n = at.defaults.child(k.name)
		}
		if n == nil && k.variable != "" && os.Getenv(k.variable) != "" {
			text := os.Getenv(k.variable)
			n = &node{key: k.name, kind: kindString, value: text, raw: strconv.Quote(text), origin: "environment variable " + k.variable}
		}
		if n == nil && k.standard != "" {
			n = r.standardNode(k)
		}
		if n == nil {
			if k.required && at.owner != nil {
				r.reject(at.owner.keyOffset, fmt.Sprintf("%s has no %s", describe(s.name, at.owner), k.name),
					fmt.Sprintf("add %s = %s", k.name, k.kind.example))
			}
			continue
		}
		if f := k.kind.read(to, n); f != nil {
			r.blame(n, f)
		} else {
			to.record(s, n)
		}
	}
}

// standardNode parses a key's default as if the file said it, once for all tables.
func (r *reader) standardNode(k key) *node {
	id := k.name + " = " + k.standard
	n := r.standards[id]
	if n == nil {
		n = readDocument([]byte("value = " + k.standard)).root.child("value")
		n.key, n.origin = k.name, "the default"
		r.standards[id] = n
	}
	return n
}

// describe names a table for a message.
func describe(section string, owner *node) string {
	if section == scheduleSection {
		return fmt.Sprintf("schedule %q", owner.key)
	}
	return "this " + owner.key
}

// readDefaults checks [defaults] by itself, so that a mistake in it is found
// without a schedule that uses it.
func (r *reader) readDefaults(root *node) {
	defaults, _ := r.table(root, defaultsSection)
	if defaults == nil {
		return
	}
	scratch := r.newSettings("")
	for _, name := range scheduleSections() {
		table := defaults
		if below := below(name); below != "" {
			table, _ = r.table(defaults, below)
		}
		if table == nil {
			continue
		}
		shared := r.sections[name].shared()
		r.refuseUnknownKeys(shared, table)
		for _, k := range shared.keys {
			if n := table.child(k.name); n != nil {
				if f := k.kind.read(scratch, n); f != nil {
					r.blame(n, f)
				}
			}
		}
	}
}

// shared is the section without the keys that have no place in [defaults].
func (s section) shared() section {
	own := s
	own.keys = slices.DeleteFunc(slices.Clone(s.keys), func(k key) bool { return k.own })
	own.name = strings.Replace(s.name, scheduleSection, defaultsSection, 1)
	return own
}

// scheduleSections are the sections that make a schedule, its own first.
func scheduleSections() []string {
	return []string{scheduleSection, sourceSection, chunkSection, deliverySection, expectSection}
}

// below is the last part of a section's name: source for
// schedules.NAME.source, "" for the schedule itself.
func below(section string) string {
	return strings.TrimPrefix(strings.TrimPrefix(section, scheduleSection), ".")
}

func (r *reader) newSettings(name string) *settings {
	schedule := &Schedule{}
	schedule.Name, schedule.Job.Schedule = name, name
	schedule.Job.Source = &source.Options{}
	return &settings{config: r.config, schedule: schedule, dir: r.dir, calendars: r.calendars, zones: r.zones}
}

func (r *reader) readSchedules(root *node) {
	all, ok := r.table(root, "schedules")
	if !ok {
		return
	}
	if all == nil || len(all.children) == 0 {
		r.warn(0, "there are no schedules", `add one: [schedules.NAME] with cron and flow_id`)
		return
	}
	for _, table := range all.children {
		if f := checkName(table.key); f != nil {
			r.reject(table.keyOffset, f.msg, f.hint)
		}
		if table.kind != kindTable {
			r.blame(table, &fault{msg: fmt.Sprintf("schedules.%s is no table", table.key), hint: "a schedule is a table of its own: [schedules.NAME]"})
			continue
		}
		r.readSchedule(root, table)
	}
	r.checkRenames()
}

// readSchedule reads one schedule with its sections and checks it as a whole.
func (r *reader) readSchedule(root, table *node) {
	s := r.newSettings(table.key)
	if r.isHalfName(table) {
		r.refuseUnknownKeys(r.sections[scheduleSection], table)
		return
	}
	defaults := root.child(defaultsSection)
	for _, name := range scheduleSections() {
		at := place{table: table, defaults: defaults, owner: table}
		if below := below(name); below != "" {
			own, ok := r.table(table, below)
			if !ok || name == sourceSection && own == nil {
				if name == sourceSection {
					s.schedule.Job.Source = nil
				}
				continue
			}
			at = place{table: own, defaults: defaults.child(below), owner: own}
		}
		r.refuseUnknownKeys(r.sections[name], at.table)
		r.readKeys(r.sections[name], at, s)
	}
	r.finish(table, s)
	r.schedules[s.schedule.Name] = table
	r.config.Schedules = append(r.config.Schedules, *s.schedule)
}

// isHalfName tells whether a table only came to be because a schedule's name
// with a dot was not quoted: [schedules.eu.orders].
func (r *reader) isHalfName(table *node) bool {
	if table.header || table.inline {
		return false
	}
	known := r.sections[scheduleSection]
	for _, child := range table.children {
		if !child.header || slices.Contains(known.below, child.key) || child.key == "payload" {
			return false
		}
	}
	return len(table.children) > 0
}

// checkName holds the rule for the names of schedules: they are used in URLs,
// in file names and in references such as orders@2026-11-24T02:30#2.
func checkName(name string) *fault {
	const most = 64
	rule := "lower-case letters, digits, _ . and -, a letter or digit first"
	valid := name != ""
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		valid = valid && (letter || i > 0 && (c == '_' || c == '.' || c == '-'))
	}
	switch {
	case !valid:
		if lower := strings.ToLower(name); lower != name && checkName(lower) == nil {
			rule = fmt.Sprintf("write %q: %s", lower, rule)
		}
		return &fault{msg: fmt.Sprintf("%q cannot be a schedule's name", shorten(name)), hint: rule}
	case len(name) > most:
		return &fault{msg: fmt.Sprintf("the name %q is longer than %d characters", shorten(name), most), hint: "shorten it"}
	}
	return nil
}
