package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"worqcron/batch"
)

// verifyJSON is what verify found, for programs.
type verifyJSON struct {
	RunID  string        `json:"run_id"`
	Name   string        `json:"name"`
	OK     bool          `json:"ok"`   // nothing is wrong, and everything could be looked at
	Made   bool          `json:"made"` // everything could be looked at
	Checks []batch.Check `json:"checks"`
}

func newVerify(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "verify RUN",
		Short: "prove a stored run against its source, offline",
		Long: `verify reads the files of a run again and holds the ledger against them: the
receipt balances, each record is in exactly one place (a chunk, a dead letter, or
left out), each chunk gives the bytes that were planned and sent, keys and ids are
what they must be, attempts agree with what became of their chunks. RUN is a run's
id or name; a schedule's name is its latest run.

It sends nothing, writes nothing, and needs no key and no network. It exits with 1
if something is wrong, and with 3 if nothing is, but something could not be looked
at because a file is not there any more as the run read it.`,
		Example: `  worqcron verify orders
  worqcron verify orders@2026-11-24T02:30 --json`,
		Args: exactly("RUN"),
		RunE: func(c *cobra.Command, args []string) error { return p.verify(c.Context(), args[0]) },
	}
}

func (p *program) verify(ctx context.Context, name string) (err error) {
	r, err := p.mustRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	run, err := findShown(ctx, r, name)
	if err != nil {
		return err
	}
	progress := &batch.Progress{}
	hide := p.showReading(progress)
	checks, err := batch.Verify(ctx, r, run, batch.VerifyOptions{Workers: runtime.GOMAXPROCS(0), Progress: progress})
	hide()
	if err != nil {
		return err
	}
	result := verifyJSON{RunID: run.RunID, Name: run.Name(), OK: true, Made: true, Checks: checks}
	wrong := false
	for _, c := range checks {
		result.OK, result.Made, wrong = result.OK && c.OK, result.Made && c.Made, wrong || c.Made && !c.OK
	}
	if p.json {
		err = printJSON(p.out, result)
	} else {
		p.printChecks(result)
	}
	switch {
	case err != nil:
		return err
	case wrong:
		return exitError{exitFailed, nil}
	case !result.OK:
		return exitError{exitUnsettled, nil}
	}
	return nil
}

func (p *program) printChecks(v verifyJSON) {
	fmt.Fprintf(p.out, "run  %s  (%s)\n\n", v.Name, v.RunID)
	for _, c := range v.Checks {
		word := "proved"
		switch {
		case !c.Made:
			word = "not made"
		case !c.OK:
			word = "WRONG"
		}
		fmt.Fprintf(p.out, "%-9s %-18s %s\n", word, c.Name, c.Detail)
	}
}
