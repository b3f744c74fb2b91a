package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"worqcron/config"
	"worqcron/store"
)

// renamesOf are the renames that a configuration asks for.
func renamesOf(cfg *config.Config) (list []store.Rename) {
	for i := range cfg.Schedules {
		if s := &cfg.Schedules[i]; s.RenamedFrom != "" {
			list = append(list, store.Rename{From: s.RenamedFrom, To: s.Name})
		}
	}
	return list
}

// takeOverNames gives schedules that were renamed their past, before anything is
// decided about them.
func takeOverNames(ctx context.Context, l *store.Ledger, cfg *config.Config, log *slog.Logger) ([]store.Rename, error) {
	done, err := l.RenameSchedules(ctx, renamesOf(cfg))
	for _, r := range done {
		log.Info("past of a renamed schedule taken over", "schedule", r.To, "was", r.From)
	}
	return done, err
}

// openNamed is openLedger's last step: who opens the ledger to write brings its
// names up to date.
func openNamed(ctx context.Context, l *store.Ledger, cfg *config.Config, log *slog.Logger) (*store.Ledger, error) {
	if _, err := takeOverNames(ctx, l, cfg, log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// nameInLedger is what the ledger calls a schedule: its former name as long as its past
// was not taken over.
func nameInLedger(ctx context.Context, r *store.Reader, s config.Schedule) (string, error) {
	if s.RenamedFrom == "" {
		return s.Name, nil
	}
	had, err := r.HasSchedule(ctx, s.RenamedFrom)
	if err != nil || !had {
		return s.Name, err
	}
	return s.RenamedFrom, nil
}

// warnRenamed adds warnings about renames that are over and done with.
func warnRenamed(ctx context.Context, r *store.Reader, cfg *config.Config) error {
	for _, s := range cfg.Schedules {
		if s.RenamedFrom == "" {
			continue
		}
		has, err := r.HasSchedule(ctx, s.RenamedFrom)
		if err != nil {
			return err
		}
		if !has {
			cfg.WarnRenamed(s)
		}
	}
	return nil
}

// nameNow is what a schedule is called that the timetable still has under its old
// name: a reload renames it in the ledger a moment before.
func (d *daemon) nameNow(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.config.Schedule(name); ok {
		return name
	}
	list := d.config.Schedules
	if i := slices.IndexFunc(list, func(s config.Schedule) bool { return s.RenamedFrom == name }); i >= 0 {
		return list[i].Name
	}
	return name
}

// lockRenamed takes the turns of all schedules that a configuration renames, so that
// nothing of them begins meanwhile.
func (d *daemon) lockRenamed(list []store.Rename) (unlock func()) {
	var ends []func()
	for _, r := range list {
		ends = append(ends, d.turn(r.From), d.turn(r.To))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}
