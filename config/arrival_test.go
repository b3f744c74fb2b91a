package config

import (
	"testing"
	"time"
)

func TestOnArrival(t *testing.T) {
	for name, c := range map[string]struct {
		defaults, own string
		settle        time.Duration
	}{
		"default":       {"", "", 10 * time.Second},
		"of its own":    {"", `, settle = "2s"`, 2 * time.Second},
		"none":          {"", `, settle = "0s"`, 0},
		"of [defaults]": {"[defaults]\njitter = \"5m\"\ncatch_up = \"all\"\nsource = { settle = \"3s\" }", "", 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := Parse("/etc/worqcron/schedules.toml", []byte(c.defaults+`
[schedules.orders]
on_arrival = true
timezone = "Europe/Berlin"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
source = { path = "inbox/*.csv"`+c.own+` }
`))
			if err != nil {
				t.Fatal(err)
			}
			s := config.Schedules[0]
			if s.Job.Files.Settle != c.settle {
				t.Errorf("settle is %s, want %s", s.Job.Files.Settle, c.settle)
			}
			if next, ok := s.Spec.Next(time.Now()); ok {
				t.Errorf("it is due at %s", next)
			}
			if last, ok := s.Spec.Prev(time.Now()); ok {
				t.Errorf("it was due at %s", last)
			}
			if !s.OnArrival || !s.Spec.IsNever() || s.Spec.Zone().String() != "Europe/Berlin" || s.Jitter != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}
