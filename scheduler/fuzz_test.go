package scheduler

import (
	"errors"
	"testing"
	"time"
)

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "30 2 * * *", "*/15 0-4,22 1,L 1-6 mon-fri", "0 0 15W * 5#2", "0 0 LW * 5L", "@daily", "@every 90m", "TZ=UTC", "0 0 29 2 */7",
		"*/0 * * * *", "1-", "59 59 23 31 12 7", "0 0 31 2 *", "? * ? * ?", "@every 2540400h10m10s", "0 0 * * 5-7/2", "00 000 01 01 00",
	} {
		for _, zone := range []byte{0, 4, 9} {
			f.Add(expr, int64(1800000000), zone)
		}
	}
	var zones []*time.Location
	for _, name := range oracleZones {
		zones = append(zones, zoneNamed(f, name))
	}
	f.Fuzz(func(t *testing.T, expr string, at int64, which byte) {
		zone := zones[int(which)%len(zones)]
		s, err := Parse(expr, zone, SpecOptions{Gap: []string{GapRun, GapShift, GapSkip}[which%3], Fold: []string{FoldFirst, FoldSecond, FoldBoth}[which/3%3]})
		if err != nil {
			var e *ExprError
			if !errors.As(err, &e) || e.Msg == "" || e.Offset < 0 || e.Offset > len(expr) {
				t.Fatalf("%q: a bad error %#v", expr, err)
			}
			return
		}
		if again, err := Parse(s.String(), zone, SpecOptions{Gap: s.gap, Fold: s.fold}); err != nil || again.Fingerprint() != s.Fingerprint() {
			t.Fatalf("%q reads as %q, which reads as %q, %v", expr, s, again, err)
		}
		for _, after := range []time.Time{time.Unix(at, 0), time.Unix(at%4e9, 0)} {
			begun := time.Now()
			next, ok := s.Next(after)
			if took := time.Since(begun); took > 50*time.Millisecond {
				t.Fatalf("%q: Next(%d) took %s", expr, at, took)
			}
			if ok && (!next.After(after) || !s.Is(next)) {
				t.Fatalf("%q: Next(%v) = %v", expr, after, next)
			}
			s.Prev(after)
			s.Note(next)
		}
		s.Warnings(time.Unix(at%4e9, 0))
	})
}

func FuzzOnce(f *testing.F) {
	for _, text := range []string{
		"2027-03-14T02:30:00", "2026-11-01T01:30", "2011-12-30", "2027-01-31 09:00", "2027-01-31T09:00:00+23:59", "0001-01-01", "9999-12-31T23:59:59",
		"2027-02-29", "2027-01-31T24:00", "T", "2018-11-04T00:00:00Z",
	} {
		for _, zone := range []byte{0, 4, 9} {
			f.Add(text, zone)
		}
	}
	var zones []*time.Location
	for _, name := range oracleZones {
		zones = append(zones, zoneNamed(f, name))
	}
	f.Fuzz(func(t *testing.T, text string, which byte) {
		zone := zones[int(which)%len(zones)]
		wall, exact, ok := ReadTime(text)
		s, err := Once(text, zone, SpecOptions{})
		if err != nil {
			var e *ExprError
			if !errors.As(err, &e) || e.Msg == "" {
				t.Fatalf("%q: a bad error %#v", text, err)
			}
			return
		}
		if !ok {
			t.Fatalf("%q is no time, but a schedule", text)
		}
		at, ok := s.Next(time.Unix(minSecond, 0).Add(-1))
		if _, more := s.Next(at); !ok || more || !s.Is(at) {
			t.Fatalf("%q in %s: first %v %v, more %v", text, zone, at, ok, more)
		}
		list, gap := Instants(wall, zone)
		switch {
		case exact && !at.Equal(wall):
			t.Fatalf("%q: got %v", text, at)
		case !exact && (len(list) == 0 || // it is a slot, so it lies in those years
			!at.Equal(list[0])):
			t.Fatalf("%q in %s: slot %v, but it means %v", text, zone, at, list)
		case !exact && !gap && at.In(zone).Format("2006-01-02T15:04:05") != wall.Format("2006-01-02T15:04:05"):
			t.Fatalf("%q in %s: %v is another time", text, zone, at.In(zone))
		}
	})
}
