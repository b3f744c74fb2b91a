package batch

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// known says what an earlier run of the schedule did with a record of the same
// content in the same shape.
type known int

const (
	knownNothing   known = iota // never planned, or failed: it goes out
	knownAccepted               // it counts as unchanged
	knownElsewhere              // it is unknown or still planned there: it stays with that run
	knownStray                  // in a mended file: nobody planned it
)

// earlier is what earlier runs did with one file. Records are asked for in the
// order of the file.
type earlier struct {
	ranges []store.Earlier // by Start; taken-over chunks left out
	next   int
	mended *MendedFile // of a redrive of dead letters: only what stands in their places goes out
}

// find returns the range that has the record which begins at a byte of the file;
// nil if none has. Ranges of different runs may overlap; an accepted one decides.
func (e *earlier) find(offset int64) (found *store.Earlier) {
	for e.next < len(e.ranges) && e.ranges[e.next].End <= offset {
		e.next++
	}
	for i := e.next; i < len(e.ranges) && e.ranges[i].Start <= offset; i++ {
		if e.ranges[i].End <= offset {
			continue
		}
		found = &e.ranges[i]
		if found.State == store.ChunkAccepted {
			break
		}
	}
	return found
}

// at returns what is known of that record.
func (e *earlier) at(offset int64) known {
	found := e.find(offset)
	switch {
	case found == nil:
		return e.inMended(offset, knownNothing)
	case found.State == store.ChunkAccepted:
		return e.inMended(offset, knownAccepted)
	}
	return e.inMended(offset, knownElsewhere)
}

// inMended is what is known of a record where a file was mended: in the place of a
// dead letter it goes out as any record; elsewhere its bytes must have been planned, and what
// was not accepted since stays with the run that did.
func (e *earlier) inMended(offset int64, result known) known {
	switch {
	case e.mended == nil || e.mended.isPlace(offset):
		return result
	case e.mended.proven.find(offset, offset+1) == nil:
		return knownStray
	case result == knownAccepted:
		return knownAccepted
	}
	return knownElsewhere
}

// history is what earlier runs did with the files of a run.
type history struct {
	asks      lookingBack
	unchanged []string   // by file: the run that delivered it whole; "" if none did
	files     []*earlier // by file: nil if nothing is known
	hashes    []string   // by file: its content, where somebody asked
	taken     []store.TakenOver
}

func newHistory(files int) *history {
	return &history{unchanged: make([]string, files), files: make([]*earlier, files), hashes: make([]string, files)}
}

// lookBack finds what earlier runs of the schedule delivered of the files that
// lie there now, by content. Only files whose size was seen before are hashed
// for it.
//
// Planned chunks of an earlier run whose every record is in files of this
// snapshot are taken over: this run sends them, that one gives them up. Those
// that also have records of other files stay with their run, and so do those that
// WorqHat may have already: sent again under another key, nobody could tell. Segments (mode
// "records") have records of one file and are always taken over; of their chunks
// that have a row, each counts for itself.
//
// If which records go out depends on the run (whereReadsRun), no file counts as
// delivered whole, since this run may want what that one left out, and no chunk or
// segment is taken over, since this run may not want what that one planned.
//
// If everything goes out again, only what is taken over counts.
func (r *Runner) lookBack(ctx context.Context, run *store.Run, snap *source.Snapshot, o lookingBack) (*history, error) {
	h := newHistory(len(snap.Files))
	h.asks = o
	var found [][]store.Earlier
	segments := map[store.TakenOver]bool{} // the same content may lie there twice
	for i, f := range snap.Files {
		list, open, err := r.lookBackFile(ctx, run, f, h, i)
		if err != nil {
			return nil, err
		}
		found = append(found, list)
		for _, s := range open {
			segments[s] = true
		}
	}
	h.taken = slices.Collect(maps.Keys(segments))
	covered := map[store.TakenOver]int64{} // records of a planned chunk that are in this snapshot
	for _, list := range found {
		for _, e := range list {
			if e.State == store.ChunkPlanned && !o.whereReadsRun {
				covered[store.TakenOver{Run: e.Run, Chunk: e.Chunk}] += e.Records
			}
		}
	}
	for c, records := range covered {
		chunk, err := r.Ledger.Chunk(ctx, c.Run, c.Chunk)
		if err != nil {
			return nil, err
		}
		unknown := 0
		if !o.everything {
			if unknown, err = r.Ledger.CountUnknown(ctx, c.Run, c.Chunk); err != nil {
				return nil, err
			}
		}
		if chunk.Records == records && unknown == 0 {
			h.taken = append(h.taken, c)
		} else {
			delete(covered, c)
		}
	}
	if o.everything {
		return h, nil
	}
	for i, list := range found {
		var keep []store.Earlier
		for _, e := range list {
			if _, taken := covered[store.TakenOver{Run: e.Run, Chunk: e.Chunk}]; !taken {
				keep = append(keep, e)
			}
		}
		if len(keep) > 0 {
			h.files[i] = &earlier{ranges: keep}
		}
	}
	return h, nil
}

// lookingBack says what a run wants to know of earlier ones.
type lookingBack struct {
	whereReadsRun bool // which records go out depends on the run
	everything    bool // all go out again
}

// lookBackFile finds what is known of the ranges and segments of file i and, if
// that is wanted, the run that delivered it whole.
func (r *Runner) lookBackFile(ctx context.Context, run *store.Run, f *source.File, h *history, i int) (
	list []store.Earlier, open []store.TakenOver, err error,
) {
	if f.Stdin() {
		return nil, nil, nil // it can be read but once
	}
	seen, err := r.Ledger.KnowsSize(ctx, run.Schedule, run.Shape, f.Size)
	if err != nil || !seen {
		return nil, nil, err
	}
	hash, err := f.Hash(ctx)
	if err != nil {
		return nil, nil, err
	}
	h.hashes[i] = hash
	if h.asks == (lookingBack{}) {
		if h.unchanged[i], err = r.Ledger.DeliveredBy(ctx, run.Schedule, run.Shape, hash); err != nil || h.unchanged[i] != "" {
			return nil, nil, err
		}
	}
	if list, err = knownRanges(ctx, &r.Ledger.Reader, run, store.Content{Size: f.Size, Hash: hash}); err != nil {
		return nil, nil, err
	}
	decided, err := r.decidedSegments(ctx, run, f.Size, hash)
	if err != nil {
		return nil, nil, err
	}
	open, err = r.Ledger.EarlierSegments(ctx, run, f.Size, hash, store.ChunkPlanned)
	if h.asks.whereReadsRun {
		decided, open = append(decided, open...), nil
	}
	if err == nil && len(decided) > 0 {
		list, err = r.withUnbegun(ctx, list, decided)
	}
	return list, open, err
}

// decidedSegments are those of which a person accepted an older copy of the
// ledger: nobody knows whether their chunks were sent, or somebody said so.
func (r *Runner) decidedSegments(ctx context.Context, run *store.Run, size int64, hash string) (list []store.TakenOver, err error) {
	for _, state := range []store.ChunkState{store.ChunkUnknown, store.ChunkAccepted} {
		more, err := r.Ledger.EarlierSegments(ctx, run, size, hash, state)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// withUnbegun adds what is still only in segments of earlier runs.
func (r *Runner) withUnbegun(ctx context.Context, list []store.Earlier, open []store.TakenOver) ([]store.Earlier, error) {
	for _, s := range open {
		more, err := r.Ledger.UnbegunRanges(ctx, s)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	slices.SortStableFunc(list, func(a, b store.Earlier) int { return cmp.Compare(a.Start, b.Start) })
	return list, nil
}
