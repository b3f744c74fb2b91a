package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"worqcron/config"
	"worqcron/store"
)

// reconcileRequest is what 'reconcile' asks for.
type reconcileRequest struct {
	Run   string        `json:"run,omitempty"` // "": all runs that began within Since
	Since time.Duration `json:"since"`
}

const reconcileSince = 7 * 24 * time.Hour

func newReconcile(p *program) *cobra.Command {
	q := reconcileRequest{}
	c := &cobra.Command{
		Use:   "reconcile [RUN]",
		Short: "look up at WorqHat how accepted triggers ended, and what unknown ones may be",
		Long: `reconcile reads WorqHat's list of executions for the days of a run, or of all runs
of the last days, and stores in the ledger
  - how each accepted trigger's execution stands: completed, failed, running, or
    not listed (which may only mean: not yet);
  - which execution belongs to a trigger that was accepted without an id, if only
    one fits;
  - for each unknown trigger the executions that may be its own: of the same
    flow, begun while it was under way, and claimed by no other trigger.
It changes no outcome. A hint informs whoever resolves; it decides nothing.

It exits 3 if an execution failed or a trigger is unknown.`,
		Example: `  worqcron reconcile orders@2026-11-24T02:30
  worqcron reconcile --since 48h`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exactly("RUN")(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.Run = args[0]
			}
			if q.Since <= 0 {
				return usageError{errors.New("reconcile: --since must be more than nothing, for example 48h")}
			}
			return p.reconcile(c.Context(), q)
		},
	}
	c.Flags().DurationVar(&q.Since, "since", reconcileSince, "without RUN: the runs that began within this `TIME`")
	return c
}

// runs are those that a request means.
func (q reconcileRequest) runs(ctx context.Context, r *store.Reader) ([]*store.Run, error) {
	if q.Run == "" {
		list, err := r.RunsSince(ctx, time.Now().Add(-q.Since))
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("no run began in the last %s", q.Since)
		}
		return list, err
	}
	run, err := findShown(ctx, r, q.Run)
	if err != nil {
		return nil, err
	}
	return []*store.Run{run}, nil
}

func (p *program) reconcile(ctx context.Context, q reconcileRequest) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if reader, err := p.mustRead(ctx); err != nil { // a missing ledger is an error, not a new one
		return err
	} else if err := reader.Close(); err != nil {
		return err
	}
	ledger, err := openLedger(ctx, cfg, "reconcile", p.logger(slog.LevelWarn), false)
	var busy *store.BusyError
	if errors.As(err, &busy) && busy.Role == "serve" {
		return p.handOverReconcile(ctx, cfg, q)
	}
	if err != nil {
		return err
	}
	code, err := p.reconcileHere(ctx, cfg, ledger, q)
	if err := errors.Join(err, ledger.Close()); err != nil {
		return err
	}
	return exitWith(code)
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError{code: code}
}

func (p *program) reconcileHere(ctx context.Context, cfg *config.Config, ledger *store.Ledger, q reconcileRequest) (code int, err error) {
	runner := newRunner(cfg, ledger, p.logger(slog.LevelWarn))
	if _, err := recoverLedger(ctx, runner, cfg); err != nil {
		return exitFailed, err
	}
	runs, err := q.runs(ctx, &ledger.Reader)
	if err != nil {
		return exitFailed, err
	}
	if err := runner.Reconcile(ctx, runs); err != nil {
		return exitFailed, err
	}
	return p.printReconciled(ctx, &ledger.Reader, runs)
}

func (p *program) handOverReconcile(ctx context.Context, cfg *config.Config, q reconcileRequest) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	done, _, err := p.ask(ctx, cfg, "reconcile", string(body))
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
	runs, err := q.runs(ctx, reader)
	code := exitFailed
	if err == nil {
		code, err = p.printReconciled(ctx, reader, runs)
	}
	if err := errors.Join(err, reader.Close()); err != nil {
		return err
	}
	return exitWith(code)
}

// reconciledJSON is what is known of one run's executions.
type reconciledJSON struct {
	RunID    string              `json:"run_id"`
	Name     string              `json:"name"`
	Accepted store.RemoteBalance `json:"accepted"`
	Unknown  []doubtfulJSON      `json:"unknown"` // triggers whose execution is in doubt
}

// doubtfulJSON is an attempt that may have started an execution, with hints.
type doubtfulJSON struct {
	Chunk     int64      `json:"chunk"`
	AttemptID int64      `json:"attempt_id"`
	Outcome   string     `json:"outcome"` // unknown or accepted_no_id
	From      time.Time  `json:"from"`    // when its intent was committed
	Until     *time.Time `json:"until"`   // when its outcome was
	Hints     []hintJSON `json:"hints"`
}

type hintJSON struct {
	ExecutionID string    `json:"execution_id"`
	Status      string    `json:"status"`
	StartedAt   time.Time `json:"started_at"`
}

// printReconciled prints what is known of the runs and says what to exit with.
func (p *program) printReconciled(ctx context.Context, r *store.Reader, runs []*store.Run) (code int, err error) {
	list := []reconciledJSON{}
	for _, run := range runs {
		j, err := reconciled(ctx, r, run)
		if err != nil {
			return exitFailed, err
		}
		if j.Accepted.Failed > 0 || len(j.Unknown) > 0 {
			code = exitUnsettled
		}
		list = append(list, j)
	}
	if p.json {
		return code, printJSON(p.out, map[string]any{"runs": list})
	}
	for i, j := range list {
		p.between(i)
		printRemote(p.out, j, runs[i].Zone)
	}
	return code, nil
}

func reconciled(ctx context.Context, r *store.Reader, run *store.Run) (j reconciledJSON, err error) {
	j = reconciledJSON{RunID: run.RunID, Name: run.Name(), Unknown: []doubtfulJSON{}}
	if j.Accepted, err = r.Remote(ctx, run.ID); err != nil {
		return j, err
	}
	doubtful, err := r.Doubtful(ctx, run.ID)
	for _, a := range doubtful {
		d := doubtfulJSON{Chunk: a.Chunk, AttemptID: a.AttemptID, Outcome: a.Outcome, From: a.StartedAt, Until: a.FinishedAt}
		if d.Hints, err = hintsJSON(ctx, r, a.AttemptID); err != nil {
			return j, err
		}
		if a.Outcome == "unknown" || len(d.Hints) > 0 {
			j.Unknown = append(j.Unknown, d)
		}
	}
	return j, err
}

func hintsJSON(ctx context.Context, r *store.Reader, attemptID int64) ([]hintJSON, error) {
	list := []hintJSON{}
	hints, err := r.Hints(ctx, attemptID)
	for _, h := range hints {
		list = append(list, hintJSON{h.ExecutionID, string(h.Status), h.StartedAt})
	}
	return list, err
}

func printRemote(w io.Writer, j reconciledJSON, zone string) {
	fmt.Fprintf(w, "run       %s  (%s)\n", j.Name, j.RunID)
	printRemoteBalance(w, j.Accepted, zone)
	if j.Accepted.Failed > 0 {
		fmt.Fprintf(w, "          worqcron redrive %s --failed-remotely sends those that failed again\n", j.Name)
	}
	for _, d := range j.Unknown {
		fmt.Fprintf(w, "chunk %d   %s, under way from %s\n", d.Chunk, doubtText(d), localTime(d.From, zone))
		for _, h := range d.Hints {
			fmt.Fprintf(w, "          %s  started %s, %s\n", h.ExecutionID, localTime(h.StartedAt, zone), h.Status)
		}
	}
	if len(j.Unknown) > 0 {
		fmt.Fprintf(w, "hints decide nothing: worqcron resolve %s --chunk N --accepted | --resend | --abandon --reason TEXT\n", j.Name)
	}
}

// printRemoteBalance prints one line, if there is something accepted.
func printRemoteBalance(w io.Writer, b store.RemoteBalance, zone string) {
	if b.LookedUpAt == nil {
		return
	}
	late := ""
	if b.NotLookedUp > 0 {
		late = fmt.Sprintf(", %d not known", b.NotLookedUp)
	}
	fmt.Fprintf(w, "remote    %d completed, %d failed, %d running, %d not listed%s, as of %s\n",
		b.Completed, b.Failed, b.Running, b.NotListed, late, localTime(*b.LookedUpAt, zone))
}

func doubtText(d doubtfulJSON) string {
	what := "unknown"
	if d.Outcome != "unknown" {
		what = "accepted without an id"
	}
	if len(d.Hints) == 0 {
		return what + ": no execution is listed that could be its own (it may be late)"
	}
	return fmt.Sprintf("%s: %s that no other trigger claims", what, count(int64(len(d.Hints)), "execution"))
}
