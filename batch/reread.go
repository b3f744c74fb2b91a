package batch

import (
	"context"
	"errors"
	"fmt"

	"worqcron/source"
	"worqcron/store"
)

// rereading reads the files of a stored run again, as the run read them. It
// sends nothing and writes nothing.
type rereading struct {
	run      *store.Run
	shape    shape
	options  source.Options
	workers  int
	progress *Progress
}

func newRereading(run *store.Run, workers int, progress *Progress) (*rereading, error) {
	r := &rereading{run: run, workers: workers, progress: progress}
	var err error
	if r.shape, err = plannedShape(run); err != nil || !r.shape.HasSource {
		return r, err
	}
	r.options, err = sourceOptions(source.Options{Dialect: r.shape.Dialect, MaxRecordBytes: int(r.shape.MaxBytes)}, run)
	return r, err
}

// open opens a file of the run where it lies now. If it cannot be read as it was
// then, that is a *SourceChangedError.
func (r *rereading) open(ctx context.Context, f store.SnapshotFile) (*source.Snapshot, error) {
	path, err := whereNow(f)
	if err != nil {
		return nil, err
	}
	if path == source.Stdin {
		return nil, &SourceChangedError{Path: "the standard input", How: "cannot be read again"}
	}
	snap, err := source.OpenFiles(r.options, []string{path})
	if err != nil {
		return nil, &SourceChangedError{How: "and cannot be opened again: " + err.Error()}
	}
	if err := sameFile(ctx, snap.Files[0], f); err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return snap, nil
}

// scan goes through an open file and hands over its blocks. What was handed over
// counts only if it returns no error: whether the bytes are the same is known at
// the end.
func (r *rereading) scan(ctx context.Context, snap *source.Snapshot, f store.SnapshotFile, encode bool, fn func(*source.Block) error) error {
	file, read := snap.Files[0], int64(0)
	o := source.ScanOptions{Workers: r.workers, Encode: encode, Left: true}
	err := snap.Scan(ctx, 0, o, func(b *source.Block) error {
		now := file.BytesRead()
		r.progress.read(now-read, int64(len(b.Records)+len(b.Bad)+len(b.Left)), 0)
		read = now
		return fn(b)
	})
	var damage *source.Error
	if errors.As(err, &damage) {
		return &SourceChangedError{How: "and cannot be read as it was: " + err.Error()}
	}
	if err != nil {
		return err
	}
	if file.ContentHash != f.ContentHash {
		return &SourceChangedError{Path: file.Path, How: "has the size and time that it had, and other bytes"}
	}
	return nil
}

// seenRecord is a record as it is found again.
type seenRecord struct {
	start, end     int64 // in the file's text
	line, lastLine int64 // from 1; of a bad one, where the fault is
	bad            *source.Bad
	left           bool   // filtered
	json           []byte // of a good one, if it was asked for
}

// eachRecord hands over the records of a block, good, bad and filtered, in the
// order of the file.
func eachRecord(b *source.Block, encoded bool, fn func(*seenRecord) error) error {
	good, bad, left, json := b.Records, b.Bad, b.Left, b.JSON
	var s seenRecord
	for len(good)+len(bad)+len(left) > 0 {
		at := b.End
		for _, list := range [][]source.Record{good, left} {
			if len(list) > 0 {
				at = min(at, b.Start+int64(list[0].Start))
			}
		}
		switch {
		case len(bad) > 0 && (bad[0].Start < at || len(good)+len(left) == 0):
			s = seenRecord{start: bad[0].Start, end: bad[0].End, line: bad[0].Line, lastLine: bad[0].Line, bad: &bad[0]}
			bad = bad[1:]
		case len(good) > 0 && b.Start+int64(good[0].Start) == at:
			s = placeOf(b, good[0])
			if encoded {
				size := int(good[0].Size)
				s.json, json = json[:size], json[size+1:]
			}
			good = good[1:]
		default:
			s = placeOf(b, left[0])
			s.left, left = true, left[1:]
		}
		if err := fn(&s); err != nil {
			return err
		}
	}
	return nil
}

func placeOf(b *source.Block, r source.Record) seenRecord {
	return seenRecord{
		start: b.Start + int64(r.Start), end: b.Start + int64(r.End), line: b.FirstLine + int64(r.Line), lastLine: b.FirstLine + int64(r.LastLine),
	}
}

// peeked is a cursor with its next row in hand.
type peeked[T any] struct {
	cursor *store.Cursor[T]
	row    T
	ok     bool
}

func peek[T any](c *store.Cursor[T], err error) (*peeked[T], error) {
	if err != nil {
		return nil, err
	}
	p := &peeked[T]{cursor: c}
	if err := p.advance(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return p, nil
}

func (p *peeked[T]) advance() (err error) {
	p.row, p.ok, err = p.cursor.Next()
	return err
}

// ledgerCursors are the ledger's side of a run's records: what the chunks,
// segments and dead letters have of its files, by file and byte.
type ledgerCursors struct {
	chunks   *peeked[store.OwnedRange]
	segments *peeked[store.OwnedSegment]
	records  *peeked[store.OwnedRange] // chunks of segments, by number
	dead     *peeked[store.DeadLetter]
}

func openCursors(ctx context.Context, v *store.View, run *store.Run) (c *ledgerCursors, err error) {
	c = &ledgerCursors{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.chunks, err = peek(v.OwnedRanges(ctx, run.ID)); err != nil {
		return c, err
	}
	if c.segments, err = peek(v.OwnedSegments(ctx, run.ID)); err != nil {
		return c, err
	}
	if c.records, err = peek(v.RecordChunks(ctx, run.ID)); err != nil {
		return c, err
	}
	c.dead, err = peek(v.Dead(ctx, run.ID))
	return c, err
}

func (c *ledgerCursors) close() error {
	var errs []error
	if c.chunks != nil {
		errs = append(errs, c.chunks.cursor.Close())
	}
	if c.records != nil {
		errs = append(errs, c.records.cursor.Close())
	}
	if c.segments != nil {
		errs = append(errs, c.segments.cursor.Close())
	}
	if c.dead != nil {
		errs = append(errs, c.dead.cursor.Close())
	}
	return errors.Join(errs...)
}

// rowOf returns the row of a segment's chunk, if it has one, and leaves those
// before it behind. Chunks are asked for in order.
func (c *ledgerCursors) rowOf(number int64) (row *store.OwnedRange, err error) {
	for c.records.ok && c.records.row.Chunk < number && err == nil {
		err = c.records.advance()
	}
	if err != nil || !c.records.ok || c.records.row.Chunk != number {
		return nil, err
	}
	return &c.records.row, nil
}

// left says whether the ledger has more than was gone over.
func (c *ledgerCursors) left() bool { return c.chunks.ok || c.segments.ok || c.dead.ok }

// otherThanLedger is the error of a file that has something else at a place than
// the ledger says, although its bytes are those that the run read.
func otherThanLedger(path string, line int64, what string, args ...any) error {
	return fmt.Errorf("%s:%d: %s\n  hint: worqcron verify RUN says what else is not as the ledger has it; export --ranges takes the ledger's word alone",
		path, line, fmt.Sprintf(what, args...))
}
