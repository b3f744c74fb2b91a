package main

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"worqcron/batch"
	"worqcron/store"
)

// previewRedrive prints what a redrive would send. What cannot be had any more is
// a failure, since the redrive would be one.
func (p *program) previewRedrive(ctx context.Context, r *store.Reader, run *store.Run, s *batch.Selection) error {
	v, err := batch.PreviewRedrive(ctx, r, run, s)
	if err != nil {
		return err
	}
	if p.json {
		err = printJSON(p.out, v)
	} else {
		p.printPreview(v)
	}
	if err == nil && len(v.Lost) > 0 {
		return exitError{code: exitFailed}
	}
	return err
}

func (p *program) printPreview(v *batch.RedrivePreview) {
	fmt.Fprintf(p.out, "run       %s  (%s)\n", v.Name, v.RedriveOf)
	fmt.Fprintf(p.out, "again     %s, %s, %s\n", count(v.Chunks, "chunk"), count(v.Records, "record"), humanize.Bytes(uint64(v.Bytes)))
	if v.Chunks > 0 {
		fmt.Fprintf(p.out, "failed    %s\n", reasonsText(v.Reasons))
	}
	if len(v.MayHaveRun) > 0 {
		fmt.Fprintf(p.out, "warning   a flow may have run with them: %s\n", reasonsText(v.MayHaveRun))
	}
	if v.Chunks > 0 {
		fmt.Fprintf(p.out, "\n%6s %10s %12s  %s\n", "chunk", "records", "body bytes", "reason")
	}
	for i, c := range v.ChunkList {
		if i == maxPrinted {
			fmt.Fprintf(p.out, "  … and %s more; --json lists all\n", count(v.Chunks-int64(i), "chunk"))
			break
		}
		fmt.Fprintf(p.out, "%6d %10s %12s  %s\n", c.Chunk, humanize.Comma(c.Records), humanize.Comma(c.BodyBytes), c.Reason)
	}
	p.printList("left out: they went out since, or are about to", v.LeftOut)
	p.printList("lost: their records cannot be had any more; with them nothing is sent, --chunk N sends another one", v.Lost)
}

func (p *program) printList(title string, list []batch.LeftOut) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(p.out, "\n%s\n", title)
	for i, l := range list {
		if i == maxPrinted {
			fmt.Fprintf(p.out, "  … and %d more\n", len(list)-i)
			return
		}
		fmt.Fprintf(p.out, "  chunk %d: %s\n", l.Chunk, l.Why)
	}
}

// printLeftOut says beside a result which chunks are not sent again.
func (p *program) printLeftOut(list []batch.LeftOut) {
	const most = 5
	for i, l := range list {
		if i == most {
			fmt.Fprintf(p.err, "and %d more are left out; --dry-run lists them\n", len(list)-i)
			return
		}
		fmt.Fprintf(p.err, "chunk %d is left out: %s\n", l.Chunk, l.Why)
	}
}

// deadPreviewJSON is what a redrive of dead letters would send.
type deadPreviewJSON struct {
	RedriveOf string         `json:"redrive_of"`
	Name      string         `json:"name"`
	Files     []deadFileJSON `json:"files"`
}

type deadFileJSON struct {
	Path  string `json:"path"`
	Dead  int    `json:"dead"`  // letters that it had
	Taken int    `json:"taken"` // of them: taken out of the file
}

func (p *program) previewDead(ctx context.Context, r *store.Reader, job *batch.Job, run *store.Run) error {
	files, err := batch.FindMended(ctx, r, job, run)
	if err != nil {
		return err
	}
	v := deadPreviewJSON{RedriveOf: run.RunID, Name: run.Name()}
	for _, f := range files {
		j := deadFileJSON{Path: f.Old.Path, Dead: len(f.Places)}
		for _, place := range f.Places {
			if place.ByteStart == place.ByteEnd {
				j.Taken++
			}
		}
		v.Files = append(v.Files, j)
	}
	if p.json {
		return printJSON(p.out, v)
	}
	fmt.Fprintf(p.out, "run       %s  (%s)\n", v.Name, v.RedriveOf)
	for _, f := range v.Files {
		fmt.Fprintf(p.out, "mended    %s: what stands in the place of %s is read again and sent where it is good; nothing else changed\n",
			f.Path, count(int64(f.Dead), "dead record"))
	}
	return nil
}
