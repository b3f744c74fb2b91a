// Command worqcron runs WorqHat flows on cron schedules and feeds whole files
// through them. This package is the wiring: one file a subcommand, flags,
// output, exit codes. What a run does is decided in package batch.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"worqcron/batch"
)

func main() { os.Exit(Main()) }

// Main runs the program with the arguments and files of the process and
// returns its exit code.
func Main() int {
	syscall.Umask(0o077) // bodies and dead letters are personal data
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := watchSignals(cancel)
	defer stop()
	root := newRoot(&program{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	err := root.ExecuteContext(ctx)
	return report(os.Stderr, err)
}

// watchSignals ends the context at the first SIGINT or SIGTERM, so that what is
// under way can come to rest, and the process at the second.
func watchSignals(cancel context.CancelCauseFunc) (stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			if s == os.Interrupt {
				cancel(batch.ErrInterruptedByHand)
			} else {
				cancel(context.Canceled)
			}
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// program is what all subcommands share: where they write, and the global flags.
type program struct {
	in       io.Reader
	out, err io.Writer
	config   string // -c
	json     bool
	verbose  bool
}

const exitHelp = `
Exit codes:
  0    done
  1    failed or stopped
  2    wrong usage
  3    went to its end, but something is dead, failed or held
  75   another sender holds the ledger
  78   the configuration is invalid
  130  interrupted
`

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "worqcron",
		Short: "run WorqHat flows on schedules and feed whole files through them",
		Long: `worqcron runs WorqHat flows on cron schedules and feeds whole files through them.
It commits what it is about to send before it sends it, so it can say after a
crash what WorqHat accepted, and a rerun sends only the rest.

Start with 'worqcron demo': it needs no account and no network.
` + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\n  hint: %s --help", err, c.CommandPath())}
	})
	f := root.PersistentFlags()
	f.StringVarP(&p.config, "config", "c", "", "configuration `FILE` (default ./schedules.toml, then /etc/worqcron/schedules.toml)")
	f.BoolVar(&p.json, "json", false, "print the result as JSON")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "log each chunk")
	root.AddCommand(
		newServe(p),
		newCheck(p),
		newNext(p),
		newPlan(p),
		newRun(p),
		newRuns(p),
		newShow(p),
		newWhy(p),
		newTrace(p),
		newExport(p),
		newVerify(p),
		newResolve(p),
		newReconcile(p),
		newNotify(p),
		newCancel(p),
		newPause(p),
		newResume(p),
		newRedrive(p),
		newBackfill(p),
		newBackup(p),
		newSandbox(p),
		newDemo(p),
		newVersion(p),
	)
	return root
}

// report prints an error the way all commands do and chooses the exit code.
func report(w io.Writer, err error) int {
	code := exitCode(err)
	var quiet exitError
	if err == nil || errors.As(err, &quiet) && quiet.err == nil {
		return code
	}
	fmt.Fprintf(w, "worqcron: %v\n", err)
	return code
}

// exactly is cobra.ExactArgs with an error that names what is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usageError{fmt.Errorf("%s: %s is missing\n  hint: %s --help", c.CommandPath(), names[len(args)], c.CommandPath())}
		case len(args) > len(names):
			return usageError{fmt.Errorf("%s: unexpected argument %q", c.CommandPath(), args[len(names)])}
		}
		return nil
	}
}
