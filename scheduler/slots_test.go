package scheduler

import (
	"math"
	"slices"
	"testing"
	"time"
)

// The windows are in UTC and half-open.
func TestSlots(t *testing.T) {
	gap := func(g string) SpecOptions { return SpecOptions{Gap: g} }
	fold := func(f string) SpecOptions { return SpecOptions{Fold: f} }
	for _, tt := range []struct {
		name, zone, expr string
		o                SpecOptions
		from, until      string
		want             []string
	}{
		// The table of the rules.
		{
			"fixed time in a gap", "America/New_York", "30 2 * * *",
			SpecOptions{},
			"2027-03-13T05:00", "2027-03-16T04:00",
			[]string{"2027-03-13T07:30", "2027-03-14T07:00", "2027-03-15T06:30"},
		},
		{"interval in a gap", "America/New_York", "*/15 2 * * *", SpecOptions{}, "2027-03-14T05:00", "2027-03-15T04:00", nil},
		{
			"fixed time that happens twice", "America/New_York", "30 1 * * *",
			SpecOptions{},
			"2026-10-31T04:00", "2026-11-03T05:00",
			[]string{"2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"},
		},
		{
			"hourly through a fold", "Europe/Berlin", "0 * * * *",
			SpecOptions{},
			"2026-10-24T22:00", "2026-10-25T04:00",
			[]string{"2026-10-24T22:00", "2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"},
		},
		{
			"midnight that does not exist", "America/Sao_Paulo", "0 0 * * *",
			SpecOptions{},
			"2018-11-04T03:00", "2018-11-06T02:00",
			[]string{"2018-11-04T03:00", "2018-11-05T02:00"},
		},
		{
			"Friday that begins at one", "Africa/Cairo", "0 9 * * 5",
			SpecOptions{},
			"2025-04-18", "2025-05-03",
			[]string{"2025-04-18T07:00", "2025-04-25T06:00", "2025-05-02T06:00"},
		},
		{
			"midnight that happens twice", "America/Havana", "0 0 * * *",
			SpecOptions{},
			"2026-11-01T04:00", "2026-11-03T05:00",
			[]string{"2026-11-01T04:00", "2026-11-02T05:00"},
		},
		{
			"half-hour jump", "Australia/Lord_Howe", "0 * * * *",
			SpecOptions{},
			"2026-10-03T13:30", "2026-10-03T19:00",
			[]string{"2026-10-03T13:30", "2026-10-03T14:30", "2026-10-03T16:00", "2026-10-03T17:00", "2026-10-03T18:00"},
		},

		// What the options change.
		{"gap run", "America/New_York", "30 2 * * *", gap(GapRun), "2027-03-14T05:00", "2027-03-15T04:00", []string{"2027-03-14T07:00"}},
		{"gap shift", "America/New_York", "30 2 * * *", gap(GapShift), "2027-03-14T05:00", "2027-03-15T04:00", []string{"2027-03-14T07:30"}},
		{"gap skip", "America/New_York", "30 2 * * *", gap(GapSkip), "2027-03-14T05:00", "2027-03-15T04:00", nil},
		{"gap shift meets a real one", "America/New_York", "30 2,3 * * *", gap(GapShift), "2027-03-14T05:00", "2027-03-15T04:00", []string{"2027-03-14T07:30"}},
		{
			"gap run meets a real one", "America/New_York", "0,30 2,3 * * *", gap(GapRun), "2027-03-14T05:00", "2027-03-15T04:00",
			[]string{"2027-03-14T07:00", "2027-03-14T07:30"},
		},
		{"fold second", "America/New_York", "30 1 * * *", fold(FoldSecond), "2026-11-01T04:00", "2026-11-02T05:00", []string{"2026-11-01T06:30"}},
		{"fold both", "America/New_York", "30 1 * * *", fold(FoldBoth), "2026-11-01T04:00", "2026-11-02T05:00", []string{"2026-11-01T05:30", "2026-11-01T06:30"}},
		{
			"fold second before and after", "America/New_York", "0 0-3 * * *", fold(FoldSecond), "2026-11-01T04:00", "2026-11-02T05:00",
			[]string{"2026-11-01T04:00", "2026-11-01T06:00", "2026-11-01T07:00", "2026-11-01T08:00"},
		},
		{
			"interval does not ask the options", "America/New_York", "*/30 1 * * *",
			SpecOptions{Fold: FoldSecond, Gap: GapSkip},
			"2026-11-01T04:00", "2026-11-02T05:00",
			[]string{"2026-11-01T05:00", "2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30"},
		},
		{"seconds in a gap are one slot", "America/New_York", "* 30 2 * * *", SpecOptions{}, "2027-03-14T05:00", "2027-03-15T04:00", []string{"2027-03-14T07:00"}},

		// More places.
		{"London skips one", "Europe/London", "30 1 * * *", SpecOptions{}, "2027-03-27T12:00", "2027-03-29T12:00", []string{"2027-03-28T01:00", "2027-03-29T00:30"}},
		{"Beirut has no midnight", "Asia/Beirut", "0 0 * * *", SpecOptions{}, "2026-03-27T22:00", "2026-03-30T00:00", []string{"2026-03-27T22:00", "2026-03-28T22:00", "2026-03-29T21:00"}},
		{
			"Santiago has no midnight", "America/Santiago", "15 0 * * *",
			SpecOptions{},
			"2026-09-05T00:00", "2026-09-08T00:00",
			[]string{"2026-09-05T04:15", "2026-09-06T04:00", "2026-09-07T03:15"},
		},
		{"Apia has no 30 December 2011", "Pacific/Apia", "0 9 30 * *", SpecOptions{}, "2011-12-28", "2012-02-01", []string{"2011-12-30T10:00", "2012-01-29T19:00"}},
		{"Apia, daily, over the lost day", "Pacific/Apia", "0 9 * * *", SpecOptions{}, "2011-12-29", "2012-01-01", []string{"2011-12-29T19:00", "2011-12-30T10:00", "2011-12-30T19:00", "2011-12-31T19:00"}},
		{"Apia, interval, over the lost day", "Pacific/Apia", "0 */12 * * *", SpecOptions{}, "2011-12-30", "2011-12-31", []string{"2011-12-30T10:00", "2011-12-30T22:00"}},
		{"Troll jumps two hours", "Antarctica/Troll", "30 1,2 * * *", SpecOptions{}, "2027-03-27T12:00", "2027-03-29T12:00", []string{"2027-03-28T01:00", "2027-03-28T23:30", "2027-03-29T00:30"}},
		{"Casablanca goes back for Ramadan", "Africa/Casablanca", "30 2 * * *", SpecOptions{}, "2026-02-14T00:00", "2026-02-16T12:00", []string{"2026-02-14T01:30", "2026-02-15T01:30", "2026-02-16T02:30"}},
		{"Kathmandu is off by a quarter", "Asia/Kathmandu", "0 6 * * *", SpecOptions{}, "2026-01-01", "2026-01-02", []string{"2026-01-01T00:15"}},
		{"Kolkata is off by a half", "Asia/Kolkata", "0 6 * * *", SpecOptions{}, "2026-01-01", "2026-01-02", []string{"2026-01-01T00:30"}},
		{"Tehran has no midnight in 2022", "Asia/Tehran", "0 0 * * *", SpecOptions{}, "2022-03-21T12:00", "2022-03-23T12:00", []string{"2022-03-21T20:30", "2022-03-22T19:30"}},
		{"beyond the recorded changes", "America/New_York", "30 2 * * *", SpecOptions{}, "2104-03-09T05:00", "2104-03-10T05:00", []string{"2104-03-09T07:00"}},
		{"last day of a leap year beyond the recorded changes", "America/New_York", "0 12 31 12 *", SpecOptions{}, "2104-12-01", "2105-12-01", []string{"2104-12-31T17:00"}},

		// Days.
		{"days are OR-ed", "UTC", "0 0 13 * 5", SpecOptions{}, "2026-11-06", "2026-11-21", []string{"2026-11-06T00:00", "2026-11-13T00:00", "2026-11-20T00:00"}},
		{"days are AND-ed after a star", "UTC", "0 0 */2 * 5", SpecOptions{}, "2026-11-01", "2026-12-01", []string{"2026-11-13T00:00", "2026-11-27T00:00"}},
		{"star in the day of week", "UTC", "0 0 13 * */5", SpecOptions{}, "2026-09-01", "2026-12-31", []string{"2026-09-13T00:00", "2026-11-13T00:00", "2026-12-13T00:00"}},
		{"7 is Sunday", "UTC", "0 0 * * 7", SpecOptions{}, "2026-11-20", "2026-11-30", []string{"2026-11-22T00:00", "2026-11-29T00:00"}},
		{"range over Sunday", "UTC", "0 0 * * 5-7", SpecOptions{}, "2026-11-20", "2026-11-25", []string{"2026-11-20T00:00", "2026-11-21T00:00", "2026-11-22T00:00"}},
		{"range over Sunday by name and step", "UTC", "0 0 * * FRI-SUN/2", SpecOptions{}, "2026-11-20", "2026-11-25", []string{"2026-11-20T00:00", "2026-11-22T00:00"}},
		{"last day", "UTC", "0 0 L * *", SpecOptions{}, "2028-01-01", "2028-04-01", []string{"2028-01-31T00:00", "2028-02-29T00:00", "2028-03-31T00:00"}},
		{"last workday", "UTC", "0 0 LW * *", SpecOptions{}, "2026-01-01", "2026-06-01", []string{"2026-01-30T00:00", "2026-02-27T00:00", "2026-03-31T00:00", "2026-04-30T00:00", "2026-05-29T00:00"}},
		{"nearest workday", "UTC", "0 0 15w * *", SpecOptions{}, "2026-08-01", "2026-12-01", []string{"2026-08-14T00:00", "2026-09-15T00:00", "2026-10-15T00:00", "2026-11-16T00:00"}},
		{"nearest workday stays in its month", "UTC", "0 0 1W,31W * *", SpecOptions{}, "2026-08-01", "2026-11-01", []string{"2026-08-03T00:00", "2026-08-31T00:00", "2026-09-01T00:00", "2026-10-01T00:00", "2026-10-30T00:00"}},
		{"second Friday", "UTC", "0 0 * * 5#2", SpecOptions{}, "2026-10-01", "2026-12-01", []string{"2026-10-09T00:00", "2026-11-13T00:00"}},
		{"fifth Sunday", "UTC", "0 0 * * 7#5", SpecOptions{}, "2026-10-01", "2027-02-01", []string{"2026-11-29T00:00", "2027-01-31T00:00"}},
		{"last Friday", "UTC", "0 0 * * friL", SpecOptions{}, "2026-10-01", "2026-12-01", []string{"2026-10-30T00:00", "2026-11-27T00:00"}},
		{"first and last", "UTC", "0 0 1,L 2 *", SpecOptions{}, "2027-01-01", "2028-01-01", []string{"2027-02-01T00:00", "2027-02-28T00:00"}},

		// Names and @every.
		{"@daily", "Europe/Berlin", "@daily", SpecOptions{}, "2026-10-25", "2026-10-27", []string{"2026-10-25T23:00", "2026-10-26T23:00"}},
		{"@hourly is an interval", "Europe/Berlin", "@hourly", SpecOptions{}, "2026-10-25T00:00", "2026-10-25T03:00", []string{"2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"}},
		{"@weekly", "UTC", "@weekly", SpecOptions{}, "2026-11-20", "2026-11-30", []string{"2026-11-22T00:00", "2026-11-29T00:00"}},
		{"@every counts from 1970", "America/New_York", "@every 7h", SpecOptions{}, "1970-01-01", "1970-01-01T22:00", []string{"1970-01-01T00:00", "1970-01-01T07:00", "1970-01-01T14:00", "1970-01-01T21:00"}},
		{
			"@every counts from its start", "UTC", "@every 45m",
			SpecOptions{Start: time.Date(2026, 11, 24, 8, 10, 0, 0, time.UTC)},
			"2026-11-24", "2026-11-24T10:00",
			[]string{"2026-11-24T08:10", "2026-11-24T08:55", "2026-11-24T09:40"},
		},
		{
			"start and end are half-open", "UTC", "0 * * * *",
			SpecOptions{Start: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)},
			"2026-11-01", "2026-12-01",
			[]string{"2026-11-24T08:00", "2026-11-24T09:00"},
		},
		{"six fields", "UTC", "*/20 0 12 * * *", SpecOptions{}, "2026-11-24", "2026-11-25", []string{"2026-11-24T12:00", "2026-11-24T12:00:20", "2026-11-24T12:00:40"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkSlots(t, mustParse(t, tt.expr, tt.zone, tt.o), tt.from, tt.until, tt.want...)
		})
	}
}

func TestNextFarAhead(t *testing.T) {
	for _, tt := range []struct{ expr, after, want string }{
		{"0 0 29 2 *", "2026-11-24", "2028-02-29T00:00"},
		{"0 0 29 2 *", "2096-03-01", "2104-02-29T00:00"},   // 2100 has no 29 February
		{"0 0 29 2 */7", "2088-03-01", "2128-02-29T00:00"}, // a Sunday: 40 years on, by way of 2100
		{"0 0 * 2 1#5", "2026-11-24", "2044-02-29T00:00"},  // a fifth Monday in February
		{"59 59 23 31 12 *", "2026-12-31", "2026-12-31T23:59:59"},
	} {
		got, ok := mustParse(t, tt.expr, "UTC", SpecOptions{}).Next(instantOf(t, tt.after))
		if want := instantOf(t, tt.want); !ok || !got.Equal(want) {
			t.Errorf("%s after %s: got %v, %v, want %v", tt.expr, tt.after, got, ok, want)
		}
	}
}

func TestEdgesOfNextAndPrev(t *testing.T) {
	hourly := mustParse(t, "0 * * * *", "UTC", SpecOptions{})
	at := instantOf(t, "2026-11-24T08:00")
	for _, tt := range []struct {
		name string
		got  func() (time.Time, bool)
		want time.Time
	}{
		{"next after a slot is the following", func() (time.Time, bool) { return hourly.Next(at) }, at.Add(time.Hour)},
		{"next just before a slot is the slot", func() (time.Time, bool) { return hourly.Next(at.Add(-1)) }, at},
		{"next just after a slot is the following", func() (time.Time, bool) { return hourly.Next(at.Add(1)) }, at.Add(time.Hour)},
		{"prev before a slot is the one before", func() (time.Time, bool) { return hourly.Prev(at) }, at.Add(-time.Hour)},
		{"prev just after a slot is the slot", func() (time.Time, bool) { return hourly.Prev(at.Add(1)) }, at},
	} {
		if got, ok := tt.got(); !ok || !got.Equal(tt.want) || got.Location() != time.UTC {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, ok, tt.want)
		}
	}
	if hourly.Is(at.Add(1)) || !hourly.Is(at) {
		t.Error("Is must hold on the exact instant alone")
	}
	// Instants that no calendar shows.
	for _, far := range []int64{1 << 60, math.MaxInt64} {
		if got, ok := hourly.Next(time.Unix(far, 0)); ok {
			t.Errorf("Next(%d): got %v", far, got)
		}
		if got, ok := hourly.Prev(time.Unix(-far, 0)); ok {
			t.Errorf("Prev(%d): got %v", -far, got)
		}
	}
	if got, ok := hourly.Next(time.Time{}); !ok || !got.Equal(time.Time{}.Add(time.Hour)) {
		t.Errorf("after the zero time: got %v, %v", got, ok)
	}
	if got, ok := hourly.Next(time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)); ok {
		t.Errorf("after the last hour of 9999: got %v", got)
	}
}

func TestZeroSpecHasNoSlots(t *testing.T) {
	var s Spec
	now := instantOf(t, "2026-11-24")
	if at, ok := s.Next(now); ok {
		t.Errorf("Next: got %v", at)
	}
	if at, ok := s.Prev(now); ok {
		t.Errorf("Prev: got %v", at)
	}
	if s.Is(now) || len(slices.Collect(s.Between(now, now.AddDate(1, 0, 0)))) > 0 {
		t.Error("the zero Spec has a slot")
	}
	if s.String()+s.Fingerprint()+s.Note(now) != "" || s.Zone() != nil || s.Warnings(now) != nil {
		t.Error("the zero Spec says something")
	}
}

func TestBetweenStopsWhenAsked(t *testing.T) {
	s := mustParse(t, "* * * * *", "UTC", SpecOptions{})
	n := 0
	for range s.Between(instantOf(t, "2026-01-01"), instantOf(t, "2027-01-01")) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("got %d slots, want 3", n)
	}
}
