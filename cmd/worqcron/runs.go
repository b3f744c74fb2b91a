package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"worqcron/config"
	"worqcron/store"
)

func newRuns(p *program) *cobra.Command {
	var n int
	c := &cobra.Command{
		Use:     "runs [NAME]",
		Short:   "the history: newest runs first, of one schedule or all",
		Example: "  worqcron runs orders -n 50",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			if n < 1 {
				return usageError{errors.New("runs: --number must be 1 or more")}
			}
			return p.runs(c.Context(), name, n)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 20, "how many runs")
	return c
}

// read opens the ledger for reading. A ledger that is not there yet gives nil.
func (p *program) read(ctx context.Context) (*store.Reader, error) {
	c, err := p.load()
	if err != nil {
		return nil, err
	}
	return readerIfAny(ctx, c)
}

// readerIfAny opens the ledger of a configuration for reading; nil, which may be
// closed all the same, where nothing has run yet.
func readerIfAny(ctx context.Context, c *config.Config) (*store.Reader, error) {
	r, err := store.OpenReader(ctx, c.Ledger.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

// mustRead is read for commands that need something in the ledger.
func (p *program) mustRead(ctx context.Context) (*store.Reader, error) {
	c, err := p.load()
	if err != nil {
		return nil, err
	}
	return store.OpenReader(ctx, c.Ledger.Path)
}

func (p *program) runs(ctx context.Context, name string, n int) (err error) {
	r, err := p.read(ctx)
	if err != nil {
		return err
	}
	list := []*store.Receipt{}
	var runs []*store.Run
	if r != nil {
		defer func() { err = errors.Join(err, r.Close()) }()
		if runs, err = r.Runs(ctx, name, n); err != nil {
			return err
		}
		for _, run := range runs {
			c, err := r.Receipt(ctx, run)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
	}
	if p.json {
		return printJSON(p.out, map[string]any{"runs": list})
	}
	if len(list) == 0 {
		if name != "" {
			name = " of " + name
		}
		fmt.Fprintf(p.err, "no runs%s yet\n", name)
		return nil
	}
	fmt.Fprintf(p.out, "%-36s %-11s %12s %12s %8s %8s  %s\n", "run", "status", "read", "accepted", "chunks", "unknown", "reason")
	for _, c := range list {
		fmt.Fprintf(p.out, "%-36s %-11s %12s %12s %8s %8s  %s\n", c.Name, c.Status, humanize.Comma(c.Records.Read),
			humanize.Comma(c.Records.Accepted), humanize.Comma(c.Chunks.Planned), humanize.Comma(c.Chunks.Unknown), c.Reason)
	}
	return nil
}
