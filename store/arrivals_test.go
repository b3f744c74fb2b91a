package store

import (
	"strings"
	"testing"
	"time"
)

func arrival(path, content string, inode uint64) Arrival {
	moment := time.Unix(1_790_000_000, 42)
	return Arrival{Schedule: "orders", Path: path, Size: int64(len(content)), ModTime: moment, Changed: moment, Inode: inode, ContentHash: "blake3:" + content}
}

func note(t *testing.T, l *Ledger, list ...Arrival) []Arrival {
	t.Helper()
	arrived, err := l.NoteArrivals(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return arrived
}

func stateOf(t *testing.T, l *Ledger, a Arrival) string {
	t.Helper()
	s, ok, err := l.Slot(t.Context(), a.Schedule, a.ScheduledFor)
	if err != nil || !ok {
		t.Fatalf("slot of %s: %v, %v", a.Path, ok, err)
	}
	return strings.TrimSuffix(string(s.State)+": "+s.Reason, ": ")
}

// ranSlot lets the run of a file begin.
func ranSlot(t *testing.T, l *Ledger, a Arrival) *Run {
	t.Helper()
	run, err := l.BeginRun(t.Context(), NewRun{Schedule: a.Schedule, ScheduledFor: a.ScheduledFor, Origin: "arrival", Zone: "UTC", Slot: true})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestArrivalsHaveSlotsOfTheirOwn(t *testing.T) {
	l := open(t)
	arrived := note(t, l, arrival("a.csv", "1", 1), arrival("b.csv", "2", 2), arrival("c.csv", "2", 3))
	arrived = append(arrived, note(t, l, arrival("d.csv", "2", 4))...)
	if len(arrived) != 4 {
		t.Fatalf("got %d, want 4", len(arrived))
	}
	seen := map[int64]bool{}
	for _, a := range arrived {
		at := ms(a.ScheduledFor)
		if seen[at] || at%1000 == 0 {
			t.Errorf("%s: instant %d", a.Path, at)
		}
		seen[at] = true
		if got, want := stateOf(t, l, a), "waiting: arrived: "+a.Path; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		run := ranSlot(t, l, a)
		if found, err := l.FindRun(t.Context(), run.Name()); err != nil || found.ID != run.ID {
			t.Errorf("%s: got %+v, %v", run.Name(), found, err)
		}
	}
	if n, err := l.WaitingArrivals(t.Context(), "orders"); err != nil || n != 0 {
		t.Errorf("got %d waiting, %v", n, err)
	}
}

// What counts as the same file, and what becomes of one that nobody read.
func TestArrivalIdentity(t *testing.T) {
	first := arrival("a.csv", "1", 1)
	touched, replaced := first, arrival("a.csv", "2", 1)
	touched.ModTime, touched.Changed, touched.Inode = first.ModTime.Add(time.Hour), first.Changed.Add(time.Hour), 9
	moved := first
	moved.Changed = first.Changed.Add(time.Hour)
	for name, c := range map[string]struct {
		ran, left, givenUp bool
		then               Arrival
		arrives            bool
		first              string // its slot's state in the end
	}{
		"seen again":                  {then: first, first: "waiting: arrived: a.csv"},
		"touched":                     {then: touched, first: "waiting: arrived: a.csv"},
		"touched after its run":       {ran: true, then: touched, first: "ran"},
		"replaced after its run":      {ran: true, then: replaced, arrives: true, first: "ran"},
		"replaced unread":             {then: replaced, arrives: true, first: "missed: " + ReplacedUnread},
		"removed unread and put back": {left: true, then: first, arrives: true, first: "missed: " + RemovedUnread},
		"out of sight and back":       {ran: true, left: true, then: first, first: "ran"},
		"moved away and back":         {ran: true, left: true, then: moved, arrives: true, first: "ran"},
		"given up, and back":          {givenUp: true, then: first, arrives: true, first: "skipped: schedule removed"},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			a := note(t, l, first)[0]
			if c.ran {
				ranSlot(t, l, a)
			}
			if c.left {
				if err := l.LeftArrivals(t.Context(), "orders", []string{"a.csv", "never.csv"}); err != nil {
					t.Fatal(err)
				}
			}
			if c.givenUp {
				s := Slot{Schedule: "orders", ScheduledFor: a.ScheduledFor, State: SlotSkipped, Reason: "schedule removed"}
				if err := l.GiveUpArrival(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if arrived := note(t, l, c.then); (len(arrived) == 1) != c.arrives {
				t.Errorf("got %d arrivals, want %v", len(arrived), c.arrives)
			}
			if got := stateOf(t, l, a); got != c.first {
				t.Errorf("first slot: got %q, want %q", got, c.first)
			}
			lying, err := l.LyingArrivals(t.Context(), "orders")
			if err != nil || len(lying) != 1 {
				t.Fatalf("got %+v, %v", lying, err)
			}
			if got := lying[0]; got.ContentHash != c.then.ContentHash || !got.ModTime.Equal(c.then.ModTime) || !got.Changed.Equal(c.then.Changed) || got.Inode != c.then.Inode {
				t.Errorf("got %+v, want %+v", got, c.then)
			}
		})
	}
}

func TestArrivalsWaitThroughAPause(t *testing.T) {
	l := open(t)
	a := note(t, l, arrival("a.csv", "1", 1))[0]
	if err := l.PauseSchedule(t.Context(), Pause{Schedule: "orders", Source: PausedByCommand}); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, l, a); got != "waiting: arrived: a.csv" {
		t.Errorf("got %q", got)
	}
}

// A run that came to read a file only when another one lay there has read that one.
func TestReadBefore(t *testing.T) {
	l := open(t)
	a := note(t, l, arrival("a.csv", "1", 1))[0]
	run := ranSlot(t, l, a)
	second := arrival("a.csv", "22", 7)
	h := PlanHead{Files: []SnapshotFile{{Path: "a.csv", Size: 2, ModTime: second.ModTime, Inode: 7, Format: "csv", Compression: "none", ContentHash: second.ContentHash}}}
	if err := l.StartPlan(t.Context(), run, h); err != nil {
		t.Fatal(err)
	}
	if err := l.FinishPlan(t.Context(), run, PlanTotals{}); err != nil {
		t.Fatal(err)
	}
	second = note(t, l, second)[0]
	if by, err := l.ReadBefore(t.Context(), second); err != nil || by != run.RunID {
		t.Errorf("got %q, %v, want %q", by, err, run.RunID)
	}
	other := second
	other.Inode++
	if by, err := l.ReadBefore(t.Context(), other); err != nil || by != "" {
		t.Errorf("another file: got %q, %v", by, err)
	}
	if by, err := l.ReadBefore(t.Context(), a); err != nil || by != "" {
		t.Errorf("the first: got %q, %v", by, err)
	}
}

func TestArrivalsThatLeftGoWithTheirSlots(t *testing.T) {
	l := open(t)
	list := note(t, l, arrival("a.csv", "1", 1), arrival("b.csv", "2", 2))
	if err := l.LeftArrivals(t.Context(), "orders", []string{"a.csv"}); err != nil {
		t.Fatal(err)
	}
	if err := l.SetMark(t.Context(), "orders", Mark{At: time.Now().Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, rows, err := l.RemoveSlots(t.Context(), "", time.Now().Add(time.Hour), 10); err != nil || rows != 1 {
		t.Fatalf("got %d rows, %v", rows, err)
	}
	for i, want := range []bool{false, true} {
		if _, ok, err := l.Arrival(t.Context(), "orders", list[i].ScheduledFor); err != nil || ok != want {
			t.Errorf("%s: got %v, %v", list[i].Path, ok, err)
		}
	}
}
