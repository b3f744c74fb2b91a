package scheduler

import (
	"errors"
	"strings"
	"testing"
)

func TestLoadZone(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Antarctica/Troll", "Etc/GMT-3"} {
		if zone, err := LoadZone(name); err != nil || zone.String() != name {
			t.Errorf("%s: got %v, %v", name, zone, err)
		}
	}
}

func TestLoadZoneRefuses(t *testing.T) {
	for _, tt := range []struct{ name, msg, hint string }{
		{"", "empty", "Europe/Berlin"},
		{"Local", "depends on the machine", "Europe/Berlin"},
		{"localtime", "depends on the machine", "Europe/Berlin"},
		{"right/Europe/Berlin", "leap seconds", `write "Europe/Berlin"`},
		{"Europe/Berlim", "not known", "IANA"},
		{"europe/berlin ", "not known", `"Europe/Berlin"`},
		{"america/new york", "not known", `"America/New_York"`},
		{"New_York", "not known", `"America/New_York"`},
		{"US/Berlin", "not known", `"Europe/Berlin"`},
		{"PST", "not known", `"America/Los_Angeles"`},
		{"../../etc/passwd", "not known", "IANA"},
		{strings.Repeat("x", 5000), "not known", "IANA"},
	} {
		zone, err := LoadZone(tt.name)
		var e *ZoneError
		if !errors.As(err, &e) || e.Name != tt.name || !strings.Contains(e.Msg, tt.msg) || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("%.40q: got %v, %#v", tt.name, zone, err)
		}
	}
}
