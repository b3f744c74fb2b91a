package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"worqcron/source"
	"worqcron/store"
)

// planned is a committed plan and the files it holds open, for delivery. If end
// is set, there is nothing to deliver and the run ends so.
type planned struct {
	snapshot *source.Snapshot // nil without a source, or if the records are in the spool
	end      *store.End
}

func (p *planned) close() error {
	if p.snapshot == nil {
		return nil
	}
	return p.snapshot.Close()
}

// PlanError says that the source cannot be planned; nothing of the run was sent.
type PlanError struct{ Err error }

func (e *PlanError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *PlanError) Unwrap() error { return e.Err }

// plan reads the whole source of a run in Planning, cuts it into chunks and
// commits them. Nothing is sent before it returns.
func (r *Runner) plan(ctx context.Context, job *Job, run *store.Run, o Order) (*planned, error) {
	if run.RedriveOf != "" {
		return r.planRedrive(ctx, job, run, o)
	}
	s := shapeOf(job)
	head, err := r.planHead(job, run, s)
	if err != nil {
		return nil, err
	}
	run.Shape, run.Payload = head.Shape, head.Payload
	if err := checkForm(s, job.Payload.Keys()); err != nil {
		return nil, &PlanError{fmt.Errorf("schedule %s: %w", job.Schedule, err)}
	}
	env, err := newEnvelope(s, run)
	if err != nil {
		return nil, err
	}
	if job.Source == nil {
		return &planned{}, r.planPayload(ctx, run, env, job.Chunk.MaxBytes, head)
	}
	if job.readsStdin() && !o.Stdin {
		return nil, &PlanError{fmt.Errorf("schedule %s: path = %q is the standard input, which only 'worqcron run %s' and 'worqcron plan %s' by hand have", job.Schedule, source.Stdin, job.Schedule, job.Schedule)}
	}
	snap, path, err := r.openSource(ctx, job, run, o)
	if err != nil {
		return nil, err
	}
	head.Path = path
	p := &planning{badBecause: map[string]int64{}, runner: r, job: job, run: run, order: o, snapshot: snap, head: head}
	end, err := p.read(ctx, env)
	err = errors.Join(err, p.keepNotes(ctx))
	if err != nil || end != nil || p.spool != nil {
		err = errors.Join(err, snap.Close())
		snap = nil
	}
	return &planned{snapshot: snap, end: end}, err
}

// openSource takes the snapshot, when the files have settled. path is what the
// source's path became; "" if it has no expressions. The run of a file that arrived
// reads that one alone, and path is its.
func (r *Runner) openSource(ctx context.Context, job *Job, run *store.Run, o Order) (snap *source.Snapshot, path string, err error) {
	options, err := sourceOptions(*job.Source, run)
	if err != nil {
		return nil, "", &PlanError{fmt.Errorf("schedule %s: source.path: %w", job.Schedule, err)}
	}
	if options.Base != "" {
		path = options.Path
	}
	arrival, arrived, err := r.Ledger.Arrival(ctx, run.Schedule, run.ScheduledFor)
	if err != nil {
		return nil, "", err
	}
	if arrived {
		path = arrival.Path
	}
	waited := false
	snap, err = source.OpenSettled(ctx, options, source.Settling{
		For: job.Files.Settle, AtMost: job.Files.SettleTimeout, Only: arrival.Path,
		Waiting: func(path string, until time.Duration) {
			waited = true
			o.Progress.wait(path)
			r.Log.Info("waiting for a file to settle", "schedule", run.Schedule, "run_id", run.RunID, "path", path,
				"settle", job.Files.Settle, "at_least", until.Round(time.Millisecond))
		},
	})
	if waited {
		o.Progress.wait("")
	}
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, "", context.Cause(ctx)
	case arrived && errors.Is(err, fs.ErrNotExist): // gone since it arrived
		snap, err = source.OpenFiles(options, nil)
	}
	if err != nil {
		return nil, "", &PlanError{err}
	}
	return snap, path, nil
}

func (r *Runner) planHead(job *Job, run *store.Run, s shape) (h store.PlanHead, err error) {
	if h.Shape, err = s.hash(); err != nil {
		return h, err
	}
	if h.Job, err = s.text(); err != nil {
		return h, err
	}
	moment, err := momentOf(run)
	if err != nil {
		return h, &PlanError{err}
	}
	payload, err := job.Payload.Render(moment)
	if err != nil {
		return h, &PlanError{fmt.Errorf("schedule %s: %w", job.Schedule, err)}
	}
	h.Payload = string(payload)
	return h, nil
}

// planPayload plans a run without a source: one chunk without records.
func (r *Runner) planPayload(ctx context.Context, run *store.Run, env *envelope, maxBytes int64, h store.PlanHead) error {
	c := store.Chunk{Chunk: 1, BodyBytes: env.exactSize(0, 1, 0), Key: chunkKey(run, "", 1)}
	if env.size(0) >= maxBytes {
		return &PlanError{fmt.Errorf("schedule %s: the payload makes a body of %d bytes, max_bytes is %d", run.Schedule, env.size(0), maxBytes)}
	}
	if err := r.Ledger.StartPlan(ctx, run, h); err != nil {
		return err
	}
	if err := r.Ledger.AddToPlan(ctx, run, store.PlanPart{Chunks: []store.Chunk{c}}); err != nil {
		return err
	}
	return r.Ledger.FinishPlan(ctx, run, store.PlanTotals{})
}

// planning is a plan of a source under way.
type planning struct {
	runner   *Runner
	job      *Job
	run      *store.Run
	order    Order
	head     store.PlanHead
	snapshot *source.Snapshot
	spool    *spoolWriter // nil unless a file's records have to be spooled
	packer   *packer
	part     store.PlanPart // not committed yet
	ranges   int            // in part
	bytes    int64          // read so far

	badBecause map[string]int64 // bad records by reason
	mended     []MendedFile     // of a redrive of dead letters: its files
}

// read plans all files. An end says that there is nothing to deliver.
func (p *planning) read(ctx context.Context, env *envelope) (*store.End, error) {
	h, err := p.lookBack(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx, h); err != nil {
		return nil, err
	}
	if end, err := p.nothingToRead(h); end != nil || err != nil {
		return end, err
	}
	return p.readSince(ctx, env, h)
}

// readSince plans what earlier runs have not done.
func (p *planning) readSince(ctx context.Context, env *envelope, h *history) (*store.End, error) {
	if err := p.createSpool(); err != nil {
		return nil, err
	}
	taken, err := newTakenNames(append(p.job.Payload.Keys(), p.job.Chunk.BatchKey))
	if err != nil {
		return nil, err
	}
	limit, err := p.learntLimit(ctx)
	if err != nil {
		return nil, err
	}
	p.packer = newPacker(packer{
		envelope: env, chunk: p.job.Chunk, limit: limit, run: p.run, spool: p.spool, gapless: p.job.Source.WhereReadsRun(), taken: taken,
		segment: func(s store.Segment) error { return p.addSegment(ctx, s) },
		emit:    func(c store.Chunk) error { return p.addChunk(ctx, c) },
		dead:    func(d store.DeadLetter) error { return p.addDead(ctx, d) },
	})
	err = p.readFiles(ctx, h)
	if p.spool != nil {
		err = errors.Join(err, p.closeSpool(err == nil))
	}
	if err != nil {
		return nil, err
	}
	return p.finish(ctx, h)
}

// lookBack asks what earlier runs delivered. With --force everything goes out
// again, also what an earlier run has still planned: here, and not there as well.
func (p *planning) lookBack(ctx context.Context) (*history, error) {
	if p.job.Records.Unchanged == "send" && !p.order.Force {
		return newHistory(len(p.snapshot.Files)), nil
	}
	h, err := p.runner.lookBack(ctx, p.run, p.snapshot, lookingBack{p.job.Source.WhereReadsRun(), p.order.Force})
	var structural *source.Error
	if errors.As(err, &structural) {
		return nil, &PlanError{err}
	}
	return h, err
}

func (p *planning) start(ctx context.Context, h *history) error {
	for i, f := range p.snapshot.Files {
		p.head.Files = append(p.head.Files, store.SnapshotFile{
			File: i, Path: f.Path, Size: f.Size, ModTime: f.ModTime, Inode: f.Identity().Inode, Format: f.Format, Compression: f.Compression,
			UnchangedSince: h.unchanged[i],
		})
		if h.unchanged[i] != "" {
			p.head.Files[i].ContentHash = h.hashes[i] // others are hashed as they are read
		} else {
			p.order.Progress.addTotal(f.Size)
		}
	}
	return p.runner.Ledger.StartPlan(ctx, p.run, p.head)
}

// nothingToRead decides about a glob without a file, and about files that were
// all delivered before.
func (p *planning) nothingToRead(h *history) (*store.End, error) {
	if len(h.unchanged) == 0 {
		return p.empty("no file matches " + p.path())
	}
	if slices.Contains(h.unchanged, "") {
		return nil, nil
	}
	return p.unchanged(h), nil
}

// unchanged is the end of a run whose records were all delivered before; nil if
// no file of it was.
func (p *planning) unchanged(h *history) *store.End {
	since := ""
	for _, runID := range h.unchanged {
		since = cmp.Or(runID, since)
	}
	if since == "" {
		return nil
	}
	if before, err := p.runner.Ledger.FindRun(context.Background(), since); err == nil {
		since = before.Name()
		if root, err := rootOf(context.Background(), &p.runner.Ledger.Reader, before); err == nil {
			before = root // a redrive of chunks has no dead letters of its own
		}
		if c, err := p.runner.Ledger.Receipt(context.Background(), before); err == nil && c.Records.Dead > 0 {
			since += ", which has " + counted(c.Records.Dead, "dead record")
		}
	}
	return &store.End{State: store.Skipped, Reason: reasonUnchanged + since}
}

// path is what the run reads, for people.
func (p *planning) path() string { return cmp.Or(p.head.Path, p.job.Source.Path) }

func (p *planning) empty(what string) (*store.End, error) {
	if p.job.Records.Empty == "fail" {
		return nil, &PlanError{errors.New(what + "\n  hint: if that may happen, set empty = \"skip\"")}
	}
	return &store.End{State: store.Skipped, Reason: "empty: " + what}, nil
}

func (p *planning) readFiles(ctx context.Context, h *history) error {
	for i := range p.snapshot.Files {
		if h.unchanged[i] != "" {
			continue
		}
		if err := p.readFile(ctx, i, h.files[i]); err != nil {
			return err
		}
	}
	if err := p.packer.finish(); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.snapshot.CheckUnchanged(); err != nil {
		return &PlanError{fmt.Errorf("%w; is it still being written?", err)}
	}
	return nil
}

func (p *planning) readFile(ctx context.Context, file int, known *earlier) error {
	before := p.packer.totals.records
	f := p.snapshot.Files[file]
	begun, columns := false, ""
	var badBlock error
	var read int64
	o := source.ScanOptions{Workers: p.runner.Workers, Encode: p.spool != nil || p.packer.envelope.perRecord}
	err := p.snapshot.Scan(ctx, file, o, func(b *source.Block) error {
		if !begun { // what a record's members are is known with the first block
			begun = true
			columns, badBlock = p.packer.beginFile(f.Columns)
		}
		if badBlock == nil {
			badBlock = p.packer.block(file, b, known)
		}
		now := f.BytesRead()
		p.order.Progress.read(now-read, int64(len(b.Records)+len(b.Bad))+b.Filtered, p.packer.number)
		read = now
		return badBlock
	})
	var stray *strayRecord
	if errors.As(badBlock, &stray) {
		return p.stray(file, stray.line, "a record that was not there before, or not so")
	}
	if badBlock != nil {
		return badBlock
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &PlanError{err}
	}
	p.bytes += f.BytesRead()
	header := ""
	if len(f.Header) > 0 {
		text, err := json.Marshal(f.Header)
		if err != nil {
			return err
		}
		header = string(text)
	}
	if err := p.checkHeader(file, header); err != nil {
		return err
	}
	p.part.Files = append(p.part.Files, store.SnapshotFile{
		File: file, Header: header, Columns: columns, ContentHash: f.ContentHash, Records: p.packer.totals.records - before,
	})
	return nil
}
