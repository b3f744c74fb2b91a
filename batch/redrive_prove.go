package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// prove compares what runs planned of a file with the bytes that stand there now,
// and returns where those are. The runs are the one that is redriven, of which each
// byte must be as it was; if that one read a mended file too, those before it; and
// others that accepted records of the same content.
func (m *mendingFiles) prove(ctx context.Context, f store.SnapshotFile) (*overlaps, error) {
	p := &proof{path: f.Path, sum: newRangeSum()}
	err := p.run(ctx, m, f.File)
	var otherwise *notAsPlanned
	if errors.As(err, &otherwise) {
		err = m.otherwise(f.Path, otherwise.lines)
	}
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{m.of.ID: true}
	for run, file := m.of, &f; run != nil; {
		if err := m.others(ctx, p, run, file, seen); err != nil {
			return nil, err
		}
		if run, file, err = m.before(ctx, run, file); err != nil {
			return nil, err
		}
		if run != nil {
			if err := m.other(ctx, p, run, seen); err != nil {
				return nil, err
			}
		}
	}
	return newOverlaps(p.list), nil
}

// before finds the run and the file that a mended file was before it was mended;
// nil if it was not.
func (m *mendingFiles) before(ctx context.Context, run *store.Run, f *store.SnapshotFile) (*store.Run, *store.SnapshotFile, error) {
	places, err := m.reader.MendedPlaces(ctx, run.ID, f.File)
	if err != nil || len(places) == 0 {
		return nil, nil, err
	}
	above, err := m.reader.FindRun(ctx, run.RedriveOf)
	if err != nil {
		return nil, nil, err
	}
	files, err := m.reader.Files(ctx, above.ID)
	if err != nil {
		return nil, nil, err
	}
	for i := range files {
		if files[i].File == places[0].OldFile {
			return above, &files[i], nil
		}
	}
	return nil, nil, fmt.Errorf("run %s has no file %d", above.RunID, places[0].OldFile)
}

// others compares what other runs have of the content that a file was.
func (m *mendingFiles) others(ctx context.Context, p *proof, run *store.Run, f *store.SnapshotFile, seen map[int64]bool) error {
	list, err := m.reader.EarlierRanges(ctx, run, f.Size, f.ContentHash)
	if err != nil {
		return err
	}
	for _, g := range list {
		if seen[g.Run] {
			continue
		}
		other, err := m.reader.RunOfRow(ctx, g.Run)
		if err != nil {
			return err
		}
		if err := m.other(ctx, p, other, seen); err != nil {
			return err
		}
	}
	return nil
}

// other compares what another run planned of the file. What is not there any more
// as it planned it is just not proven by it.
func (m *mendingFiles) other(ctx context.Context, p *proof, run *store.Run, seen map[int64]bool) (err error) {
	seen[run.ID] = true
	dead, err := deadByFile(ctx, m.reader, run)
	var none *NothingToRedriveError
	if err != nil && !errors.As(err, &none) {
		return err
	}
	o, err := openMending(ctx, m.reader, m.job, run)
	if err != nil {
		return nil //nolint:nilerr // a file of it is gone
	}
	defer func() { err = errors.Join(err, o.snapshot.Close()) }()
	file := -1
	for _, f := range o.files {
		places, err := o.places(f, dead[f.File])
		if err != nil {
			return err
		}
		o.moves[f.File] = forward(places)
		if f.Path == p.path {
			file = f.File
		}
	}
	err = p.run(ctx, o, file)
	var otherwise *notAsPlanned
	if errors.As(err, &otherwise) {
		return nil
	}
	return err
}

// proof is a comparison under way.
type proof struct {
	path string
	sum  *rangeSum
	list []store.Earlier // where bytes stand that were planned
}

// run compares all chunks of a run that have a record of one of its files. It goes
// to the end also where one of them is a *notAsPlanned.
func (p *proof) run(ctx context.Context, m *mendingFiles, file int) error {
	var otherwise error
	err := p.each(ctx, m, func(hash string, ranges []store.ChunkRange) error {
		for _, g := range ranges {
			if g.File == file {
				err := p.compare(m, file, hash, ranges)
				var not *notAsPlanned
				if errors.As(err, &not) {
					otherwise = cmp.Or(otherwise, err)
					return nil
				}
				return err
			}
		}
		return nil
	})
	return cmp.Or(err, otherwise)
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

// each hands over what a run planned with a hash of the files' bytes: its segments
// or, without any, its chunks. Those in a spool are none: a redrive's records are
// those of another run.
func (p *proof) each(ctx context.Context, m *mendingFiles, fn func(hash string, ranges []store.ChunkRange) error) error {
	if found, err := p.eachSegment(ctx, m, fn); found || err != nil {
		return err
	}
	for after := int64(0); ; {
		page, err := m.reader.Chunks(ctx, m.of.ID, after, 500)
		if err != nil || len(page) == 0 {
			return err
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
}

func (p *proof) eachSegment(ctx context.Context, m *mendingFiles, fn func(hash string, ranges []store.ChunkRange) error) (found bool, err error) {
	for after := int64(0); ; found = true {
		page, err := m.reader.Segments(ctx, m.of.ID, after, 100)
		if err != nil || len(page) == 0 {
			return found, err
		}
		for _, s := range page {
			after = s.Segment
			if s.Spool == nil {
				if err := fn(s.SourceHash, s.Ranges); err != nil {
					return found, err
				}
			}
		}
	}
}

// notAsPlanned says that bytes are not those that were planned.
type notAsPlanned struct{ lines string }

func (e *notAsPlanned) Error() string { return e.lines + " are not as planned" }

// compare hashes ranges where they are now.
func (p *proof) compare(m *mendingFiles, file int, hash string, ranges []store.ChunkRange) error {
	p.sum.Reset()
	var mine []store.Earlier
	for _, g := range ranges {
		index, open := m.index[g.File]
		now, ok := shifted(source.Range{File: index, Start: g.ByteStart, End: g.ByteEnd}, m.moves[g.File])
		if !open || !ok || now.End > m.snapshot.Files[now.File].Size {
			return &notAsPlanned{linesOf(ranges, file)}
		}
		if err := m.snapshot.HashRange(now, p.sum); err != nil {
			return err
		}
		if g.File == file {
			mine = append(mine, store.Earlier{Run: m.of.ID, Start: now.Start, End: now.End})
		}
	}
	if sourceHash(p.sum) != hash {
		return &notAsPlanned{linesOf(ranges, file)}
	}
	p.list = append(p.list, mine...)
	return nil
}

// shifted is where a range without a mended place lies in the other file; false if
// it has one.
func shifted(g source.Range, moves []move) (source.Range, bool) {
	i := firstBehind(moves, g.Start)
	if i < len(moves) && moves[i].start < g.End {
		return g, false
	}
	by := shiftBefore(moves, i)
	return source.Range{File: g.File, Start: g.Start + by, End: g.End + by}, true
}
