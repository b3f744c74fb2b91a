package scheduler

import (
	"strings"
	"testing"
	"time"
)

func TestNewScheduleFiresNothingOfThePast(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "0 * * * *")})
	d.lookAt("08:30")
	d.host.check(t, "a")
	if mark := d.host.marks["a"]; !mark.At.Equal(instantOf(t, "2026-11-24T08:30")) || mark.Spec == "" {
		t.Errorf("mark: got %+v", mark) // or the first slot would be lost in a crash before it
	}
	d.lookAt("09:00")
	d.lookAt("09:00:30")
	d.host.check(t, "a", "09:00!")
}

func TestRestartCatchesUp(t *testing.T) {
	host := newMemory()
	d := drive(t, host)
	d.Set([]Schedule{schedule(t, "a", "0 * * * *")})
	d.lookAt("08:30")
	d.lookAt("09:00")

	d = drive(t, host)
	d.Set([]Schedule{schedule(t, "a", "0 * * * *")})
	d.lookAt("12:00:20")
	host.check(t, "a", "09:00!", "10:00", "11:00", "12:00!")
	d.wantLog("slots were late")
}

func TestEditNeverFiresThePast(t *testing.T) {
	t.Run("09:00 becomes 08:00 at 08:30", func(t *testing.T) {
		d := drive(t, newMemory())
		d.Set([]Schedule{schedule(t, "a", "0 9 * * *")})
		d.lookAt("07:00")
		d.Set([]Schedule{schedule(t, "a", "0 8 * * *")})
		d.lookAt("08:30")
		d.lookAt("09:00")
		d.lookAt("23:00")
		d.host.check(t, "a")
		d.wantLog("will_not_come=2026-11-24T09:00:00.000Z next=2026-11-25T08:00:00.000Z")
	})
	t.Run("edited while down", func(t *testing.T) {
		host := newMemory()
		d := drive(t, host)
		d.Set([]Schedule{schedule(t, "a", "0 9 * * *")})
		d.lookAt("07:00")
		d = drive(t, host)
		d.Set([]Schedule{schedule(t, "a", "0 8 * * *")})
		d.lookAt("08:30")
		d.lookAt("10:00")
		host.check(t, "a")
		d.wantLog("schedule changed while not running")
	})
	t.Run("another catch-up rule is no edit", func(t *testing.T) {
		d := drive(t, newMemory())
		s := schedule(t, "a", "0 * * * *")
		d.Set([]Schedule{s})
		d.lookAt("08:30")
		s.CatchUp = CatchUpNone
		d.Set([]Schedule{s})
		d.lookAt("09:30")
		d.host.check(t, "a", "09:00 "+MissedNone)
	})
	t.Run("the old expression's slot of that moment still comes", func(t *testing.T) {
		d := drive(t, newMemory())
		d.Set([]Schedule{schedule(t, "a", "0 9 * * *")})
		d.lookAt("07:00")
		d.Set([]Schedule{schedule(t, "a", "0,30 9 * * *")})
		d.lookAt("09:00:00.5")
		d.lookAt("09:30")
		d.host.check(t, "a", "09:00!", "09:30!")
	})
	t.Run("new at a reload, with a mark of long ago", func(t *testing.T) {
		host := newMemory()
		s := schedule(t, "a", "0 * * * *")
		host.marks["a"] = Mark{At: instantOf(t, "2026-11-24T01:00"), Spec: s.Spec.Fingerprint()}
		d := drive(t, host)
		d.Set(nil)
		d.lookAt("07:00")
		d.Set([]Schedule{s})
		d.lookAt("08:30")
		d.lookAt("09:00")
		host.check(t, "a", "09:00!")
	})
}

func TestTakenOffAndPutBack(t *testing.T) {
	host := newMemory()
	s := schedule(t, "a", "0 * * * *")
	d := drive(t, host)
	d.Set([]Schedule{s})
	d.lookAt("08:30")
	d.Set(nil)
	d.lookAt("09:30") // the slot of 09:00 was due before
	d.lookAt("11:00")
	host.check(t, "a", "09:00")
	if len(d.table.entries)+len(d.table.queue) != 0 {
		t.Errorf("still on the timetable: %v", d.table.entries)
	}
	// Also across a restart.
	d = drive(t, host)
	d.Set([]Schedule{s})
	d.lookAt("12:30")
	d.lookAt("13:00")
	host.check(t, "a", "09:00", "13:00!")
}

func TestClaimErrorLosesNoSlot(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "0 * * * *"), schedule(t, "b", "*/30 * * * *")})
	d.lookAt("08:15")
	d.host.breakWith(errDisk)
	d.lookAt("09:00")
	if d.host.claims != 2 {
		t.Errorf("got %d claims, want one of each schedule: the later ones wait for the first", d.host.claims)
	}
	d.host.check(t, "a")
	d.wantLog("level=ERROR")
	d.wantLog("disk full")
	claims := d.host.claims
	d.lookAt("09:00:04")
	if d.host.claims != claims {
		t.Error("tried again at once")
	}
	d.host.breakWith(nil)
	d.lookAt("09:00:05")
	d.host.check(t, "a", "09:00!")
	d.host.check(t, "b", "08:30", "09:00!")
}

func TestEditWhileTheLedgerCannotBeWritten(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "0 * * * *")})
	d.lookAt("08:30")
	d.host.breakWith(errDisk)
	d.lookAt("09:00")
	d.Set([]Schedule{schedule(t, "a", "15 * * * *")})
	d.lookAt("09:10")
	d.Set([]Schedule{schedule(t, "a", "20 * * * *")})
	d.lookAt("09:17")
	d.host.breakWith(nil)
	d.lookAt("10:21")
	// 09:00 of the first, 09:15 of the second, then the third; none of them twice.
	d.host.check(t, "a", "09:00", "09:15", "09:20", "10:20!")
}

// What an edit ended before the clock went back does not run on in the time that
// now comes again.
func TestEditThenClockSetBack(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "0,45 * * * *")})
	d.lookAt("08:30")
	d.host.breakWith(errDisk)
	d.Set([]Schedule{schedule(t, "a", "5 * * * *")})
	d.lookAt("09:10")
	d.lookAt("08:50")
	d.host.breakWith(nil)
	d.lookAt("09:06")
	d.host.check(t, "a", "08:45", "09:05!")
}

func TestClaimErrorInTheMiddle(t *testing.T) {
	d := drive(t, newMemory())
	s := schedule(t, "a", "0 * * * *")
	d.Set([]Schedule{s})
	d.lookAt("08:30")
	d.host.breakAt = 3
	d.lookAt("12:30")
	d.host.check(t, "a", "09:00", "10:00")
	d.lookAt("13:30")
	d.host.check(t, "a", "09:00", "10:00", "11:00", "12:00", "13:00")
	if d.host.claims != 6 {
		t.Errorf("got %d claims, want 6: what was claimed is decided", d.host.claims)
	}
	if mark := d.host.marks["a"]; !mark.At.Equal(instantOf(t, "2026-11-24T13:30")) || mark.Spec != s.Spec.Fingerprint() {
		t.Errorf("mark: got %+v", mark)
	}
}

func TestMarkErrorIsTriedAgain(t *testing.T) {
	host := newMemory()
	s := schedule(t, "a", "0 * * * *")
	host.marks["a"] = Mark{At: instantOf(t, "2026-11-24T07:30"), Spec: s.Spec.Fingerprint()}
	host.breakWith(errDisk)
	d := drive(t, host)
	d.Set([]Schedule{s, schedule(t, "new", "0 * * * *")})
	d.lookAt("08:30")
	d.wantLog("disk full")
	host.breakWith(nil)
	d.lookAt("09:30")
	host.check(t, "a", "08:00", "09:00")
	host.check(t, "new", "09:00") // it is on the timetable since 08:30
}

func TestClockSetBackRepeatsNothing(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "0 * * * *")})
	d.lookAt("08:30")
	d.lookAt("09:00")
	d.lookAt("10:00")
	d.lookAt("08:40")
	d.wantLog("clock went back")
	if mark := d.host.marks["a"].At; !mark.Equal(instantOf(t, "2026-11-24T08:40")) {
		t.Errorf("mark: got %v", mark) // or a slot while down would be lost
	}
	d.lookAt("09:00")
	d.lookAt("10:00")
	d.lookAt("11:00")
	d.host.check(t, "a", "09:00!", "10:00!", "11:00!")
	if d.host.claims != 5 {
		t.Errorf("got %d claims, want 5: rows decide, so both are asked about again", d.host.claims)
	}
}

func TestClockThatWasIn2030SilencesNothing(t *testing.T) {
	host := newMemory()
	d := drive(t, host)
	s := schedule(t, "a", "0 * * * *")
	s.CatchUp, s.CatchUpWindow = CatchUpLast, time.Hour
	d.Set([]Schedule{s})
	d.lookAt("08:30")
	d.look(t.Context(), instantOf(t, "2026-11-24T12:30")) // wrongly ahead: rows for 09 to 12
	host.check(t, "a", "09:00 superseded", "10:00 superseded", "11:00 superseded", "12:00")
	d.lookAt("08:45")
	d.lookAt("09:00")
	d.lookAt("12:00")
	host.check(t, "a", "09:00 superseded", "10:00 superseded", "11:00 superseded", "12:00", "09:00!")

	// The same with a restart in between: the stored mark lies ahead.
	host.marks["a"] = Mark{At: instantOf(t, "2030-01-01"), Spec: s.Spec.Fingerprint()}
	d = drive(t, host)
	d.Set([]Schedule{s})
	d.lookAt("13:30")
	d.wantLog("mark lies ahead")
	d.lookAt("14:00")
	if got := host.claimed("a"); got[len(got)-1] != "14:00!" {
		t.Errorf("got %q", got)
	}
}

func TestRetryDoesNotWaitForAClockThatWentBack(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "0 * * * *")})
	d.lookAt("08:30")
	d.host.breakWith(errDisk)
	d.lookAt("12:00")
	d.host.breakWith(nil)
	d.lookAt("09:10") // 09:00 was due by both clocks
	d.host.check(t, "a", "09:00")
}

func TestClockSetForwardGoesThroughCatchUp(t *testing.T) {
	d := drive(t, newMemory())
	s := schedule(t, "a", "0 * * * *")
	s.CatchUp = CatchUpLast
	d.Set([]Schedule{s})
	d.lookAt("08:30")
	d.lookAt("11:30")
	d.host.check(t, "a", "09:00 superseded", "10:00 superseded", "11:00")
	d.wantLog("no look for a while")
}

func TestPausedSlotsAreNoCatchUpInTheLog(t *testing.T) {
	host := newMemory()
	s := schedule(t, "a", "0 * * * *")
	host.marks["a"] = Mark{At: instantOf(t, "2026-11-24T06:30"), Spec: s.Spec.Fingerprint()}
	s.Pauses = []Pause{{From: instantOf(t, "2026-11-24T06:00"), Until: instantOf(t, "2026-11-24T08:30")}}
	d := drive(t, host)
	d.Set([]Schedule{s})
	d.lookAt("09:30")
	host.check(t, "a", "07:00 paused", "08:00 paused", "09:00")
	d.wantLog("catch_up=1 missed=0")
}

func TestManyMissedAreSummedUp(t *testing.T) {
	d := drive(t, newMemory())
	d.Set([]Schedule{schedule(t, "a", "* * * * * *")})
	d.lookAt("08:00")
	d.lookAt("09:00")
	if got := len(d.host.order["a"]); got != maxMissed {
		t.Errorf("got %d rows, want %d", got, maxMissed)
	}
	d.wantLog("first_without=2026-11-24T08:00:01.000Z last_without=2026-11-24T08:43:20.000Z")
	if strings.Count(d.log.String(), "slots were late") != 1 {
		t.Errorf("log: %s", d.log)
	}
}

func TestScheduleWithoutSlotsAheadRests(t *testing.T) {
	d := drive(t, newMemory())
	s := schedule(t, "a", "0 9 * * *")
	s.Spec = mustParse(t, "0 9 * * *", "UTC", SpecOptions{End: instantOf(t, "2026-11-24T10:00")})
	d.Set([]Schedule{s})
	d.lookAt("08:00")
	d.lookAt("09:00")
	if len(d.table.queue) != 0 || len(d.table.entries) != 1 {
		t.Errorf("queue has %d, timetable %d", len(d.table.queue), len(d.table.entries))
	}
	d.lookAt("08:30") // the clock goes back: it has a slot again
	d.lookAt("09:00")
	d.host.check(t, "a", "09:00!")
	if d.host.claims != 2 {
		t.Errorf("got %d claims, want 2", d.host.claims)
	}
}

func TestTenThousandAtOnce(t *testing.T) {
	d := drive(t, newMemory())
	var all []Schedule
	spec := mustParse(t, "0 9 * * *", "UTC", SpecOptions{})
	for _, name := range names("s", 10000) {
		all = append(all, Schedule{Name: name, Spec: spec})
	}
	d.Set(all)
	d.lookAt("08:00")
	d.lookAt("08:59:59")
	if d.host.claims != 0 {
		t.Fatalf("got %d claims before the time", d.host.claims)
	}
	d.lookAt("09:00")
	if d.host.claims != 10000 {
		t.Errorf("got %d claims, want all at once", d.host.claims)
	}
	advances := d.host.advances
	d.lookAt("09:00:30")
	if d.host.claims != 10000 || d.host.advances != advances {
		t.Error("an idle look asks the host something")
	}
}
