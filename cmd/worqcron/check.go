package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"worqcron/config"
)

// checkJSON is the result of 'check' for programs.
type checkJSON struct {
	OK       bool             `json:"ok"`
	Errors   []config.Problem `json:"errors"`
	Warnings []config.Problem `json:"warnings"`
	Paused   []pauseJSON      `json:"paused,omitempty"`   // schedules of which nothing runs now
	Arrivals []arrivalsJSON   `json:"arrivals,omitempty"` // schedules that files make due, and how many of them wait
	Diff     *diffJSON        `json:"diff,omitempty"`     // with --diff
}

func newCheck(p *program) *cobra.Command {
	diff := false
	c := &cobra.Command{
		Use:   "check",
		Short: "validate the configuration: all errors and warnings at once",
		Long: `check reads the configuration and prints every mistake with its file, line and
column and a hint, all at once. Warnings (a missing directory, a missing key)
do not stop the daemon; they fail the runs that they concern. It also names the
schedules that are paused, and how many files wait where files make them due.

--diff compares the file with what the daemon loaded last, and so tells what a
reload (SIGHUP) or restart would do: schedules added, removed, renamed and
changed, with the keys, and the slots of the next seven days that come or go.`,
		Example: "  worqcron check\n  worqcron check --diff && systemctl reload worqcron",
		Args:    exactly(),
		RunE:    func(c *cobra.Command, _ []string) error { return p.check(c.Context(), diff) },
	}
	c.Flags().BoolVar(&diff, "diff", false, "show what a reload of the daemon would change")
	return c
}

func (p *program) check(ctx context.Context, diff bool) error {
	c, err := p.load()
	var invalid *config.Invalid
	result := checkJSON{OK: true, Errors: []config.Problem{}, Warnings: []config.Problem{}}
	switch {
	case errors.As(err, &invalid):
		result.OK = false
		result.Errors = append(result.Errors, invalid.Errors...)
		result.Warnings = append(result.Warnings, invalid.Warnings...)
	case err != nil:
		return err
	default:
		if err := p.checkLedger(ctx, c, diff, &result); err != nil {
			return err
		}
		table, err := p.pausedTimetable(ctx, c)
		if err != nil {
			return err
		}
		if result.Arrivals, err = p.arrivals(ctx, c, table); err != nil {
			return err
		}
		result.Warnings = append(result.Warnings, c.Warnings...)
	}
	if p.json {
		if err := printJSON(p.out, result); err != nil {
			return err
		}
	} else {
		p.printProblems(result, c)
	}
	if !result.OK {
		return exitError{code: exitConfig}
	}
	return nil
}

func (p *program) printProblems(r checkJSON, c *config.Config) {
	for _, e := range r.Errors {
		fmt.Fprintln(p.out, e)
	}
	for _, w := range r.Warnings {
		w.Message = "warning: " + w.Message
		fmt.Fprintln(p.out, w)
	}
	for _, j := range r.Paused {
		s, _ := c.Schedule(j.Schedule)
		fmt.Fprintln(p.out, j.text(s))
	}
	for _, j := range r.Arrivals {
		if j.Waiting > 0 {
			fmt.Fprintf(p.out, "%s: %s to be read\n", j.Schedule, filesWait(j.Waiting))
		}
	}
	if r.Diff != nil {
		p.printDiff(r.Diff)
	}
	if r.OK {
		fmt.Fprintf(p.out, "%s: good, %s\n", c.File, count(int64(len(c.Schedules)), "schedule"))
	} else {
		fmt.Fprintf(p.out, "%s, %s\n", count(int64(len(r.Errors)), "error"), count(int64(len(r.Warnings)), "warning"))
	}
}

// checkLedger adds what the ledger knows about the configuration, if there is one.
func (p *program) checkLedger(ctx context.Context, c *config.Config, diff bool, result *checkJSON) (err error) {
	r, err := readerIfAny(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r != nil {
		if err := warnRenamed(ctx, r, c); err != nil {
			return err
		}
	}
	if diff {
		if result.Diff, err = diffOf(ctx, r, c); err != nil {
			return err
		}
	}
	result.Paused, err = pausedNow(ctx, r, c)
	return err
}
