package store

import (
	"context"
	"testing"
	"time"
)

func TestBeginRunClaimsSlot(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	if r.State != Planning || r.Number != 1 || r.Generation != 0 || !r.ScheduledFor.Equal(slotTime) {
		t.Errorf("got %+v", r)
	}
	slot, ok, err := l.Slot(ctx, "orders", slotTime)
	must(t, err)
	if !ok || slot.State != SlotRan || slot.Reason != "" {
		t.Errorf("slot: got %+v %v", slot, ok)
	}
	stored := get[*Run](t)(l.FindRun(ctx, r.RunID))
	if *stored != *r {
		t.Errorf("stored\n %+v, want\n %+v", *stored, *r)
	}
}

func TestBeginRunOfDecidedSlot(t *testing.T) {
	byHand := slotRun("orders")
	byHand.Origin, byHand.ByHand = "manual", true
	for _, c := range []struct {
		name   string
		before SlotState
		ask    NewRun
		want   error
		state  SlotState
		reason string
	}{
		{"ran", SlotRan, slotRun("orders"), ErrSlotTaken, SlotRan, "why"},
		{"skipped", SlotSkipped, slotRun("orders"), ErrSlotTaken, SlotSkipped, "why"},
		{"missed runs after all", SlotMissed, slotRun("orders"), nil, SlotRan, ""},
		{"ran, by hand", SlotRan, byHand, nil, SlotRan, "why"},
		{"skipped, by hand", SlotSkipped, byHand, nil, SlotRan, "run by hand"},
		{"missed, by hand", SlotMissed, byHand, nil, SlotRan, "run by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, l := context.Background(), open(t)
			get[bool](t)(l.CloseSlot(ctx, Slot{Schedule: "orders", ScheduledFor: slotTime, State: c.before, Reason: "why"}))
			_, err := l.BeginRun(ctx, c.ask)
			wantErr(t, err, c.want)
			slot, _, err := l.Slot(ctx, "orders", slotTime)
			must(t, err)
			if slot.State != c.state || slot.Reason != c.reason {
				t.Errorf("slot: got %s %q, want %s %q", slot.State, slot.Reason, c.state, c.reason)
			}
			runs := int64(1)
			if c.want != nil {
				runs = 0
			}
			if got := count(t, l, `SELECT count(*) FROM runs`); got != runs {
				t.Errorf("got %d runs, want %d", got, runs)
			}
			if got := count(t, l, `SELECT count(*) FROM slots`); got != 1 {
				t.Errorf("got %d slots, want 1", got)
			}
		})
	}
}

func TestBeginRunNumbersAndGenerations(t *testing.T) {
	ctx, l := context.Background(), open(t)
	get[*Run](t)(l.BeginRun(ctx, slotRun("orders")))
	again := slotRun("orders")
	again.Origin, again.ByHand = "manual", true
	second := get[*Run](t)(l.BeginRun(ctx, again))
	if second.Number != 2 || second.Generation != 0 || second.Name() != "orders@2026-11-24T02:30#2" {
		t.Errorf("second: got number %d, generation %d, name %s", second.Number, second.Generation, second.Name())
	}
	if rows := get[[]AuditRow](t)(l.Audit(ctx, second.RunID)); len(rows) != 0 {
		t.Errorf("a run that is not forced has audit rows: %v", rows)
	}
	again.Force, again.Actor = "the flow was wrong", "ann"
	forced := get[*Run](t)(l.BeginRun(ctx, again))
	if forced.Number != 3 || forced.Generation != 1 {
		t.Errorf("forced: got number %d, generation %d, want 3, 1", forced.Number, forced.Generation)
	}
	rows := get[[]AuditRow](t)(l.Audit(ctx, forced.RunID))
	want := Audit{Action: "force", RunID: forced.RunID, Actor: "ann", Reason: "the flow was wrong"}
	if len(rows) != 1 || rows[0].Audit != want || time.Since(rows[0].At) > time.Hour {
		t.Errorf("audit: got %+v, want %+v", rows, want)
	}
	if other := get[*Run](t)(l.BeginRun(ctx, handRun("bills", slotTime))); other.Number != 1 {
		t.Errorf("another schedule's first run has number %d", other.Number)
	}
}

func TestBeginRunRefusesUnknownOrigin(t *testing.T) {
	ctx, l := context.Background(), open(t)
	n := slotRun("orders")
	n.Origin = "whim"
	_, err := l.BeginRun(ctx, n)
	wantErr(t, err, ErrState)
	if _, ok, err := l.Slot(ctx, "orders", slotTime); ok || err != nil {
		t.Errorf("the slot of a run that did not begin: got %v, %v", ok, err)
	}
}

func TestRunName(t *testing.T) {
	for _, c := range []struct {
		name string
		run  Run
		want string
	}{
		{"minute", Run{Schedule: "a", ScheduledFor: slotTime, Zone: "America/New_York", Number: 1}, "a@2026-11-24T02:30"},
		{"seconds", Run{Schedule: "a", ScheduledFor: slotTime.Add(5 * time.Second), Zone: "UTC", Number: 1}, "a@2026-11-24T07:30:05"},
		{"second of a slot", Run{Schedule: "a", ScheduledFor: slotTime, Zone: "UTC", Number: 2}, "a@2026-11-24T07:30#2"},
		{"a zone that this machine lacks", Run{Schedule: "a", ScheduledFor: slotTime, Zone: "Mars/Olympus", Number: 1}, "a@2026-11-24T07:30"},
	} {
		if got := c.run.Name(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
