// Package scheduler decides when a schedule is due. It knows nothing of what a
// run does, of files or of SQL.
//
// The model, in three steps:
//
//   - A [Spec] is a cron expression read for one time zone. It answers which
//     instants are slots: Next, Prev, Between, Is. A slot is an instant in UTC,
//     on a whole second; local time is only how the expression spells it.
//   - A [Schedule] is a Spec with a name, a rule for slots that nobody was awake
//     for (catch-up), a jitter, and the times in which nothing of it runs
//     (calendars, pauses). StartOf and SkipReason say about any slot, past or
//     coming, when it starts and what speaks against it; the loop asks the same.
//   - A [Scheduler] is the loop. It holds the timetable, sleeps until the next
//     slot, and tells its [Host] to claim each slot once.
//
// How a slot follows from an expression. A zone is a row of stretches, each with
// one offset from UTC. Between two stretches the local clock jumps forward (a
// gap: local times that never happen) or back (a fold: local times that happen
// twice). An expression whose minute or hour starts with "*" is an interval and
// follows real time: nothing in a gap, both passes of a fold. Any other is fixed
// and means one event a day: what falls into a gap is due at the jump, what
// happens twice is due the first time. [SpecOptions] changes the fixed case.
// The search never goes by way of local midnight, which may not exist or exist
// twice; it matches the calendar in plain local seconds and then asks each
// stretch which of those seconds happened in it.
//
// Invariants of the loop:
//
//   - A schedule's slots are claimed in time order. What makes a slot happen once
//     is its row, which the Host stores; the mark (everything up to it is decided)
//     only saves looking.
//   - A slot that starts later, by its jitter, has come at its instant all the
//     same: its start is part of the mark, and neither an edit nor a restart moves
//     it. At most one slot of a schedule waits so, since no start reaches the next
//     slot.
//   - A slot that cannot be claimed stays undecided and is tried again.
//   - A forward jump of the clock, sleep and a restart are the same thing: slots
//     that are late, and the schedule's catch-up rule decides them. A backward jump
//     lowers marks and repeats nothing, because rows decide.
//   - A new or edited schedule is looked at from now on and never fires the past.
package scheduler
