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
