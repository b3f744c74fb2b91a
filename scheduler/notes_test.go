package scheduler

import (
	"slices"
	"testing"
	"time"
)

func TestNote(t *testing.T) {
	for _, tt := range []struct {
		name, expr, zone, at string
		o                    SpecOptions
		want                 string
	}{
		{"ordinary", "30 2 * * *", "America/New_York", "2027-03-13T07:30", SpecOptions{}, ""},
		{"shifted", "30 2 * * *", "America/New_York", "2027-03-14T07:00", SpecOptions{}, "shifted by daylight saving: 02:30 does not exist"},
		{"shifted by as much", "30 2 * * *", "America/New_York", "2027-03-14T07:30", SpecOptions{Gap: GapShift}, "shifted by daylight saving: 02:30 does not exist"},
		{"two at once", "15,30 2 * * *", "America/New_York", "2027-03-14T07:00", SpecOptions{}, "shifted by daylight saving: 02:15, 02:30 does not exist"},
		{"many at once", "0-59 2 * * *", "America/New_York", "2027-03-14T07:00", SpecOptions{}, "shifted by daylight saving: 02:00, 02:01, 02:02, … does not exist"},
		{"with a real one", "0 2,3 * * *", "America/New_York", "2027-03-14T07:00", SpecOptions{}, "also for 02:00, which daylight saving leaves out"},
		{"interval at a jump", "0 * * * *", "America/New_York", "2027-03-14T07:00", SpecOptions{}, ""},
		{"just after a jump", "30 3 * * *", "America/New_York", "2027-03-14T07:30", SpecOptions{}, ""},
		{"first pass", "30 1 * * *", "America/New_York", "2026-11-01T05:30", SpecOptions{}, "first pass of a repeated hour"},
		{"second pass", "30 1 * * *", "America/New_York", "2026-11-01T06:30", SpecOptions{Fold: FoldSecond}, "second pass of a repeated hour"},
		{"interval, second pass", "0 * * * *", "America/New_York", "2026-11-01T06:00", SpecOptions{}, "second pass of a repeated hour"},
		{"after the repeated hour", "0 * * * *", "America/New_York", "2026-11-01T07:00", SpecOptions{}, ""},
		{"before the repeated hour", "0 * * * *", "America/New_York", "2026-11-01T04:00", SpecOptions{}, ""},
		{"no slot", "30 1 * * *", "America/New_York", "2026-11-01T06:30", SpecOptions{}, ""},
		{"another day", "0 9 30 * *", "Pacific/Apia", "2011-12-30T10:00", SpecOptions{}, "shifted by daylight saving: 2011-12-30 09:00 does not exist"},
		{"every", "@every 1h", "America/New_York", "2026-11-01T06:00", SpecOptions{}, ""},
	} {
		if got := mustParse(t, tt.expr, tt.zone, tt.o).Note(instantOf(t, tt.at)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, expr, zone string
		o                SpecOptions
		want             []string
	}{
		{"nothing", "*/15 * * * *", "America/New_York", SpecOptions{}, nil},
		{"uneven minutes", "*/45 * * * *", "UTC", SpecOptions{}, []string{`minute "*/45" is uneven: after 45 it starts again at 0; for an even rhythm use @every`}},
		{"uneven hours", "0 0/5 * * *", "UTC", SpecOptions{}, []string{`hour "0/5" is uneven: after 20 it starts again at 0; for an even rhythm use @every`}},
		{"uneven seconds", "0-59/7 0 0 * * *", "UTC", SpecOptions{}, []string{`second "0-59/7" is uneven: after 56 it starts again at 0; for an even rhythm use @every`}},
		{"every other day", "0 0 */2 * *", "UTC", SpecOptions{}, []string{`day of month "*/2" is uneven: after 31 it starts again at 1; for an even rhythm use @every`}},
		{"step too wide", "*/90 * * * *", "UTC", SpecOptions{}, []string{`minute "*/90" only ever means 0, since a step starts anew in each round; for an even rhythm use @every`}},
		{"even", "*/20 */6 * */3 *", "UTC", SpecOptions{}, nil},
		{"a part of the field by intent", "0 8-18/3 * * *", "UTC", SpecOptions{}, nil},
		{"every", "@every 45m", "America/New_York", SpecOptions{}, nil},
		{"coming gap", "30 2 * * *", "America/New_York", SpecOptions{}, []string{`02:30 does not exist on 2027-03-14 in America/New_York (daylight saving): it is due at 03:00 -04:00 instead`}},
		{"coming gap, shift", "30 2 * * *", "America/New_York", SpecOptions{Gap: GapShift}, []string{`02:30 does not exist on 2027-03-14 in America/New_York (daylight saving): it is due later by what the clock skips`}},
		{"coming gap, skip", "30 2 * * *", "America/New_York", SpecOptions{Gap: GapSkip}, []string{`02:30 does not exist on 2027-03-14 in America/New_York (daylight saving): it is left out`}},
		{"gap on another weekday", "30 2 * * 1", "America/New_York", SpecOptions{}, nil},
		{"gap after the end", "30 2 * * *", "America/New_York", SpecOptions{End: now.AddDate(0, 1, 0)}, nil},
		{"interval", "*/30 2 * * *", "America/New_York", SpecOptions{}, nil},
	} {
		if got := mustParse(t, tt.expr, tt.zone, tt.o).Warnings(now); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}
