package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// slotRows lists a schedule's slots as "minute state reason".
func slotRows(t *testing.T, l *Ledger) []string {
	t.Helper()
	list, err := texts(l, fmt.Sprintf(`SELECT ((scheduled_for - %d) / 60000) || ' ' || state || ' ' || reason FROM slots ORDER BY scheduled_for`, ms(slotTime)))
	must(t, err)
	return list
}

func wantSlots(t *testing.T, l *Ledger, want ...string) {
	t.Helper()
	if got := slotRows(t, l); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func slotAt(minute int, state SlotState, reason string) Slot {
	return Slot{Schedule: "orders", ScheduledFor: slotTime.Add(time.Duration(minute) * time.Minute), State: state, Reason: reason}
}

func TestPauseAndResume(t *testing.T) {
	for missed, want := range map[string][]string{
		MissedSkip: {"0 skipped paused (before)", "1 skipped paused (move)", "2 skipped paused (move)", "3 skipped paused", "4 skipped calendar x", "5 ran "},
		MissedLast: {"0 skipped paused (before)", "1 skipped paused (move)", "2 skipped paused (move)", "3 waiting resumed", "4 skipped calendar x", "5 ran "},
		MissedAll:  {"0 skipped paused (before)", "1 waiting resumed", "2 waiting resumed", "3 waiting resumed", "4 skipped calendar x", "5 ran "},
	} {
		t.Run(missed, func(t *testing.T) {
			ctx, l := context.Background(), open(t)
			get[bool](t)(l.CloseSlot(ctx, slotAt(0, SlotSkipped, "paused (before)")))
			must(t, execSQL(l, `UPDATE slots SET decided_at = decided_at - 1000`))
			get[bool](t)(l.WaitSlot(ctx, slotAt(1, "", "behind run x"), true))
			p := Pause{Schedule: "orders", Source: PausedByCommand, Reason: "move", PausedBy: "me"}
			must(t, l.PauseSchedule(ctx, p))
			wantErr(t, l.PauseSchedule(ctx, p), ErrPaused)
			get[bool](t)(l.CloseSlot(ctx, slotAt(2, SlotSkipped, p.String())))
			get[bool](t)(l.CloseSlot(ctx, slotAt(3, SlotSkipped, "paused")))
			get[bool](t)(l.CloseSlot(ctx, slotAt(4, SlotSkipped, "calendar x")))
			get[bool](t)(l.CloseSlot(ctx, slotAt(5, SlotRan, "")))
			if open := get[[]Pause](t)(l.Pauses(ctx, "orders")); len(open) != 1 || open[0].ResumedAt != nil || open[0].Reason != "move" || open[0].PausedBy != "me" {
				t.Errorf("got %+v", open)
			}
			_, err := l.ResumeSchedule(ctx, "orders", PausedByFile, "me", missed)
			wantErr(t, err, ErrNotPaused)
			n := get[int64](t)(l.ResumeSchedule(ctx, "orders", PausedByCommand, "me", missed))
			wantSlots(t, l, want...)
			if want := map[string]int64{MissedSkip: 0, MissedLast: 1, MissedAll: 3}[missed]; n != want {
				t.Errorf("got %d waiting, want %d", n, want)
			}
			_, err = l.ResumeSchedule(ctx, "orders", PausedByCommand, "me", missed)
			wantErr(t, err, ErrNotPaused)
		})
	}
	_, err := open(t).ResumeSchedule(context.Background(), "orders", PausedByCommand, "me", "some")
	wantErr(t, err, ErrState)
}

// A pause that ended counts for as long as slots in it may be undecided.
func TestPausesThatCount(t *testing.T) {
	ctx, l := context.Background(), open(t)
	must(t, l.PauseSchedule(ctx, Pause{Schedule: "orders", Source: PausedByCommand}))
	get[int64](t)(l.ResumeSchedule(ctx, "orders", PausedByCommand, "", MissedSkip))
	list := get[[]Pause](t)(l.Pauses(ctx, ""))
	if len(list) != 1 || list[0].ResumedAt == nil {
		t.Fatalf("never decided: got %+v", list)
	}
	end := *list[0].ResumedAt
	for _, tt := range []struct {
		name string
		mark Mark
		want int
	}{
		{"decided to before its end", Mark{At: end.Add(-1e6)}, 1},
		{"decided to its end", Mark{At: end}, 0},
		{"a slot of it waits", Mark{At: end.Add(time.Hour), WaitingFor: end.Add(-1e6), WaitingUntil: end}, 1},
		{"a slot after it waits", Mark{At: end.Add(time.Hour), WaitingFor: end.Add(time.Minute), WaitingUntil: end.Add(time.Hour)}, 0},
	} {
		must(t, l.SetMark(ctx, "orders", tt.mark))
		if got := get[[]Pause](t)(l.Pauses(ctx, "orders")); len(got) != tt.want {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

func TestWaitingSlots(t *testing.T) {
	ctx, l := context.Background(), open(t)
	began := time.Now().Truncate(time.Millisecond)
	get[bool](t)(l.CloseSlot(ctx, slotAt(0, SlotSkipped, "overlap with run x")))
	if waits := get[bool](t)(l.WaitSlot(ctx, slotAt(0, "", "behind run x"), true)); waits {
		t.Error("a decided slot waits")
	}
	get[bool](t)(l.CloseSlot(ctx, slotAt(1, SlotMissed, "outside window")))
	for minute := 1; minute <= 2; minute++ { // the first was missed, and runs after all
		if waits := get[bool](t)(l.WaitSlot(ctx, slotAt(minute, "", "behind run x"), minute == 2)); !waits {
			t.Errorf("slot %d does not wait", minute)
		}
	}
	get[bool](t)(l.WaitSlot(ctx, slotAt(3, "", "behind run x"), true))
	wantSlots(t, l, "0 skipped overlap with run x", "1 waiting behind run x", "2 missed superseded", "3 waiting queued behind run x")
	list := get[[]Slot](t)(l.WaitingSlots(ctx))
	for i := range list {
		if since := list[i].WaitsSince; since.Before(began) || since.After(time.Now()) {
			t.Errorf("slot %d waits since %v", i, since)
		}
		list[i].WaitsSince = time.Time{}
	}
	if len(list) != 2 || list[0] != slotAt(1, SlotWaiting, "behind run x") || list[1] != slotAt(3, SlotWaiting, "queued behind run x") {
		t.Errorf("got %+v", list)
	}
	must(t, l.EndWaiting(ctx, slotAt(1, SlotMissed, "outside window")))
	wantErr(t, l.EndWaiting(ctx, slotAt(1, SlotMissed, "outside window")), ErrState)
	n := NewRun{Schedule: "orders", ScheduledFor: slotAt(3, "", "").ScheduledFor, Origin: "slot", Zone: "UTC", Slot: true}
	get[*Run](t)(l.BeginRun(ctx, n))
	wantSlots(t, l, "0 skipped overlap with run x", "1 missed outside window", "2 missed superseded", "3 ran ")
	if _, err := l.BeginRun(ctx, n); !errors.Is(err, ErrSlotTaken) {
		t.Errorf("again: got %v", err)
	}
}

// A clock that once was ahead silences nothing: what it skipped is opened again.
func TestSkippedByAClockThatWasAhead(t *testing.T) {
	ctx, l := context.Background(), open(t)
	get[bool](t)(l.CloseSlot(ctx, slotAt(0, SlotSkipped, "paused")))
	get[bool](t)(l.CloseSlot(ctx, slotAt(1, SlotSkipped, "paused")))
	must(t, execSQL(l, fmt.Sprintf(`UPDATE slots SET decided_at = %d WHERE scheduled_for > %d`, ms(time.Now().AddDate(4, 0, 0)), ms(slotTime))))
	n := NewRun{Schedule: "orders", ScheduledFor: slotTime, Origin: "slot", Zone: "UTC", Slot: true}
	_, err := l.BeginRun(ctx, n)
	wantErr(t, err, ErrSlotTaken)
	n.ScheduledFor = slotAt(1, "", "").ScheduledFor
	get[*Run](t)(l.BeginRun(ctx, n))
	wantSlots(t, l, "0 skipped paused", "1 ran ")
}

func execSQL(l *Ledger, query string) error {
	_, err := l.rw.Exec(query)
	return err
}
