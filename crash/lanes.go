package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// campaign is many rounds of one policy.
type campaign struct {
	policy  string
	seed    uint64
	kills   int // at least
	lanes   int
	power   bool // power cuts in place of kills
	program program
	dir     string
	keep    bool // folders of failed rounds
	tally   *tally
}

// failedRound is a round that found something.
type failedRound struct {
	campaign *campaign
	number   uint64
	what     crashCase
	dir      string
	err      error
}

func (f *failedRound) Error() string {
	power := ""
	if f.campaign.power {
		power = "-power "
	}
	kept := ""
	if f.campaign.keep {
		kept = "\nwhat it left is in " + f.dir
	}
	return fmt.Sprintf("round %d (%s), seed %d: %v\nrepeat it with: go run ./crash %s-policy %s -seed %d -round %d%s",
		f.number, f.what, f.campaign.seed, f.err, power, f.campaign.policy, f.campaign.seed, f.number, kept)
}

func (f *failedRound) Unwrap() error { return f.err }

// run plays rounds in parallel lanes until there were enough kills, or one fails.
func (c *campaign) run(ctx context.Context) error {
	lanes, lctx := errgroup.WithContext(ctx)
	var number atomic.Uint64
	for range c.lanes {
		lanes.Go(func() error {
			for c.tally.killsSoFar() < c.kills {
				if err := c.round(lctx, number.Add(1)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return lanes.Wait()
}

// round plays one round; all that it draws comes from the seed, the policy and its
// number.
func (c *campaign) round(ctx context.Context, number uint64) (err error) {
	random := rand.New(rand.NewPCG(c.seed, number<<8|uint64(c.policy[0])))
	what := drawCase(random, c.policy)
	dir := filepath.Join(c.dir, fmt.Sprintf("%s-%d", c.policy, number))
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	r := &round{crashCase: what, program: c.program, tally: c.tally, rand: random, dir: dir, state: state}
	if c.power {
		if r.disk, err = newDisk(ctx, dir, state); err != nil {
			return err
		}
	}
	err = r.setUp(ctx, random.Uint64())
	if err == nil {
		err = r.play(ctx)
	}
	if ctx.Err() != nil { // another lane failed, or somebody lost patience
		return errors.Join(ctx.Err(), r.close(false))
	}
	if err != nil {
		err = &failedRound{campaign: c, number: number, what: what, dir: dir, err: err}
	}
	return errors.Join(err, r.close(err != nil && c.keep))
}
