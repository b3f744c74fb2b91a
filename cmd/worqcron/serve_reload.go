package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"worqcron/config"
	"worqcron/store"
)

// maxReloadLines bounds what one reload writes to the log: so many mistakes, and so
// many schedules.
const maxReloadLines = 20

const oldConfigStays = "configuration not loaded, the old one stays"

// reload takes over a new configuration, or keeps the old one and says why.
func (d *daemon) reload(ctx context.Context) {
	d.mu.Lock()
	old := d.config
	d.mu.Unlock()
	c, err := config.Load(old.File)
	if err == nil && c.Ledger.Path != old.Ledger.Path {
		err = errors.New("ledger.path cannot change while the daemon runs")
	}
	if err != nil {
		d.logMistakes(err)
		return
	}
	if !d.switchTo(ctx, old, c) {
		return
	}
	d.runner.Budget.SetLimits(c.WorqHat)
	d.runner.Budget.SetRates(ratesOf(c))
	connect(d.runner, c, d.log)
	d.watch.take(c)
	for _, s := range c.Schedules {
		d.runner.UpdateDelivery(s.Name, s.Job.Delivery)
	}
	if err := d.setTimetable(ctx); err != nil {
		d.log.Error("configuration loaded, but the times of its schedules are the old ones: reload it again", "err", err)
		return
	}
	if err := d.setFollowers(ctx); err != nil {
		d.log.Error("configuration loaded, but schedules are due after others as before: reload it again", "err", err)
		return
	}
	select {
	case d.reloaded <- struct{}{}:
	default: // they have not looked yet
	}
	for _, r := range renamesOf(c) {
		d.runWaiting(ctx, r.To)
	}
	d.logWarnings(old, c)
	d.logDifference(old, c)
	d.storeLoaded(ctx, c)
}

// logMistakes says what is wrong with a file, a line a mistake.
func (d *daemon) logMistakes(err error) {
	var invalid *config.Invalid
	if !errors.As(err, &invalid) {
		d.log.Error(oldConfigStays, "err", err)
		return
	}
	for i, p := range invalid.Errors {
		if i == maxReloadLines {
			d.log.Error("more mistakes in the configuration: 'worqcron check' lists them", "mistakes", len(invalid.Errors)-i)
			break
		}
		d.log.Error("mistake in the configuration", "problem", p.String())
	}
	d.log.Error(oldConfigStays, "mistakes", len(invalid.Errors))
}

// switchTo lets a configuration take over, with what the ledger has to know of it
// at once. False: the old one stays, and it was said why.
func (d *daemon) switchTo(ctx context.Context, old, c *config.Config) bool {
	list, err := d.renamesToDo(ctx, c)
	if err == nil {
		defer d.lockRenamed(list)()
		if wait := d.inRenamesWay(list); wait != nil {
			d.reloadAfter(ctx, wait)
			return false
		}
		err = d.backfillInTheWay(list)
	}
	if err != nil {
		d.log.Error(oldConfigStays, "err", err)
		return false
	}
	d.setConfig(c) // first, so that what is due of an old name finds the new one
	done, err := takeOverNames(ctx, d.ledger, c, d.log)
	if err == nil {
		err = recordFilePauses(ctx, d.ledger, c)
	}
	switch {
	case err == nil:
	case len(done) > 0: // there is no way back
		d.log.Error("configuration loaded, but the pauses in it are not in the ledger: reload it again", "err", err)
	default:
		d.setConfig(old)
		d.log.Error(oldConfigStays, "err", err)
		return false
	}
	return true
}

func (d *daemon) setConfig(c *config.Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = c
}

// renamesToDo are the renames that the ledger does not have yet.
func (d *daemon) renamesToDo(ctx context.Context, c *config.Config) (list []store.Rename, err error) {
	for _, r := range renamesOf(c) {
		has, err := d.ledger.HasSchedule(ctx, r.From)
		if err != nil {
			return nil, err
		}
		if _, known := d.schedule(r.From); has || known {
			list = append(list, r)
		}
	}
	return list, nil
}

// inRenamesWay is a run under way of a schedule that is to be renamed: it has the
// old name in its hands.
func (d *daemon) inRenamesWay(list []store.Rename) *busyRun {
	for _, r := range list {
		for _, name := range []string{r.From, r.To} {
			if b := d.busyWith(name); b != nil {
				return b
			}
		}
	}
	return nil
}

func (d *daemon) backfillInTheWay(list []store.Rename) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range list {
		for _, name := range []string{r.From, r.To} {
			if d.backfilling[name] {
				return fmt.Errorf("it renames %s, of which a backfill is under way: reload it again when that is done", name)
			}
		}
	}
	return nil
}

// reloadAfter loads the configuration again when a run came to rest.
func (d *daemon) reloadAfter(ctx context.Context, b *busyRun) {
	d.log.Info("configuration waits: it renames a schedule of which a run is under way", "run", b.run.Name())
	d.runs.Go(func() {
		select {
		case <-b.done:
		case <-ctx.Done():
			return
		}
		select {
		case d.again <- struct{}{}:
		default: // it is asked for already
		}
	})
}

// logWarnings says what a file newly warns of.
func (d *daemon) logWarnings(old, c *config.Config) {
	for _, w := range c.Warnings {
		same := func(p config.Problem) bool { return p.Message == w.Message }
		if !slices.ContainsFunc(old.Warnings, same) {
			d.log.Warn("configuration", "problem", w.String())
		}
	}
}

// logDifference says what another configuration changes, a line a schedule.
func (d *daemon) logDifference(old, c *config.Config) {
	general, list := config.Difference(old, c)
	for _, k := range general {
		d.log.Info("setting changed", "key", k.Key, "was", shownValue(k.Old), "is", shownValue(k.New))
	}
	count := map[string]int{}
	now := time.Now()
	for i := range list {
		count[list[i].What]++
		if i < maxReloadLines {
			d.logChange(&list[i], now)
		}
	}
	if more := len(list) - maxReloadLines; more > 0 {
		d.log.Info("more schedules differ", "schedules", more)
	}
	d.log.Info("configuration loaded", "added", count[config.Added], "removed", count[config.Removed],
		"changed", count[config.Changed], "renamed", count[config.Renamed])
}

func (d *daemon) logChange(c *config.Change, now time.Time) {
	j := changeOf(c, now)
	attrs := []any{"schedule", j.Schedule}
	if j.RenamedFrom != "" {
		attrs = append(attrs, "was", j.RenamedFrom)
	}
	if text := keysText(j.Keys, false); text != "" {
		attrs = append(attrs, "keys", text)
	}
	if text := j.slotsText(c, now); text != "" {
		attrs = append(attrs, "slots", text)
	}
	if b := d.busyWith(j.Schedule); b != nil {
		attrs = append(attrs, "under_way", b.run.Name()+" keeps what shapes its bodies")
	}
	d.log.Info("schedule "+c.What, attrs...)
}

// compareLoaded says what was edited while no daemon ran.
func (d *daemon) compareLoaded(ctx context.Context) {
	text, at, ok, err := d.ledger.Loaded(ctx)
	if err == nil && ok && text != d.config.Text() {
		var old *config.Config
		if old, err = config.Restore(d.config.File, text); err == nil {
			d.log.Info("the configuration was edited while no daemon ran", "loaded_before", at)
			d.logDifference(old, d.config)
		}
	}
	if err != nil {
		d.log.Warn("the configuration cannot be compared with the one before", "err", err)
	}
}

// storeLoaded keeps what is loaded, for 'check --diff' and the next start.
func (d *daemon) storeLoaded(ctx context.Context, c *config.Config) {
	if err := d.ledger.SetLoaded(ctx, c.Text()); err != nil && ctx.Err() == nil {
		d.log.Warn("what is loaded is not recorded: 'worqcron check --diff' compares with what was before", "err", err)
	}
}
