package batch

import (
	"context"
	"errors"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// sourceChecks are what is held against the source.
type sourceChecks struct {
	files, records, dead, ranges, hashes, bodies *checking
}

// sourceVerifier reads the files of a run again, once and in order, and follows
// with the ledger's ranges, segments and dead letters.
type sourceVerifier struct {
	*rereading
	checks   sourceChecks
	rows     *ledgerCursors
	bodies   *bodyProofs
	segments *segmentProofs

	file     store.SnapshotFile
	covers   []*cover // ranges that have the record under way, or the next one
	total    fileCount
	complete bool // all files were read
}

// fileCount counts the records of a file.
type fileCount struct{ read, left, earlier int64 }

func (f *verifier) source(ctx context.Context, o VerifyOptions) (err error) {
	s := &sourceVerifier{complete: true, checks: sourceChecks{
		files: f.checkEach("source", "file"), records: f.checkEach("records", "record"), dead: f.checkEach("dead letters", "dead letter"),
		ranges: f.checkEach("ranges", "range"), hashes: f.checkEach("source hashes", "chunk"), bodies: f.checkEach("bodies", "chunk"),
	}}
	if f.run.PlannedAt == nil {
		for _, c := range s.all() {
			c.miss("the run has no plan: %s", f.run.Reason)
		}
		return nil
	}
	if s.rereading, err = newRereading(f.run, o.Workers, o.Progress); err != nil {
		return err
	}
	if s.rows, err = openCursors(ctx, f.view, f.run); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.rows.close()) }()
	files, err := f.view.Files(ctx, f.run.ID)
	if err != nil {
		return err
	}
	if s.bodies, err = newBodyProofs(s, files); err != nil {
		return err
	}
	s.segments = &segmentProofs{checks: &s.checks, run: f.run, view: f.view, open: map[int64]*segmentProof{}}
	for _, file := range files {
		s.progress.addTotal(file.Size)
	}
	for _, file := range files {
		if file.UnchangedSince != "" {
			continue // another run read it
		}
		s.file = file
		if err := s.verifyFile(ctx); err != nil {
			return err
		}
	}
	s.wholeRun()
	return s.bodies.rangeless(ctx, f.view)
}

// verifyFile reads one file. One that cannot be read as it was then is left out:
// what was found in it meanwhile does not count.
func (s *sourceVerifier) verifyFile(ctx context.Context) error {
	before := s.saved()
	snap, err := s.open(ctx, s.file)
	if err == nil {
		err = errors.Join(s.readFile(ctx, snap), snap.Close())
	}
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		for i, c := range s.all() {
			*c = before[i]
		}
		return s.missFile(changed)
	}
	if err != nil {
		return err
	}
	s.checks.files.proved++
	return nil
}

func (s *sourceVerifier) all() []*checking {
	c := &s.checks
	return []*checking{c.files, c.records, c.dead, c.ranges, c.hashes, c.bodies}
}

func (s *sourceVerifier) saved() (list []checking) {
	for _, c := range s.all() {
		list = append(list, *c)
	}
	return list
}

// missFile goes over what the ledger has of a file that cannot be read.
func (s *sourceVerifier) missFile(why error) error {
	s.complete = false
	s.checks.files.miss("%v", why)
	for _, c := range s.all()[1:] {
		c.miss("not for %s, which cannot be read as it was", s.file.Path)
	}
	for _, c := range s.bodies.open { // they began before it, or in it
		c.missed = true
	}
	clear(s.segments.open) // a segment lies in one file
	for _, c := range s.covers {
		if c.chunk != nil {
			s.bodies.passed(c)
		}
	}
	s.covers = nil
	for c := s.rows.chunks; c.ok && c.row.File == s.file.File; {
		g := s.bodies.cover(&c.row)
		g.chunk.missed = true
		s.bodies.passed(g)
		if err := c.advance(); err != nil {
			return err
		}
	}
	for c := s.rows.segments; c.ok && c.row.File == s.file.File; {
		if err := c.advance(); err != nil {
			return err
		}
	}
	for c := s.rows.dead; c.ok && c.row.File == s.file.File; {
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sourceVerifier) readFile(ctx context.Context, snap *source.Snapshot) error {
	before, deadBefore := s.total, s.checks.dead.proved
	err := s.scan(ctx, snap, s.file, true, func(b *source.Block) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := eachRecord(b, true, func(r *seenRecord) error { return s.record(ctx, b, r) }); err != nil {
			return err
		}
		for _, c := range s.covers {
			c.hashTo(b, b.End)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.pass(ctx, 1<<62, 1<<62); err != nil {
		return err
	}
	if n := s.total.read - before.read; n != s.file.Records && s.run.Origin != originRedrive {
		s.checks.records.fail("%s has %d records, the ledger says %d (%d of them dead)", s.file.Path, n, s.file.Records, s.checks.dead.proved-deadBefore)
	}
	return nil
}

// record finds the place of a record in the ledger. There must be one.
func (s *sourceVerifier) record(ctx context.Context, b *source.Block, r *seenRecord) error {
	s.total.read++
	if err := s.pass(ctx, r.start, r.start); err != nil {
		return err
	}
	dead, err := s.takeDead(r)
	if err != nil {
		return err
	}
	if r.left {
		s.total.left++
		s.checks.records.proved++
		return nil // it may lie within a range, between records that go out
	}
	chunk, segment := int64(0), false
	for _, c := range s.covers {
		if r.bad != nil || dead {
			s.checks.records.fail("%s:%d: %s has a dead record", s.file.Path, r.line, c.name())
			continue
		}
		c.add(b, r)
		switch {
		case c.segment != nil:
			if segment {
				s.checks.records.fail("%s:%d: the record is in two segments", s.file.Path, r.line)
			}
			segment = true
			if err := s.recordChunk(c.segment, r); err != nil {
				return err
			}
		case c.chunk.row.State != store.ChunkSplit:
			if chunk != 0 {
				s.checks.records.fail("%s:%d: the record is in the chunks %d and %d", s.file.Path, r.line, chunk, c.chunk.row.Chunk)
			}
			chunk = c.chunk.row.Chunk
		}
	}
	s.owned(r, chunk != 0 || segment, dead)
	return nil
}

// owned counts a record by what the ledger has of it: a chunk or segment, a dead
// letter, or neither.
func (s *sourceVerifier) owned(r *seenRecord, goesOut, dead bool) {
	switch {
	case r.bad != nil && !dead:
		s.checks.records.fail("%s:%d: a bad record (%s) that is no dead letter", s.file.Path, r.line, r.bad.Reason)
		return
	case dead, goesOut:
	case s.run.Origin == originRedrive:
		s.total.read-- // it was not asked for
		return
	default:
		s.total.earlier++
	}
	s.checks.records.proved++
}

// recordChunk proves the place of a segment's record, and its chunk's body if it has
// a row.
func (s *sourceVerifier) recordChunk(g *segmentProof, r *seenRecord) error {
	number := g.row.FirstChunk + g.records - 1
	if g.records > g.row.SegmentRecords {
		return nil // the range says so
	}
	if g.places != nil {
		s.recordPlace(g, number, r)
	}
	row, err := s.rows.rowOf(number)
	if row == nil {
		return err
	}
	own := *row
	own.Key = store.Key(g.row.KeyPrefix, number)
	p := s.bodies.of(&own)
	p.add(r.json)
	s.bodies.end(p)
	return nil
}

// recordPlace proves the place of a segment's record.
func (s *sourceVerifier) recordPlace(g *segmentProof, number int64, r *seenRecord) {
	k := g.places[g.records-1]
	if k.ByteStart != r.start || k.ByteEnd != r.end || k.FirstLine != r.line || k.LastLine != r.lastLine {
		s.checks.ranges.fail("chunk %d: its record is in lines %d to %d of %s, by the ledger in %d to %d", number, r.line, r.lastLine, s.file.Path, k.FirstLine, k.LastLine)
	} else {
		s.checks.ranges.proved++
	}
}

// takeDead takes the dead letter of a record, if it has one.
func (s *sourceVerifier) takeDead(r *seenRecord) (bool, error) {
	d := s.rows.dead
	if !d.ok || d.row.File != s.file.File || d.row.ByteStart != r.start {
		return false, nil
	}
	row := d.row
	switch {
	case row.ByteEnd != r.end:
		s.checks.dead.fail("%s:%d: the dead record ends at byte %d, by the ledger at %d", s.file.Path, r.line, r.end, row.ByteEnd)
	case r.bad != nil && (row.Reason != r.bad.Reason || row.Line != r.bad.Line || row.Column != r.bad.Column):
		s.checks.dead.fail("%s:%d:%d: %s, by the ledger %s at %d:%d", s.file.Path, r.bad.Line, r.bad.Column, r.bad.Reason, row.Reason, row.Line, row.Column)
	case r.bad == nil && (r.left || !s.bodies.buried(row.Reason, r.json)):
		s.checks.dead.fail("%s:%d: a good record, by the ledger dead for %s", s.file.Path, r.line, row.Reason)
	default:
		s.checks.dead.proved++
	}
	return true, d.advance()
}

// pass leaves ranges behind that end at or before one byte, and takes up those
// that begin at or before another.
func (s *sourceVerifier) pass(ctx context.Context, end, begin int64) error {
	keep := s.covers[:0]
	for _, c := range s.covers {
		if c.ByteEnd > end {
			keep = append(keep, c)
		} else {
			s.leave(c)
		}
	}
	s.covers = keep
	for c := s.rows.chunks; c.ok && c.row.File == s.file.File && c.row.ByteStart <= begin; {
		s.takeUp(s.bodies.cover(&c.row), end)
		if err := c.advance(); err != nil {
			return err
		}
	}
	for c := s.rows.segments; c.ok && c.row.File == s.file.File && c.row.ByteStart <= begin; {
		g, err := s.segments.cover(ctx, &c.row)
		if err != nil {
			return err
		}
		s.takeUp(g, end)
		if err := c.advance(); err != nil {
			return err
		}
	}
	for d := s.rows.dead; d.ok && d.row.File == s.file.File && d.row.ByteStart < begin; {
		s.checks.dead.fail("%s:%d: dead letter %d is no record", s.file.Path, d.row.Line, d.row.Number)
		if err := d.advance(); err != nil {
			return err
		}
	}
	return nil
}

// takeUp begins a range, and ends it if no record is in it any more.
func (s *sourceVerifier) takeUp(c *cover, end int64) {
	if c.ByteEnd > end {
		s.covers = append(s.covers, c)
	} else {
		s.leave(c)
	}
}

// leave ends a range: it must be whole records, as many as the ledger says.
func (s *sourceVerifier) leave(c *cover) {
	switch {
	case c.seen != c.Records:
		s.checks.ranges.fail("%s: %d records in lines %d to %d of %s, by the ledger %d", c.name(), c.seen, c.FirstLine, c.LastLine, s.file.Path, c.Records)
	case c.wrong != "":
		s.checks.ranges.fail("%s: its range at line %d of %s %s", c.name(), c.FirstLine, s.file.Path, c.wrong)
	case c.lastEnd != c.ByteEnd || c.lastLine != c.LastLine:
		s.checks.ranges.fail("%s: its last record ends at byte %d in line %d of %s, by the ledger at byte %d in line %d",
			c.name(), c.lastEnd, c.lastLine, s.file.Path, c.ByteEnd, c.LastLine)
	default:
		s.checks.ranges.proved++
	}
	if c.segment != nil {
		s.segments.passed(c)
		return
	}
	s.bodies.passed(c)
}

// wholeRun compares the counts of all files with those of the run.
func (s *sourceVerifier) wholeRun() {
	for _, c := range s.bodies.open {
		s.checks.ranges.fail("chunk %d: its ranges have %d records, it has %d", c.row.Chunk, c.past, c.row.ChunkRecords)
	}
	for _, c := range s.segments.open {
		s.checks.ranges.fail("segment %d: its ranges have %d records, it has %d", c.row.Segment, c.past, c.row.SegmentRecords)
	}
	if s.rows.left() {
		s.checks.records.fail("the ledger has records of a file that the run did not read")
	}
	if !s.complete || s.run.Origin == originRedrive {
		return
	}
	run := s.run
	for _, c := range []struct {
		what      string
		now, then int64
	}{
		{"records", s.total.read, run.RecordsRead},
		{"filtered records", s.total.left, run.RecordsFiltered},
		{"records of earlier runs", s.total.earlier, run.RecordsUnchanged + run.RecordsElsewhere},
	} {
		if c.now != c.then {
			s.checks.records.fail("the files have %s, by the run %d", fmt.Sprintf("%d %s", c.now, c.what), c.then)
		}
	}
}
