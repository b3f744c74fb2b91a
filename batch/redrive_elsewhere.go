package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"worqcron/store"
)

// elsewhere is what other runs did with the records of a run after it: what they
// accepted, do not know, or still have planned is not sent again.
type elsewhere struct {
	again map[int64]store.Again // by chunk of the run: the redrive that has it
	files map[int]*overlaps     // by file of the run
	names map[int64]string      // of runs, by row
}

func newElsewhere(ctx context.Context, r *store.Reader, job *Job, run *store.Run) (*elsewhere, error) {
	e := &elsewhere{files: map[int]*overlaps{}, names: map[int64]string{}}
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
		list = slices.DeleteFunc(list, func(g store.Earlier) bool { return g.Run <= run.ID })
		for _, g := range list {
			if e.names[g.Run] == "" {
				other, err := r.RunOfRow(ctx, g.Run)
				if err != nil {
					return nil, err
				}
				e.names[g.Run] = other.Name()
			}
		}
		if len(list) > 0 {
			e.files[f.File] = newOverlaps(list)
		}
	}
	return e, nil
}

// of says why a chunk is not to be sent again; "" if it is.
func (e *elsewhere) of(chunk int64, ranges []store.ChunkRange) string {
	if a, ok := e.again[chunk]; ok {
		return fmt.Sprintf("sent again as chunk %d of run %s: %s", a.Chunk, a.Run.Name(), a.State)
	}
	if g := e.find(ranges); g != nil {
		return fmt.Sprintf("run %s has records of it: %s", e.names[g.Run], g.State)
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

// redriven tells which chunks of a run later redrives have, by their number in
// the run, unless they failed there again. Redrives of the run, of the one that it
// redrives, and so on are one family: what any of them sent, no other needs to.
func redriven(ctx context.Context, r *store.Reader, run *store.Run) (map[int64]store.Again, error) {
	root, toRoot, err := rootOf(ctx, r, run)
	if err != nil {
		return nil, err
	}
	settled := map[int64]store.Again{} // by chunk of the root
	var down func(of *store.Run, numbers map[int64]int64) error
	down = func(of *store.Run, numbers map[int64]int64) error {
		runs, err := r.Redrives(ctx, of)
		if err != nil {
			return err
		}
		for _, again := range runs {
			links, err := r.Links(ctx, again.ID)
			if err != nil {
				return err
			}
			if len(links) == 0 { // it sent dead letters, as chunks of its own
				continue
			}
			own := map[int64]int64{}
			for _, l := range links {
				number := through(numbers, l.RedriveOf)
				own[l.Chunk] = number
				if again.ID > run.ID && l.State != store.ChunkFailed {
					settled[number] = store.Again{Run: again, Chunk: l.Chunk, State: l.State}
				}
			}
			if err := down(again, own); err != nil {
				return err
			}
		}
		return nil
	}
	if err := down(root, nil); err != nil || toRoot == nil {
		return settled, err
	}
	mine := map[int64]store.Again{}
	for chunk, number := range toRoot {
		if a, ok := settled[number]; ok {
			mine[chunk] = a
		}
	}
	return mine, nil
}

// through is a chunk's number in the root; nil maps each to itself.
func through(numbers map[int64]int64, chunk int64) int64 {
	if numbers == nil {
		return chunk
	}
	return numbers[chunk]
}

// rootOf goes up from a run to the one that had its chunks first, as far as the
// ledger still has it, and gives its chunks' numbers there; nil: the same.
func rootOf(ctx context.Context, r *store.Reader, run *store.Run) (root *store.Run, toRoot map[int64]int64, err error) {
	for root = run; root.RedriveOf != ""; {
		links, err := r.Links(ctx, root.ID)
		if err != nil || len(links) == 0 {
			return root, toRoot, err
		}
		above, err := r.FindRun(ctx, root.RedriveOf)
		var gone *store.NotFoundError
		if errors.As(err, &gone) {
			return root, toRoot, nil
		}
		if err != nil {
			return nil, nil, err
		}
		step := map[int64]int64{}
		for _, l := range links {
			step[l.Chunk] = l.RedriveOf
		}
		if toRoot == nil {
			toRoot = step
		} else {
			for chunk, number := range toRoot {
				toRoot[chunk] = step[number]
			}
		}
		root = above
	}
	return root, toRoot, nil
}
