package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// prove compares what earlier runs planned of a file with the bytes that stand
// there now, and returns where those are. The runs are the one that is redriven
// and, if that one read a mended file too, those before it; and earlier runs that
// accepted records of the same content, which it left out.
func (m *mendingFiles) prove(ctx context.Context, f store.SnapshotFile) (*overlaps, error) {
	p := &proof{mendingFiles: m, file: f, sum: newRangeSum()}
	if err := p.run(ctx, m.of, m.moves, m.index); err != nil {
		return nil, err
	}
	chain := [][]move{m.moves[f.File]}
	for run, file := m.of, f; ; {
		if err := p.others(ctx, run, file, chain); err != nil {
			return nil, err
		}
		above, before, moves, err := m.before(ctx, run, file)
		if err != nil {
			return nil, err
		}
		if above == nil {
			return newOverlaps(p.list), nil
		}
		chain = append([][]move{moves}, chain...)
		if err := p.soleRun(ctx, above, before.File, chain); err != nil {
			return nil, err
		}
		run, file = above, before
	}
}

// before finds the run and the file that a mended file was before it was mended;
// nil if it was not.
func (m *mendingFiles) before(ctx context.Context, run *store.Run, f store.SnapshotFile) (*store.Run, store.SnapshotFile, []move, error) {
	none := store.SnapshotFile{}
	places, err := m.reader.MendedPlaces(ctx, run.ID, f.File)
	if err != nil || len(places) == 0 {
		return nil, none, nil, err
	}
	above, err := m.reader.FindRun(ctx, run.RedriveOf)
	if err != nil {
		return nil, none, nil, err
	}
	files, err := m.reader.Files(ctx, above.ID)
	if err != nil {
		return nil, none, nil, err
	}
	for _, file := range files {
		if file.File == places[0].OldFile {
			return above, file, forward(places), nil
		}
	}
	return nil, none, nil, fmt.Errorf("run %s has no file %d", above.RunID, places[0].OldFile)
}

// proof is a comparison under way.
type proof struct {
	*mendingFiles
	file store.SnapshotFile
	sum  *rangeSum
	list []store.Earlier
}

// others compares what other runs accepted of the same content.
func (p *proof) others(ctx context.Context, run *store.Run, f store.SnapshotFile, chain [][]move) error {
	list, err := p.reader.EarlierRanges(ctx, run, f.Size, f.ContentHash)
	if err != nil {
		return err
	}
	seen := map[int64]bool{run.ID: true}
	for _, g := range list {
		if seen[g.Run] {
			continue
		}
		seen[g.Run] = true
		other, err := p.reader.RunOfRow(ctx, g.Run)
		if err != nil {
			return err
		}
		files, err := p.reader.Files(ctx, other.ID)
		if err != nil {
			return err
		}
		for _, of := range files {
			if of.Size != f.Size || of.ContentHash != f.ContentHash {
				continue
			}
			if err := p.soleRun(ctx, other, of.File, chain); err != nil {
				return err
			}
		}
	}
	return nil
}

// soleRun compares chunks of another run that have records of one of its files
// alone. What does not compare there is just not proven.
func (p *proof) soleRun(ctx context.Context, run *store.Run, file int, chain [][]move) error {
	return p.each(ctx, run, func(hash string, ranges []store.ChunkRange) error {
		for _, g := range ranges {
			if g.File != file {
				return nil
			}
		}
		err := p.compare(hash, ranges, func(g store.ChunkRange) (source.Range, bool) {
			now := source.Range{File: p.index[p.file.File], Start: g.ByteStart, End: g.ByteEnd}
			ok := true
			for _, moves := range chain {
				now, ok = shifted(now, moves, ok)
			}
			return now, ok
		}, run.ID)
		var otherwise *notAsPlanned
		if errors.As(err, &otherwise) {
			return nil
		}
		return err
	})
}

// run compares all chunks of the redriven run that have a record of the file.
func (p *proof) run(ctx context.Context, run *store.Run, moves map[int][]move, index map[int]int) error {
	return p.each(ctx, run, func(hash string, ranges []store.ChunkRange) error {
		mine := false
		for _, g := range ranges {
			mine = mine || g.File == p.file.File
		}
		if !mine {
			return nil
		}
		err := p.compare(hash, ranges, func(g store.ChunkRange) (source.Range, bool) {
			return shifted(source.Range{File: index[g.File], Start: g.ByteStart, End: g.ByteEnd}, moves[g.File], true)
		}, run.ID)
		var otherwise *notAsPlanned
		if errors.As(err, &otherwise) {
			return p.otherwise(p.file.Path, linesOf(ranges, p.file.File))
		}
		return err
	})
}

// linesOf names the lines of a file that ranges lie in.
func linesOf(ranges []store.ChunkRange, file int) string {
	var first, last int64
	for _, g := range ranges {
		if g.File == file {
			first, last = cmp.Or(first, g.FirstLine), g.LastLine
		}
	}
	return fmt.Sprintf("lines %d to %d", first, last)
}

// each hands over what a run planned with a hash of the files' bytes: its chunks
// and segments. Those in a spool are none: a redrive's records are those of
// another run.
func (p *proof) each(ctx context.Context, run *store.Run, fn func(hash string, ranges []store.ChunkRange) error) error {
	for after := int64(0); ; {
		page, err := p.reader.Chunks(ctx, run.ID, after, 500)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			after = c.Chunk
			if c.Spool == nil && c.State != store.ChunkSplit {
				if err := fn(c.SourceHash, c.Ranges); err != nil {
					return err
				}
			}
		}
	}
	for after := int64(0); ; {
		page, err := p.reader.OpenSegments(ctx, run.ID, after, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, s := range page {
			after = s.Segment
			if s.Spool == nil {
				if err := fn(s.SourceHash, s.Ranges); err != nil {
					return err
				}
			}
		}
	}
}

// notAsPlanned says that bytes are not those that were planned.
type notAsPlanned struct{}

func (*notAsPlanned) Error() string { return "not as planned" }

// compare hashes ranges where they are now. place says where that is.
func (p *proof) compare(hash string, ranges []store.ChunkRange, place func(store.ChunkRange) (source.Range, bool), run int64) error {
	p.sum.Reset()
	var mine []store.Earlier
	for _, g := range ranges {
		now, ok := place(g)
		if !ok || now.End > p.snapshot.Files[now.File].Size {
			return &notAsPlanned{}
		}
		if err := p.snapshot.HashRange(now, p.sum); err != nil {
			return err
		}
		if now.File == p.index[p.file.File] {
			mine = append(mine, store.Earlier{Run: run, Start: now.Start, End: now.End})
		}
	}
	if sourceHash(p.sum) != hash {
		return &notAsPlanned{}
	}
	p.list = append(p.list, mine...)
	return nil
}

// shifted is where a range without a mended place lies in the other file; false if
// it has one.
func shifted(g source.Range, moves []move, ok bool) (source.Range, bool) {
	i := firstBehind(moves, g.Start)
	if !ok || i < len(moves) && moves[i].start < g.End {
		return g, false
	}
	by := shiftBefore(moves, i)
	return source.Range{File: g.File, Start: g.Start + by, End: g.End + by}, true
}
