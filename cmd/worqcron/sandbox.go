package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/spf13/cobra"

	"worqcron/worqhat/sandbox"
)

// sandboxFlags are the flags of 'sandbox'.
type sandboxFlags struct {
	options     sandbox.Options
	faults, log string
	check       string
}

func newSandbox(p *program) *cobra.Command {
	var f sandboxFlags
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "a local stand-in for the WorqHat API that can misbehave",
		Long: `sandbox serves the part of the WorqHat API that worqcron uses, on loopback only:
the JSON trigger, the file trigger, metrics and health. It checks the key, the
content type, the size and that the body is a JSON object, and fails on request.

Point worqcron at it with WORQHAT_BASE_URL or [worqhat] base_url.

Faults, with the share of triggers that they hit (their sum is at most 1):
` + sandbox.FaultHelp(),
		Example: `  worqcron sandbox --fault 429=0.1,500=0.05,reset-after=0.01
  WORQHAT_BASE_URL=http://127.0.0.1:8411 WORQHAT_API_KEY=wh_test worqcron run orders`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return p.sandbox(c.Context(), f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.options.Addr, "listen", "127.0.0.1:8411", "loopback `ADDRESS` to listen on")
	fl.StringVar(&f.faults, "fault", "", "faults as `NAME=SHARE[:DURATION],…`")
	fl.Uint64Var(&f.options.Seed, "seed", 0, "make faults and ids repeatable (0: random)")
	fl.StringVar(&f.options.Key, "key", "", "the one `KEY` that is accepted (default any that starts with wh_)")
	fl.StringVar(&f.log, "log", "", "append a line of JSON for each accepted trigger to `FILE`, before it is answered")
	fl.Int64Var(&f.options.MaxBytes, "max-body", sandbox.DefaultMaxBytes, "answer 413 to JSON bodies of more than so many `BYTES`")
	fl.StringVar(&f.check, "check", "full", "how bodies are checked: full, or fast for benchmarks")
	return c
}

func (p *program) sandbox(ctx context.Context, f sandboxFlags) (err error) {
	o := f.options
	if o.Faults, err = sandbox.ParseFaults(f.faults); err != nil {
		return usageError{err}
	}
	o.Check = sandbox.Check(f.check)
	o.ServerLog = log.New(p.err, "", 0)
	if f.log != "" {
		file, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		o.Log = file
	}
	s, err := sandbox.Start(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s\n", s.URL())
	fmt.Fprintf(p.err, "sandbox at %s, Ctrl-C ends it\n", s.URL())
	<-ctx.Done()
	stats := s.Stats()
	fmt.Fprintf(p.err, "sandbox: %s, %d accepted with %d records\n", count(stats.Requests, "trigger"), stats.Accepted, stats.Records)
	return s.Close()
}
