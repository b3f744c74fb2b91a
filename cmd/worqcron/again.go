package main

import (
	"context"
	"fmt"

	"worqcron/store"
)

// againJSON is the other chunk of a redrive: the one that a chunk sends again, or
// one that sends it again.
type againJSON struct {
	RunID  string `json:"run_id"`
	Run    string `json:"run,omitempty"` // its name
	Chunk  int64  `json:"chunk"`
	Status string `json:"status,omitempty"`
}

// addAgain tells of a chunk what it sends again, and what sent it again.
func (j *chunkJSON) addAgain(ctx context.Context, r *store.Reader, run *store.Run) error {
	if j.RedriveOf != nil {
		if of, err := r.FindRun(ctx, j.RedriveOf.RunID); err == nil { // it may be gone
			j.RedriveOf.Run = of.Name()
		}
	}
	list, err := r.SentAgain(ctx, run, j.Chunk)
	for _, a := range list {
		j.RedrivenAs = append(j.RedrivenAs, againJSON{a.Run.RunID, a.Run.Name(), a.Chunk, string(a.State)})
	}
	return err
}

// printAgain prints it for a person.
func (p *program) printAgain(j chunkJSON) {
	if of := j.RedriveOf; of != nil {
		name := of.Run
		if name == "" {
			name = of.RunID
		}
		fmt.Fprintf(p.out, "again     sends chunk %d of %s again\n", of.Chunk, name)
	}
	for _, a := range j.RedrivenAs {
		fmt.Fprintf(p.out, "again     sent again as chunk %d of %s: %s\n", a.Chunk, a.Run, a.Status)
	}
}

// printRedrives prints the run that a run sends something of again, and those that
// do so with it.
func (p *program) printRedrives(ctx context.Context, r *store.Reader, run *store.Run) error {
	if run.RedriveOf != "" {
		name := run.RedriveOf
		if of, err := r.FindRun(ctx, run.RedriveOf); err == nil {
			name = of.Name()
		}
		fmt.Fprintf(p.out, "\nsends again what failed or was dead of run %s\n", name)
	}
	list, err := r.Redrives(ctx, run)
	if err != nil || len(list) == 0 {
		return err
	}
	fmt.Fprintf(p.out, "\nsent again\n")
	for _, again := range list {
		c, err := r.Receipt(ctx, again)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "  %s  %s: %s, %d accepted\n", again.Name(), c.Status, count(c.Chunks.Planned, "chunk"), c.Chunks.Accepted)
	}
	return nil
}
