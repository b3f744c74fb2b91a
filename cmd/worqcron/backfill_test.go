package main

import (
	"testing"
	"time"

	"worqcron/store"
)

// TestPastSlotsTaken holds which slots a backfill takes, by the states of their runs.
func TestPastSlotsTaken(t *testing.T) {
	at := time.Date(2026, 10, 1, 2, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name                 string
		runs                 []store.RunState
		missing, failed, all bool
	}{
		{"no run", nil, true, false, true},
		{"succeeded", []store.RunState{store.Succeeded}, false, false, true},
		{"skipped", []store.RunState{store.Skipped}, false, false, true},
		{"held", []store.RunState{store.Held}, false, false, true},
		{"partial", []store.RunState{store.Partial}, false, true, true},
		{"failed", []store.RunState{store.Failed}, true, true, true},
		{"stopped", []store.RunState{store.Stopped}, true, true, true},
		{"under way", []store.RunState{store.Delivering}, false, false, false},
		{"failed, then under way", []store.RunState{store.Failed, store.Planning}, false, false, false},
		{"failed, then succeeded", []store.RunState{store.Failed, store.Succeeded}, false, false, true},
		{"succeeded, then failed", []store.RunState{store.Succeeded, store.Failed}, false, true, true},
		{"failed twice", []store.RunState{store.Failed, store.Failed}, true, true, true},
	} {
		p := pastSlot{at: at}
		for i, state := range c.runs {
			p.runs = append(p.runs, &store.Run{Schedule: "orders", ScheduledFor: at, Zone: "UTC", Number: i + 1, State: state})
		}
		if p.taken(onlyMissing) != c.missing || p.taken(onlyFailed) != c.failed || p.taken(onlyAll) != c.all {
			t.Errorf("%s: missing %v, failed %v, all %v", c.name, p.taken(onlyMissing), p.taken(onlyFailed), p.taken(onlyAll))
		}
	}
}

func TestPastSlotKnown(t *testing.T) {
	at := time.Date(2026, 10, 1, 2, 30, 0, 0, time.UTC)
	row := func(state store.SlotState, reason string) store.Slot {
		return store.Slot{Schedule: "orders", ScheduledFor: at, State: state, Reason: reason}
	}
	run := &store.Run{Schedule: "orders", ScheduledFor: at, Zone: "UTC", Number: 2, State: store.Failed, Reason: "nothing was accepted"}
	for _, c := range []struct {
		p    pastSlot
		want string
	}{
		{pastSlot{}, "nothing is known of it"},
		{pastSlot{row: row(store.SlotMissed, "outside window")}, "missed: outside window"},
		{pastSlot{row: row(store.SlotRan, "")}, "ran"},
		{pastSlot{row: row(store.SlotRan, ""), runs: []*store.Run{run}}, "failed, orders@2026-10-01T02:30#2: nothing was accepted"},
	} {
		if got := c.p.known(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
