package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// redriveRequest is what 'redrive' asks for.
type redriveRequest struct {
	Run string `json:"run"`
	batch.Redrive
	Actor string `json:"actor"`
}

func newRedrive(p *program) *cobra.Command {
	var q redriveRequest
	var dryRun, yes bool
	c := &cobra.Command{
		Use:   "redrive RUN",
		Short: "send again what failed of a run, as a new run",
		Long: `redrive sends again what failed of a run: by default all failed chunks, exactly
the records that they had, read from the source while it is as it was, else taken
from the bodies that were kept. It is a run of its own, with its own receipt; the
chunks of both are linked, and the earlier run stays as it is. What went out
since is left out, so a second redrive sends nothing twice.

A refused chunk (400 and others), or one whose flow failed, may have run a flow
all the same: redrive counts those and asks first.

  --failed-remotely  chunks that were accepted and whose execution then failed at
                     WorqHat, as 'worqcron reconcile RUN' found out
  --dead             dead letters, after you mended them in their file: only what
                     stands in their places is sent, and nothing else in the file
                     may have changed. It needs a plain file, not a compressed one`,
		Example: `  worqcron redrive orders@2026-11-24T02:30 --dry-run
  worqcron redrive orders@2026-11-24T02:30 --reason http_400 --yes
  worqcron redrive orders@2026-11-24T02:30 --chunk 7
  worqcron redrive orders@2026-11-24T02:30 --dead`,
		Args: exactly("RUN"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Run, q.Actor = args[0], actor()
			if err := q.check(); err != nil {
				return err
			}
			return p.redrive(c.Context(), q, dryRun, yes)
		},
	}
	f := c.Flags()
	f.Int64Var(&q.Chunk, "chunk", 0, "only chunk `N`")
	f.StringVar(&q.Reason, "reason", "", "only chunks that failed for `R`: a word (http_400, success_false, abandoned) or a part of the reason shown")
	f.Int64Var(&q.Limit, "limit", 0, "only the first `N` of them")
	f.BoolVar(&q.FailedRemotely, "failed-remotely", false, "accepted chunks whose execution failed at WorqHat")
	f.BoolVar(&q.Dead, "dead", false, "dead letters that were mended in their file")
	f.BoolVar(&dryRun, "dry-run", false, "show what would be sent, and send nothing")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (q redriveRequest) check() error {
	switch {
	case q.Chunk < 0 || q.Limit < 0:
		return usageError{errors.New("redrive: --chunk and --limit must not be negative")}
	case q.Dead && q.Redrive != batch.Redrive{Dead: true}:
		return usageError{errors.New("redrive: --dead sends dead letters, so it does not go with --chunk, --reason, --limit or --failed-remotely")}
	case q.FailedRemotely && q.Reason != "":
		return usageError{errors.New("redrive: --failed-remotely is the reason, so it does not go with --reason")}
	}
	return nil
}

func (p *program) redrive(ctx context.Context, q redriveRequest, dryRun, yes bool) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if done, err := p.beforeRedrive(ctx, cfg, q, dryRun, yes); err != nil || done {
		return err
	}
	ledger, err := openLedger(ctx, cfg, "redrive", p.logger(slog.LevelWarn), false)
	var busy *store.BusyError
	if errors.As(err, &busy) && busy.Role == "serve" {
		return p.handOverRedrive(ctx, cfg, q)
	}
	if err != nil {
		return err
	}
	c, err := p.redriveHere(ctx, cfg, ledger, q)
	if err := errors.Join(err, p.printRun(ctx, &ledger.Reader, c, runRequest{}), ledger.Close()); err != nil {
		return err
	}
	return codeError(runRequest{}, c)
}

// beforeRedrive looks at what would be sent: it prints that for --dry-run, and is
// done; else it asks where a flow may have run.
func (p *program) beforeRedrive(ctx context.Context, cfg *config.Config, q redriveRequest, dryRun, yes bool) (done bool, err error) {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	run, err := findMeant(ctx, r, q.Run)
	if err != nil {
		return false, err
	}
	s, err := schedule(cfg, run.Schedule)
	if err != nil {
		return false, err
	}
	if err := batch.CanRedrive(&s.Job, run); err != nil {
		return false, err
	}
	if q.Dead {
		if !dryRun {
			return false, nil
		}
		return true, p.previewDead(ctx, r, &s.Job, run)
	}
	chosen, err := batch.SelectRedrive(ctx, r, &s.Job, run, q.Redrive)
	if err != nil {
		return false, err
	}
	if dryRun {
		return true, p.previewRedrive(ctx, r, run, chosen)
	}
	if err := chosen.Empty(run, q.Redrive); err != nil {
		return false, err
	}
	p.printLeftOut(chosen.LeftOut)
	return false, p.confirmRedrive(run, chosen, yes)
}

// confirmRedrive asks where a flow may have run with records that are about to be
// sent again.
func (p *program) confirmRedrive(run *store.Run, s *batch.Selection, yes bool) error {
	risky := s.MayHaveRun()
	total := int64(0)
	for _, n := range risky {
		total += n
	}
	if total == 0 {
		return nil
	}
	fmt.Fprintf(p.err, "warning: a flow may have run with the records of %s, although it did not succeed: %s\n", count(total, "chunk"), reasonsText(risky))
	return p.confirm(fmt.Sprintf("send %s of run %s again?", count(int64(len(s.Chosen)), "chunk"), run.Name()), yes)
}

// reasonsText is counts by reason, the most frequent first.
func reasonsText(n map[string]int64) string {
	words := slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		if n[a] != n[b] {
			return int(n[b] - n[a])
		}
		return strings.Compare(a, b)
	})
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", n[w], w)
	}
	return strings.Join(words, ", ")
}

// redriveHere does the redrive in this process.
func (p *program) redriveHere(ctx context.Context, cfg *config.Config, ledger *store.Ledger, q redriveRequest) (*store.Receipt, error) {
	runner := newRunner(cfg, ledger, p.logger(slog.LevelWarn))
	if _, err := recoverLedger(ctx, runner, cfg); err != nil {
		return nil, err
	}
	old, err := ledger.FindRun(ctx, q.Run)
	if err != nil {
		return nil, err
	}
	s, err := schedule(cfg, old.Schedule)
	if err != nil {
		return nil, err
	}
	run, err := runner.StartRedrive(ctx, &s.Job, old, q.Redrive, q.Actor)
	if err != nil {
		return nil, err
	}
	progress := &batch.Progress{}
	hide := p.showProgress(progress, func() string { return waitsText(s, runner.Budget.Paused, time.Now()) })
	c, err := runner.Execute(ctx, &s.Job, run, batch.Order{Origin: "redrive", Actor: q.Actor, Progress: progress, Watched: true})
	hide()
	if cause := context.Cause(ctx); cause != nil && err == nil && c != nil && c.Status == store.Stopped {
		err = exitError{exitInterrupted, errors.New("interrupted: 'worqcron run " + run.Schedule + "' goes on")}
	}
	return c, err
}

func (p *program) handOverRedrive(ctx context.Context, cfg *config.Config, q redriveRequest) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	done, c, err := p.ask(ctx, cfg, "redrive", string(body))
	if err != nil {
		return err
	}
	reader, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return err
	}
	if err := errors.Join(p.printRun(ctx, reader, c, runRequest{}), reader.Close()); err != nil {
		return err
	}
	if done.Message != "" {
		return exitError{done.ExitCode, errors.New(done.Message)}
	}
	if done.ExitCode != exitDone {
		return exitError{code: done.ExitCode}
	}
	return nil
}
