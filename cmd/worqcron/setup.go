package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"runtime"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
	"worqcron/worqhat"
)

// load reads the configuration that the command line names.
func (p *program) load() (*config.Config, error) {
	path, err := config.Find(p.config)
	if err != nil {
		return nil, exitError{exitConfig, err}
	}
	c, err := config.Load(path)
	var invalid *config.Invalid
	if err != nil && !errors.As(err, &invalid) {
		return nil, exitError{exitConfig, err}
	}
	return c, err
}

// schedule finds a schedule by name.
func schedule(c *config.Config, name string) (config.Schedule, error) {
	s, ok := c.Schedule(name)
	if ok {
		return s, nil
	}
	hint := "the file has no schedule"
	if len(c.Schedules) > 0 {
		var names []string
		for _, s := range c.Schedules {
			names = append(names, s.Name)
		}
		hint = "schedules: " + strings.Join(names, ", ")
		if near := c.Nearest(name); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		for _, s := range c.Schedules {
			if s.RenamedFrom == name {
				hint = fmt.Sprintf("it is called %q now", s.Name)
			}
		}
	}
	return config.Schedule{}, usageError{fmt.Errorf("%s has no schedule %q\n  hint: %s", c.File, name, hint)}
}

// logger writes to stderr: for people on a terminal, as key=value elsewhere,
// without the time where the journal adds it.
func (p *program) logger(least slog.Level) *slog.Logger {
	if p.verbose {
		least = slog.LevelDebug
	}
	if isTerminal(p.err) {
		return slog.New(tint.NewTextHandler(p.err, &tint.Options{Level: least, TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != ""}))
	}
	o := &slog.HandlerOptions{Level: least}
	if os.Getenv("JOURNAL_STREAM") != "" {
		o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(p.err, o))
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newRunner wires what a run needs. A missing key does not stop it: runs fail
// with that reason, before they read anything.
func newRunner(c *config.Config, ledger *store.Ledger, log *slog.Logger) *batch.Runner {
	r := &batch.Runner{
		Ledger: ledger, Budget: worqhat.NewBudget(c.WorqHat), Log: log,
		Workers: runtime.GOMAXPROCS(0), KeepBodies: c.Ledger.KeepBodies,
	}
	r.Budget.SetRates(ratesOf(c))
	connect(r, c, log)
	return r
}

// ratesOf are the schedules' own rates.
func ratesOf(c *config.Config) map[string]float64 {
	rates := map[string]float64{}
	for i := range c.Schedules {
		rates[c.Schedules[i].Name] = c.Schedules[i].Job.Delivery.Rate
	}
	return rates
}

func connect(r *batch.Runner, c *config.Config, log *slog.Logger) {
	key, from, err := worqhat.LoadKey(c.WorqHat)
	if err != nil {
		r.Connect(nil, err)
		return
	}
	client, err := worqhat.NewClient(c.WorqHat, key, nil)
	if err == nil {
		log.Debug("key loaded", "from", from)
	}
	r.Connect(client, err)
}

// recoverLedger settles what a crash left, with each schedule's own policy.
func recoverLedger(ctx context.Context, r *batch.Runner, c *config.Config) ([]*store.Run, error) {
	return r.Recover(ctx, func(name string) string {
		if s, ok := c.Schedule(name); ok {
			return s.Job.Delivery.OnUnknown
		}
		return "hold"
	})
}

// actor names the person at the keyboard, for the audit.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
