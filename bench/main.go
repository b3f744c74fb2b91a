// Command bench measures worqcron against a yardstick and prints one table.
//
// The yardstick is what a careful engineer would write in an afternoon: it
// reads the file with encoding/csv or line by line, checks the JSON, appends
// bodies and posts them one at a time; with one trigger a record, 64 at a time.
// It keeps no ledger. worqcron does all of that, plans first, and commits each
// intent and outcome with fsync.
//
// All of them run as processes of their own against the same sandbox, which is
// another process: CPU time and memory are the measured program's own. Rounds
// are interleaved, figures are medians, and the ratio is the median of the
// rounds' ratios, since machines differ from one minute to the next. Wall time
// is that of the whole process, start and new ledger included.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"

	"github.com/dustin/go-humanize"
)

// options are the flags.
type options struct {
	size      int64 // of each source, in bytes
	slowSize  int64 // of those of the slow paths
	runs      int
	only      *regexp.Regexp // matches the labels of the rows that are measured
	triggers  int            // of the case with one a record
	ledger    int            // chunks of a run of the large ledger; 0: it is not measured
	schedules int            // of a daemon; 0: it is not measured
	dir       string         // for sources, ledgers and the built program
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := start(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// start is the benchmark, or one of the processes that it starts for itself.
func start(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case sinkRole:
			return serveSink(os.Stdin, os.Stdout)
		case yardstickRole:
			return runYardstick(ctx, args[1:], os.Stdout)
		case eachRole:
			return runEach(ctx, args[1:], os.Stdout)
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "worqcron-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(o.dir) }() // a leftover in the temporary folder is no reason to fail
	}
	return bench(ctx, o)
}

func parse(args []string) (options, error) {
	var o options
	size, slowSize, only := "200MB", "", ""
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&size, "size", size, "`SIZE` of each source")
	f.StringVar(&slowSize, "slow-size", "", "`SIZE` of the sources of the slow paths (default a quarter of -size)")
	f.StringVar(&only, "only", "", "only rows whose label matches this `REGEXP`")
	f.IntVar(&o.runs, "runs", 3, "rounds; the figures are their medians")
	f.IntVar(&o.triggers, "triggers", 100_000, "triggers of the case with one a record")
	f.IntVar(&o.ledger, "ledger", 0, "measure commands beside a ledger with runs of `N` chunks instead; -only is then chunks or records")
	f.IntVar(&o.schedules, "schedules", 0, "measure a daemon with `N` schedules instead")
	f.StringVar(&o.dir, "dir", "", "work in this `FOLDER` and leave the files there (default a temporary one)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.size, err = parseSize("-size", size); err != nil {
		return o, err
	}
	if o.slowSize = o.size / 4; slowSize != "" {
		if o.slowSize, err = parseSize("-slow-size", slowSize); err != nil {
			return o, err
		}
	}
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	if o.size < 1 || o.slowSize < 1 || o.runs < 1 || o.triggers < 1 || f.NArg() > 0 {
		return o, errors.New("-size, -slow-size, -runs and -triggers are at least 1, and there are no arguments")
	}
	if o.dir != "" {
		if o.dir, err = filepath.Abs(o.dir); err != nil {
			return o, err
		}
		err = os.MkdirAll(o.dir, 0o700)
	}
	return o, err
}

func parseSize(name, text string) (int64, error) {
	bytes, err := humanize.ParseBytes(text)
	if err != nil {
		return 0, fmt.Errorf("%s %q: %w", name, text, err)
	}
	return int64(bytes), nil
}

// bench builds the program, makes the sources, measures and prints.
func bench(ctx context.Context, o options) error {
	b := &measuring{options: o, program: filepath.Join(o.dir, "worqcron")}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.program, "worqcron/cmd/worqcron")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if o.ledger > 0 {
		return benchLedger(ctx, b, os.Stdout)
	}
	if o.schedules > 0 {
		return benchSchedules(ctx, b, os.Stdout)
	}
	list := b.pick(cases(o))
	if len(list) == 0 {
		return fmt.Errorf("-only %q: no row has such a label", o.only)
	}
	if err := makeSources(list); err != nil {
		return err
	}
	return withSink(ctx, b, func() error {
		rows, err := b.measure(ctx, list)
		if err != nil {
			return err
		}
		return printTable(os.Stdout, o, rows)
	})
}

// withSink runs do while the sandbox runs.
func withSink(ctx context.Context, b *measuring, do func() error) error {
	sink, err := startSink(ctx)
	if err != nil {
		return err
	}
	b.sink = sink.url
	return errors.Join(do(), sink.stop())
}
