package config

import (
	"fmt"
	"time"

	"worqcron/scheduler"
	"worqcron/source"
)

// arrivalSettle is the default of settle where files make the slots: they would
// else be found half written.
const arrivalSettle = 10 * time.Second

func arrivalKeys() []key {
	return []key{{
		name: "on_arrival", standard: "false", own: true,
		kind: flagKind(func(s *settings) *bool { return &s.schedule.OnArrival }),
		doc: "`true`, in place of `cron`: each file that appears at the source's `path` and settles makes a slot, also one that lies there when the schedule is first loaded or that came while nothing ran. " +
			"Its run reads that file alone; files that arrive during a run, a pause or a blackout wait for their turn. `settle` is 10s unless it is set. [sources.md](sources.md#files-that-arrive) says what counts as a new file.",
	}}
}

// timeKeys say something about times that files do not have.
var timeKeys = []string{"start", "end", "jitter", "overlap", "catch_up", "dst_gap", "dst_fold"}

// finishArrival checks a schedule whose slots files make. Of [defaults] it takes
// what suits it.
func (r *reader) finishArrival(table *node, s *settings, zone *time.Location) {
	own := table.child("on_arrival")
	s.schedule.Spec = scheduler.Never("on_arrival", zone)
	s.schedule.Jitter, s.schedule.Overlap = 0, scheduler.OverlapQueue
	for _, name := range []string{"cron", "at", "after"} {
		if n := table.child(name); n != nil {
			r.blame(n, &fault{msg: "on_arrival is set as well", hint: "keep one of the two: a file would be due twice"})
		}
	}
	for _, name := range timeKeys {
		if n := table.child(name); n != nil {
			r.blame(n, &fault{msg: "on_arrival has no times: each file that arrives runs, one after the other", hint: "leave it out"})
		}
	}
	o := s.schedule.Job.Source
	switch {
	case o == nil:
		r.blame(own, &fault{msg: "there is no source whose files could arrive", hint: "add a source table with a path"})
		return
	case o.Path == source.Stdin:
		r.blame(own, &fault{msg: "the standard input is no file that arrives", hint: "name files in path"})
	case o.HasExpressions():
		r.blame(table.child("source").child("path"), &fault{
			msg:  "an expression stands for a time, and a file that arrives has none before it is there",
			hint: fmt.Sprintf("write a wildcard in its place: %q", shorten(source.PathPattern(rawText(table.child("source").child("path"))))),
		})
	}
	if table.child("source").child("settle") == nil && r.doc.root.child(defaultsSection).child("source").child("settle") == nil {
		s.schedule.Job.Files.Settle = arrivalSettle
	}
}

// rawText is a string as it is written.
func rawText(n *node) string {
	text, _ := n.value.(string)
	return text
}
