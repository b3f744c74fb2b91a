package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"worqcron/store"
)

// traceJSON is everything about one trigger, for programs.
type traceJSON struct {
	AnalyticsID  string        `json:"analytics_id"`
	Schedule     string        `json:"schedule"`
	RunID        string        `json:"run_id"`
	Chunk        int64         `json:"chunk"`
	Parent       int64         `json:"parent,omitempty"` // the chunk that was split into this one and another
	Status       string        `json:"status"`
	RemoteStatus string        `json:"remote_status"` // "" while it was not looked up
	Attempts     []attemptJSON `json:"attempts"`
	Source       []sourceJSON  `json:"source"`
	BodyHash     string        `json:"body_hash"`
	Key          string        `json:"key"`
	RedriveOf    *againJSON    `json:"redrive_of,omitempty"`
	RedrivenAs   []againJSON   `json:"redriven_as,omitempty"`
}

func newTrace(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "trace ID",
		Short: "analytics_id, chunk key or FILE:LINE → everything about it",
		Long: `trace finds the trigger behind an analytics_id or a chunk's key, or the triggers
that took a line of a file, and shows its run, chunk, attempts and source.`,
		Example: `  worqcron trace 6f8c0a4e-3d0b-4f5e-9d8e-1b2c3d4e5f60
  worqcron trace inbox/orders-1.csv:1043`,
		Args: exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error { return p.trace(c.Context(), args[0]) },
	}
}

func (p *program) trace(ctx context.Context, what string) (err error) {
	r, err := p.mustRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	places, dead, err := find(ctx, r, what)
	if err != nil {
		return err
	}
	if len(places)+len(dead) == 0 {
		return notTraced(ctx, r, what)
	}
	if given, err := r.ByAnalyticsID(ctx, what); err != nil {
		return err
	} else if len(given) > 1 && !p.json {
		fmt.Fprintf(p.out, "WorqHat gave this id to %s, so one of them may not have started\n\n", count(int64(len(given)), "trigger"))
	}
	for i, place := range places {
		p.between(i)
		if err := p.tracePlace(ctx, r, place); err != nil {
			return err
		}
	}
	for i, d := range dead {
		p.between(len(places) + i)
		if p.json {
			err = printJSON(p.out, traceJSON{
				Schedule: d.Run.Schedule, RunID: d.Run.RunID, Status: "dead", Attempts: []attemptJSON{},
				Source: []sourceJSON{{d.Path, d.Line, d.Line, d.ByteStart, d.ByteEnd}},
			})
		} else {
			p.printRunOf(d.Run)
			_, err = fmt.Fprintf(p.out, "dead      %s:%d:%d: %s (%s)\n", d.Path, d.Line, d.Column, d.Detail, d.Reason)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// between separates what is printed for a person.
func (p *program) between(i int) {
	if i > 0 && !p.json {
		fmt.Fprintln(p.out)
	}
}

// find looks for an id, then a key, then a place in a file.
func find(ctx context.Context, r *store.Reader, what string) ([]store.Place, []store.DeadPlace, error) {
	places, err := r.ByAnalyticsID(ctx, what)
	if err != nil || len(places) > 0 {
		return places, nil, err
	}
	if places, err = r.ByKey(ctx, what); err != nil || len(places) > 0 {
		return places, nil, err
	}
	path, line, ok := fileLine(what)
	if !ok {
		return nil, nil, nil
	}
	if places, err = r.ByLine(ctx, path, line); err != nil {
		return nil, nil, err
	}
	dead, err := r.DeadByLine(ctx, path, line)
	return places, dead, err
}

// fileLine reads FILE:LINE.
func fileLine(what string) (path string, line int64, ok bool) {
	i := strings.LastIndexByte(what, ':')
	if i < 0 {
		return "", 0, false
	}
	line, err := strconv.ParseInt(what[i+1:], 10, 64)
	return filepath.Clean(what[:i]), line, err == nil
}

// notTraced says what is known of an id or a line that no chunk has.
func notTraced(ctx context.Context, r *store.Reader, what string) error {
	if path, line, ok := fileLine(what); ok {
		run, err := r.LatestWithFile(ctx, path)
		if err != nil {
			return err
		}
		if run != nil {
			return fmt.Errorf("line %d of %s is in no chunk; the latest run that found the file is %s\n"+
				"  hint: it was filtered, is no record (a header, a comment, empty), or is past the file's end; or no run planned it whole", line, path, run.Name())
		}
	}
	return fmt.Errorf("nothing in the ledger knows %q\n  hint: an analytics_id, a chunk's key, or FILE:LINE", what)
}

func (p *program) tracePlace(ctx context.Context, r *store.Reader, place store.Place) error {
	files, err := r.Files(ctx, place.Run.ID)
	if err != nil {
		return err
	}
	c, err := findChunk(ctx, r, place.Run, place.Chunk)
	if err != nil {
		return err
	}
	j, attempts, err := chunkWithAttempts(ctx, r, place.Run, files, *c)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.out, traceJSON{
			AnalyticsID: j.AnalyticsID, Schedule: place.Run.Schedule, RunID: place.Run.RunID, Chunk: j.Chunk, Parent: j.Parent, Status: j.Status,
			RemoteStatus: remoteStatusOf(attempts), Attempts: attempts, Source: j.Source, BodyHash: j.BodyHash, Key: j.Key,
			RedriveOf: j.RedriveOf, RedrivenAs: j.RedrivenAs,
		})
	}
	p.printRunOf(place.Run)
	p.printChunkDetails(j, attempts, place.Run.Zone)
	return nil
}

// remoteStatusOf is the last status that was looked up; "" if none was.
func remoteStatusOf(attempts []attemptJSON) (status string) {
	for _, a := range attempts {
		if a.Remote != nil {
			status = a.Remote.Status
		}
	}
	return status
}

func (p *program) printRunOf(run *store.Run) {
	fmt.Fprintf(p.out, "schedule  %s\nrun       %s  (%s)\nflow      %s\n", run.Schedule, run.Name(), run.RunID, run.FlowID)
}
