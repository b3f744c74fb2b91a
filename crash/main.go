// Command crash kills the real program again and again and checks after each kill
// what its ledger says against what a server saw.
//
// A round is one source, one ledger and one server. The program is started ('run',
// 'serve' or 'resolve'), dies (at a random instant, around a trigger, at a named
// failpoint, in its recovery as well), its files are checked, and it is started
// again, until nothing is left to send or to decide. The server writes each trigger
// down before it answers, and answers as seeded: mostly it accepts. The checks
// share no code with the program: they read the server's log and ask SQL of a copy
// of the ledger.
//
// Each round draws all that it does from the seed, the policy and its number, so a
// failure can be repeated; the instants of the kernel's scheduler cannot.
// docs/reliability.md says what is checked.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options are the flags.
type options struct {
	kills   int
	policy  string // "" is both
	seed    uint64
	round   uint64 // 0: all
	lanes   int
	power   bool
	mutants bool
	dir     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := begin(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "crash: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("crash", flag.ContinueOnError)
	f.IntVar(&o.kills, "kills", 1000, "kill at least `N` times with each policy")
	f.StringVar(&o.policy, "policy", "", "only this `POLICY`, hold or resend (default both)")
	f.Uint64Var(&o.seed, "seed", 0, "draw everything from this `SEED` (default another one each time)")
	f.Uint64Var(&o.round, "round", 0, "only round `N`, to repeat a failure")
	f.IntVar(&o.lanes, "lanes", 4, "rounds at a time")
	f.BoolVar(&o.power, "power", false, "power cuts in place of kills; needs root, loop devices and mkfs.ext4")
	f.BoolVar(&o.mutants, "mutants", false, "prove that the harness finds the known mistakes")
	f.StringVar(&o.dir, "dir", "", "work in this `FOLDER` and leave failed rounds there (default a temporary one)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.kills < 1 || o.lanes < 1 || f.NArg() > 0 || o.policy != "" && o.policy != "hold" && o.policy != "resend" {
		return o, errors.New("-kills and -lanes are at least 1, -policy is hold or resend, and there are no arguments")
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	if o.dir == "" {
		o.dir, err = os.MkdirTemp("", "worqcron-crash-")
		return o, err
	}
	if o.dir, err = filepath.Abs(o.dir); err == nil {
		err = os.MkdirAll(o.dir, 0o700)
	}
	return o, err
}

func begin(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	fmt.Printf("seed %d\n", o.seed)
	if o.mutants {
		err = hunt(ctx, o, os.Stdout)
	} else {
		err = crash(ctx, o)
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(o.dir)
}

// crash runs a campaign with each policy.
func crash(ctx context.Context, o options) error {
	p, err := build(ctx, o.dir, "")
	if err != nil {
		return err
	}
	ways := newTally()
	for _, policy := range []string{"hold", "resend"} {
		if o.policy != "" && o.policy != policy {
			continue
		}
		c := &campaign{
			policy: policy, seed: o.seed, kills: o.kills, lanes: o.lanes, power: o.power, program: p, dir: o.dir, keep: true, tally: newTally(),
		}
		began := time.Now()
		if o.round != 0 {
			err = c.round(ctx, o.round)
		} else {
			err = c.run(ctx)
		}
		c.tally.print(os.Stdout, policy, time.Since(began))
		if errors.Is(err, errNoDisk) {
			fmt.Println("skipped:", err)
			return nil
		}
		if err != nil {
			return err
		}
		ways.add(c.tally)
	}
	fmt.Println("ways to die")
	ways.printWays(os.Stdout)
	if missed := ways.never(); len(missed) > 0 && !o.power && ways.kills >= enoughForAll {
		return fmt.Errorf("nothing was killed at the failpoints %v: are they still in the program?", missed)
	}
	return nil
}

// enoughForAll is after how many kills each failpoint must have had one.
const enoughForAll = 2000
