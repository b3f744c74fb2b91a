package config

import "fmt"

// setRenamedFrom takes any name that a schedule may have.
func setRenamedFrom(s *settings, text string) *fault {
	if f := checkName(text); f != nil {
		return f
	}
	s.schedule.RenamedFrom = text
	return nil
}

// checkRenames looks whether one past is claimed twice: by two schedules, or by a
// schedule while another still has it.
func (r *reader) checkRenames() {
	by := map[string]string{}
	for i := range r.config.Schedules {
		s := &r.config.Schedules[i]
		if s.RenamedFrom == "" {
			continue
		}
		n := r.schedules[s.Name].child("renamed_from")
		_, exists := r.schedules[s.RenamedFrom]
		other, taken := by[s.RenamedFrom]
		switch {
		case s.RenamedFrom == s.Name:
			r.blame(n, &fault{msg: "this is the schedule's own name", hint: "write what it was called before, or leave it out"})
		case exists:
			r.blame(n, &fault{msg: fmt.Sprintf("there is still a schedule %q", s.RenamedFrom), hint: "its past is its own: leave renamed_from out, or take the old table away; to let two swap names, go by way of a third in two reloads"})
		case taken:
			r.blame(n, &fault{msg: fmt.Sprintf("schedule %q was renamed from %q as well", other, s.RenamedFrom), hint: "one of them has its past: leave it out in the other"})
		}
		by[s.RenamedFrom] = s.Name
	}
}

// WarnRenamed adds a warning to those of the configuration: there is nothing left
// that a schedule could take over from its old name.
func (c *Config) WarnRenamed(s Schedule) {
	p := s.renamedAt
	p.Message = fmt.Sprintf("renamed_from: the ledger has nothing of %q (any more)", s.RenamedFrom)
	p.Hint = "what was there has been taken over: leave it out"
	c.Warnings = append(c.Warnings, p)
}
