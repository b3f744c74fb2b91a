package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// A redrive of dead letters reads files again in which a person mended them. It
// sends what stands in their places now, and nothing else: all other bytes must be
// those that the earlier run planned, which its hashes prove.

// DeadHint says what to do where dead letters cannot be sent again from their file.
func DeadHint(run *store.Run) string {
	return fmt.Sprintf("'worqcron export %s --dead' writes them to a file that can be mended and fed in; 'worqcron run %s --new' reads all of the source afresh", run.Name(), run.Schedule)
}

func (r *Runner) checkMended(ctx context.Context, job *Job, of *store.Run) error {
	_, err := FindMended(ctx, &r.Ledger.Reader, job, of)
	return err
}

// MendedFile is a file in which dead letters of a run were mended.
type MendedFile struct {
	Old    store.SnapshotFile
	Now    store.Content
	Places []store.Mended // of all its dead letters, mended or not

	proven *overlaps // where the bytes stand that earlier runs planned
}

// FindMended finds the files in which dead letters of a run were mended, and
// proves that nothing else in them changed. Nothing mended is a
// *NothingToRedriveError.
func FindMended(ctx context.Context, r *store.Reader, job *Job, of *store.Run) (list []MendedFile, err error) {
	sent, err := sentDead(ctx, r, of)
	if err != nil {
		return nil, err
	}
	dead, err := deadByFile(ctx, r, of)
	if err != nil {
		return nil, err
	}
	if err := canReadAgain(ctx, r, job, of); err != nil {
		return nil, err
	}
	m, err := openMending(ctx, r, job, of)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.snapshot.Close()) }()
	var before *store.Run
	for _, f := range m.files {
		if len(dead[f.File]) == 0 {
			continue
		}
		now := m.snapshot.Files[m.index[f.File]]
		hash, err := now.Hash(ctx)
		if err != nil {
			return nil, err
		}
		if hash == f.ContentHash {
			continue // nobody mended it yet
		}
		places, err := m.places(f, dead[f.File])
		if err != nil {
			return nil, err
		}
		m.moves[f.File] = forward(places)
		if sent[f.File] != nil {
			before = sent[f.File]
			continue
		}
		list = append(list, MendedFile{Old: f, Now: store.Content{Size: now.Size, Hash: hash}, Places: places})
	}
	switch {
	case len(list) == 0 && before != nil:
		return nil, &NothingToRedriveError{Run: of.Name(), What: fmt.Sprintf(
			"the dead letters of files that were mended went out with run %s\n  hint: 'worqcron redrive %s --dead' sends those that were still bad then, once they are mended", before.Name(), before.Name())}
	case len(list) == 0:
		return nil, &NothingToRedriveError{Run: of.Name(), What: "the files with its dead letters have the bytes that they had: mend them first"}
	}
	for i := range list {
		for j := range list[i].Places {
			list[i].Places[j].File = i
		}
		if list[i].proven, err = m.prove(ctx, list[i].Old); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// sentDead tells of which files of a run an earlier redrive sent the dead letters.
// What was still bad in them then is a dead letter of that one.
func sentDead(ctx context.Context, r *store.Reader, of *store.Run) (map[int]*store.Run, error) {
	again, err := r.Redrives(ctx, of)
	if err != nil {
		return nil, err
	}
	sent := map[int]*store.Run{}
	for _, run := range again {
		if run.PlannedAt == nil {
			continue
		}
		files, err := r.MendedFiles(ctx, run.ID)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			sent[f] = run
		}
	}
	return sent, nil
}

// deadByFile returns a run's dead letters by the file that they lie in, in order.
func deadByFile(ctx context.Context, r *store.Reader, of *store.Run) (map[int][]store.DeadLetter, error) {
	dead := map[int][]store.DeadLetter{}
	for after := int64(0); ; {
		page, err := r.DeadLetters(ctx, of.ID, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			dead[d.File] = append(dead[d.File], d)
			after = d.Number
		}
		if len(page) == 0 && len(dead) == 0 {
			return nil, &NothingToRedriveError{Run: of.Name(), What: "it has no dead letter"}
		}
		if len(page) == 0 {
			return dead, nil
		}
	}
}

// canReadAgain says why the source of a run cannot be read again as it was.
func canReadAgain(ctx context.Context, r *store.Reader, job *Job, of *store.Run) error {
	if job.Source == nil || job.readsStdin() {
		return fmt.Errorf("--dead needs a plain file that can be read again\n  hint: %s", DeadHint(of))
	}
	now, err := shapeOf(job).hash()
	if err != nil {
		return err
	}
	if now != of.Shape {
		return fmt.Errorf("the options of schedule %s that shape bodies changed since run %s, so its dead letters would not go out as it would have sent them: put them back\n  hint: %s", job.Schedule, of.Name(), DeadHint(of))
	}
	c, err := r.Receipt(ctx, of)
	if err != nil {
		return err
	}
	if c.Chunks.Pending > 0 {
		return fmt.Errorf("run %s still has %s to send: go on with it, or cancel it, first", of.Name(), counted(c.Chunks.Pending, "chunk"))
	}
	return nil
}

// mendingFiles is the files of a run, open as they are now.
type mendingFiles struct {
	reader   *store.Reader
	of       *store.Run
	job      *Job
	files    []store.SnapshotFile // those that the run read
	snapshot *source.Snapshot
	index    map[int]int    // file of the run → file in snapshot
	moves    map[int][]move // by file of the run, where it was mended
}

func openMending(ctx context.Context, r *store.Reader, job *Job, of *store.Run) (*mendingFiles, error) {
	all, err := r.Files(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	m := &mendingFiles{reader: r, of: of, job: job, index: map[int]int{}, moves: map[int][]move{}}
	var paths []string
	for _, f := range all {
		if f.UnchangedSince != "" || f.Records == 0 {
			continue
		}
		path, err := whereNow(f)
		if err != nil {
			return nil, fmt.Errorf("%w\n  hint: %s", err, DeadHint(of))
		}
		m.index[f.File] = len(paths)
		m.files, paths = append(m.files, f), append(paths, path)
	}
	o, err := sourceOptions(*job.Source, of)
	if err != nil {
		return nil, err
	}
	if m.snapshot, err = source.OpenFiles(o, paths); err != nil {
		return nil, fmt.Errorf("%w\n  hint: %s", err, DeadHint(of))
	}
	for _, f := range m.files {
		now := m.snapshot.Files[m.index[f.File]]
		if !now.Seekable() {
			err = fmt.Errorf("%s: --dead needs a plain file in UTF-8, and this one is compressed, a JSON document, or in another encoding\n  hint: %s", f.Path, DeadHint(of))
		} else {
			err = useOldHeader(now, f)
		}
		if err != nil {
			return nil, errors.Join(err, m.snapshot.Close())
		}
	}
	return m, nil
}

func useOldHeader(now *source.File, f store.SnapshotFile) error {
	var header []string
	if f.Header != "" {
		if err := json.Unmarshal([]byte(f.Header), &header); err != nil {
			return err
		}
	}
	return now.UseHeader(header)
}

// places finds what stands in the place of each dead letter now: one record.
func (m *mendingFiles) places(f store.SnapshotFile, dead []store.DeadLetter) ([]store.Mended, error) {
	var list []store.Mended
	shift := int64(0)
	for _, d := range dead {
		start := d.ByteStart + shift
		end, err := m.snapshot.RecordEnd(m.index[f.File], start)
		if err != nil {
			return nil, err
		}
		list = append(list, store.Mended{
			Number: d.Number, OldFile: f.File, OldStart: d.ByteStart, OldEnd: d.ByteEnd, ByteStart: start, ByteEnd: end,
		})
		shift = end - d.ByteEnd
	}
	return list, nil
}

// otherwise is the error where more changed than dead letters.
func (m *mendingFiles) otherwise(path, lines string) error {
	return fmt.Errorf("%s: more changed than the dead letters of run %s, each of which must be one record again: other bytes than it planned in %s, as counted then\n  hint: %s",
		path, m.of.Name(), lines, DeadHint(m.of))
}

// planMended plans a redrive of dead letters.
func (r *Runner) planMended(ctx context.Context, job *Job, run, of *store.Run, o Order) (*planned, error) {
	files, err := FindMended(ctx, &r.Ledger.Reader, job, of)
	if err != nil {
		return nil, &PlanError{err}
	}
	options, err := sourceOptions(*job.Source, run)
	if err != nil {
		return nil, &PlanError{err}
	}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Old.Path)
	}
	snap, err := source.OpenFiles(options, paths)
	if err != nil {
		return nil, &PlanError{err}
	}
	p := &planning{badBecause: map[string]int64{}, runner: r, job: job, run: run, order: o, snapshot: snap, mended: files}
	p.head = store.PlanHead{Shape: of.Shape, Job: of.Job, Payload: of.Payload, Path: of.SourcePath}
	run.Shape, run.Payload = of.Shape, of.Payload
	end, err := p.readMended(ctx)
	err = errors.Join(err, p.keepNotes(ctx))
	if err != nil || end != nil {
		err = errors.Join(err, snap.Close())
		snap = nil
	}
	return &planned{snapshot: snap, end: end}, err
}

func (p *planning) readMended(ctx context.Context) (*store.End, error) {
	env, err := newEnvelope(shapeOf(p.job), p.run)
	if err != nil {
		return nil, err
	}
	h := newHistory(len(p.mended))
	for i, f := range p.mended {
		there, err := knownRanges(ctx, &p.runner.Ledger.Reader, p.run, store.Content{Size: f.Old.Size, Hash: f.Old.ContentHash})
		if err != nil {
			return nil, err
		}
		here, err := p.runner.Ledger.EarlierRanges(ctx, p.run, f.Now.Size, f.Now.Hash) // of a run that read the mended file before
		if err != nil {
			return nil, err
		}
		known := append(moved(there, forward(f.Places)), here...)
		slices.SortStableFunc(known, func(a, b store.Earlier) int { return cmp.Compare(a.Start, b.Start) })
		h.files[i] = &earlier{ranges: known, mended: &p.mended[i]}
		p.part.Mended = append(p.part.Mended, f.Places...)
	}
	if err := p.start(ctx, h); err != nil {
		return nil, err
	}
	return p.readSince(ctx, env, h)
}

// checkHeader refuses a mended file of which the header changed too.
func (p *planning) checkHeader(file int, header string) error {
	if len(p.mended) == 0 || p.mended[file].Old.Header == header {
		return nil
	}
	return p.stray(file, 1, "the header changed too")
}

// stray is the error where a mended file has something that was not planned.
func (p *planning) stray(file int, line int64, what string) error {
	of, err := p.runner.Ledger.FindRun(context.Background(), p.run.RedriveOf)
	if err != nil {
		return err
	}
	return &PlanError{&source.Error{Path: p.snapshot.Files[file].Path, Line: line, Msg: what, Hint: DeadHint(of)}}
}

// strayRecord says that a mended file has a record that nobody planned.
type strayRecord struct{ line int64 }

func (e *strayRecord) Error() string { return fmt.Sprintf("line %d was not planned before", e.line) }

// isPlace says whether a record begins in the place of a dead letter.
func (f *MendedFile) isPlace(offset int64) bool {
	i, _ := slices.BinarySearchFunc(f.Places, offset, func(m store.Mended, at int64) int {
		if m.ByteEnd <= at {
			return -1
		}
		return 1
	})
	return i < len(f.Places) && f.Places[i].ByteStart <= offset
}
