package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// round is one source, one ledger and one server, and a program that is killed
// again and again until its run has come to rest.
type round struct {
	crashCase
	program program
	tally   *tally
	rand    *rand.Rand
	dir     string // of the round: the server's log
	state   string // the program's folder
	input   input
	server  *server
	disk    *disk // nil: kills; else power cuts

	starts int
	clean  bool         // the last start ended by itself
	ends   map[int]bool // by start: it ended by itself
	ledger *ledger      // as the last check found it; nil: there is none
}

// Limits of one round.
const (
	maxKills  = 12
	maxStarts = 60
)

// setUp makes the folder, the source, the configuration and the server.
func (r *round) setUp(ctx context.Context, seed uint64) (err error) {
	r.clean, r.ends = true, map[int]bool{}
	if r.input, err = r.crashCase.input(); err != nil {
		return err
	}
	if r.server, err = startServer(seed, filepath.Join(r.dir, "server.log")); err != nil {
		return err
	}
	for _, f := range r.input.files {
		if err := os.WriteFile(filepath.Join(r.state, f.name), f.data, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(r.state, "schedules.toml"), []byte(r.configuration(r.server.url)), 0o600); err != nil {
		return err
	}
	if r.disk != nil {
		return r.disk.sync(ctx)
	}
	return nil
}

// play kills, checks, and in the end lets the run come to rest.
func (r *round) play(ctx context.Context) error {
	kills := 0
	for kills < maxKills && r.starts < maxStarts && !r.atRest() {
		command := r.nextCommand()
		killed, err := r.run(ctx, r.nextDeath(command[0]), command...)
		if err != nil {
			return err
		}
		if killed {
			kills++
		}
		if err := r.check(ctx, false); err != nil {
			return err
		}
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	r.tally.round(r)
	return nil
}

func (r *round) nextDeath(command string) death {
	if r.disk != nil {
		return r.disk.nextDeath(r.rand)
	}
	return r.drawDeath(command)
}

// atRest says whether nothing is left to send or to decide.
func (r *round) atRest() bool {
	return r.clean && r.ledger != nil && len(r.ledger.runs) > 0 && !r.ledger.open() && len(r.ledger.unknown()) == 0
}

// nextCommand is what the next start does: go on with the run, by hand or by the
// daemon, or decide an unknown chunk.
func (r *round) nextCommand() []string {
	if unknown := r.ledger.unknown(); len(unknown) > 0 && (r.rand.IntN(2) == 0 || r.clean && !r.ledger.open()) {
		return r.resolve(unknown[r.rand.IntN(len(unknown))])
	}
	if r.daemon && r.ledger.open() && r.rand.IntN(2) == 0 {
		return []string{"serve"}
	}
	return []string{"run", schedule, "--at", slot}
}

// resolve decides one chunk by what the server saw, as a person would who has looked.
func (r *round) resolve(c *chunkRow) []string {
	return []string{"resolve", r.ledger.runs[0].runID, r.decision(c), "--chunk", strconv.FormatInt(c.chunk, 10), "--reason", "the server's log", "--yes"}
}

func (r *round) decision(c *chunkRow) string {
	for _, t := range r.server.triggers() {
		if t.Key == c.key && t.given.accepts {
			return "--accepted"
		}
	}
	return "--resend"
}

// resolveAll decides all unknown chunks. Those to be sent again come first, one by
// one, since what was sent again may be unknown anew; the others are decided at once.
func (r *round) resolveAll(ctx context.Context, unknown []*chunkRow) error {
	again := false
	for _, c := range unknown {
		if r.decision(c) == "--resend" {
			again = true
			if _, err := r.run(ctx, death{}, r.resolve(c)...); err != nil {
				return err
			}
		}
	}
	if again {
		return nil // the caller looks what is left
	}
	_, err := r.run(ctx, death{}, "resolve", r.ledger.runs[0].runID, "--accepted", "--reason", "the server's log", "--yes")
	return err
}

// finish lets the run come to rest, without a kill.
func (r *round) finish(ctx context.Context) error {
	for range maxStarts {
		if _, err := r.run(ctx, death{}, "run", schedule, "--at", slot); err != nil {
			return err
		}
		if err := r.check(ctx, false); err != nil {
			return err
		}
		unknown := r.ledger.unknown()
		if len(unknown) == 0 && !r.ledger.open() {
			return r.check(ctx, true)
		}
		if len(unknown) == 0 {
			continue // stopped: it goes on
		}
		if err := r.resolveAll(ctx, unknown); err != nil {
			return err
		}
	}
	return fmt.Errorf("the run never came to rest: %+v", r.ledger.runs)
}

// close ends the server and removes the round's folder, unless it is to be looked
// at.
func (r *round) close(keep bool) error {
	var err error
	if r.server != nil {
		err = r.server.close()
	}
	if r.disk != nil {
		err = errors.Join(err, r.disk.close())
	}
	if keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}
