package scheduler

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, expr, field string
		offset            int
		msg, hint         string // parts
	}{
		{"nothing", "", "", 0, "empty", "five fields"},
		{"spaces", "   ", "", 0, "empty", "five fields"},
		{"four fields", "0 0 * *", "", 0, "4 fields", "minute, hour"},
		{"a year", "0 0 0 1 1 * 2027", "", 12, "year", "six with seconds"},
		{"zone alone", "TZ=UTC", "", 0, "time zone inside", "timezone ="},
		{"zone in front", "CRON_TZ=Europe/Berlin 0 0 * * *", "", 0, "time zone inside", "timezone ="},
		{"step 0", "*/0 * * * *", "minute", 0, "step of 0", "*/1"},
		{"step that is no number", "0 */x * * *", "hour", 2, "no number", "after the slash"},
		{"two steps", "0 */2/3 * * *", "hour", 2, "no number", "after the slash"},
		{"reversed minutes", "50-10 * * * *", "minute", 0, "backwards", "write 50-59,0-10"},
		{"reversed months", "0 0 1 nov-feb *", "month", 6, "backwards", "write 11-12,1-2"},
		{"reversed days", "0 0 * * 5-1", "day of week", 8, "backwards", "write 5-6,0-1"},
		{"range from 7", "0 0 * * 7-2", "day of week", 8, "backwards", "write 0-2"},
		{"minute 60", "60 * * * *", "minute", 0, "60 is out of range", "0 to 59"},
		{"hour 24", "0 24 * * *", "hour", 2, "24 is out of range", "0 to 23"},
		{"second 60", "60 0 0 * * *", "second", 0, "60 is out of range", "0 to 59"},
		{"day 0", "0 0 0 * *", "day of month", 4, "0 is out of range", "1 to 31"},
		{"month 13", "0 0 1 13 *", "month", 6, "13 is out of range", "jan to dec"},
		{"day of week 8", "0 0 * * 8", "day of week", 8, "8 is out of range", "0 and 7 are Sunday"},
		{"second item of a list", "0 0 * * 1,9", "day of week", 10, "9 is out of range", ""},
		{"empty item", "1,,2 * * * *", "minute", 2, "empty place", "comma"},
		{"comma alone", ", * * * *", "minute", 0, "empty place", "comma"},
		{"sign", "+5 * * * *", "minute", 0, "not understood", "0 to 59"},
		{"range from a star", "*-5 * * * *", "minute", 0, "not understood", "0 to 59"},
		{"open range", "5- * * * *", "minute", 0, "not understood", "0 to 59"},
		{"question mark in a minute", "? * * * *", "minute", 0, "not understood", "0 to 59"},
		{"day name in full", "0 0 * * friday", "day of week", 8, "not understood", "sun to sat"},
		{"huge number", "99999999999999999999 * * * *", "minute", 0, "not understood", "0 to 59"},
		{"L as a weekday", "0 0 * * L", "day of week", 8, "names no day", "6L"},
		{"sixth Friday", "0 0 * * 5#6", "day of week", 8, "first to a fifth", "5L"},
		{"W without a day", "0 0 W * *", "day of month", 4, "not understood", "15W"},
		{"32W", "0 0 32W * *", "day of month", 4, "32 is out of range", "15W"},
		{"L in an hour", "0 L * * *", "hour", 2, "not understood", "0 to 23"},
		{"W with a step", "0 0 15W/2 * *", "day of month", 4, "not understood", "15W"},
		{"31 February", "0 0 31 2 *", "day of month", 4, "never comes", "L"},
		{"30 and 31 February", "0 0 0 30,31 feb *", "day of month", 6, "never comes", "L"},
		{"31st of short months", "0 0 31 4,6,9,11 *", "day of month", 4, "never comes", "L"},
		{"no such weekday on that date", "0 0 8 * */7#1", "day of week", 8, "not understood", ""},
		{"@reboot", "@reboot", "", 0, "no time", "by hand"},
		{"unknown name", " @fortnightly", "", 1, "unknown name", "@weekly"},
		{"@every without a unit", "@every 90", "", 0, "no duration", "@every 90m"},
		{"@every nothing", "@every", "", 0, "no duration", "@every 90m"},
		{"@every glued", "@every5m", "", 0, "no duration", "after a space"},
		{"@every under a second", "@every 500ms", "", 7, "less than a second", "@every 1s"},
		{"@every nothing at all", "@every 0s", "", 7, "less than a second", "@every 1s"},
		{"@every backwards", "@every -5m", "", 7, "less than a second", "@every 1s"},
		{"@every with a fraction", "@every 1500ms", "", 7, "not whole seconds", "2s"},
		{"line break", "0 0 * * *\n", "day of week", 8, "not understood", ""},
		{"too long", strings.Repeat("1,", 600) + "1 * * * *", "", maxExprBytes, "longer than", "ranges"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(tt.expr, time.UTC, SpecOptions{})
			var e *ExprError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, %v, want an *ExprError", s, err)
			}
			if e.Expr != tt.expr || e.Field != tt.field || e.Offset != tt.offset || !strings.Contains(e.Msg, tt.msg) || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got %+v", *e)
			}
			if e.Offset > len(e.Expr) {
				t.Errorf("offset %d is outside", e.Offset)
			}
		})
	}
}

func TestParseRefusesOptions(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		zone *time.Location
		o    SpecOptions
		msg  string
	}{
		{"no zone", nil, SpecOptions{}, "no time zone"},
		{"gap", time.UTC, SpecOptions{Gap: "jump"}, `unknown rule "jump"`},
		{"fold", time.UTC, SpecOptions{Fold: "third"}, `unknown rule "third"`},
		{"end before start", time.UTC, SpecOptions{Start: at, End: at}, "not after the start"},
	} {
		var e *ExprError
		if _, err := Parse("0 0 * * *", tt.zone, tt.o); !errors.As(err, &e) || !strings.Contains(e.Msg, tt.msg) || e.Hint == "" {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestExprErrorText(t *testing.T) {
	_, err := Parse("0 24 * * *", time.UTC, SpecOptions{})
	if want := `cron "0 24 * * *": hour: 24 is out of range`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Parse("@often", time.UTC, SpecOptions{})
	if want := `cron "@often": unknown name "@often"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestInterval(t *testing.T) {
	for expr, want := range map[string]bool{
		"* 2 * * *": true, "*/15 2 * * *": true, "0 * * * *": true, "0 */2 * * *": true, "@hourly": true, "*,5 2 * * *": true,
		"0 2 * * *": false, "0-59 2 * * *": false, "0 0-23 * * *": false, "@daily": false, "* 0 2 * * *": false, "0 * 2 * * *": true,
	} {
		if got := mustParse(t, expr, "UTC", SpecOptions{}).interval; got != want {
			t.Errorf("%s: interval is %v, want %v", expr, got, want)
		}
	}
}

func TestFingerprintTellsEdits(t *testing.T) {
	parse := func(expr, zone string, o SpecOptions) string { return mustParse(t, expr, zone, o).Fingerprint() }
	base := parse("30 2 * * *", "Europe/Berlin", SpecOptions{})
	if got := parse(" 30\t2 *  * * ", "Europe/Berlin", SpecOptions{Gap: GapRun, Fold: FoldFirst}); got != base {
		t.Errorf("the same spelt otherwise: got %q, want %q", got, base)
	}
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, got := range []string{
		parse("31 2 * * *", "Europe/Berlin", SpecOptions{}), parse("30 2 * * *", "Europe/Paris", SpecOptions{}),
		parse("30 2 * * *", "Europe/Berlin", SpecOptions{Gap: GapSkip}), parse("30 2 * * *", "Europe/Berlin", SpecOptions{Fold: FoldBoth}),
		parse("30 2 * * *", "Europe/Berlin", SpecOptions{Start: at}), parse("30 2 * * *", "Europe/Berlin", SpecOptions{End: at}),
	} {
		if got == base {
			t.Errorf("an edit is not told: %q", got)
		}
	}
}

// What robfig/cron v3 gets wrong, or reads otherwise than crontab(5).
func TestNotAsRobfig(t *testing.T) {
	t.Run("a daily 02:30 is lost in spring (PR 541)", func(t *testing.T) {
		checkSlots(t, mustParse(t, "30 2 * * *", "America/New_York", SpecOptions{}), "2027-03-14T05:00", "2027-03-15T04:00", "2027-03-14T07:00")
	})
	t.Run("a daily 01:30 fires twice in autumn", func(t *testing.T) {
		checkSlots(t, mustParse(t, "30 1 * * *", "America/New_York", SpecOptions{}), "2026-11-01T04:00", "2026-11-02T05:00", "2026-11-01T05:30")
	})
	t.Run("days without midnight are lost", func(t *testing.T) {
		checkSlots(t, mustParse(t, "0 9 * * 5", "Africa/Cairo", SpecOptions{}), "2026-04-24", "2026-04-25", "2026-04-24T06:00")
		checkSlots(t, mustParse(t, "0 9 29 3 *", "Asia/Beirut", SpecOptions{}), "2026-03-28", "2026-03-30", "2026-03-29T06:00")
		checkSlots(t, mustParse(t, "0 9 6 9 *", "America/Santiago", SpecOptions{}), "2026-09-06", "2026-09-07", "2026-09-06T12:00")
	})
	t.Run("TZ=UTC alone panics", func(t *testing.T) {
		if _, err := Parse("TZ=UTC", time.UTC, SpecOptions{}); err == nil {
			t.Error("got no error")
		}
	})
	t.Run("the lost day of Apia loops for ever", func(t *testing.T) {
		s := mustParse(t, "0 0 30 12 *", "Pacific/Apia", SpecOptions{})
		checkSlots(t, s, "2011-01-01", "2012-12-01", "2011-12-30T10:00")
		checkSlots(t, mustParse(t, "*/5 * 30 12 *", "Pacific/Apia", SpecOptions{}), "2011-01-01", "2012-12-01")
	})
	t.Run("7 is refused", func(t *testing.T) {
		checkSlots(t, mustParse(t, "0 0 * * 1-7/3", "UTC", SpecOptions{}), "2026-11-23", "2026-11-30", "2026-11-23T00:00", "2026-11-26T00:00", "2026-11-29T00:00")
	})
	t.Run("the star is forgotten with a step", func(t *testing.T) {
		checkSlots(t, mustParse(t, "0 0 */10 * 1", "UTC", SpecOptions{}), "2026-11-01", "2027-01-01", "2026-12-21T00:00")
	})
	t.Run("@every moves its phase at each start", func(t *testing.T) {
		s := mustParse(t, "@every 1h", "UTC", SpecOptions{})
		if got, _ := s.Next(instantOf(t, "2026-11-24T08:17")); !got.Equal(instantOf(t, "2026-11-24T09:00")) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("29 February after 2096 is not found", func(t *testing.T) {
		if got, ok := mustParse(t, "0 0 29 2 *", "UTC", SpecOptions{}).Next(instantOf(t, "2096-03-01")); !ok || got.Year() != 2104 {
			t.Errorf("got %v, %v", got, ok)
		}
	})
}
