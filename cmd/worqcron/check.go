package main

import (
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
}

func newCheck(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "validate the configuration: all errors and warnings at once",
		Long: `check reads the configuration and prints every mistake with its file, line and
column and a hint, all at once. Warnings (a missing directory, a missing key)
do not stop the daemon; they fail the runs that they concern.`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return p.check() },
	}
}

func (p *program) check() error {
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
	if r.OK {
		fmt.Fprintf(p.out, "%s: good, %s\n", c.File, count(int64(len(c.Schedules)), "schedule"))
	} else {
		fmt.Fprintf(p.out, "%s, %s\n", count(int64(len(r.Errors)), "error"), count(int64(len(r.Warnings)), "warning"))
	}
}
