package scheduler

import (
	"errors"
	"testing"
	"time"
)

func TestOnce(t *testing.T) {
	for _, tt := range []struct {
		name, text, zone string
		o                SpecOptions
		want             []string
		note             string
	}{
		{"local", "2027-01-31T09:00:00", "America/New_York", SpecOptions{}, []string{"2027-01-31T14:00"}, ""},
		{"without seconds", "2027-01-31 09:00", "Europe/Berlin", SpecOptions{}, []string{"2027-01-31T08:00"}, ""},
		{"29 February", "2028-02-29T00:00:01", "UTC", SpecOptions{}, []string{"2028-02-29T00:00:01"}, ""},
		{"with an offset", "2027-01-31T09:00:00+01:00", "America/New_York", SpecOptions{}, []string{"2027-01-31T08:00"}, ""},
		{"in a gap", "2027-03-14T02:30", "America/New_York", SpecOptions{}, []string{"2027-03-14T07:00"}, "shifted by daylight saving: 02:30 does not exist"},
		{"in a gap, shift", "2027-03-14T02:30", "America/New_York", SpecOptions{Gap: GapShift}, []string{"2027-03-14T07:30"}, "shifted by daylight saving: 02:30 does not exist"},
		{"twice", "2026-11-01T01:30", "America/New_York", SpecOptions{}, []string{"2026-11-01T05:30"}, "first pass of a repeated hour"},
		{"twice, both", "2026-11-01T01:30", "America/New_York", SpecOptions{Fold: FoldBoth}, []string{"2026-11-01T05:30", "2026-11-01T06:30"}, "first pass of a repeated hour"},
		{"far east", "2027-01-31T00:00", "Pacific/Kiritimati", SpecOptions{}, []string{"2027-01-30T10:00"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Once(tt.text, zoneNamed(t, tt.zone), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			checkSlots(t, s, "2000-01-01", "2060-01-01", tt.want...)
			at, ok := s.Next(instantOf(t, "2000-01-01"))
			if back, okBack := s.Prev(instantOf(t, "2060-01-01")); !ok || !okBack || s.Note(at) != tt.note || len(tt.want) == 1 && !back.Equal(at) {
				t.Errorf("next %v %v, prev %v %v, note %q", at, ok, back, okBack, s.Note(at))
			}
			if !s.IsOnce() || s.Fingerprint() == "" {
				t.Errorf("got %q", s.Fingerprint())
			}
		})
	}
	for _, tt := range []struct {
		name, text string
		o          SpecOptions
	}{
		{"no time", "tomorrow", SpecOptions{}},
		{"no such date", "2027-02-29T09:00", SpecOptions{}},
		{"outside of start and end", "2027-01-31T09:00", SpecOptions{End: instantOf(t, "2027-01-31T14:00")}},
		{"in a gap, skip", "2027-03-14T02:30", SpecOptions{Gap: GapSkip}},
	} {
		_, err := Once(tt.text, zoneNamed(t, "America/New_York"), tt.o)
		var wrong *ExprError
		if !errors.As(err, &wrong) || wrong.Msg == "" || wrong.Hint == "" {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestInstants(t *testing.T) {
	for _, tt := range []struct {
		name, wall, zone string
		want             []string
		gap              bool
	}{
		{"once", "2027-03-13T02:30", "America/New_York", []string{"2027-03-13T07:30"}, false},
		{"in a gap", "2027-03-14T02:30", "America/New_York", []string{"2027-03-14T07:00"}, true},
		{"a gap's first second", "2027-03-14T02:00", "America/New_York", []string{"2027-03-14T07:00"}, true},
		{"behind a gap", "2027-03-14T03:00", "America/New_York", []string{"2027-03-14T07:00"}, false},
		{"twice", "2026-11-01T01:30", "America/New_York", []string{"2026-11-01T05:30", "2026-11-01T06:30"}, false},
		{"behind a fold", "2026-11-01T02:00", "America/New_York", []string{"2026-11-01T07:00"}, false},
		{"a day that was left out", "2011-12-30T09:00", "Pacific/Apia", []string{"2011-12-30T10:00"}, true},
		{"midnight that does not exist", "2018-11-04", "America/Sao_Paulo", []string{"2018-11-04T03:00"}, true},
		{"UTC", "2026-11-01T01:30", "UTC", []string{"2026-11-01T01:30"}, false},
	} {
		got, gap := Instants(instantOf(t, tt.wall), zoneNamed(t, tt.zone))
		var want []time.Time
		for _, text := range tt.want {
			want = append(want, instantOf(t, text))
		}
		if len(got) != len(want) || !got[0].Equal(want[0]) || !got[len(got)-1].Equal(want[len(want)-1]) || gap != tt.gap {
			t.Errorf("%s: got %v %v, want %v %v", tt.name, got, gap, want, tt.gap)
		}
	}
}
