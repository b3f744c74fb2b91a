package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/store"
)

// showFlags are the flags of 'show'.
type showFlags struct {
	chunks, body bool
	chunk        int64
}

func newShow(p *program) *cobra.Command {
	var f showFlags
	c := &cobra.Command{
		Use:   "show RUN",
		Short: "one run with its receipt, a chunk, its exact body",
		Long: `show prints a run with its receipt and lists what of it was not accepted, or one
of its chunks. RUN is a run's id or name; a schedule's name is its latest run.`,
		Example: `  worqcron show orders
  worqcron show orders@2026-11-24T02:30 --chunks
  worqcron show orders@2026-11-24T02:30 --chunk 3
  worqcron show orders@2026-11-24T02:30 --chunk 3 --body > body.json`,
		Args: exactly("RUN"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.body && f.chunk == 0 {
				return usageError{errors.New("show: --body needs --chunk N")}
			}
			return p.show(c.Context(), args[0], f)
		},
	}
	c.Flags().BoolVar(&f.chunks, "chunks", false, "list the chunks")
	c.Flags().Int64Var(&f.chunk, "chunk", 0, "show chunk `N` with its attempts")
	c.Flags().BoolVar(&f.body, "body", false, "print the chunk's exact request body")
	return c
}

func (p *program) show(ctx context.Context, name string, f showFlags) (err error) {
	r, err := p.mustRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	run, err := findShown(ctx, r, name)
	if err != nil {
		return err
	}
	switch {
	case f.body:
		return p.showBody(ctx, r, run, f.chunk)
	case f.chunk != 0:
		return p.showChunk(ctx, r, run, f.chunk)
	}
	return p.showRun(ctx, r, run, f.chunks)
}

// findShown finds a run by its id or name; a schedule's name is its latest run.
func findShown(ctx context.Context, r *store.Reader, name string) (*store.Run, error) {
	run, latest, err := findNamed(ctx, r, name)
	if err == nil && run == nil {
		return latest, nil
	}
	return run, err
}

// findMeant finds a run by its id or name, for what cannot be undone: of a schedule
// the run has to be named.
func findMeant(ctx context.Context, r *store.Reader, name string) (*store.Run, error) {
	run, latest, err := findNamed(ctx, r, name)
	if err == nil && run == nil {
		return nil, usageError{fmt.Errorf("%s is a schedule, and this needs one run of it\n  hint: the latest one is %s", name, latest.Name())}
	}
	return run, err
}

// findNamed finds a run by its id or name, or the latest one of the schedule that has
// the name.
func findNamed(ctx context.Context, r *store.Reader, name string) (run, latest *store.Run, err error) {
	run, err = r.FindRun(ctx, name)
	var none *store.NotFoundError
	if !errors.As(err, &none) {
		return run, nil, err
	}
	list, lookErr := r.Runs(ctx, name, 1)
	switch {
	case lookErr != nil:
		return nil, nil, lookErr
	case name == "" || len(list) == 0:
		return nil, nil, fmt.Errorf("%w\n  hint: 'worqcron runs' lists them", err)
	}
	return nil, list[0], nil
}

// shownJSON is a run as 'show' has it.
type shownJSON struct {
	*store.Receipt
	ChunkList []chunkJSON          `json:"chunk_list,omitempty"`
	Segments  []segmentJSON        `json:"segments,omitempty"`
	Remote    *store.RemoteBalance `json:"remote,omitempty"` // once 'reconcile' looked
}

func (p *program) showRun(ctx context.Context, r *store.Reader, run *store.Run, withChunks bool) error {
	c, err := r.Receipt(ctx, run)
	if err != nil {
		return err
	}
	var chunks []chunkJSON
	var segments []segmentJSON
	if withChunks {
		if chunks, segments, err = p.listChunks(ctx, r, run); err != nil {
			return err
		}
	}
	remote, err := r.Remote(ctx, run.ID)
	if err != nil {
		return err
	}
	if p.json {
		j := shownJSON{Receipt: c, ChunkList: chunks, Segments: segments}
		if remote.LookedUpAt != nil {
			j.Remote = &remote
		}
		return printJSON(p.out, j)
	}
	printReceipt(p.out, run, c)
	if err := p.printWaits(ctx, r, run); err != nil {
		return err
	}
	if withChunks {
		printChunks(p.out, c, chunks, segments)
	}
	printRemoteBalance(p.out, remote, run.Zone)
	if err := p.printTrouble(ctx, r, run, c); err != nil {
		return err
	}
	if err := p.printRedrives(ctx, r, run); err != nil {
		return err
	}
	return p.printAudit(ctx, r, run)
}

func (p *program) printAudit(ctx context.Context, r *store.Reader, run *store.Run) error {
	rows, err := r.Audit(ctx, run.RunID)
	if err != nil || len(rows) == 0 {
		return err
	}
	fmt.Fprintf(p.out, "\ndecisions\n")
	for _, a := range rows {
		what := a.Action
		if a.Chunk != 0 {
			what = fmt.Sprintf("chunk %d %s", a.Chunk, a.Action)
		}
		fmt.Fprintf(p.out, "  %s  %s, by %s: %s\n", localTime(a.At, run.Zone), what, a.Actor, a.Reason)
	}
	return nil
}

func (p *program) showChunk(ctx context.Context, r *store.Reader, run *store.Run, number int64) error {
	c, err := findChunk(ctx, r, run, number)
	if err != nil {
		return err
	}
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return err
	}
	j, attempts, err := chunkWithAttempts(ctx, r, run, files, *c)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.out, struct {
			chunkJSON
			Attempts []attemptJSON `json:"attempts"`
		}{j, attempts})
	}
	fmt.Fprintf(p.out, "run       %s\n", run.Name())
	p.printChunkDetails(j, attempts, run.Zone)
	return nil
}

func findChunk(ctx context.Context, r *store.Reader, run *store.Run, number int64) (*store.Chunk, error) {
	c, err := batch.FindChunk(ctx, r, run, number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("run %s has no chunk %d", run.Name(), number)
	}
	return c, err
}

// showBody prints the exact bytes of a chunk's body.
func (p *program) showBody(ctx context.Context, r *store.Reader, run *store.Run, number int64) error {
	c, err := findChunk(ctx, r, run, number)
	if err != nil {
		return err
	}
	body, err := batch.Body(ctx, r, run, c)
	if err != nil {
		return err
	}
	p.logger(slog.LevelWarn).Debug("body built", "bytes", len(body))
	_, err = p.out.Write(body)
	return err
}
