package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// resolveRequest is what 'resolve' asks for.
type resolveRequest struct {
	Run      string         `json:"run"`
	Chunk    int64          `json:"chunk,omitempty"`
	Decision batch.Decision `json:"decision"`
	Reason   string         `json:"reason"`
	Actor    string         `json:"actor"`
}

func newResolve(p *program) *cobra.Command {
	var q resolveRequest
	var accepted, resend, abandon, yes bool
	c := &cobra.Command{
		Use:   "resolve RUN (--accepted | --resend | --abandon) --reason TEXT",
		Short: "decide triggers that may or may not have been accepted",
		Long: `resolve settles chunks that are unknown: their trigger was sent, or was about to
be, and no answer was stored. Look at WorqHat for what it received, then decide:
  --accepted  it was accepted: never sent again
  --resend    send it once more, now
  --abandon   it was not accepted and will not be sent: failed
Each decision is kept with its reason and who made it.`,
		Example: `  worqcron resolve orders@2026-11-24T02:30 --chunk 7 --accepted --reason 'seen in WorqHat'`,
		Args:    exactly("RUN"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Run, q.Actor = args[0], actor()
			var err error
			if q.Decision, err = decision(accepted, resend, abandon); err != nil {
				return err
			}
			if q.Reason == "" {
				return usageError{errors.New("resolve: --reason must say why, for the audit")}
			}
			return p.resolve(c.Context(), q, yes)
		},
	}
	f := c.Flags()
	f.BoolVar(&accepted, "accepted", false, "it was accepted")
	f.BoolVar(&resend, "resend", false, "send it once more")
	f.BoolVar(&abandon, "abandon", false, "it was not accepted and will not be sent")
	f.Int64Var(&q.Chunk, "chunk", 0, "only chunk `N` (default all unknown ones of the run)")
	f.StringVar(&q.Reason, "reason", "", "why, in your own words")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

// decision takes exactly one of the three flags.
func decision(accepted, resend, abandon bool) (d batch.Decision, err error) {
	n := 0
	for _, c := range []struct {
		given bool
		means batch.Decision
	}{{accepted, batch.DecideAccepted}, {resend, batch.DecideResend}, {abandon, batch.DecideAbandon}} {
		if c.given {
			n, d = n+1, c.means
		}
	}
	if n != 1 {
		return "", usageError{errors.New("resolve: give one of --accepted, --resend, --abandon")}
	}
	return d, nil
}

func (p *program) resolve(ctx context.Context, q resolveRequest, yes bool) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if err := p.confirmResolve(ctx, cfg, q, yes); err != nil {
		return err
	}
	ledger, err := openLedger(ctx, cfg, "resolve", p.logger(slog.LevelWarn), false)
	var busy *store.BusyError
	if errors.As(err, &busy) && busy.Role == "serve" {
		body, err := json.Marshal(q)
		if err != nil {
			return err
		}
		return p.handOverDecision(ctx, cfg, "resolve", string(body))
	}
	if err != nil {
		return err
	}
	c, run, err := p.resolveHere(ctx, cfg, ledger, q)
	if err == nil {
		err = p.printResolved(run, c)
	}
	if err := errors.Join(err, ledger.Close()); err != nil {
		return err
	}
	return codeError(runRequest{}, c)
}

// confirmResolve shows what is about to be decided and asks.
func (p *program) confirmResolve(ctx context.Context, cfg *config.Config, q resolveRequest, yes bool) error {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return err
	}
	run, err := findMeant(ctx, r, q.Run)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	c, err := r.Receipt(ctx, run)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if run.State.Ended() && c.Chunks.Unknown == 0 { // else recovery may find some
		return fmt.Errorf("run %s: nothing is unknown", run.Name())
	}
	what := count(c.Chunks.Unknown, "unknown chunk")
	if q.Chunk != 0 {
		what = fmt.Sprintf("chunk %d", q.Chunk)
	}
	question := fmt.Sprintf("%s of run %s: %s?", what, run.Name(), map[batch.Decision]string{
		batch.DecideAccepted: "count as accepted and never send again",
		batch.DecideResend:   "send once more, although WorqHat may have it",
		batch.DecideAbandon:  "give up and count as failed",
	}[q.Decision])
	return p.confirm(question, yes)
}

// confirm asks a person on a terminal; elsewhere it demands --yes.
func (p *program) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !isTerminal(p.in) {
		return usageError{fmt.Errorf("%s\n  hint: --yes says so without a terminal", question)}
	}
	fmt.Fprintf(p.err, "%s [y/N] ", question)
	var answer string
	if _, err := fmt.Fscanln(p.in, &answer); err != nil && !errors.Is(err, io.EOF) && answer != "" {
		return err
	}
	if answer != "y" && answer != "yes" && answer != "Y" {
		return exitError{exitFailed, errors.New("nothing was changed")}
	}
	return nil
}

// resolveHere decides in this process, and sends what is to be sent again.
func (p *program) resolveHere(ctx context.Context, cfg *config.Config, ledger *store.Ledger, q resolveRequest) (*store.Receipt, *store.Run, error) {
	runner := newRunner(cfg, ledger, p.logger(slog.LevelWarn))
	if _, err := recoverLedger(ctx, runner, cfg); err != nil {
		return nil, nil, err
	}
	run, err := ledger.FindRun(ctx, q.Run)
	if err != nil {
		return nil, nil, err
	}
	c, err := resolveAndResend(ctx, cfg, runner, run, q)
	return c, run, err
}

// resolveAndResend decides and, for --resend, sends at once.
func resolveAndResend(ctx context.Context, cfg *config.Config, runner *batch.Runner, run *store.Run, q resolveRequest) (*store.Receipt, error) {
	_, err := runner.Resolve(ctx, run, batch.Resolution{Decision: q.Decision, Chunk: q.Chunk, Actor: q.Actor, Reason: q.Reason})
	if err != nil {
		return nil, err
	}
	if q.Decision != batch.DecideResend {
		return runner.Ledger.Receipt(ctx, run)
	}
	s, ok := cfg.Schedule(run.Schedule)
	if !ok {
		return nil, fmt.Errorf("chunks are planned again, but the configuration has no schedule %q any more to send them with", run.Schedule)
	}
	if err := runner.Resume(ctx, &s.Job, run); err != nil {
		return nil, err
	}
	return runner.Execute(ctx, &s.Job, run, batch.Order{Origin: "manual", Actor: q.Actor})
}

func (p *program) printResolved(run *store.Run, c *store.Receipt) error {
	if p.json {
		return printJSON(p.out, c)
	}
	printReceipt(p.out, run, c)
	return nil
}

// handOverDecision has a daemon decide about a run, and prints how that stands then.
func (p *program) handOverDecision(ctx context.Context, cfg *config.Config, kind, body string) error {
	done, c, err := p.ask(ctx, cfg, kind, body)
	if err != nil {
		return err
	}
	if done.Message != "" {
		return exitError{done.ExitCode, errors.New(done.Message)}
	}
	reader, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return err
	}
	run, err := reader.FindRun(ctx, c.RunID)
	if err == nil {
		err = p.printResolved(run, c)
	}
	if err := errors.Join(err, reader.Close()); err != nil {
		return err
	}
	if done.ExitCode != exitDone {
		return exitError{code: done.ExitCode}
	}
	return nil
}
