package main

import (
	"context"
	"slices"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// Marks gives what the ledger has decided of all schedules.
func (s slots) Marks(ctx context.Context) (map[string]scheduler.Mark, error) {
	stored, err := s.ledger.Marks(ctx)
	marks := make(map[string]scheduler.Mark, len(stored))
	for name, m := range stored {
		marks[name] = markFrom(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.config.Schedules { // the scheduler may know one by its former name still
		if r := &s.config.Schedules[i]; r.RenamedFrom != "" {
			if m, ok := marks[r.Name]; ok {
				marks[r.RenamedFrom] = m
			}
		}
	}
	return marks, err
}

// AdvanceTogether stores marks.
func (s slots) AdvanceTogether(ctx context.Context, marks map[string]scheduler.Mark) error {
	stored := make(map[string]store.Mark, len(marks))
	for name, m := range marks {
		stored[s.nameNow(name)] = markTo(m)
	}
	return s.ledger.SetMarks(ctx, stored)
}

// ClaimTogether is Claim for slots with nothing in their way: those that do not run,
// and the first to run of each schedule that has neither a run under way nor a slot
// that waits. It waits for no turn that another has.
func (s slots) ClaimTogether(ctx context.Context, dues []scheduler.Due) []bool {
	dues = slices.Clone(dues)
	for i := range dues {
		dues[i].Schedule = s.nameNow(dues[i].Schedule)
	}
	t := together{slots: s, turns: map[string]bool{}, done: make([]bool, len(dues))}
	defer t.endTurns()
	for _, due := range dues {
		t.takeTurn(due)
	}
	waiting, err := s.ledger.WaitingSlots(ctx) // read in their turns, as Claim does
	if err == nil {
		for _, slot := range waiting {
			t.turns[slot.Schedule] = false
		}
		err = t.write(ctx, dues)
	}
	if err != nil {
		s.log.Warn("slots not claimed together, but one at a time", "slots", len(dues), "err", err)
		return make([]bool, len(dues))
	}
	return t.done
}

// together is slots that one commit decides.
type together struct {
	slots
	turns map[string]bool // by schedule: whether its next slot may run
	ends  []func()        // of the turns
	done  []bool
	left  map[string]bool // schedules of which the rest is claimed one at a time

	closed  []store.Slot
	starts  []batch.SlotStart
	configs []config.Schedule // of starts
}

// takeTurn takes the turn of a slot's schedule, if it is to run and nobody has it.
func (t *together) takeTurn(due scheduler.Due) {
	if _, seen := t.turns[due.Schedule]; seen || !due.Runs() {
		return
	}
	end, ok := t.tryTurn(due.Schedule)
	if ok {
		t.ends = append(t.ends, end)
	}
	t.turns[due.Schedule] = ok && t.inTheWay(due.Schedule) == nil && t.nameNow(due.Schedule) == due.Schedule
}

func (t *together) endTurns() {
	for _, end := range t.ends {
		end()
	}
}

// write sorts the slots, writes their rows and begins the runs.
func (t *together) write(ctx context.Context, dues []scheduler.Due) error {
	t.left = map[string]bool{}
	for i, due := range dues {
		if t.done[i] = !t.left[due.Schedule] && t.add(due); !t.done[i] {
			t.left[due.Schedule] = true
		}
	}
	if len(t.closed)+len(t.starts) == 0 {
		return nil
	}
	runs, err := t.runner.StartSlots(ctx, t.starts, t.closed)
	if err != nil {
		return err
	}
	for i, run := range runs {
		if run != nil { // else the slot was decided before
			t.daemon.begin(t.slots.runs, t.configs[i], run, t.starts[i].Order)
		}
	}
	return nil
}

// add says whether a slot is decided here.
func (t *together) add(due scheduler.Due) bool {
	if !due.Runs() {
		slot := store.Slot{Schedule: due.Schedule, ScheduledFor: due.At, State: store.SlotSkipped, Reason: due.Skipped}
		if due.Skipped == "" {
			slot.State, slot.Reason = store.SlotMissed, due.Missed
		}
		t.logUnrun(slot)
		if schedule, ok := t.schedule(due.Schedule); ok {
			t.watch.skipped(schedule, due.Skipped)
		}
		t.closed = append(t.closed, slot)
		return true
	}
	schedule, ok := t.schedule(due.Schedule)
	if !ok || !t.turns[due.Schedule] {
		return false
	}
	t.turns[due.Schedule] = false // what follows has a run in its way
	t.starts = append(t.starts, batch.SlotStart{Job: &schedule.Job, Order: t.orderOf(due)})
	t.configs = append(t.configs, schedule)
	return true
}
