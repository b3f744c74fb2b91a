package scheduler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// gathering is a memory that also decides slots together.
type gathering struct {
	*memory
	commits int            // calls that claimed or advanced
	leave   func(Due) bool // which slots it leaves; nil: none
}

func (g *gathering) Marks(context.Context) (map[string]Mark, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.marks), g.broken
}

func (g *gathering) ClaimTogether(ctx context.Context, dues []Due) []bool {
	g.commits++
	done, left := make([]bool, len(dues)), map[string]bool{}
	for i, due := range dues {
		left[due.Schedule] = left[due.Schedule] || g.leave != nil && g.leave(due)
		if done[i] = !left[due.Schedule]; done[i] {
			done[i] = g.memory.Claim(ctx, due) == nil
			left[due.Schedule] = !done[i]
		}
	}
	return done
}

func (g *gathering) AdvanceTogether(_ context.Context, marks map[string]Mark) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commits++
	for name, mark := range marks {
		if g.broken == nil {
			g.marks[name] = mark
		}
	}
	return g.broken
}

// gather is drive with such a host.
func gather(t *testing.T, host *gathering) *driven {
	d := drive(t, host.memory)
	d.Scheduler.host = host
	return d
}

func TestDueAtOnceIsTwoCommits(t *testing.T) {
	host := &gathering{memory: newMemory()}
	d := gather(t, host)
	var all []Schedule
	for _, name := range names("s", 1000) {
		all = append(all, Schedule{Name: name, Spec: mustParse(t, "0 9 * * *", "UTC", SpecOptions{})})
	}
	slices.Reverse(all)
	d.Set(all)
	d.lookAt("08:00")
	host.commits = 0
	d.lookAt("09:00")
	if host.commits != 2 || host.advances != 0 || host.claims != 1000 {
		t.Errorf("got %d commits, %d marks alone, %d claims", host.commits, host.advances, host.claims)
	}
	for _, s := range all {
		host.check(t, s.Name, "09:00!")
		if at := host.marks[s.Name].At; !at.Equal(instantOf(t, "2026-11-24T09:00")) {
			t.Fatalf("mark of %s: got %v", s.Name, at)
		}
	}
	d.lookAt("09:00:30")
	if host.commits != 2 {
		t.Error("an idle look asks the host something")
	}
}

func TestDueAtOnceGoesInOrder(t *testing.T) {
	host := &gathering{memory: newMemory()}
	var order []string
	host.leave = func(due Due) bool { order = append(order, due.Schedule+due.At.Format(" 15:04")); return false }
	d := gather(t, host)
	d.Set([]Schedule{schedule(t, "c", "0 9 * * *"), schedule(t, "b", "0 9 * * *"), schedule(t, "a", "1 9 * * *"), schedule(t, "d", "30 8 * * *")})
	d.lookAt("08:00")
	d.lookAt("09:01")
	if want := []string{"d 08:30", "b 09:00", "c 09:00", "a 09:01"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

func TestWhatIsLeftIsClaimedAlone(t *testing.T) {
	host := &gathering{memory: newMemory()}
	host.leave = func(due Due) bool { return due.Schedule == "a" && due.At.Hour() == 11 }
	d := gather(t, host)
	d.Set([]Schedule{schedule(t, "a", "0 * * * *"), schedule(t, "b", "0 * * * *")})
	d.lookAt("08:30")
	d.lookAt("12:30")
	for _, name := range []string{"a", "b"} {
		host.check(t, name, "09:00", "10:00", "11:00", "12:00")
	}
	if host.claims != 8 || host.advances != 1 {
		t.Errorf("got %d claims, %d marks alone; want each slot once, and the mark of a", host.claims, host.advances)
	}
}

func TestTogetherAfterErrors(t *testing.T) {
	host := &gathering{memory: newMemory()}
	d := gather(t, host)
	d.Set([]Schedule{schedule(t, "a", "0 * * * *"), schedule(t, "b", "0 * * * *")})
	host.breakWith(errDisk)
	d.lookAt("08:30") // marks cannot be read
	host.breakWith(nil)
	d.lookAt("08:40")
	host.breakWith(errDisk)
	d.lookAt("09:00")
	d.wantLog("disk full")
	host.check(t, "a")
	host.breakWith(nil)
	d.lookAt("09:00:05")
	d.lookAt("10:00")
	host.check(t, "a", "09:00!", "10:00!")
	host.check(t, "b", "09:00!", "10:00!")
}

// Whatever a Host leaves, the rows are those of one that claims slots alone: edits,
// jitter, pauses, a clock that goes back.
func TestTogetherIsAsAlone(t *testing.T) {
	run := func(d *driven) {
		s := []Schedule{schedule(t, "a", "*/10 * * * *"), schedule(t, "b", "0 * * * *"), schedule(t, "c", "*/15 * * * *"), schedule(t, "d", "30 * * * *")}
		s[1].Jitter = 50 * time.Minute
		s[2].CatchUp = CatchUpLast
		s[3].CatchUp = CatchUpNone
		d.Set(s)
		for i, clock := range []string{"08:05", "08:30", "08:30:01", "09:00", "09:05", "10:40", "10:20", "10:50", "11:00", "13:00", "13:00:10", "15:20"} {
			switch i {
			case 4:
				s[0].Spec = mustParse(t, "*/20 * * * *", "UTC", SpecOptions{})
				d.Set(s)
			case 8:
				s[2].Pauses = []Pause{{From: instantOf(t, "2026-11-24T10:45"), Until: instantOf(t, "2026-11-24T12:10")}}
				d.Set(s)
			case 10:
				d.Set(s[:3])
			}
			d.lookAt(clock)
		}
	}
	alone := newMemory()
	run(drive(t, alone))
	for n := range 5 {
		t.Run(fmt.Sprintf("leaves each %dth", n), func(t *testing.T) {
			host, asked := &gathering{memory: newMemory()}, 0
			host.leave = func(Due) bool { asked++; return n > 0 && asked%n == 0 }
			run(gather(t, host))
			for name, want := range alone.order {
				host.check(t, name, alone.claimed(name)...)
				if len(want) == 0 || host.marks[name] != alone.marks[name] {
					t.Errorf("%s: %d rows, mark %+v, want %+v", name, len(want), host.marks[name], alone.marks[name])
				}
			}
		})
	}
}
