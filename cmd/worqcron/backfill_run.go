package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// backfillSlots runs slots in order until one of them ends the backfill. run brings
// one slot's run to rest. The error is how the command ends.
func backfillSlots(ctx context.Context, r *store.Reader, list []pastSlot, run func(pastSlot) (*store.Run, *store.Receipt, error)) error {
	unsettled := 0
	for i, slot := range list {
		was, c, err := run(slot)
		if err != nil {
			return err
		}
		why, err := backfillEnds(ctx, r, was, c)
		if err != nil {
			return err
		}
		if why != "" {
			if left := len(list) - i - 1; left > 0 {
				why += fmt.Sprintf("; %s after it did not run", count(int64(left), "slot"))
			}
			return exitError{exitFailed, fmt.Errorf("%s\n  hint: the same command goes on here", why)}
		}
		if c.Status == store.Partial || c.Status == store.Held {
			unsettled++
		}
	}
	if unsettled > 0 {
		return exitError{exitUnsettled, fmt.Errorf("%s of %d went to the end with something dead, failed or held", count(int64(unsettled), "run"), len(list))}
	}
	return nil
}

// backfillHere runs the slots in this process.
func (p *program) backfillHere(ctx context.Context, cfg *config.Config, s config.Schedule, ledger *store.Ledger, q backfillRequest) error {
	runner := newRunner(cfg, ledger, p.logger(slog.LevelWarn))
	if _, err := recoverLedger(ctx, runner, cfg); err != nil {
		return err
	}
	list, err := q.taken(ctx, &ledger.Reader, s) // what recovery settled counts
	if err != nil {
		return err
	}
	stop, err := serveCancels(ctx, runner)
	if err != nil {
		return err
	}
	var runs []*store.Receipt
	err = backfillSlots(ctx, &ledger.Reader, list, func(slot pastSlot) (*store.Run, *store.Receipt, error) {
		run, c, err := p.backfillSlotHere(ctx, runner, s, q, slot)
		if c != nil {
			runs = append(runs, c)
			p.printBackfilled(c)
		}
		return run, c, err
	})
	stop()
	return errors.Join(p.printBackfill(q, runs, err), err)
}

func (p *program) backfillSlotHere(ctx context.Context, runner *batch.Runner, s config.Schedule, q backfillRequest, slot pastSlot) (*store.Run, *store.Receipt, error) {
	run, o, err := startBackfill(ctx, runner, &s.Job, slot.at, q.Actor)
	if err != nil {
		return nil, nil, err
	}
	o.Watched, o.Progress = true, &batch.Progress{}
	hide := p.showProgress(o.Progress, func() string { return waitsText(s, runner.Budget.Paused, time.Now()) })
	c, err := runner.Execute(ctx, &s.Job, run, o)
	hide()
	if err == nil && ctx.Err() != nil {
		err = exitError{exitInterrupted, errors.New("interrupted: the same command goes on")}
	}
	return run, c, err
}

// handOverBackfill lets the daemon do it, and prints the runs that it made.
func (p *program) handOverBackfill(ctx context.Context, cfg *config.Config, q backfillRequest, chosen []pastSlot) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	asked := time.Now().Truncate(time.Millisecond) // as the ledger has times
	done, _, err := p.ask(ctx, cfg, "backfill", string(body))
	if err != nil {
		return err
	}
	runs, err := p.backfilledSince(ctx, cfg, q, chosen, asked)
	if err != nil {
		return err
	}
	for _, c := range runs {
		p.printBackfilled(c)
	}
	if done.Message != "" {
		err = exitError{done.ExitCode, errors.New(done.Message)}
	} else if done.ExitCode != exitDone {
		err = exitError{code: done.ExitCode}
	}
	return errors.Join(p.printBackfill(q, runs, err), err)
}

// backfilledSince are the runs of the slots that came to rest since an instant.
func (p *program) backfilledSince(ctx context.Context, cfg *config.Config, q backfillRequest, chosen []pastSlot, since time.Time) (runs []*store.Receipt, err error) {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, slot := range chosen {
		run, err := r.LatestOfSlot(ctx, q.Schedule, slot.at)
		if err != nil {
			return nil, err
		}
		if run == nil || run.FinishedAt == nil || run.FinishedAt.Before(since) {
			continue
		}
		c, err := r.Receipt(ctx, run)
		if err != nil {
			return nil, err
		}
		runs = append(runs, c)
	}
	return runs, nil
}
