package scheduler

import (
	"strings"
	"testing"
	"time"
)

// TestFollow holds what becomes of slots that follow runs which ended an hour,
// half an hour and a second ago.
func TestFollow(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	slot := time.Date(2026, 11, 1, 2, 30, 0, 0, time.UTC)
	ends := []Ended{
		{Slot: slot, At: now.Add(-time.Hour)},
		{Slot: slot.Add(time.Hour), At: now.Add(-30 * time.Minute)},
		{Slot: slot.Add(2 * time.Hour), At: now.Add(-time.Second)},
	}
	blackout := Exclusion{Name: "blackout", From: now.Add(-2 * time.Second), Until: now}
	pause := Pause{From: now.Add(-31 * time.Minute), Until: now.Add(-29 * time.Minute), Reason: "move"}
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		s    Schedule
		want string // of the three; +: late
	}{
		{"all", Schedule{CatchUp: CatchUpAll, CatchUpWindow: day}, "runs+, runs+, runs"},
		{"last", Schedule{CatchUp: CatchUpLast, CatchUpWindow: day}, "superseded+, superseded+, runs"},
		{"none", Schedule{CatchUp: CatchUpNone, CatchUpWindow: day}, "catch_up is none+, catch_up is none+, runs"},
		{"all inside the window", Schedule{CatchUp: CatchUpAll, CatchUpWindow: 45 * time.Minute}, "outside window+, runs+, runs"},
		{"a blackout when it became due", Schedule{CatchUp: CatchUpLast, CatchUpWindow: day, Exclude: []Exclusion{blackout}}, "superseded+, runs+, blackout"},
		{"a pause that ended", Schedule{CatchUp: CatchUpAll, CatchUpWindow: day, Pauses: []Pause{pause}}, "runs+, paused (move)+, runs"},
		{"a pause", Schedule{CatchUp: CatchUpAll, CatchUpWindow: day, Pauses: []Pause{{From: now.Add(-time.Minute)}}}, "paused+, paused+, paused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for i, d := range Follow(c.s, time.UTC, ends, now) {
				if !d.At.Equal(ends[i].Slot) {
					t.Errorf("got slot %v, want %v", d.At, ends[i].Slot)
				}
				text := d.Skipped + d.Missed
				if d.Runs() {
					text = "runs"
				}
				if d.CatchUp {
					text += "+"
				}
				got = append(got, text)
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got %s\nwant %s", text, c.want)
			}
		})
	}
}

// A slot of many is not late, but waits its turn; the clock may have gone back.
func TestFollowInOrder(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	dues := Follow(Schedule{}, time.UTC, []Ended{{Slot: now, At: now, InOrder: true}, {Slot: now, At: now.Add(time.Hour)}}, now)
	if !dues[0].Runs() || !dues[0].CatchUp || dues[0].Late != 0 || !dues[1].Runs() || dues[1].CatchUp || dues[1].Late != 0 {
		t.Errorf("got %+v", dues)
	}
}
