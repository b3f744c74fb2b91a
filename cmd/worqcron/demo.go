package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"worqcron"
	"worqcron/config"
	"worqcron/sample"
	"worqcron/source"
	"worqcron/worqhat/sandbox"
)

func newDemo(p *program) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "everything at once, with sample data and without an account",
		Long: `demo makes a folder with sample data (over 25 MB of CSV, with commas and newlines
inside fields) and the example configuration, starts a local stand-in for
WorqHat, runs each schedule that reads such data, and runs each again to show
that nothing is sent twice. It needs no account and no network.`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return p.demo(c.Context(), dir) },
	}
	c.Flags().StringVar(&dir, "dir", "", "work in this `FOLDER` instead of a new temporary one")
	return c
}

// Sizes of the demo's sources.
const (
	demoCSVBytes     = 26_000_000
	demoNDJSONBytes  = 6_000_000
	demoInvoiceBytes = 1_000_000
)

func (p *program) demo(ctx context.Context, dir string) (err error) {
	cfg, err := p.demoFolder(dir)
	if err != nil {
		return err
	}
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fmt.Fprintf(p.out, "sandbox   %s plays WorqHat\n", s.URL())
	// The example names neither: they come from the environment, as its comments say.
	for name, value := range map[string]string{"WORQHAT_BASE_URL": s.URL(), "WORQHAT_API_KEY": "wh_demo_key"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	p.config = cfg.File
	now := time.Now() // one instant, so that both rounds mean the same slots
	if err := p.demoRound(ctx, cfg, now, "first, each schedule once:"); err != nil {
		return err
	}
	first := s.Stats()
	if err := p.demoRound(ctx, cfg, now, "again, the same slots: there is nothing left to send"); err != nil {
		return err
	}
	again := s.Stats().Requests - first.Requests
	fmt.Fprintf(p.out, "\nThe sandbox received %s with %s records the first time, and %d the second time.\n",
		count(first.Requests, "trigger"), humanize.Comma(first.Records), again)
	if again != 0 {
		return fmt.Errorf("demo: %d triggers were sent again", again)
	}
	p.demoLookAround(cfg)
	return nil
}

// demoFolder makes the folder with the configuration and the files that its
// schedules read.
func (p *program) demoFolder(dir string) (*config.Config, error) {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "worqcron-demo-")
	} else {
		dir, err = filepath.Abs(dir)
		err = errors.Join(err, os.MkdirAll(dir, 0o700))
	}
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "schedules.toml")
	if err := os.WriteFile(file, []byte(worqcron.Example), 0o600); err != nil {
		return nil, err
	}
	fmt.Fprintf(p.out, "folder    %s\n", dir)
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	for i := range cfg.Schedules {
		if src := cfg.Schedules[i].Job.Source; src != nil {
			if err := p.demoFile(src); err != nil {
				return nil, err
			}
		}
	}
	return cfg, nil
}

// demoFile writes the file that a source reads: orders, or invoices for a CSV
// file that is not a plain one.
func (p *program) demoFile(src *source.Options) error {
	path := strings.ReplaceAll(src.Path, "*", "sample")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	write, size, what := sample.CSV, int64(demoCSVBytes), "orders"
	switch {
	case !strings.HasSuffix(path, ".csv"):
		write, size = sample.NDJSON, demoNDJSONBytes
	case src.Encoding != "":
		write, size, what = sample.Invoices, demoInvoiceBytes, "invoices in "+src.Encoding
	}
	n, err := write(io.Writer(f), size, 1)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "data      %s: %s %s, %s\n", path, humanize.Comma(n), what, humanize.Bytes(uint64(size)))
	old := time.Now().Add(-time.Minute) // so that nothing waits until it has settled
	return os.Chtimes(path, old, old)
}

// demoRound runs the last slot of each schedule.
func (p *program) demoRound(ctx context.Context, cfg *config.Config, now time.Time, title string) error {
	fmt.Fprintf(p.out, "\n%s\n", title)
	for i := range cfg.Schedules {
		s := &cfg.Schedules[i]
		slot, ok := s.Spec.Prev(now)
		if !ok {
			return fmt.Errorf("demo: schedule %s has no slot before now", s.Name)
		}
		local := slot.In(s.Spec.Zone()).Format("2006-01-02T15:04:05Z07:00")
		fmt.Fprintf(p.out, "\n$ worqcron run %s --at %s\n", s.Name, local)
		if err := p.run(ctx, runRequest{Schedule: s.Name}, local, false); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) demoLookAround(cfg *config.Config) {
	fmt.Fprintf(p.out, "\nLook around:\n")
	for _, c := range []string{"runs", "next", "check"} {
		fmt.Fprintf(p.out, "  worqcron %s -c %s\n", c, cfg.File)
	}
	for i := range cfg.Schedules {
		if src := cfg.Schedules[i].Job.Source; src != nil {
			fmt.Fprintf(p.out, "  worqcron trace %s:1043 -c %s\n", strings.ReplaceAll(src.Path, "*", "sample"), cfg.File)
			break
		}
	}
	fmt.Fprintf(p.out, "Remove it: rm -r %s\n", filepath.Dir(cfg.File))
}
