package scheduler

import (
	"slices"
	"testing"
	"time"
)

func TestStartOfIsStableAndNeverReachesTheNextSlot(t *testing.T) {
	s := schedule(t, "a", "*/10 * * * *")
	s.Jitter = time.Hour
	ended := s
	ended.Spec = s.Spec.endingAfter(instantOf(t, "2026-11-24T08:00"))
	other := s
	other.Name = "b"
	differ, early, late := 0, 0, 0
	for slot := range s.Spec.Between(instantOf(t, "2026-11-24"), instantOf(t, "2026-11-25")) {
		start := s.StartOf(slot)
		if start.Before(slot) || !start.Before(slot.Add(10*time.Minute)) {
			t.Errorf("slot %v starts at %v", slot, start)
		}
		if !s.StartOf(slot).Equal(start) || !ended.StartOf(slot).Equal(start) {
			t.Errorf("slot %v: the start moves", slot)
		}
		if !other.StartOf(slot).Equal(start) {
			differ++
		}
		if start.Sub(slot) < 5*time.Minute {
			early++
		} else {
			late++
		}
	}
	if differ < 140 || early < 40 || late < 40 {
		t.Errorf("of 144 slots %d differ by name; %d are early, %d late", differ, early, late)
	}
	s.Jitter = 0
	if slot := instantOf(t, "2026-11-24T08:00"); !s.StartOf(slot).Equal(slot) {
		t.Error("without jitter it starts at once")
	}
}

func TestSkipReason(t *testing.T) {
	s := schedule(t, "a", "0 * * * *")
	s.Spec = mustParse(t, "0 * * * *", "America/New_York", SpecOptions{})
	s.Exclude = []Exclusion{
		{Name: "calendar holidays", Dates: map[string]bool{"2026-12-25": true}},
		{Name: "blackout", From: instantOf(t, "2026-12-28T10:00"), Until: instantOf(t, "2026-12-28T12:00")},
	}
	past := Pause{From: instantOf(t, "2026-12-01T08:00"), Until: instantOf(t, "2026-12-01T10:00"), Reason: "moving house"}
	for _, tt := range []struct {
		name, slot string
		pauses     []Pause
		want       string
	}{
		{"an ordinary one", "2026-12-24T12:00", nil, ""},
		{"the day before, by local time", "2026-12-25T04:00", nil, ""},
		{"the day begins at its local midnight", "2026-12-25T05:00", nil, "calendar holidays"},
		{"and ends at the next", "2026-12-26T04:00", nil, "calendar holidays"},
		{"the next day", "2026-12-26T05:00", nil, ""},
		{"before the blackout", "2026-12-28T09:00", nil, ""},
		{"its start is inside", "2026-12-28T10:00", nil, "blackout"},
		{"its end is not", "2026-12-28T12:00", nil, ""},
		{"in a pause that ended", "2026-12-01T08:00", []Pause{past}, "paused (moving house)"},
		{"at its end", "2026-12-01T10:00", []Pause{past}, ""},
		{"before it", "2026-12-01T07:00", []Pause{past}, ""},
		{"paused now, due before", "2026-12-01T07:00", []Pause{{From: past.From}}, "paused"},
		{"paused on a holiday", "2026-12-25T12:00", []Pause{{From: past.From}}, "calendar holidays"},
	} {
		s.Pauses = tt.pauses
		if got := s.SkipReason(instantOf(t, tt.slot)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := (Schedule{Name: "a"}).SkipReason(instantOf(t, "2026-12-24T12:00")); got != SkippedRemoved {
		t.Errorf("taken off: got %q", got)
	}
}

// What does not run anyway supersedes nothing, and a slot that starts later does.
func TestDecideWithSkipsAndJitter(t *testing.T) {
	at := func(clock string) time.Time { return instantOf(t, "2026-11-24T"+clock) }
	base := schedule(t, "a", "0 * * * *")
	base.CatchUp = CatchUpLast
	excluded := base
	excluded.Exclude = []Exclusion{{Name: "calendar x", From: at("10:00"), Until: at("11:00")}}
	paused := base
	paused.Pauses = []Pause{{From: at("09:30")}}
	resumed := base
	resumed.CatchUp, resumed.Pauses = CatchUpAll, []Pause{{From: at("08:30"), Until: at("10:00")}}
	jittered := base
	jittered.Jitter = 30 * time.Minute
	start := jittered.StartOf(at("10:00"))
	if !start.After(at("10:00:10")) || !start.Before(at("10:29")) {
		t.Fatalf("the test wants another slot: it starts at %v", start)
	}
	waiting := Waiting{At: at("10:00"), Start: start}

	for _, tt := range []struct {
		name      string
		s         Schedule
		mark, now time.Time
		waiting   Waiting
		want      []string
		waits     Waiting
	}{
		{"the newest is excluded", excluded, at("07:30"), at("10:05"), Waiting{}, []string{"08 superseded", "09", "10 calendar x"}, Waiting{}},
		{"excluded and on time", excluded, at("09:30"), at("10:00"), Waiting{}, []string{"10 calendar x"}, Waiting{}},
		{"paused holds for what was due before", paused, at("08:30"), at("10:00"), Waiting{}, []string{"09 paused", "10 paused"}, Waiting{}},
		{"resumed fires nothing of the pause", resumed, at("07:30"), at("11:00:10"), Waiting{}, []string{"08", "09 paused", "10", "11!"}, Waiting{}},
		{"jitter: not yet", jittered, at("09:30"), at("10:00"), Waiting{}, nil, waiting},
		{"jitter: still not", jittered, at("10:00"), start.Add(-1), waiting, nil, waiting},
		{"jitter: now", jittered, at("10:00"), start, waiting, []string{"10!"}, Waiting{}},
		{"jitter: a minute after its start is on time", jittered, at("09:30"), start.Add(time.Minute), Waiting{}, []string{"10!"}, Waiting{}},
		{"jitter: late counts from its start", jittered, at("10:00"), start.Add(2 * time.Minute), waiting, []string{"10"}, Waiting{}},
		{"jitter: one that waits supersedes", jittered, at("07:30"), at("10:00"), Waiting{}, []string{"08 superseded", "09 superseded"}, waiting},
		{"waiting gives way to a newer slot", base, at("10:00"), at("11:00:10"), Waiting{At: at("10:00"), Start: at("13:00")}, []string{"10!", "11!"}, Waiting{}},
		{"waiting, and paused meanwhile", paused, at("10:00"), at("10:01"), waiting, []string{"10 paused"}, Waiting{}},
		{"waiting lies ahead: the clock went back", jittered, at("09:00"), at("09:10"), waiting, nil, Waiting{}},
		{"waiting, and taken off", Schedule{Name: "a"}, at("10:00"), at("10:01"), waiting, []string{"10 schedule removed"}, Waiting{}},
	} {
		d := decide(tt.s, tt.mark, tt.waiting, tt.now)
		if got := verdicts(d); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if d.waiting != tt.waits {
			t.Errorf("%s: waits for %v, want %v", tt.name, d.waiting, tt.waits)
		}
	}
}
