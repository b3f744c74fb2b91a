package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// verdicts writes a decision's dues as "05" (catch-up), "05!" (on time) or
// "05 reason", by the hour.
func verdicts(d decision) []string {
	var out []string
	for _, due := range d.dues {
		text := due.At.Format("15")
		switch {
		case !due.Runs():
			text += " " + due.Skipped + due.Missed
		case !due.CatchUp:
			text += "!"
		}
		out = append(out, text)
	}
	return out
}

func TestDecide(t *testing.T) {
	hours := func(from, to int, reason string) []string {
		var out []string
		for h := from; h <= to; h++ {
			text := fmt.Sprintf("%02d", h)
			if reason != "" {
				text += " " + reason
			}
			out = append(out, text)
		}
		return out
	}
	for _, tt := range []struct {
		name, catchUp string
		window        time.Duration
		mark, now     string
		want          []string
	}{
		// The example of the rules.
		{
			"all, down from 00:10 to 10:05, six hours", CatchUpAll, 6 * time.Hour, "2026-11-24T00:10", "2026-11-24T10:05",
			slices.Concat(hours(1, 4, MissedWindow), hours(5, 10, "")),
		},
		{"last, the same", CatchUpLast, 6 * time.Hour, "2026-11-24T00:10", "2026-11-24T10:05", append(hours(1, 9, MissedSuperseded), "10")},
		{"none, the same", CatchUpNone, 6 * time.Hour, "2026-11-24T00:10", "2026-11-24T10:05", hours(1, 10, MissedNone)},

		{"nothing due", CatchUpAll, time.Hour, "2026-11-24T10:00", "2026-11-24T10:59:59.9", nil},
		{"on time", CatchUpNone, 0, "2026-11-24T09:00", "2026-11-24T10:00", []string{"10!"}},
		{"a minute late is on time", CatchUpNone, 0, "2026-11-24T09:00", "2026-11-24T10:01", []string{"10!"}},
		{"more than a minute is late", CatchUpNone, 0, "2026-11-24T09:00", "2026-11-24T10:01:00.001", []string{"10 " + MissedNone}},
		{"late, inside the window", CatchUpLast, time.Hour, "2026-11-24T09:00", "2026-11-24T10:30", []string{"10"}},
		{"the window's edge is inside", CatchUpAll, time.Hour, "2026-11-24T08:00", "2026-11-24T10:00:30", []string{"09 " + MissedWindow, "10!"}},
		{"exactly as old as the window", CatchUpAll, time.Hour, "2026-11-24T08:00", "2026-11-24T10:00", []string{"09", "10!"}},
		{"last gives way to one on time", CatchUpLast, 24 * time.Hour, "2026-11-24T07:00", "2026-11-24T10:00:10", []string{"08 " + MissedSuperseded, "09 " + MissedSuperseded, "10!"}},
		{"none lets the one on time run", CatchUpNone, 0, "2026-11-24T08:00", "2026-11-24T10:00:10", []string{"09 " + MissedNone, "10!"}},
		{"last outside the window", CatchUpLast, 10 * time.Minute, "2026-11-24T08:00", "2026-11-24T10:30", []string{"09 " + MissedWindow, "10 " + MissedWindow}},
		{"an unknown rule runs nothing late", "sometimes", time.Hour, "2026-11-24T09:00", "2026-11-24T10:30", []string{"10 " + MissedNone}},
		{"mark on a slot", CatchUpAll, time.Hour, "2026-11-24T10:00", "2026-11-24T10:00", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Schedule{Name: "a", Spec: mustParse(t, "0 * * * *", "UTC", SpecOptions{}), CatchUp: tt.catchUp, CatchUpWindow: tt.window}
			now := instantOf(t, tt.now)
			d := decide(s, instantOf(t, tt.mark), Waiting{}, now)
			if got := verdicts(d); !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if !d.mark.Equal(now) {
				t.Errorf("mark: got %v, want %v", d.mark, now)
			}
			for _, due := range d.dues {
				if due.Schedule != "a" || due.Late != now.Sub(due.At) || due.CatchUp != (due.Late > LateAfter) {
					t.Errorf("got %+v", due)
				}
			}
		})
	}
}

func TestDecideWhenTheClockSteps(t *testing.T) {
	s := Schedule{Name: "a", Spec: mustParse(t, "0 * * * *", "UTC", SpecOptions{}), CatchUp: CatchUpLast, CatchUpWindow: 24 * time.Hour}
	at := func(text string) time.Time { return instantOf(t, text) }

	// Back from 12:30 to 09:30: nothing now, and 10:00 comes again in its time.
	d := decide(s, at("2026-11-24T12:30"), Waiting{}, at("2026-11-24T09:30"))
	if len(d.dues) != 0 || !d.mark.Equal(at("2026-11-24T09:30")) {
		t.Errorf("back: got %q, mark %v", verdicts(d), d.mark)
	}
	if got := verdicts(decide(s, d.mark, Waiting{}, at("2026-11-24T10:00"))); !slices.Equal(got, []string{"10!"}) {
		t.Errorf("after the step back: got %q", got)
	}
	// A clock that was in 2030 once silences nothing.
	d = decide(s, at("2030-01-01T00:00"), Waiting{}, at("2026-11-24T09:30"))
	if next, ok := s.Spec.Next(d.mark); !ok || !next.Equal(at("2026-11-24T10:00")) {
		t.Errorf("back from 2030: next is %v, %v", next, ok)
	}
	// Forward is catch-up.
	if got := verdicts(decide(s, at("2026-11-24T09:30"), Waiting{}, at("2026-11-24T12:30"))); !slices.Equal(got, []string{"10 superseded", "11 superseded", "12"}) {
		t.Errorf("forward: got %q", got)
	}
}

func TestDecideKeepsTheNewestThousand(t *testing.T) {
	s := Schedule{Name: "a", Spec: mustParse(t, "* * * * * *", "UTC", SpecOptions{}), CatchUp: CatchUpAll, CatchUpWindow: 24 * 365 * time.Hour}
	mark, now := instantOf(t, "2025-11-24T10:00"), instantOf(t, "2026-11-24T10:00")
	d := decide(s, mark, Waiting{}, now)
	if len(d.dues) != maxMissed {
		t.Fatalf("got %d dues, want %d", len(d.dues), maxMissed)
	}
	oldest := now.Add(-(maxMissed - 1) * time.Second)
	if !d.dues[0].At.Equal(oldest) || !d.dues[maxMissed-1].At.Equal(now) || !d.mark.Equal(now) {
		t.Errorf("got %v to %v, mark %v", d.dues[0].At, d.dues[maxMissed-1].At, d.mark)
	}
	if !d.dropped.first.Equal(mark.Add(time.Second)) || !d.dropped.last.Equal(oldest.Add(-time.Second)) {
		t.Errorf("dropped: got %+v", d.dropped)
	}
	// One slot fewer than that fits.
	d = decide(s, now.Add(-maxMissed*time.Second), Waiting{}, now)
	if len(d.dues) != maxMissed || !d.dropped.first.IsZero() {
		t.Errorf("exactly a thousand: got %d, dropped %+v", len(d.dues), d.dropped)
	}
}
