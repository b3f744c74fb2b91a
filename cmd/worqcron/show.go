package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
	run, err := r.FindRun(ctx, name)
	var none *store.NotFoundError
	if !errors.As(err, &none) {
		return run, err
	}
	latest, lookErr := r.Runs(ctx, name, 1)
	switch {
	case lookErr != nil:
		return nil, lookErr
	case name == "" || len(latest) == 0:
		return nil, fmt.Errorf("%w\n  hint: 'worqcron runs' lists them", err)
	}
	return latest[0], nil
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
	if p.json {
		if withChunks {
			return printJSON(p.out, runJSON{c, chunks, segments})
		}
		return printJSON(p.out, c)
	}
	printReceipt(p.out, run, c)
	if withChunks {
		printChunks(p.out, c, chunks, segments)
	}
	if err := p.printTrouble(ctx, r, run, c); err != nil {
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

// attemptJSON is an attempt for programs.
type attemptJSON struct {
	AttemptID   int64      `json:"attempt_id"`
	Number      int        `json:"number"`
	StartedAt   time.Time  `json:"started_at"`
	FinishedAt  *time.Time `json:"finished_at"`
	Outcome     string     `json:"outcome"` // "" while open
	Reason      string     `json:"reason"`
	Detail      string     `json:"detail"`
	StatusCode  int        `json:"status_code,omitempty"`
	AnalyticsID string     `json:"analytics_id,omitempty"`
	BodyHash    string     `json:"body_hash"`
	Answer      string     `json:"answer,omitempty"`
}

func attemptsJSON(list []store.Attempt) []attemptJSON {
	out := []attemptJSON{}
	for _, a := range list {
		out = append(out, attemptJSON{
			a.AttemptID, a.Number, a.StartedAt, a.FinishedAt, a.Outcome, a.Reason, a.Detail, a.StatusCode, a.AnalyticsID, a.BodyHash, string(a.Answer),
		})
	}
	return out
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
	j, attempts, err := chunkDetails(ctx, r, run, files, *c)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.out, struct {
			chunkJSON
			Attempts []attemptJSON `json:"attempts"`
		}{j, attemptsJSON(attempts)})
	}
	fmt.Fprintf(p.out, "run       %s\n", run.Name())
	p.printChunkDetails(j, attempts, run.Zone)
	return nil
}

// printChunkDetails prints one chunk with its attempts for a person.
func (p *program) printChunkDetails(j chunkJSON, attempts []store.Attempt, zone string) {
	status := j.Status
	if j.Reason != "" {
		status += ": " + j.Reason
	}
	fmt.Fprintf(p.out, "chunk     %d, %s\n", j.Chunk, status)
	fmt.Fprintf(p.out, "key       %s\n", j.Key)
	if j.AnalyticsID != "" {
		fmt.Fprintf(p.out, "id        %s\n", j.AnalyticsID)
	}
	if j.BodyBytes > 0 { // 0: of a record that is only in its segment, and its source has changed
		fmt.Fprintf(p.out, "body      %d bytes, %s\n", j.BodyBytes, count(j.Records, "record"))
	}
	if j.BodyHash != "" {
		fmt.Fprintf(p.out, "hash      %s\n", j.BodyHash)
	}
	for _, s := range j.Source {
		lines := fmt.Sprintf("lines %d-%d", s.FirstLine, s.LastLine)
		if s.FirstLine == s.LastLine {
			lines = fmt.Sprintf("line %d", s.FirstLine)
		}
		fmt.Fprintf(p.out, "source    %s, %s, bytes %d-%d\n", s.Path, lines, s.ByteStart, s.ByteEnd)
	}
	for _, a := range attempts {
		outcome := a.Outcome
		if outcome == "" {
			outcome = "open"
		}
		fmt.Fprintf(p.out, "attempt   %d at %s: %s (%s)", a.Number, localTime(a.StartedAt, zone), outcome, a.Reason)
		if a.Detail != "" {
			fmt.Fprintf(p.out, " %s", a.Detail)
		}
		fmt.Fprintln(p.out)
		if len(a.Answer) > 0 {
			fmt.Fprintf(p.out, "answer    %s\n", a.Answer)
		}
	}
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
