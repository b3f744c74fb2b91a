package store

import (
	"context"
	"testing"
	"time"
)

func TestCloseSlotWritesOneRow(t *testing.T) {
	ctx, l := context.Background(), open(t)
	skipped := Slot{Schedule: "orders", ScheduledFor: slotTime, State: SlotSkipped, Reason: "overlap"}
	if claimed := get[bool](t)(l.CloseSlot(ctx, skipped)); !claimed {
		t.Error("a new slot was not claimed")
	}
	again := skipped
	again.State, again.Reason = SlotMissed, "later"
	if claimed := get[bool](t)(l.CloseSlot(ctx, again)); claimed {
		t.Error("a decided slot was claimed again")
	}
	got, ok, err := l.Slot(ctx, "orders", slotTime)
	must(t, err)
	if !ok || got != skipped {
		t.Errorf("got %+v %v, want %+v", got, ok, skipped)
	}
	if _, ok, err := l.Slot(ctx, "orders", slotTime.Add(time.Minute)); ok || err != nil {
		t.Errorf("a slot without a row: got %v, %v", ok, err)
	}
	if n := count(t, l, `SELECT count(*) FROM slots`); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}

func TestCloseSlotRefusesUnknownState(t *testing.T) {
	_, err := open(t).CloseSlot(context.Background(), Slot{Schedule: "orders", ScheduledFor: slotTime, State: "late"})
	wantErr(t, err, ErrState)
}

func TestMarks(t *testing.T) {
	ctx, l := context.Background(), open(t)
	if _, ok, err := l.Mark(ctx, "orders"); ok || err != nil {
		t.Fatalf("never seen: got %v, %v", ok, err)
	}
	must(t, l.SetMark(ctx, "orders", Mark{At: slotTime.Add(-time.Hour), Spec: "old"}))
	must(t, l.SetMark(ctx, "orders", Mark{At: slotTime, Spec: "30 2 * * *"}))
	must(t, l.SetMark(ctx, "gone", Mark{At: slotTime, Spec: ""}))
	m, ok, err := l.Mark(ctx, "orders")
	must(t, err)
	if !ok || !m.At.Equal(slotTime) || m.Spec != "30 2 * * *" || !m.WaitingFor.IsZero() {
		t.Errorf("got %+v %v", m, ok)
	}
	waiting := Mark{At: slotTime.Add(time.Minute), Spec: "x", WaitingFor: slotTime, WaitingUntil: slotTime.Add(time.Hour)}
	must(t, l.SetMark(ctx, "waits", waiting))
	if m, _, err := l.Mark(ctx, "waits"); err != nil || m != waiting {
		t.Errorf("got %+v %v, want %+v", m, err, waiting)
	}
}
