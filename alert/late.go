package alert

import (
	"fmt"
	"strings"
	"time"
)

// Slot is a due time that has come, and what is known of it.
type Slot struct {
	At      time.Time
	Excused bool      // nothing was to run: a calendar, a pause, the schedule was taken off
	Why     string    // why it did not run, or waits; may be ""
	Run     string    // name of the first run for it; "" if there is none
	Begun   time.Time // when that began
	Ended   time.Time // when the first of its runs came to rest; zero: none has
}

const timeLayout = "2006-01-02T15:04:05Z07:00"

// Starts says which of the slots, of which StartWithin has passed, did not begin in
// time: the newest, in words, with how many before it. A Verdict without a State
// means that all did.
func (e Expect) Starts(slots []Slot, zone *time.Location) Verdict {
	return verdict(slots, func(s Slot) string {
		at := s.At.In(zone).Format(timeLayout)
		switch late := s.Begun.Sub(s.At); {
		case s.Excused || s.Run != "" && late <= e.StartWithin:
			return ""
		case s.Run != "":
			return fmt.Sprintf("run %s began %s after its slot; start_within is %s", s.Run, brief(late), brief(e.StartWithin))
		case s.Why != "":
			return fmt.Sprintf("no run began within %s of %s: %s", brief(e.StartWithin), at, s.Why)
		}
		return fmt.Sprintf("no run began within %s of %s", brief(e.StartWithin), at)
	})
}

// Finishes is Starts for FinishWithin.
func (e Expect) Finishes(slots []Slot, zone *time.Location) Verdict {
	return verdict(slots, func(s Slot) string {
		at := s.At.In(zone).Format(timeLayout)
		switch late := s.Ended.Sub(s.At); {
		case s.Excused || !s.Ended.IsZero() && late <= e.FinishWithin:
			return ""
		case !s.Ended.IsZero():
			return fmt.Sprintf("run %s finished %s after its slot; finish_within is %s", s.Run, brief(late), brief(e.FinishWithin))
		case s.Run != "":
			return fmt.Sprintf("run %s is not finished %s after its slot", s.Run, brief(e.FinishWithin))
		case s.Why != "":
			return fmt.Sprintf("no run finished within %s of %s: %s", brief(e.FinishWithin), at, s.Why)
		}
		return fmt.Sprintf("no run finished within %s of %s", brief(e.FinishWithin), at)
	})
}

// verdict puts the slots together of which why has something to say.
func verdict(slots []Slot, why func(Slot) string) Verdict {
	v := Verdict{State: Late}
	n := 0
	for _, s := range slots {
		if text := why(s); text != "" {
			v.Breach, v.Slot, v.Run = text, s.At, s.Run
			n++
		}
	}
	v.Reason = v.Breach
	switch {
	case n == 0:
		return Verdict{}
	case n == 2:
		v.Reason += "; so was one slot before it"
	case n > 2:
		v.Reason += fmt.Sprintf("; so were %d slots before it", n-1)
	}
	return v
}

// brief is a duration as the configuration has it: 1h30m, not 1h30m0s.
func brief(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return thousands(n) + " records"
}

// thousands writes 1,234,567.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
