package scheduler

import (
	"testing"
	"time"
)

func TestCompare(t *testing.T) {
	day := func(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, time.UTC) }
	named := func(expr string) Schedule { return schedule(t, "a", expr) }
	holiday := named("0 9 * * *")
	holiday.Exclude = []Exclusion{ByCalendar("holidays", map[string]bool{"2026-11-25": true})}
	second := named("* * * * * *")
	from := day(24, 8).Add(30 * time.Minute)
	for _, tt := range []struct {
		name         string
		old, now     Schedule
		lost, gained []time.Time
		end          time.Time
	}{
		{"09:00 becomes 08:00 at 08:30", named("0 9 * * *"), named("0 8 * * *"), []time.Time{day(24, 9), day(25, 9)}, []time.Time{day(25, 8), day(26, 8)}, day(26, 9)},
		{"the same at another spelling", named("0 9 * * *"), named("00 09 * * *"), nil, nil, day(26, 9)},
		{"a calendar", named("0 9 * * *"), holiday, []time.Time{day(25, 9)}, nil, day(26, 9)},
		{"it goes", named("0 9 * * *"), Schedule{}, []time.Time{day(24, 9), day(25, 9)}, nil, day(26, 9)},
		{"very many", second, Schedule{Name: "a"}, nil, nil, from.Add(2001 * time.Second)},
		{"one that is due at from itself", named("30 8 24 * *"), named("0 0 1 1 *"), nil, nil, day(26, 9)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Compare(tt.old, tt.now, from, day(26, 9))
			if tt.name == "very many" {
				if len(c.Lost) != maxCompared || !c.AllLost {
					t.Errorf("lost %d, all: %v", len(c.Lost), c.AllLost)
				}
				c.Lost = nil
			}
			wantTimes(t, "lost", c.Lost, tt.lost)
			wantTimes(t, "gained", c.Gained, tt.gained)
			wantTimes(t, "end", []time.Time{c.End}, []time.Time{tt.end})
		})
	}
}

func wantTimes(t *testing.T, what string, got, want []time.Time) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
		return
	}
	for i := range got {
		if !got[i].Equal(want[i]) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
}

func TestRename(t *testing.T) {
	t.Run("nothing is lost or doubled", func(t *testing.T) {
		d := drive(t, newMemory())
		d.Set([]Schedule{schedule(t, "a", "0 * * * *"), schedule(t, "m", "0 * * * *")})
		d.lookAt("08:30")
		b := schedule(t, "b", "0 * * * *")
		b.RenamedFrom = "a"
		d.Set([]Schedule{b, schedule(t, "m", "0 * * * *")})
		d.lookAt("09:00:00.5") // the slot of 09:00 came before the new name was heard of
		d.lookAt("10:00")
		d.host.check(t, "a")
		d.host.check(t, "b", "09:00!", "10:00!")
		d.host.check(t, "m", "09:00!", "10:00!")
	})
	t.Run("with another expression", func(t *testing.T) {
		d := drive(t, newMemory())
		d.Set([]Schedule{schedule(t, "a", "0 9 * * *")})
		d.lookAt("07:00")
		b := schedule(t, "b", "0 8,10 * * *")
		b.RenamedFrom = "a"
		d.Set([]Schedule{b})
		d.lookAt("09:30") // what the old expression owed is the new name's
		d.lookAt("10:00")
		d.host.check(t, "a")
		d.host.check(t, "b", "09:00", "10:00!")
	})
	t.Run("a slot that waits for its jitter keeps its start", func(t *testing.T) {
		d := drive(t, newMemory())
		a := schedule(t, "a", "0 * * * *")
		a.Jitter = 50 * time.Minute
		start := a.StartOf(instantOf(t, "2026-11-24T09:00"))
		d.Set([]Schedule{a})
		d.lookAt("08:30")
		d.lookAt("09:00")
		b := a
		b.Name, b.RenamedFrom = "b", "a"
		d.Set([]Schedule{b})
		d.lookAt("09:00:01")
		if e := d.table.entries["b"]; !e.waiting.Start.Equal(start) {
			t.Errorf("it starts %s, want %s", e.waiting.Start, start)
		}
		d.lookAt(start.Format("15:04:05.000"))
		d.host.check(t, "b", "09:00!")
		d.host.check(t, "a")
	})
}
