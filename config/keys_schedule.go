package config

import (
	"math"
	"slices"
	"time"

	"worqcron/batch"
	"worqcron/scheduler"
)

const (
	day = 24 * time.Hour

	// minBodyBytes is the smallest limit that leaves room for an envelope and
	// a record; maxBodyBytes is just under WorqHat's limit of 10 MB.
	minBodyBytes = 1_000
	maxBodyBytes = 9_999_999
)

func scheduleKeys() section {
	return section{
		name:  scheduleSection,
		doc:   "What runs when. The table's name is the schedule's: lower-case letters, digits, `_`, `.` and `-`, 64 at most, a letter or digit first. A name with a dot needs quotes: `[schedules.\"eu.orders\"]`.",
		below: []string{"source", "chunk", "delivery", "expect"},
		keys: append([]key{
			{
				name: "cron", words: "this, `at`, `after` or `on_arrival` is required", own: true,
				kind: textKind("cron expression", `"30 2 * * *"`, func(s *settings, text string) *fault {
					s.schedule.Cron = text // parsed when the zone is known
					return nil
				}),
				doc: "When it is due: five fields (minute, hour, day of month, month, day of week), six with seconds in front, `@hourly`, `@daily` and the like, or `@every 90m`.",
			},
			{
				name: "timezone", standard: `"UTC"`,
				kind: textKind("time zone", `"Europe/Berlin"`, setTimezone),
				doc:  "The zone of `cron` and of `scheduled_for`, by its IANA name.",
			},
			{
				name: "dst_gap", standard: `"` + scheduler.GapRun + `"`,
				kind: choiceKind(func(s *settings) *string { return &s.gap }, scheduler.GapRun, scheduler.GapShift, scheduler.GapSkip),
				doc:  "What becomes of a fixed time that does not exist on the day the clock jumps ahead: run at the jump, shift by its length (02:30 becomes 03:30), or skip the day.",
			},
			{
				name: "dst_fold", standard: `"` + scheduler.FoldFirst + `"`,
				kind: choiceKind(func(s *settings) *string { return &s.fold }, scheduler.FoldFirst, scheduler.FoldSecond, scheduler.FoldBoth),
				doc:  "Which pass of a fixed time that comes twice is due on the day the clock is set back.",
			},
			{
				name: "catch_up", standard: `"` + scheduler.CatchUpLast + `"`,
				kind: choiceKind(func(s *settings) *string { return &s.schedule.CatchUp }, scheduler.CatchUpNone, scheduler.CatchUpLast, scheduler.CatchUpAll),
				doc:  "Which slots that were missed while nothing ran are run late: none, the last, or all in order.",
			},
			{
				name: "catch_up_window", standard: `"24h"`,
				kind: durationKind(func(s *settings) *time.Duration { return &s.schedule.CatchUpWindow }, time.Second, 366*day),
				doc:  "A slot older than this is not run late, and an interrupted run older than this is not resumed by itself.",
			},
		}, append(slices.Concat(slotKeys(), afterKeys(), arrivalKeys()), []key{
			{
				name: "max_duration", standard: `"off"`,
				kind: durationOrOffKind(func(s *settings) *time.Duration { return &s.schedule.Job.Delivery.MaxDuration }, time.Second, 366*day),
				doc:  "A run that takes longer stops, with the rest of its chunks planned; triggers under way have `shutdown_timeout` to come home. All that it does counts, reading and waiting for the rate too, except the hours outside of its `window`. `run` goes on with it and counts anew, and so does the daemon with a run that a restart interrupted.",
			},
			{
				name: "flow_id", required: true, own: true,
				kind: textKind("flow id", `"f825ab82-371f-40cb-9bed-b325531ead4a"`, setFlowID),
				doc:  "The flow to trigger: the UUID that WorqHat shows.",
			},
			{
				name: "payload", words: "none", own: true,
				kind: kind{"table", `{ report = "orders" }`, setPayload},
				doc:  "Members that each body carries, beside its records if it has any. Strings may hold [expressions](#expressions).",
			},
			{
				name: "renamed_from", words: "none", own: true,
				kind: textKind("schedule's name", `"sales"`, setRenamedFrom),
				doc:  "What this schedule was called before. It keeps its past: what it delivered is not sent again, its slots, runs, pauses and waiting slots are its own, and its runs are found by the old name too. It can go once the ledger has taken it over; `check` says when.",
			},
			{
				name: "shutdown_timeout", standard: `"30s"`,
				kind: durationKind(func(s *settings) *time.Duration { return &s.schedule.Job.Delivery.ShutdownTimeout }, 0, maxTimeout),
				doc:  "How long a stop waits for the answers of triggers under way; what is not answered by then is *unknown*.",
			},
		}...)...),
	}
}

func chunkKeys() section {
	options := func(s *settings) *batch.ChunkOptions { return &s.schedule.Job.Chunk }
	return section{
		name:  chunkSection,
		doc:   "How records are packed into request bodies.",
		later: []string{"group_by"},
		keys: []key{
			{
				name: "mode", standard: `"chunks"`,
				kind: firstIsEmptyKind(func(s *settings) *string { return &options(s).Mode }, "chunks", "records"),
				doc:  "`\"chunks\"` packs as many records into a body as fit; `\"records\"` sends one trigger a record, with the record's members beside the payload's. A record with a member of the same name as one of the payload's is bad.",
			},
			{
				name: "records_as", standard: `"array"`,
				kind: firstIsEmptyKind(func(s *settings) *string { return &s.recordsAs }, "array", "string", "columns"),
				doc:  "How the records lie in the body: a list of objects; that list as one JSON string, for flows that want flat values; or `columns` (the names, once) with a list of values for each record, about half the bytes. The last two need `mode = \"chunks\"`.",
			},
			{
				name: "max_bytes", standard: `"9.5MB"`,
				kind: sizeKind(func(s *settings) *int64 { return &options(s).MaxBytes }, minBodyBytes, maxBodyBytes),
				doc:  "A body, all of it, is shorter than this. At least 1kB, and under WorqHat's limit of 10MB.",
			},
			{
				name: "max_records", standard: "0",
				kind: countKind(func(s *settings) *int { return &options(s).MaxRecords }, 0, math.MaxInt32),
				doc:  "Records in a body at most; 0: as many as fit.",
			},
			{
				name: "records_key", standard: `"records"`,
				kind: textKind("string", `"records"`, func(s *settings, text string) *fault {
					if text == "" {
						return &fault{msg: "the records need a name in the body", hint: `for example "records"`}
					}
					options(s).RecordsKey = text
					return nil
				}),
				doc: "The body's member that holds the list of records.",
			},
			{
				name: "batch_key", standard: `"_batch"`,
				kind: textKind("string", `"_batch"`, func(s *settings, text string) *fault {
					options(s).BatchKey = text
					return nil
				}),
				doc: "The member that tells the flow about the chunk: schedule, run_id, scheduled_for, chunk, records and key. `\"\"` leaves it out.",
			},
		},
	}
}

func deliveryKeys() section {
	options := func(s *settings) *batch.DeliveryOptions { return &s.schedule.Job.Delivery }
	return section{
		name: deliverySection,
		doc:  "How chunks are sent.",
		keys: []key{
			{
				name: "max_in_flight", words: "`max_in_flight` of [worqhat]",
				kind: countKind(func(s *settings) *int { return &options(s).MaxInFlight }, 1, 256),
				doc:  "Triggers of one run under way at once. That of [worqhat] still bounds all runs together.",
			},
			{
				name: "rate", standard: `"off"`,
				kind: rateKind(func(s *settings) *float64 { return &options(s).Rate }),
				doc:  "Triggers of this schedule a second, minute or hour, evenly; `\"off\"`: only the rate of [worqhat] holds, which bounds all schedules together.",
			},
			{
				name: "window", words: "always",
				kind: windowKind(func(s *settings) *batch.Window { return &options(s).Window }),
				doc:  "The hours in which it sends, such as `\"22:00-06:00\"`, or a list of them, by the clock of the schedule's `timezone`. A run that is due outside of them reads and plans at once, then waits; one that is not done when they end goes on when they begin again.",
			},
			{
				name: "max_attempts", standard: "8",
				kind: countKind(func(s *settings) *int { return &options(s).MaxAttempts }, 1, 1000),
				doc:  "Tries of a chunk that provably did not arrive. Being told to wait (429) does not count.",
			},
			{
				name: "max_failed", standard: `"10%"`,
				kind: shareOrOffKind(func(s *settings) *batch.Share { return &options(s).MaxFailed }),
				doc:  "More failed triggers than this stop the run, with the rest of its chunks planned: a percentage of those that ended (it counts once 20 have), a count as an integer, or `\"off\"`. `run` goes on and counts anew.",
			},
			{
				name: "ordered", standard: "false",
				kind: flagKind(func(s *settings) *bool { return &options(s).Ordered }),
				doc:  "Send one chunk at a time, in the order of the records: a retry is never overtaken, and a chunk that is *unknown* and held stops the run until it is resolved. What fails for good is left behind. With it `max_in_flight` is 1.",
			},
			{
				name: "on_unknown", standard: `"hold"`,
				kind: choiceKind(func(s *settings) *string { return &options(s).OnUnknown }, "hold", "resend", "accept"),
				doc:  "What to do about a trigger whose answer was lost: hold it for a decision (at most once), send it once more (at least once), or count it as accepted.",
			},
			{
				name: "timeout", words: "`timeout` of [worqhat]",
				kind: durationKind(func(s *settings) *time.Duration { return &options(s).Timeout }, time.Millisecond, maxTimeout),
				doc:  "How long one trigger may take, its answer included.",
			},
		},
	}
}
