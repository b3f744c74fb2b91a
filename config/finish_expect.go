package config

import (
	"errors"
	"fmt"
	"os"

	"worqcron/notify"
)

// finishExpect compares what is expected of a schedule with the rest of it.
func (r *reader) finishExpect(table *node, s *settings) {
	e, own, shared := s.schedule.Expect, table.child("expect"), r.doc.root.child(defaultsSection).child("expect")
	if s.schedule.After != "" || s.schedule.OnArrival {
		r.expectNoTimes(own, s)
		e = s.schedule.Expect
	}
	where := func(key string) *node { return firstOf(own.child(key), shared.child(key), table) }
	if e.StartWithin > 0 && e.StartWithin <= s.schedule.Jitter {
		r.blame(where("start_within"), &fault{
			msg:  fmt.Sprintf("%s is not longer than jitter (%s): a run that is on time would be late", showDuration(e.StartWithin), showDuration(s.schedule.Jitter)),
			hint: "make it longer than jitter",
		})
	}
	if e.FinishWithin > 0 && e.FinishWithin <= max(e.StartWithin, s.schedule.Jitter) {
		r.blame(where("finish_within"), &fault{msg: "it is not longer than start_within and jitter", hint: "it counts from the slot as well"})
	}
	if n := own.child("min_records"); n != nil && s.schedule.Job.Source == nil {
		r.blame(n, &fault{msg: "this schedule has no records", hint: "add a source table, or leave it out"})
	}
	if s.schedule.Job.Source == nil {
		s.schedule.Expect.MinRecords = 0 // of [defaults.expect]
	}
	if s.schedule.HeartbeatEnv != "" && !s.schedule.Heartbeat.IsZero() {
		r.blame(own.child("heartbeat_url_env"), &fault{msg: "heartbeat_url is set as well", hint: "keep one of the two"})
	}
}

// expectNoTimes refuses what counts from a due time for a schedule that has none of
// its own. What [defaults] say of it is not for it.
func (r *reader) expectNoTimes(own *node, s *settings) {
	for _, key := range []string{"start_within", "finish_within"} {
		if n := own.child(key); n != nil {
			r.blame(n, &fault{msg: "it counts from a slot's time, and this schedule has no times of its own", hint: "leave it out; max_duration bounds a run"})
		}
	}
	s.schedule.Expect.StartWithin, s.schedule.Expect.FinishWithin = 0, 0
}

// HeartbeatURL is the schedule's heartbeat URL, also where a variable has it; zero
// if there is none.
func (s *Schedule) HeartbeatURL() notify.URL {
	if s.HeartbeatEnv == "" {
		return s.Heartbeat
	}
	text := os.Getenv(s.HeartbeatEnv)
	if notify.CheckHeartbeat(text) != nil {
		return notify.URL{}
	}
	return notify.NewURL(text)
}

// lookForServices reports URLs that are not where the file says, and a file with
// URLs that others can read.
func (r *reader) lookForServices(table *node) {
	o := r.config.Notify.Options
	if _, errs := o.Load(); len(errs) > 0 {
		for _, err := range errs {
			r.reportServices(table, err)
		}
	}
	literal := table.child("urls")
	if info, err := os.Stat(r.file); len(o.URLs) > 0 && err == nil && info.Mode().Perm()&0o077 != 0 {
		r.warn(firstOf(literal, table).offset, fmt.Sprintf("urls: the file has mode %04o: others can read the tokens of the services", info.Mode().Perm()),
			"chmod 600 the file, or take urls_env or urls_file")
	}
	for _, s := range r.config.Schedules {
		if s.HeartbeatEnv == "" {
			continue
		}
		if err := notify.CheckHeartbeat(os.Getenv(s.HeartbeatEnv)); err != nil {
			n := r.schedules[s.Name].child("expect").child("heartbeat_url_env")
			r.warn(n.offset, fmt.Sprintf("no heartbeat URL from $%s: %v", s.HeartbeatEnv, err), "the schedule runs, and nothing is called")
		}
	}
}

func (r *reader) reportServices(table *node, err error) {
	hint, n := "", table
	var wrong *notify.SourceError
	if errors.As(err, &wrong) {
		hint = wrong.Hint
		n = firstOf(table.child("urls_file"), table)
		if len(wrong.Where) > 0 && wrong.Where[0] == '$' {
			n = firstOf(table.child("urls_env"), table)
		}
	} else if len(r.errors.list) > 0 {
		return // one of urls: reported
	}
	if wrong != nil && wrong.Open {
		r.reject(n.offset, err.Error(), hint)
		return
	}
	r.warn(n.offset, err.Error(), hint)
}
