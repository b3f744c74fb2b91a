package batch

import (
	"strings"
	"testing"
	"time"
)

func TestParseHours(t *testing.T) {
	tests := []struct{ text, want string }{
		{"22:00-06:00", ""},
		{"00:00-24:00", ""},
		{"09:30-17:45", ""},
		{"23:59-00:00", ""},
		{"", "is no window"},
		{"22-06", "is no window"},
		{"9:00-17:00", "is no window"},
		{"22:00-06:00 ", "is no window"},
		{"22:00 - 06:00", "is no window"},
		{"22:00–06:00", "is no window"},
		{"22:00:00-06:00:00", "is no window"},
		{"-1:00-06:00", "is no window"},
		{"24:00-06:00", "no clock shows"},
		{"22:60-06:00", "no clock shows"},
		{"22:00-06:60", "no clock shows"},
		{"22:00-24:01", "no clock shows"},
		{"22:00-25:00", "no clock shows"},
		{"06:00-06:00", "begins when it ends"},
	}
	for _, tt := range tests {
		h, err := ParseHours(tt.text)
		switch {
		case tt.want == "" && (err != nil || h.String() != tt.text):
			t.Errorf("%q: got %s, %v", tt.text, h, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

func windowOf(t *testing.T, texts ...string) (w Window) {
	t.Helper()
	for _, text := range texts {
		h, err := ParseHours(text)
		if err != nil {
			t.Fatal(err)
		}
		w = append(w, h)
	}
	return w
}

// The clocks in New York: 2026-03-08 from 02:00 to 03:00, 2026-11-01 from 02:00
// back to 01:00. In Lord Howe they move by half an hour: 2026-04-05 from 02:00
// back to 01:30, 2026-10-04 from 02:00 to 02:30. In Beirut they jump at midnight.
func TestWindowAround(t *testing.T) {
	tests := []struct {
		name, window, zone, at string
		open                   bool
		end                    string
	}{
		{"before", "09:00-17:00", "UTC", "2026-06-01T08:59:59.999Z", false, "2026-06-01T09:00:00Z"},
		{"its first instant", "09:00-17:00", "UTC", "2026-06-01T09:00:00Z", true, "2026-06-01T17:00:00Z"},
		{"its last instant", "09:00-17:00", "UTC", "2026-06-01T16:59:59.999Z", true, "2026-06-01T17:00:00Z"},
		{"after", "09:00-17:00", "UTC", "2026-06-01T17:00:00Z", false, "2026-06-02T09:00:00Z"},
		{"over midnight, evening", "22:00-06:00", "UTC", "2026-06-01T23:00:00Z", true, "2026-06-02T06:00:00Z"},
		{"over midnight, morning", "22:00-06:00", "UTC", "2026-06-02T05:59:00Z", true, "2026-06-02T06:00:00Z"},
		{"over midnight, noon", "22:00-06:00", "UTC", "2026-06-02T12:00:00Z", false, "2026-06-02T22:00:00Z"},
		{"to midnight", "18:00-24:00", "UTC", "2026-06-02T23:59:59Z", true, "2026-06-03T00:00:00Z"},
		{"to midnight, written otherwise", "18:00-00:00", "UTC", "2026-06-02T23:59:59Z", true, "2026-06-03T00:00:00Z"},
		{"in its zone", "22:00-06:00", "Asia/Kolkata", "2026-06-02T16:29:00Z", false, "2026-06-02T16:30:00Z"},
		{"several", "12:00-13:00 22:00-06:00", "UTC", "2026-06-02T06:00:00Z", false, "2026-06-02T12:00:00Z"},
		{"several, one after the other", "12:00-13:00 13:00-14:00", "UTC", "2026-06-02T12:30:00Z", true, "2026-06-02T14:00:00Z"},
		{"all day", "00:00-24:00", "UTC", "2026-06-02T12:30:00Z", true, "2026-06-05T12:30:00Z"},
		{"the hour that is not there", "02:00-03:00", "America/New_York", "2026-03-08T06:30:00Z", false, "2026-03-09T06:00:00Z"},
		{"begins in it", "02:30-05:00", "America/New_York", "2026-03-08T06:30:00Z", false, "2026-03-08T07:00:00Z"},
		{"ends in it", "22:00-02:30", "America/New_York", "2026-03-08T06:30:00Z", true, "2026-03-08T07:00:00Z"},
		{"shorter that night", "22:00-06:00", "America/New_York", "2026-03-08T03:00:00Z", true, "2026-03-08T10:00:00Z"},
		{"longer that night", "22:00-06:00", "America/New_York", "2026-11-01T02:00:00Z", true, "2026-11-01T11:00:00Z"},
		{"the hour that comes twice", "01:00-02:00", "America/New_York", "2026-11-01T05:10:00Z", true, "2026-11-01T07:00:00Z"},
		{"half of it, first", "01:30-02:00", "America/New_York", "2026-11-01T05:40:00Z", true, "2026-11-01T06:00:00Z"},
		{"half of it, between", "01:30-02:00", "America/New_York", "2026-11-01T06:00:00Z", false, "2026-11-01T06:30:00Z"},
		{"half of it, again", "01:30-02:00", "America/New_York", "2026-11-01T06:40:00Z", true, "2026-11-01T07:00:00Z"},
		{"half an hour twice", "01:30-02:00", "Australia/Lord_Howe", "2026-04-04T14:40:00Z", true, "2026-04-04T15:30:00Z"},
		{"half an hour not there", "02:10-02:40", "Australia/Lord_Howe", "2026-10-03T15:20:00Z", false, "2026-10-03T15:30:00Z"},
		{"midnight that is not there", "00:00-01:00", "Asia/Beirut", "2026-03-28T21:30:00Z", false, "2026-03-29T21:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			open, end := windowOf(t, strings.Fields(tt.window)...).Around(at, zone)
			if got := end.UTC().Format(time.RFC3339Nano); open != tt.open || got != tt.end {
				t.Errorf("got open %v until %s, want %v until %s", open, got, tt.open, tt.end)
			}
		})
	}
}

func TestNoWindowIsOpen(t *testing.T) {
	now := time.Now()
	if open, end := Window(nil).Around(now, time.UTC); !open || end.Sub(now) < 24*time.Hour {
		t.Errorf("open %v until %s", open, end)
	}
}

// Every minute of a year: an edge is where the clock on the wall crosses one.
func TestWindowEdges(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	w := windowOf(t, "01:30-02:15", "22:00-00:30")
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, zone)
	edges := -1 // the first stretch has begun
	for end := at.AddDate(1, 0, 0); at.Before(end); edges++ {
		open, next := w.Around(at, zone)
		if !next.After(at) || w.open(next.In(zone)) == open || w.open(next.Add(-time.Nanosecond).In(zone)) != open {
			t.Fatalf("at %s: open %v until %s", at, open, next)
		}
		at = next
	}
	// Four edges a day; in spring 02:00 to 03:00 is missing, in autumn 01:00 to
	// 02:00 comes twice, and the window is closed between.
	if want := 4*365 + 2; edges != want {
		t.Errorf("%d edges in a year, want %d", edges, want)
	}
}
