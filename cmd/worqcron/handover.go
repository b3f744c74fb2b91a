package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// A command that finds the ledger held by a daemon hands its request over as a
// row, follows the run that serves it, and ends with the daemon's verdict.

// followEvery is how often a followed run is looked at; less often where a look
// takes long.
const followEvery = 200 * time.Millisecond

func (p *program) handOver(ctx context.Context, cfg *config.Config, kind string, q runRequest) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	done, c, err := p.ask(ctx, cfg, kind, string(body))
	if err != nil {
		return err
	}
	reader, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return err
	}
	if err := errors.Join(p.printRun(ctx, reader, c, q), reader.Close()); err != nil {
		return err
	}
	if done.Message != "" {
		return exitError{done.ExitCode, errors.New(done.Message)}
	}
	p.printForecast(cfg, c, q)
	if done.ExitCode != exitDone {
		return exitError{code: done.ExitCode}
	}
	return nil
}

// ask hands a request over and follows it to its end. The receipt is that of
// the run that served it; nil if none did.
func (p *program) ask(ctx context.Context, cfg *config.Config, kind, body string) (store.Request, *store.Receipt, error) {
	id, err := store.Ask(ctx, cfg.Ledger.Path, kind, body)
	if err != nil {
		return store.Request{}, nil, err
	}
	reader, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if err != nil {
		return store.Request{}, nil, err
	}
	holder := "a daemon"
	if store.Holder(cfg.Ledger.Path).Role == "run" {
		holder = "a run in the foreground"
	}
	fmt.Fprintf(p.err, "%s holds the ledger: handed over to it, Ctrl-C only stops following\n", holder)
	done, c, err := p.follow(ctx, reader, id)
	return done, c, errors.Join(err, reader.Close())
}

func (p *program) follow(ctx context.Context, reader *store.Reader, id int64) (done store.Request, c *store.Receipt, err error) {
	progress := &batch.Progress{}
	var run *store.Run
	hide := func() {}
	defer func() { hide() }()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return done, nil, exitError{exitInterrupted, errors.New("no longer following; the daemon goes on with it")}
		case <-tick.C:
		}
		if done, err = reader.Request(ctx, id); err != nil {
			return done, nil, err
		}
		if done.RunID != "" {
			first := run == nil
			if run, err = reader.FindRun(ctx, done.RunID); err != nil {
				return done, nil, err
			}
			asked := time.Now()
			if c, err = reader.Receipt(ctx, run); err != nil {
				return done, nil, err
			}
			tick.Reset(max(followEvery, 20*time.Since(asked)))
			progress.Follow(c)
			if first {
				schedule := run.Schedule
				hide = p.showProgress(progress, func() string {
					text, err := p.waitsOfAnother(ctx, reader, schedule)
					if err != nil {
						return fmt.Sprintf("what it waits for is not known: %v", err)
					}
					return text
				})
			}
		}
		if done.Finished {
			return done, c, nil
		}
		if err := holderLives(reader.Path()); err != nil {
			return done, c, err
		}
	}
}

// holderLives says whether the process that took a request over still exists.
func holderLives(ledger string) error {
	holder := store.Holder(ledger)
	if holder.PID != 0 && errors.Is(syscall.Kill(holder.PID, 0), syscall.ESRCH) {
		return fmt.Errorf("the daemon (process %d) ended before the run did: start it again, or run the command again", holder.PID)
	}
	return nil
}
