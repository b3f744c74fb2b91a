package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"worqcron/store"
)

// elsewhere is what other runs did with the records of a run after it: what they
// accepted, do not know, or still have planned is not sent again.
type elsewhere struct {
	again map[int64]store.Again // by chunk of the run: the redrive that has it
	files map[int]*overlaps     // by file of the run
	names map[string]string     // of runs, by run_id; one that is gone has none
}

func newElsewhere(ctx context.Context, r *store.Reader, job *Job, run *store.Run) (*elsewhere, error) {
	e := &elsewhere{files: map[int]*overlaps{}, names: map[string]string{}}
	var err error
	if e.again, err = redriven(ctx, r, run); err != nil {
		return nil, err
	}
	if job.Records.Unchanged == "send" {
		return e, nil // each run sends all of it, so another run's records are not these
	}
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.ContentHash == "" || f.UnchangedSince != "" {
			continue
		}
		list, err := knownRanges(ctx, r, run, store.Content{Size: f.Size, Hash: f.ContentHash})
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(g store.Earlier) bool {
			return g.Run != 0 && g.Run <= run.ID || g.Run == 0 && g.RunID <= run.RunID // run_ids are in order of time
		})
		whole, err := wholeByGone(ctx, r, run, f)
		if err != nil {
			return nil, err
		}
		list = append(list, whole...)
		for _, g := range list {
			if g.Run == 0 || e.names[g.RunID] != "" {
				continue
			}
			other, err := r.RunOfRow(ctx, g.Run)
			if err != nil {
				return nil, err
			}
			e.names[g.RunID] = other.Name()
		}
		if len(list) > 0 {
			e.files[f.File] = newOverlaps(list)
		}
	}
	return e, nil
}

// wholeByGone is all of a file that a later run delivered whole and that is gone by
// now: of such a run nothing else is kept.
func wholeByGone(ctx context.Context, r *store.Reader, run *store.Run, f store.SnapshotFile) ([]store.Earlier, error) {
	if whereReadsRun(run) {
		return nil, nil
	}
	by, err := r.DeliveredBy(ctx, run.Schedule, run.Shape, f.ContentHash)
	if err != nil || by <= run.RunID {
		return nil, err
	}
	_, err = r.FindRun(ctx, by)
	var gone *store.NotFoundError
	if !errors.As(err, &gone) {
		return nil, err
	}
	return []store.Earlier{{RunID: by, State: store.ChunkAccepted, End: math.MaxInt64}}, nil
}

// of says why a chunk is not to be sent again; "" if it is.
func (e *elsewhere) of(chunk int64, ranges []store.ChunkRange) string {
	if a, ok := e.again[chunk]; ok && a.State == store.ChunkSplit {
		return fmt.Sprintf("sent again as chunk %d of run %s, in parts: what of them failed is sent again by 'worqcron redrive %s'", a.Chunk, a.Run.Name(), a.Run.Name())
	} else if ok {
		return fmt.Sprintf("sent again as chunk %d of run %s: %s", a.Chunk, a.Run.Name(), a.State)
	}
	if g := e.find(ranges); g != nil {
		return fmt.Sprintf("run %s has records of it: %s", cmp.Or(e.names[g.RunID], g.RunID+", which is gone by now,"), g.State)
	}
	return ""
}

func (e *elsewhere) find(ranges []store.ChunkRange) *store.Earlier {
	for _, g := range ranges {
		if o := e.files[g.File]; o != nil {
			if found := o.find(g.ByteStart, g.ByteEnd); found != nil {
				return found
			}
		}
	}
	return nil
}

// overlaps finds which of many ranges, some of which may overlap, have a byte of
// another one.
type overlaps struct {
	list []store.Earlier // by Start
	ends []int64         // by place in list: the largest End up to there
}

func newOverlaps(list []store.Earlier) *overlaps {
	slices.SortFunc(list, func(a, b store.Earlier) int { return cmp.Compare(a.Start, b.Start) })
	o := &overlaps{list: list, ends: make([]int64, len(list))}
	end := int64(0)
	for i, g := range list {
		end = max(end, g.End)
		o.ends[i] = end
	}
	return o
}

func (o *overlaps) find(start, end int64) *store.Earlier {
	i, _ := slices.BinarySearchFunc(o.list, end, func(g store.Earlier, at int64) int { return cmp.Compare(g.Start, at) })
	for i--; i >= 0 && o.ends[i] > start; i-- {
		if o.list[i].End > start {
			return &o.list[i]
		}
	}
	return nil
}

// origin is a chunk where it was planned first: it is no redrive there of another.
type origin struct {
	runID string
	chunk int64
}

// redriven tells which chunks of a run later redrives have, by their number in
// the run, unless they failed there again. Redrives of the run, of the one that it
// redrives, and so on are one family: what any of them sent, no other needs to.
func redriven(ctx context.Context, r *store.Reader, run *store.Run) (map[int64]store.Again, error) {
	f := family{reader: r, run: run, settled: map[origin]store.Again{}}
	root, own, err := f.up(ctx)
	if err == nil {
		err = f.down(ctx, root, map[int64]origin{})
	}
	if err != nil {
		return nil, err
	}
	mine := map[int64]store.Again{}
	for from, again := range f.settled {
		if from.runID == run.RunID {
			mine[from.chunk] = again
		}
	}
	for chunk, from := range own {
		if again, ok := f.settled[from]; ok {
			mine[chunk] = again
		}
	}
	return mine, nil
}

// family is the redrives of one run, and of each other.
type family struct {
	reader  *store.Reader
	run     *store.Run // that is asked about
	settled map[origin]store.Again
}

// up goes to the run that had the family's chunks first, and tells where those
// that the run has again come from. That run may be gone, and its redrives are not.
func (f *family) up(ctx context.Context) (root *store.Run, own map[int64]origin, err error) {
	for root = f.run; root.RedriveOf != ""; {
		links, err := f.reader.Links(ctx, root.ID)
		if err != nil || len(links) == 0 {
			return root, own, err
		}
		step := map[int64]origin{}
		for _, l := range links {
			step[l.Chunk] = origin{root.RedriveOf, l.RedriveOf}
		}
		if own == nil {
			own = step
		} else {
			for chunk, from := range own {
				if above, ok := step[from.chunk]; ok && from.runID == root.RunID {
					own[chunk] = above
				}
			}
		}
		above, err := f.reader.FindRun(ctx, root.RedriveOf)
		var gone *store.NotFoundError
		if errors.As(err, &gone) {
			return &store.Run{RunID: root.RedriveOf}, own, nil
		}
		if err != nil {
			return nil, nil, err
		}
		root = above
	}
	return root, own, nil
}

// down notes what the redrives of a run have of it, and theirs. from is where those
// of its chunks come from that it has again.
func (f *family) down(ctx context.Context, of *store.Run, from map[int64]origin) error {
	runs, err := f.reader.Redrives(ctx, of)
	if err != nil {
		return err
	}
	for _, again := range runs {
		links, err := f.reader.Links(ctx, again.ID)
		if err != nil {
			return err
		}
		if len(links) == 0 { // it sent dead letters, as chunks of its own
			continue
		}
		own := map[int64]origin{}
		for _, l := range links {
			first, ok := from[l.RedriveOf]
			if !ok {
				first = origin{of.RunID, l.RedriveOf}
			}
			own[l.Chunk] = first
			if again.ID > f.run.ID && l.State != store.ChunkFailed {
				f.settled[first] = store.Again{Run: again, Chunk: l.Chunk, State: l.State}
			}
		}
		if err := f.down(ctx, again, own); err != nil {
			return err
		}
	}
	return nil
}

// rootOf goes up from a run to the one that had its chunks first, as far as the
// ledger still has it.
func rootOf(ctx context.Context, r *store.Reader, run *store.Run) (*store.Run, error) {
	f := family{reader: r, run: run}
	root, _, err := f.up(ctx)
	if err == nil && root.ID == 0 {
		return run, nil
	}
	return root, err
}
