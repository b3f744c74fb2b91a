package batch

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"worqcron/source"
	"worqcron/store"
)

// storedRun is a run of which the records of chunks are read again, exactly as
// they went out or would have: from its source, from a body that was kept, or, of
// a redrive, from the run that it redrives. One goroutine uses it.
type storedRun struct {
	reader   *store.Reader
	run      *store.Run
	records  *records
	builder  *bodyBuilder
	segments *segmentReader     // with mode "records"
	places   []store.ChunkRange // of the records of the loaded segment
	quoted   bool               // records are written inside a JSON string
	above    *storedRun         // of a redrive, once it was needed
}

func openStoredRun(ctx context.Context, r *store.Reader, run *store.Run) (s *storedRun, err error) {
	planned, err := plannedShape(run)
	if err != nil {
		return nil, err
	}
	s = &storedRun{reader: r, run: run, quoted: planned.RecordsAs == source.RecordsAsString}
	if s.records, err = openStored(ctx, r, run); err != nil {
		return nil, err
	}
	if s.builder, err = s.records.newBuilder(); err == nil && s.records.envelope.perRecord {
		s.segments, err = s.records.newSegmentReader()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *storedRun) close() error {
	var err error
	if s.above != nil {
		err = s.above.close()
	}
	if s.segments != nil {
		s.segments.close()
	}
	if s.builder != nil {
		s.builder.close()
	}
	return errors.Join(err, s.records.close())
}

// chunk returns a chunk and its records as JSON, a line each without the last
// newline, valid until the next call; none of a chunk without records. Where they
// cannot be had as they were it is a *SourceChangedError.
func (s *storedRun) chunk(ctx context.Context, number int64) (c *store.Chunk, lines []byte, err error) {
	c, err = s.reader.Chunk(ctx, s.run.ID, number)
	if errors.Is(err, sql.ErrNoRows) && s.segments != nil {
		return s.unbegun(ctx, number)
	}
	if err != nil || c.Records == 0 {
		return c, nil, err
	}
	if lines, err = s.lines(c); err == nil {
		return c, lines, nil
	}
	var changed *SourceChangedError
	if !errors.As(err, &changed) || c.RedriveOf == 0 {
		return c, nil, err
	}
	above, aboveErr := s.redriven(ctx)
	if above == nil {
		return c, nil, errors.Join(aboveErr, err)
	}
	_, lines, err = above.chunk(ctx, c.RedriveOf)
	return c, lines, err
}

// redriven is the run that this one redrives; nil if the ledger does not have it
// any more.
func (s *storedRun) redriven(ctx context.Context) (*storedRun, error) {
	if s.above != nil {
		return s.above, nil
	}
	run, err := s.reader.FindRun(ctx, s.run.RedriveOf)
	var gone *store.NotFoundError
	if errors.As(err, &gone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.above, err = openStoredRun(ctx, s.reader, run)
	return s.above, err
}

// placesOf returns where the records of a chunk lie in their files; nil if that is
// not known any more. It leaves what chunk returned as it is.
func (s *storedRun) placesOf(ctx context.Context, c *store.Chunk) (list []store.ChunkRange, err error) {
	found, _, err := s.builder.locate(c)
	var changed *SourceChangedError
	switch {
	case err == nil:
		for _, r := range found {
			list = append(list, r.ChunkRange)
		}
		return list, nil
	case !errors.As(err, &changed) && !errors.Is(err, errNoPlaces):
		return nil, err
	case c.RedriveOf == 0:
		return nil, nil
	}
	above, err := s.redriven(ctx)
	if above == nil {
		return nil, err
	}
	of, err := s.reader.Chunk(ctx, above.run.ID, c.RedriveOf)
	if err != nil {
		return nil, err
	}
	return above.placesOf(ctx, of)
}

// unbegun is chunk for one that is still only in its segment.
func (s *storedRun) unbegun(ctx context.Context, number int64) (*store.Chunk, []byte, error) {
	if seg := &s.segments.segment; len(s.segments.ends) == 0 || number < seg.FirstChunk || number > seg.LastChunk() {
		if err := s.load(ctx, number); err != nil {
			return nil, nil, err
		}
	}
	c, record := s.segments.chunk(number)
	at := number - s.segments.segment.FirstChunk
	c.Ranges = s.places[at : at+1]
	return c, record, nil
}

// load reads the segment of a chunk; see segmentReader.load.
func (s *storedRun) load(ctx context.Context, number int64) error {
	seg, err := s.reader.SegmentOf(ctx, s.run.ID, number)
	if err != nil {
		return err
	}
	if s.places, err = s.reader.RecordPlaces(ctx, s.run.ID, seg); err != nil {
		return err
	}
	return s.segments.load(*seg)
}

// bodyAgain is the exact body of a redrive's chunk, whose spool is gone, from the
// run that has its records.
func bodyAgain(ctx context.Context, r *store.Reader, run *store.Run, c *store.Chunk) (body []byte, err error) {
	s, err := openStoredRun(ctx, r, run)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	_, lines, err := s.chunk(ctx, c.Chunk)
	if err != nil {
		return nil, err
	}
	env := s.records.envelopeOf(c)
	if env.perRecord {
		body = env.appendRecord(nil, lines, c)
	} else {
		body = append(slices.Clone(env.head), bytes.ReplaceAll(lines, []byte{'\n'}, []byte{','})...)
		body = env.appendTail(body, c)
	}
	if linesHash(lines) != c.SourceHash || int64(len(body)) != c.BodyBytes {
		return nil, fmt.Errorf("chunk %d of run %s: the records of the chunk that it sends again are not those that it had", c.Chunk, run.Name())
	}
	return body, nil
}

// lines builds the body of a chunk and takes its records out of it: what stands
// around them is known.
func (s *storedRun) lines(c *store.Chunk) ([]byte, error) {
	body, _, err := s.builder.build(c, nil)
	if err != nil {
		return nil, err
	}
	joined, ok := s.records.envelopeOf(c).cut(body, c)
	if !ok {
		return nil, fmt.Errorf("chunk %d of run %s: its body is not what its run makes of records", c.Chunk, s.run.Name())
	}
	if s.records.envelope.perRecord {
		return joined, nil
	}
	if n := splitRecords(joined, s.quoted); n != c.Records {
		return nil, fmt.Errorf("chunk %d of run %s: its body has %d records instead of %d", c.Chunk, s.run.Name(), n, c.Records)
	}
	return joined, nil
}

// cut takes a chunk's records out of its body, with the commas between them. It
// may write to the body.
func (e *envelope) cut(body []byte, c *store.Chunk) (joined []byte, ok bool) {
	tail := e.appendTail(nil, c)
	if e.perRecord {
		if !bytes.HasSuffix(body, tail) && tail[0] == ',' { // of a record without members
			tail = tail[1:]
		}
		joined, ok = bytes.CutSuffix(body, tail)
		return append(joined, '}'), ok
	}
	joined, ok = bytes.CutPrefix(body, e.head)
	if !ok {
		return nil, false
	}
	return bytes.CutSuffix(joined, tail)
}

// splitRecords turns the commas between records, which are JSON objects or
// arrays, into newlines, and returns how many records there are. quoted: they
// stand as they do inside a JSON string.
func splitRecords(joined []byte, quoted bool) int64 {
	records, depth := int64(1), 0
	inString, escaped := false, false
	for i := 0; i < len(joined); i++ {
		c := joined[i]
		if quoted && c == '\\' && i+1 < len(joined) {
			i++
			if c = joined[i]; c != '"' && c != '\\' {
				continue // white space
			}
		}
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			joined[i] = '\n'
			records++
		}
	}
	return records
}
