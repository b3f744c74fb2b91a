package store

import (
	"context"
	"fmt"
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

// More than a statement takes, also with one among them that has its row.
func TestClaimManySlots(t *testing.T) {
	for _, taken := range []bool{false, true} {
		ctx, l := context.Background(), open(t)
		_ = get[*Run](t)(l.BeginRun(ctx, handRun("s03", slotTime))) // a second one of its slot comes
		if taken {
			_ = get[bool](t)(l.CloseSlot(ctx, Slot{Schedule: "s40", ScheduledFor: slotTime, State: SlotSkipped}))
		}
		var runs []NewRun
		for i := range 75 {
			runs = append(runs, slotRun(fmt.Sprintf("s%02d", i)))
		}
		begun := get[[]*Run](t)(l.ClaimSlots(ctx, nil, runs))
		for i, r := range begun {
			if i == 40 && taken {
				if r != nil {
					t.Errorf("got %+v for a slot that has its row", r)
				}
				continue
			}
			if got := get[*Run](t)(l.LatestOfSlot(ctx, runs[i].Schedule, slotTime)); r == nil || *got != *r || i == 3 && r.Number != 2 {
				t.Errorf("got %+v, want %+v", got, r)
			}
		}
		if n := count(t, l, `SELECT count(*) FROM slots WHERE state = 'ran'`); n != 74 && taken || n != 75 && !taken {
			t.Errorf("taken %v: %d slots ran", taken, n)
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

// A thousand schedules that are due at the same instant.
func BenchmarkClaimSlots(b *testing.B) {
	ctx, l := context.Background(), open(b)
	for i := 0; b.Loop(); i++ {
		runs := make([]NewRun, 1000)
		for k := range runs {
			runs[k] = slotRun(fmt.Sprintf("s%04d", k))
			runs[k].ScheduledFor = slotTime.Add(time.Duration(i) * time.Minute)
		}
		if _, err := l.ClaimSlots(ctx, nil, runs); err != nil {
			b.Fatal(err)
		}
	}
}
