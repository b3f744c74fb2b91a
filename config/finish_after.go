package config

import (
	"fmt"
	"slices"
	"strings"

	"worqcron/scheduler"
)

// notAfter are the keys that say when a schedule is due, or which of its times
// count. One that follows another has no times of its own.
var notAfter = []string{"at", "dst_gap", "dst_fold", "start", "end", "jitter", "exclude"}

// finishFollower checks a schedule that another one makes due. What [defaults] say
// of times is not for it.
func (r *reader) finishFollower(table *node, s *settings) {
	if cron := table.child("cron"); cron != nil {
		r.blame(table.child("after"), &fault{msg: "cron is set as well", hint: "keep one of the two"})
	}
	for _, name := range notAfter {
		if n := table.child(name); n != nil {
			r.blame(n, &fault{msg: "this schedule has no times of its own: it is due after another one", hint: "leave it out, or give it to the first schedule of the chain"})
		}
	}
	s.schedule.Jitter = 0
	s.schedule.Exclude = slices.DeleteFunc(s.schedule.Exclude, func(e scheduler.Exclusion) bool { return e.Dates != nil })
}

// finishAfter checks which schedule follows which, once all are read, and gives each
// follower the due times of the first of its chain.
func (r *reader) finishAfter() {
	byName := map[string]*Schedule{}
	for i := range r.config.Schedules {
		byName[r.config.Schedules[i].Name] = &r.config.Schedules[i]
	}
	named := map[string]bool{} // schedules of a cycle that was reported
	for i := range r.config.Schedules {
		s := &r.config.Schedules[i]
		if s.After == "" {
			continue
		}
		chain, first := chainOf(byName, s)
		written := r.schedules[s.Name].child("after")
		switch {
		case first != nil:
			s.Due, s.Job.Slots = first.Spec, first.Spec
		case byName[s.After] == nil:
			r.reject(written.offset, fmt.Sprintf("after: there is no schedule %q", shorten(s.After)), hintSchedule(byName, s.After))
		case chain[len(chain)-1] != s.Name || named[s.Name]:
			// it leads to a mistake of another schedule
		default:
			r.reject(written.offset, "after: a cycle, of which none is ever due: "+strings.Join(chain, " → "), "let one of them have a cron of its own")
			for _, name := range chain {
				named[name] = true
			}
		}
	}
}

// chainOf follows a schedule to the first of its chain. chain is the way there.
// first is nil, and chain ends with that name, where it meets one that it had
// before, or that does not exist.
func chainOf(byName map[string]*Schedule, s *Schedule) (chain []string, first *Schedule) {
	chain = []string{s.Name}
	for s.After != "" {
		chain = append(chain, s.After)
		if slices.Contains(chain[:len(chain)-1], s.After) || byName[s.After] == nil {
			return chain, nil
		}
		s = byName[s.After]
	}
	return chain, s
}

func hintSchedule(byName map[string]*Schedule, name string) string {
	var names []string
	for known := range byName {
		names = append(names, known)
	}
	slices.Sort(names)
	if near := nearest(strings.ToLower(name), names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "name a schedule of this file"
}
