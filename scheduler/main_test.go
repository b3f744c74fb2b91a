package scheduler

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func zoneNamed(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustParse(t testing.TB, expr, zone string, o SpecOptions) Spec {
	t.Helper()
	s, err := Parse(expr, zoneNamed(t, zone), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instantOf reads "2027-03-14T07:00" as UTC, with or without seconds.
func instantOf(t testing.TB, text string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	t.Fatalf("no time: %q", text)
	return time.Time{}
}

func slotsIn(s Spec, from, until time.Time) []string {
	got := []string{}
	for at := range s.Between(from, until) {
		layout := "2006-01-02T15:04"
		if at.Second() != 0 {
			layout += ":05"
		}
		got = append(got, at.Format(layout))
	}
	return got
}

func checkSlots(t *testing.T, s Spec, from, until string, want ...string) {
	t.Helper()
	if got := slotsIn(s, instantOf(t, from), instantOf(t, until)); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%s in %s: slots in [%s, %s)\n got %v\nwant %v", s, s.Zone(), from, until, got, want)
	}
}
