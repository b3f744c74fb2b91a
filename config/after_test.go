package config

import (
	"testing"
	"time"
)

func TestAfter(t *testing.T) {
	const flow = "\nflow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\n"
	cleanEnvironment(t)
	c := mustParse(t, `
[calendars.holidays]
dates = ["2027-01-01"]
[defaults]
jitter = "10m"
exclude = ["holidays"]
blackout = ["2026-12-24/2026-12-27"]
start = "2020-01-01"
[schedules.a]
after = "b"
after_any = true
`+flow+`
[schedules.b]
after = "c"
timezone = "Europe/Berlin"
`+flow+`
[schedules.c]
cron = "30 2 * * *"
timezone = "America/New_York"
`+flow)
	for _, name := range []string{"a", "b"} {
		s, _ := c.Schedule(name)
		first, _ := c.Schedule("c")
		if s.Spec.Fingerprint() != "" || s.Due.Fingerprint() != first.Spec.Fingerprint() || s.AfterAny != (name == "a") {
			t.Errorf("%s: spec %q, due %q, after_any %v", name, s.Spec, s.Due, s.AfterAny)
		}
		at := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
		if before, ok := s.Job.Slots.Prev(at); !ok || !before.Equal(at.AddDate(0, 0, -1)) {
			t.Errorf("%s: the slot before %v is %v", name, at, before)
		}
		if s.Jitter != 0 || len(s.Exclude) != 1 || s.Exclude[0].Name != "blackout 2026-12-24/2026-12-27" {
			t.Errorf("%s: jitter %v, exclude %v", name, s.Jitter, s.Exclude)
		}
	}
}
