package store

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// following makes report a follower of orders, from now on.
func following(t *testing.T, l *Ledger, anyEnd bool) {
	t.Helper()
	must(t, l.SetFollowers(context.Background(), []Follower{{"report", "orders", anyEnd}}))
}

// dueNames are the runs that report is due for.
func dueNames(t *testing.T, l *Ledger) (names []string) {
	t.Helper()
	for _, f := range get[[]FollowUp](t)(l.FollowUps(context.Background(), "orders")) {
		if f.Schedule != "report" {
			t.Errorf("%s is due", f.Schedule)
		}
		names = append(names, f.Run.Name())
	}
	return names
}

func wantDue(t *testing.T, l *Ledger, want ...string) {
	t.Helper()
	if got := dueNames(t, l); !slices.Equal(got, want) {
		t.Errorf("due for %q, want %q", got, want)
	}
}

const firstRun = "orders@2026-11-24T02:30"

func TestFollowUpsByState(t *testing.T) {
	for _, c := range []struct {
		state       RunState
		chunk       ChunkState
		due, dueAny bool
	}{
		{Succeeded, ChunkAccepted, true, true},
		{Partial, ChunkFailed, false, true},
		{Held, ChunkUnknown, false, true},
		{Skipped, ChunkAccepted, false, true},
		{Failed, ChunkFailed, false, false},
		{Stopped, ChunkPlanned, false, false},
	} {
		for _, anyEnd := range []bool{false, true} {
			l := open(t)
			following(t, l, anyEnd)
			r := planned(t, l, slotRun("orders"), 1)
			try(t, l, r, 1, c.chunk)
			wantDue(t, l) // it is under way
			settle(t, l, r, c.state)
			if anyEnd && c.dueAny || !anyEnd && c.due {
				wantDue(t, l, firstRun)
			} else {
				wantDue(t, l)
			}
		}
	}
}

// A slot that has a row is decided, whatever it says, and a second run of it
// changes nothing.
func TestFollowUpsOnceASlot(t *testing.T) {
	ctx, l := context.Background(), open(t)
	following(t, l, false)
	for range 2 {
		r := planned(t, l, slotRun("orders"), 1)
		try(t, l, r, 1, ChunkAccepted)
		settle(t, l, r, Succeeded)
		_, err := l.rw.Exec(`DELETE FROM slots WHERE schedule = 'orders'`)
		must(t, err)
	}
	wantDue(t, l, firstRun)
	get[bool](t)(l.CloseSlot(ctx, Slot{Schedule: "report", ScheduledFor: slotTime, State: SlotSkipped, Reason: "paused"}))
	wantDue(t, l)
}

// A follower that is new, or follows otherwise than before, fires nothing of the past.
func TestFollowersBeginNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, l := context.Background(), open(t)
		r := planned(t, l, slotRun("orders"), 1)
		try(t, l, r, 1, ChunkAccepted)
		settle(t, l, r, Succeeded)
		time.Sleep(time.Minute)
		following(t, l, false)
		wantDue(t, l)
		r = planned(t, l, handRun("orders", slotTime.Add(time.Hour)), 1)
		try(t, l, r, 1, ChunkAccepted)
		settle(t, l, r, Succeeded)
		time.Sleep(time.Minute)
		following(t, l, false) // as it was
		wantDue(t, l, "orders@2026-11-24T03:30")
		following(t, l, true)
		wantDue(t, l)
		must(t, l.SetFollowers(ctx, nil))
		if n := count(t, l, `SELECT count(*) FROM followers`); n != 0 {
			t.Errorf("%d followers are left", n)
		}
	})
}

// A chunk that failed, and dead records, with redrives that take care of them.
func TestFollowUpsAfterRedrives(t *testing.T) {
	ctx, l := context.Background(), open(t)
	following(t, l, false)
	of := planned(t, l, slotRun("orders"), 3)
	try(t, l, of, 1, ChunkAccepted)
	try(t, l, of, 2, ChunkFailed)
	try(t, l, of, 3, ChunkFailed)
	settle(t, l, of, Partial)
	first := redriveRun(t, l, of, 2)
	try(t, l, first, 1, ChunkAccepted)
	settle(t, l, first, Succeeded)
	wantDue(t, l) // chunk 3 is left
	second := redriveRun(t, l, of, 3)
	try(t, l, second, 1, ChunkFailed)
	settle(t, l, second, Failed)
	wantDue(t, l)
	third := redriveRun(t, l, second, 1)
	try(t, l, third, 1, ChunkAccepted)
	settle(t, l, third, Succeeded)
	wantDue(t, l, firstRun+"#4") // it is due since this one ended
	claimed := get[*Run](t)(l.BeginRun(ctx, slotRun("report")))
	settle(t, l, claimed, Succeeded)
	wantDue(t, l)
}

// A redrive of a run that was good by itself says nothing new.
func TestFollowUpsAfterRedriveOfGoodRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		of := planned(t, l, slotRun("orders"), 1)
		try(t, l, of, 1, ChunkAccepted)
		settle(t, l, of, Succeeded)
		time.Sleep(time.Minute)
		following(t, l, false)
		again := redriveRun(t, l, of, 1)
		try(t, l, again, 1, ChunkAccepted)
		settle(t, l, again, Succeeded)
		wantDue(t, l)
	})
}

func TestFollowUpsAfterMendedDead(t *testing.T) {
	ctx, l := context.Background(), open(t)
	of := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	must(t, l.StartPlan(ctx, of, PlanHead{Shape: "shape", Job: "{}", Payload: "{}", Files: []SnapshotFile{file(1)}}))
	must(t, l.AddToPlan(ctx, of, PlanPart{Chunks: []Chunk{chunkOf(of, 1)}, Dead: []DeadLetter{{Number: 1, Line: 11, Column: 1, ByteStart: 100, ByteEnd: 110, Reason: "type"}}}))
	must(t, l.FinishPlan(ctx, of, PlanTotals{RecordsRead: 11}))
	try(t, l, of, 1, ChunkAccepted)
	settle(t, l, of, Partial)
	following(t, l, false)
	n := slotRun("orders")
	n.Slot, n.RedriveOf, n.RedriveWhat, n.Origin = false, of.RunID, "{}", "redrive"
	r := get[*Run](t)(l.BeginRun(ctx, n))
	must(t, l.StartPlan(ctx, r, PlanHead{Shape: "shape", Job: "{}", Payload: "{}", Files: []SnapshotFile{file(1)}}))
	c := chunkOf(r, 1)
	must(t, l.AddToPlan(ctx, r, PlanPart{Chunks: []Chunk{c}, Mended: []Mended{{Number: 1, OldStart: 100, OldEnd: 110, ByteStart: 100, ByteEnd: 112}}}))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 10}))
	wantDue(t, l)
	try(t, l, r, 1, ChunkFailed)
	settle(t, l, r, Failed)
	wantDue(t, l)
	again := redriveRun(t, l, r, 1)
	try(t, l, again, 1, ChunkAccepted)
	settle(t, l, again, Succeeded)
	wantDue(t, l, firstRun+"#3")
}

// Marks go on behind the clock, not for schedules with a run under way; one that a
// wrong clock left ahead does not silence its follower.
func TestAdvanceFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, l := context.Background(), open(t)
		following(t, l, false)
		since := func() int64 { return count(t, l, `SELECT since FROM followers`) }
		begun := since()
		must(t, l.AdvanceFollowers(ctx, time.Now().Add(time.Minute), nil))
		if since() != begun {
			t.Error("the mark went back")
		}
		must(t, l.AdvanceFollowers(ctx, time.Now().Add(time.Hour), []string{"orders"}))
		if since() != begun {
			t.Error("the mark went on although a run is under way")
		}
		must(t, l.AdvanceFollowers(ctx, time.Now().Add(time.Hour), nil))
		if want := begun + (50 * time.Minute).Milliseconds(); since() != want {
			t.Errorf("the mark is %d, want %d", since(), want)
		}
		r := planned(t, l, slotRun("orders"), 1)
		try(t, l, r, 1, ChunkAccepted)
		settle(t, l, r, Succeeded)
		wantDue(t, l, firstRun)
	})
}

// Retention takes no row without which a follower would be due once more.
func TestFollowersKeepTheirRows(t *testing.T) {
	synctest.Test(t, keepRows)
}

func keepRows(t *testing.T) {
	ctx, l := context.Background(), open(t)
	now := time.Now()
	following(t, l, false)
	r := planned(t, l, handRun("orders", now), 1)
	try(t, l, r, 1, ChunkAccepted)
	settle(t, l, r, Succeeded)
	get[bool](t)(l.CloseSlot(ctx, Slot{Schedule: "report", ScheduledFor: now, State: SlotSkipped, Reason: "paused"}))
	time.Sleep(time.Hour) // of the bubble
	remove := func() (rows int64) {
		t.Helper()
		for behind := ""; ; {
			schedule, n, err := l.RemoveSlots(ctx, behind, time.Now(), 100)
			must(t, err)
			if schedule == "" {
				return rows
			}
			behind, rows = schedule, rows+n
		}
	}
	if n := remove(); n != 0 {
		t.Errorf("%d rows removed", n)
	}
	wantDue(t, l)
	must(t, l.AdvanceFollowers(ctx, time.Now(), nil))
	if n := remove(); n != 1 {
		t.Errorf("%d rows removed, want that of report", n)
	}
	wantDue(t, l)
}
