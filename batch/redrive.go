package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"worqcron/store"
)

// NothingToRedriveError says that nothing of a run is to be sent again.
type NothingToRedriveError struct {
	Run     string // its name
	What    string // "no failed chunk", …
	LeftOut []LeftOut
}

func (e *NothingToRedriveError) Error() string {
	text := fmt.Sprintf("run %s: nothing to send again: %s", e.Run, e.What)
	for i, l := range e.LeftOut {
		if i == maxNamed {
			return text + fmt.Sprintf("\n  and %d more", len(e.LeftOut)-i)
		}
		text += fmt.Sprintf("\n  chunk %d: %s", l.Chunk, l.Why)
	}
	return text
}

// maxNamed bounds how many chunks an error names.
const maxNamed = 10

// StartRedrive begins a run that sends something of an earlier run again, in the
// form and to the place that it was planned for. The earlier run has come to rest
// and stays as it is. Execute plans the new run and delivers it.
func (r *Runner) StartRedrive(ctx context.Context, job *Job, run *store.Run, what Redrive, actor string) (*store.Run, error) {
	if err := CanRedrive(job, run); err != nil {
		return nil, err
	}
	words := "dead letters"
	if what.Dead {
		if err := r.checkMended(ctx, job, run); err != nil {
			return nil, err
		}
	} else {
		s, err := SelectRedrive(ctx, &r.Ledger.Reader, job, run, what)
		if err != nil {
			return nil, err
		}
		if err := s.Empty(run, what); err != nil {
			return nil, err
		}
		words = s.words(what)
	}
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	return r.Ledger.BeginRun(ctx, store.NewRun{
		Schedule: run.Schedule, Called: run.Called, ScheduledFor: run.ScheduledFor, IntervalStart: run.IntervalStart, Origin: originRedrive, Zone: run.Zone, FlowID: run.FlowID, BaseURL: run.BaseURL,
		Actor: actor, RedriveOf: run.RunID, RedriveWhat: string(text), Redrive: words,
	})
}

// CanRedrive says why a run cannot be redriven with a job at all; nil if it can.
func CanRedrive(job *Job, run *store.Run) error {
	switch {
	case !run.State.Ended():
		return fmt.Errorf("run %s is %s: redrive it when it came to rest", run.Name(), run.State)
	case run.PlannedAt == nil:
		return fmt.Errorf("run %s never had a plan, so nothing of it can be sent again: start it afresh with 'worqcron run %s'", run.Name(), run.Schedule)
	}
	if _, err := plannedShape(run); err != nil {
		return err
	}
	return sameDestination(job, run)
}

// sameDestination says why what a run planned cannot go where the job's triggers
// go now.
func sameDestination(job *Job, run *store.Run) error {
	switch {
	case run.BaseURL != job.BaseURL:
		return fmt.Errorf("run %s was begun for %s and base_url is now %s: put it back, or start afresh with --new", run.Name(), run.BaseURL, job.BaseURL)
	case run.FlowID != job.FlowID:
		return fmt.Errorf("run %s was begun for flow %s and flow_id is now %s: put it back, or start afresh with --new", run.Name(), run.FlowID, job.FlowID)
	}
	return nil
}

// Empty is a *NothingToRedriveError if nothing was chosen.
func (s *Selection) Empty(run *store.Run, what Redrive) error {
	if len(s.Chosen) > 0 {
		return nil
	}
	text := "it has no failed chunk"
	switch {
	case len(s.LeftOut) > 0:
		text = "what failed went out since, or is about to"
	case what.FailedRemotely:
		text = "no chunk of it failed at WorqHat"
	case what.Reason != "":
		text = fmt.Sprintf("it has no chunk that failed for %q", what.Reason)
	}
	return &NothingToRedriveError{Run: run.Name(), What: text, LeftOut: s.LeftOut}
}

// words say for the audit what is sent again.
func (s *Selection) words(what Redrive) string {
	if len(s.Chosen) == 1 {
		return fmt.Sprintf("chunk %d", s.Chosen[0].Chunk)
	}
	kind := "failed chunk"
	if what.FailedRemotely {
		kind = "remotely failed chunk"
	}
	return fmt.Sprintf("%s from %d to %d", counted(int64(len(s.Chosen)), kind), s.Chosen[0].Chunk, s.Chosen[len(s.Chosen)-1].Chunk)
}

// planRedrive plans a redrive: as plan does, from what an earlier run planned.
func (r *Runner) planRedrive(ctx context.Context, job *Job, run *store.Run, o Order) (*planned, error) {
	var what Redrive
	if err := json.Unmarshal([]byte(run.RedriveWhat), &what); err != nil {
		return nil, fmt.Errorf("run %s: what it redrives: %w", run.RunID, err)
	}
	of, err := r.Ledger.FindRun(ctx, run.RedriveOf)
	if err != nil {
		return nil, &PlanError{err}
	}
	if what.Dead {
		return r.planMended(ctx, job, run, of, o)
	}
	s, err := SelectRedrive(ctx, &r.Ledger.Reader, job, of, what)
	if err != nil {
		return nil, err
	}
	if len(s.Chosen) == 0 {
		return &planned{end: &store.End{State: store.Skipped, Reason: "nothing is left to send again of run " + of.Name()}}, nil
	}
	p, err := r.newRedriving(ctx, run, of, o)
	if err != nil {
		return nil, err
	}
	err = p.write(ctx, &r.Ledger.Reader, s.Chosen)
	return &planned{}, err
}

// redriving is the plan of a redrive under way: chunks of an earlier run become
// chunks of this one, their records are kept in its spool.
type redriving struct {
	planning // for its parts; it has no snapshot
	of       *store.Run
	chunks   *chunkMaker
	number   int64
	frame    []store.Chunk // of the open frame, with mode "records"
	totals   store.PlanTotals
}

func (r *Runner) newRedriving(ctx context.Context, run, of *store.Run, o Order) (*redriving, error) {
	p := &redriving{planning: planning{runner: r, run: run, order: o}, of: of}
	p.head = store.PlanHead{Shape: of.Shape, Job: of.Job, Payload: of.Payload, Path: of.SourcePath}
	var err error
	if p.head.Files, err = r.Ledger.Files(ctx, of.ID); err != nil {
		return nil, err
	}
	if err := r.Ledger.StartPlan(ctx, run, p.head); err != nil {
		return nil, err
	}
	p.chunks, err = newChunkMaker(run, p.head.Files)
	return p, err
}

func (p *redriving) write(ctx context.Context, reader *store.Reader, chosen []Chosen) (err error) {
	path := spoolPath(p.runner.Ledger.Path(), p.run.RunID)
	if p.chunks.hasSource {
		if p.spool, err = createSpool(path); err != nil {
			return err
		}
		defer func() {
			if p.spool != nil {
				err = errors.Join(err, p.closeSpool(false))
			}
		}()
	} else if err := removeSpool(path); err != nil {
		return err
	}
	lost, err := eachChosen(ctx, reader, p.of, chosen, func(from *storedRun, c *store.Chunk, lines []byte) error {
		return p.add(ctx, from, c, lines)
	})
	if err == nil && len(lost) > 0 {
		err = &PlanError{lostError(p.of, lost)}
	}
	if err != nil {
		return err
	}
	if err := errors.Join(p.endFrame(ctx), p.flush(ctx)); err != nil {
		return err
	}
	if p.spool != nil {
		err = p.closeSpool(true)
		p.spool = nil
	}
	if err != nil {
		return err
	}
	return p.runner.Ledger.FinishPlan(ctx, p.run, p.totals)
}

// frameRecords is how many chunks share a frame with mode "records": each of them
// reads all of it.
const frameRecords = 32

// add plans a chunk of the earlier run again.
func (p *redriving) add(ctx context.Context, from *storedRun, of *store.Chunk, lines []byte) error {
	p.number++
	for _, g := range of.Ranges {
		p.totals.BytesRead += g.ByteEnd - g.ByteStart
	}
	p.totals.RecordsRead += of.Records
	p.order.Progress.read(0, of.Records, p.number)
	c := p.chunks.again(of, lines, p.number)
	if lines == nil {
		return p.addChunk(ctx, c)
	}
	for _, part := range [][]byte{lines, {'\n'}} {
		if err := p.spool.write(part); err != nil {
			return err
		}
	}
	p.frame = append(p.frame, c)
	if p.chunks.envelope.perRecord {
		if len(p.frame) < frameRecords {
			return nil
		}
		return p.endFrame(ctx)
	}
	places, err := from.placesOf(ctx, of) // the flow may refuse it as too large
	if err != nil {
		return err
	}
	for _, place := range places {
		p.spool.places.Add(place)
	}
	return p.endFrame(ctx)
}

// endFrame ends the open frame of the spool, if there is one, and plans its
// chunks.
func (p *redriving) endFrame(ctx context.Context) error {
	if len(p.frame) == 0 {
		return nil
	}
	place, err := p.spool.endFrame()
	if err != nil {
		return err
	}
	for i, c := range p.frame {
		own := *place
		if p.chunks.envelope.perRecord {
			own.Line = int64(i + 1)
		}
		c.Spool = &own
		if err := p.addChunk(ctx, c); err != nil {
			return err
		}
	}
	p.frame = p.frame[:0]
	return nil
}

// chunkMaker makes the chunks of a redrive.
type chunkMaker struct {
	run       *store.Run
	hasSource bool
	envelope  *envelope
	columns   map[int]*envelope // by file, where bodies carry columns
}

func newChunkMaker(run *store.Run, files []store.SnapshotFile) (*chunkMaker, error) {
	s, err := plannedShape(run)
	if err != nil {
		return nil, err
	}
	m := &chunkMaker{run: run, hasSource: s.HasSource, columns: map[int]*envelope{}}
	if m.envelope, err = newEnvelope(s, run); err != nil || !m.envelope.columns {
		return m, err
	}
	for _, f := range files {
		m.columns[f.File] = m.envelope.withColumns(f.Columns)
	}
	return m, nil
}

// again is a chunk of the earlier run as one of the redrive, but for its place in
// the spool.
func (m *chunkMaker) again(of *store.Chunk, lines []byte, number int64) store.Chunk {
	c := store.Chunk{Chunk: number, State: store.ChunkPlanned, Records: of.Records, RedriveOf: of.Chunk, Ranges: of.Ranges}
	e := m.envelope
	if e.columns && len(of.Ranges) > 0 {
		e = m.columns[of.Ranges[0].File]
	}
	if lines != nil {
		c.SourceHash = linesHash(lines)
	}
	c.BodyBytes = e.exactSize(int64(len(lines)), number, of.Records)
	if e.perRecord {
		c.BodyBytes = e.recordSize(lines, number)
	}
	c.Key = chunkKey(m.run, c.SourceHash, number)
	return c
}

// linesHash is the hash of records as a spool has them.
func linesHash(lines []byte) string {
	sum := newRangeSum()
	for _, part := range [][]byte{lines, {'\n'}} {
		if _, err := sum.Write(part); err != nil {
			panic(err) // a hash takes everything
		}
	}
	return sourceHash(sum)
}

// eachChosen reads the records of chosen chunks of a run again, in order, and
// returns those that cannot be had.
func eachChosen(ctx context.Context, r *store.Reader, of *store.Run, chosen []Chosen, fn func(from *storedRun, c *store.Chunk, lines []byte) error) (lost []LeftOut, err error) {
	stored, err := openStoredRun(ctx, r, of)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stored.close()) }()
	for _, one := range chosen {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c, lines, err := stored.chunk(ctx, one.Chunk)
		var changed *SourceChangedError
		switch {
		case errors.As(err, &changed):
			lost = append(lost, LeftOut{one.Chunk, changed.Error() + ", and its body was not kept"})
		case err != nil:
			return nil, err
		default:
			if err := fn(stored, c, lines); err != nil {
				return nil, err
			}
		}
	}
	return lost, nil
}

func lostError(of *store.Run, lost []LeftOut) error {
	text := fmt.Sprintf("%s of run %s cannot be had any more, so nothing was sent", counted(int64(len(lost)), "chunk"), of.Name())
	for i, l := range lost {
		if i == maxNamed {
			text += fmt.Sprintf("\n  and %d more", len(lost)-i)
			break
		}
		text += fmt.Sprintf("\n  chunk %d: %s", l.Chunk, l.Why)
	}
	return errors.New(text + "\n  hint: put the source back as it was, or send the others one by one with --chunk")
}
