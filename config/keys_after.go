package config

// afterKeys are those of a schedule that another one makes due.
func afterKeys() []key {
	return []key{
		{
			name: "after", words: "none", own: true,
			kind: textKind("schedule", `"orders"`, setAfter),
			doc: "In place of `cron`: due when a run of this other schedule has succeeded, whoever asked for that run, a backfill too; also when it does so later, by `run`, `resolve` or redrives that leave nothing behind. " +
				"Its slot carries the other run's `scheduled_for`, and there is one for each. `overlap` and pauses hold as ever, and so does `blackout`, for the instant at which the other run ended; what `[defaults]` say of other times does not. " +
				"If the other run ended while the daemon was down, `catch_up` decides, within `catch_up_window` of that end.",
		},
		{
			name: "after_any", standard: "false", own: true,
			kind: flagKind(func(s *settings) *bool { return &s.schedule.AfterAny }),
			doc:  "With `after`: due as well when the other's run was partial, held or skipped. One that failed or stopped never makes it due.",
		},
	}
}

func setAfter(s *settings, text string) *fault {
	if text == "" {
		return &fault{msg: "an empty name", hint: "name another schedule, or leave it out"}
	}
	s.schedule.After = text
	return nil
}
