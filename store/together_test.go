package store

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestClaimSlots(t *testing.T) {
	ctx, l := context.Background(), open(t)
	taken := slotRun("taken")
	_ = get[*Run](t)(l.BeginRun(ctx, taken))
	missed := Slot{Schedule: "missed", ScheduledFor: slotTime, State: SlotMissed, Reason: "superseded"}
	_ = get[bool](t)(l.CloseSlot(ctx, missed))
	waits := Slot{Schedule: "closed", ScheduledFor: slotTime.Add(-time.Hour), State: SlotWaiting, Reason: "behind run x"}
	_ = get[bool](t)(l.CloseSlot(ctx, waits))

	again := waits
	again.State = SlotSkipped
	closed := Slot{Schedule: "closed", ScheduledFor: slotTime, State: SlotSkipped, Reason: "paused"}
	runs := get[[]*Run](t)(l.ClaimSlots(ctx, []Slot{again, closed}, []NewRun{slotRun("a"), taken, slotRun("missed")}))
	if len(runs) != 3 || runs[1] != nil || runs[0] == nil || runs[2] == nil {
		t.Fatalf("got %+v, want runs of a and missed", runs)
	}
	for _, r := range []*Run{runs[0], runs[2]} {
		got := get[*Run](t)(l.LatestOfSlot(ctx, r.Schedule, slotTime))
		if *got != *r || got.State != Planning || got.Number != 1 {
			t.Errorf("got %+v, want %+v", got, r)
		}
		if s, ok, err := l.Slot(ctx, r.Schedule, slotTime); err != nil || !ok || s.State != SlotRan || s.Reason != "" {
			t.Errorf("slot of %s: got %+v %v %v", r.Schedule, s, ok, err)
		}
	}
	for _, want := range []Slot{waits, closed} { // the row that was there stays
		if s, _, err := l.Slot(ctx, want.Schedule, want.ScheduledFor); err != nil || s != want {
			t.Errorf("got %+v %v, want %+v", s, err, want)
		}
	}
}

// One slot that cannot be written leaves none of them.
func TestClaimSlotsAllOrNone(t *testing.T) {
	ctx, l := context.Background(), open(t)
	bad := slotRun("bad")
	bad.RedriveOf = "no such run"
	_, err := l.ClaimSlots(ctx, []Slot{{Schedule: "closed", ScheduledFor: slotTime, State: SlotSkipped}}, []NewRun{slotRun("a"), bad})
	if err == nil || !strings.Contains(err.Error(), "run of bad") {
		t.Fatalf("got %v", err)
	}
	if n := count(t, l, `SELECT (SELECT count(*) FROM slots) + (SELECT count(*) FROM runs)`); n != 0 {
		t.Errorf("got %d rows, want none", n)
	}
	_, err = l.ClaimSlots(ctx, []Slot{{Schedule: "closed", ScheduledFor: slotTime, State: "late"}}, nil)
	wantErr(t, err, ErrState)
}

func TestMarksTogether(t *testing.T) {
	ctx, l := context.Background(), open(t)
	want := map[string]Mark{
		"a":     {At: slotTime, Spec: "new"},
		"waits": {At: slotTime.Add(time.Minute), Spec: "x", WaitingFor: slotTime, WaitingUntil: slotTime.Add(time.Hour)},
	}
	must(t, l.SetMark(ctx, "a", Mark{At: slotTime.Add(-time.Hour), Spec: "old"}))
	must(t, l.SetMarks(ctx, want))
	got := get[map[string]Mark](t)(l.Marks(ctx))
	if len(got) != 2 || got["a"] != want["a"] || got["waits"] != want["waits"] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
