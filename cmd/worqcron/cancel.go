package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// cancelRequest is what 'cancel' asks for.
type cancelRequest struct {
	Run    string `json:"run"`
	Reason string `json:"reason"`
	Actor  string `json:"actor"`
}

func newCancel(p *program) *cobra.Command {
	var q cancelRequest
	var yes bool
	c := &cobra.Command{
		Use:   "cancel RUN",
		Short: "give up what of a run was not sent, for good",
		Long: `cancel ends a run for good: what of it is planned is never sent and counts as
failed, with your reason. A run under way sends nothing new from then on; what is
under way comes home first, for shutdown_timeout at most. What WorqHat accepted
stays accepted, and what is unknown stays unknown ('worqcron resolve' decides it).

'worqcron run NAME' then starts afresh, also with the records that were given up.`,
		Example: `  worqcron cancel orders@2026-11-24T02:30 --reason 'the wrong export'`,
		Args:    exactly("RUN"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Run, q.Actor = args[0], actor()
			return p.cancel(c.Context(), q, yes)
		},
	}
	f := c.Flags()
	f.StringVar(&q.Reason, "reason", "by hand", "why, in your own words")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (p *program) cancel(ctx context.Context, q cancelRequest, yes bool) error {
	if q.Reason == "" {
		return usageError{errors.New("cancel: --reason is empty")}
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if q.Run, err = p.confirmCancel(ctx, cfg, q, yes); err != nil {
		return err
	}
	ledger, err := openLedger(ctx, cfg, "cancel", p.logger(slog.LevelWarn), false)
	var busy *store.BusyError
	if errors.As(err, &busy) && (busy.Role == "serve" || busy.Role == "run") {
		return p.handOverCancel(ctx, cfg, q)
	}
	if err != nil {
		return err
	}
	c, run, err := p.cancelHere(ctx, cfg, ledger, q)
	if err == nil {
		err = p.printResolved(run, c)
	}
	return errors.Join(err, ledger.Close())
}

// confirmCancel shows what is about to be given up, asks, and returns the run's id.
func (p *program) confirmCancel(ctx context.Context, cfg *config.Config, q cancelRequest, yes bool) (runID string, err error) {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	run, err := findMeant(ctx, r, q.Run)
	if err != nil {
		return "", err
	}
	c, err := r.Receipt(ctx, run)
	if err != nil {
		return "", err
	}
	what := fmt.Sprintf("%s with %s", count(c.Chunks.Pending, "planned chunk"), count(c.Records.Pending, "record"))
	switch {
	case run.PlannedAt == nil && (run.State == store.Planning || run.State == store.Stopped):
		what = "its whole source, which has no plan yet,"
	case run.State.Ended() && c.Chunks.Pending == 0: // a run under way may still make some
		hint := fmt.Sprintf("it is %s; 'worqcron run %s --new' starts another", run.State, run.Schedule)
		if c.Chunks.Unknown > 0 {
			hint = "what is unknown is decided by 'worqcron resolve'"
		}
		return "", fmt.Errorf("run %s: nothing is planned, so there is nothing to cancel\n  hint: %s", run.Name(), hint)
	}
	return run.RunID, p.confirm(fmt.Sprintf("run %s: give up %s for good?", run.Name(), what), yes)
}

// cancelHere cancels in this process: no run is under way.
func (p *program) cancelHere(ctx context.Context, cfg *config.Config, ledger *store.Ledger, q cancelRequest) (*store.Receipt, *store.Run, error) {
	runner := newRunner(cfg, ledger, p.logger(slog.LevelWarn))
	if _, err := recoverLedger(ctx, runner, cfg); err != nil {
		return nil, nil, err
	}
	run, err := ledger.FindRun(ctx, q.Run)
	if err != nil {
		return nil, nil, err
	}
	if _, err := runner.Cancel(ctx, run, batch.Cancellation{Actor: q.Actor, Reason: q.Reason}); err != nil {
		return nil, nil, err
	}
	if run, err = ledger.FindRun(ctx, q.Run); err != nil {
		return nil, nil, err
	}
	c, err := ledger.Receipt(ctx, run)
	return c, run, err
}

func (p *program) handOverCancel(ctx context.Context, cfg *config.Config, q cancelRequest) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return p.handOverDecision(ctx, cfg, "cancel", string(body))
}
