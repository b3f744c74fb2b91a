package batch

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"worqcron/source"
	"worqcron/store"
)

// SourceChangedError says that a chunk's bytes can no longer be had as they
// were planned, so the chunk is not sent.
type SourceChangedError struct {
	Path string // the file; the spool's path for spooled records
	How  string // "grew from 10 to 12 bytes", …
}

func (e *SourceChangedError) Error() string {
	return strings.TrimRight("source changed since it was planned: "+strings.TrimLeft(e.Path+" "+e.How, " "), " ")
}

// records is where the records of a run's chunks are read again: its files, or
// its spool. It is opened once a run and shared by the workers.
type records struct {
	envelope *envelope
	columns  map[int]*envelope // by file in the ledger, where bodies carry columns
	snapshot *source.Snapshot  // nil without files
	index    map[int]int       // file in the ledger → file in snapshot
	gone     map[int]error     // files that when_done took away, each with a *SourceChangedError
	spool    *os.File          // nil without a spool
	changed  error             // a *SourceChangedError found at once: only kept bodies serve
	kept     *keptBodies
	runID    string
	maxBytes int64 // of a body
	held     bool  // the snapshot is the plan's own to close
}

// opening is what openRecords needs.
type opening struct {
	run   *store.Run
	files []store.SnapshotFile
	kept  *keptBodies
	spool string
	held  *source.Snapshot // the plan's own, still open; nil: open the files again
}

func (r *Runner) openRecords(ctx context.Context, run *store.Run, held *planned) (*records, error) {
	files, err := r.Ledger.Files(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	o := opening{run: run, files: files, kept: r.keptBodies(), spool: spoolPath(r.Ledger.Path(), run.RunID)}
	if held != nil {
		o.held = held.snapshot
	}
	return openRecords(ctx, o)
}

// openRecords opens what the chunks of a run need. Files that are opened again
// must be the ones that were planned; if they are not, that is in changed.
func openRecords(ctx context.Context, o opening) (*records, error) {
	s, err := plannedShape(o.run)
	if err != nil {
		return nil, err
	}
	rec := &records{kept: o.kept, runID: o.run.RunID, maxBytes: s.MaxBytes, held: o.held != nil, index: map[int]int{}, gone: map[int]error{}}
	if rec.envelope, err = newEnvelope(s, o.run); err != nil || !s.HasSource {
		return rec, err
	}
	if rec.envelope.columns {
		rec.columns = map[int]*envelope{}
		for _, f := range o.files {
			rec.columns[f.File] = rec.envelope.withColumns(f.Columns)
		}
	}
	if rec.held {
		rec.snapshot = o.held
		for i := range o.held.Files {
			rec.index[i] = i
		}
		return rec, nil
	}
	if rec.spool, err = os.Open(o.spool); err == nil {
		return rec, nil
	}
	rec.spool = nil
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	err = rec.openFiles(ctx, s, o.run, o.files)
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		rec.changed, err = err, nil
	}
	return rec, err
}

func (rec *records) openFiles(ctx context.Context, s shape, run *store.Run, files []store.SnapshotFile) error {
	o, err := sourceOptions(source.Options{Dialect: s.Dialect, MaxRecordBytes: int(s.MaxBytes)}, run)
	if err != nil {
		return err
	}
	var paths []string
	for _, f := range files {
		if f.UnchangedSince != "" || f.Records == 0 {
			continue
		}
		path, err := whereNow(f)
		if err != nil {
			rec.gone[f.File] = err // only needed for a look at what was delivered
			continue
		}
		rec.index[f.File] = len(paths)
		paths = append(paths, path)
	}
	snap, err := source.OpenFiles(o, paths)
	if err != nil {
		return &SourceChangedError{How: "and cannot be opened again: " + err.Error()}
	}
	rec.snapshot = snap
	for _, f := range files {
		if i, ok := rec.index[f.File]; ok {
			if err := sameFile(ctx, snap.Files[i], f); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameFile compares an open file with what the plan saw. The hash of each
// chunk's bytes is compared again before it is sent; this is the early and
// readable answer.
func sameFile(ctx context.Context, now *source.File, then store.SnapshotFile) error {
	if now.Size != then.Size {
		return &SourceChangedError{Path: then.Path, How: fmt.Sprintf("had %d bytes and has %d", then.Size, now.Size)}
	}
	if !now.ModTime.Equal(then.ModTime) { // it may only have been touched or copied back
		hash, err := now.Hash(ctx)
		if err != nil {
			return err
		}
		if hash != then.ContentHash {
			return &SourceChangedError{Path: then.Path, How: "was written at " + now.ModTime.UTC().Format(time.RFC3339) + " with other bytes"}
		}
	}
	var header []string
	if then.Header != "" {
		if err := json.Unmarshal([]byte(then.Header), &header); err != nil {
			return err
		}
	}
	return now.UseHeader(header)
}

func (rec *records) close() error {
	var err error
	if rec.snapshot != nil && !rec.held {
		err = rec.snapshot.Close()
	}
	if rec.spool != nil {
		err = errors.Join(err, rec.spool.Close())
	}
	return err
}

// spareBytes behind a body let its last values be copied by wide stores.
const spareBytes = 128

// bodyBuilder builds the bodies of one worker, one at a time, in one buffer.
type bodyBuilder struct {
	records *records
	ranges  *source.RangeReader
	frames  *spoolReader
	sum     *rangeSum
	buf     []byte
	frame   []byte // with mode "records": a record, or the frame that holds it
}

func (rec *records) newBuilder() (*bodyBuilder, error) {
	b := &bodyBuilder{records: rec, sum: newRangeSum()}
	if rec.snapshot != nil {
		b.ranges = rec.snapshot.NewRangeReader()
	}
	if rec.spool != nil {
		var err error
		if b.frames, err = newSpoolReader(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bodyBuilder) close() {
	if b.frames != nil {
		b.frames.close()
	}
}

// build returns the body of a chunk and the body's hash, valid until the next
// call. It is byte for byte what was planned, or there is a *SourceChangedError;
// a body that was kept of an earlier attempt serves where the source cannot. A
// record that its segment's reader gave need not be read again; nil: it is.
func (b *bodyBuilder) build(c *store.Chunk, record []byte) (body []byte, hash string, err error) {
	switch {
	case record != nil:
		b.buf = b.records.envelope.appendRecord(b.buf[:0], record, c)
	case b.records.envelope.perRecord:
		err = b.fillRecord(c)
	default:
		err = b.fill(c)
	}
	if err == nil && int64(len(b.buf)) != c.BodyBytes {
		err = b.changed(c, fmt.Sprintf("gives a body of %d bytes instead of %d for chunk %d", len(b.buf), c.BodyBytes, c.Chunk))
	}
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		kept, keptErr := b.records.kept.load(b.buf[:0], b.records.runID, c)
		if keptErr == nil {
			b.buf, err = kept, nil
		}
	}
	if err != nil {
		return nil, "", err
	}
	return b.buf, bodyHash(b.buf), nil
}

func (b *bodyBuilder) fill(c *store.Chunk) error {
	if int64(cap(b.buf)) < c.BodyBytes { // grows to the largest body in few steps
		b.buf = make([]byte, 0, min(2*c.BodyBytes, b.records.maxBytes)+spareBytes)
	}
	env := b.records.envelopeOf(c)
	b.buf = append(b.buf[:0], env.head...)
	b.sum.Reset()
	n := int64(0)
	var err error
	switch {
	case c.Spool != nil:
		n, err = b.fillFromSpool(c)
	case b.records.changed != nil:
		err = b.records.changed
	case len(c.Ranges) > 0:
		n, err = b.fillFromFiles(c)
	}
	if err != nil {
		return err
	}
	if n != c.Records {
		return b.changed(c, fmt.Sprintf("has %d records instead of %d for chunk %d", n, c.Records, c.Chunk))
	}
	if c.SourceHash != "" && sourceHash(b.sum) != c.SourceHash {
		return b.changed(c, fmt.Sprintf("has other bytes for chunk %d", c.Chunk))
	}
	b.buf = env.appendTail(b.buf, c)
	return nil
}

// envelopeOf is the envelope of a chunk. All its records have the same columns.
func (rec *records) envelopeOf(c *store.Chunk) *envelope {
	if rec.columns == nil || len(c.Ranges) == 0 {
		return rec.envelope
	}
	return rec.columns[c.Ranges[0].File]
}

func (b *bodyBuilder) fillFromFiles(c *store.Chunk) (total int64, err error) {
	for i, g := range c.Ranges {
		if i > 0 {
			b.buf = append(b.buf, ',')
		}
		if why := b.records.gone[g.File]; why != nil {
			return 0, why
		}
		file, ok := b.records.index[g.File]
		if !ok || b.ranges == nil {
			return 0, b.changed(c, "is not open")
		}
		var n int
		b.buf, n, err = b.ranges.AppendRange(b.buf, source.Range{File: file, Start: g.ByteStart, End: g.ByteEnd}, b.sum)
		if err != nil {
			return 0, b.changed(c, "cannot be read as planned: "+err.Error())
		}
		total += int64(n)
	}
	return total, nil
}

var errGone = errors.New("is gone; it is removed when the run has ended")

// fillFromSpool takes the lines of the chunk's frame and turns the newlines
// between them into commas: a record has no newline of its own.
func (b *bodyBuilder) fillFromSpool(c *store.Chunk) (total int64, err error) {
	if b.records.spool == nil {
		return 0, b.changed(c, errGone.Error())
	}
	start := len(b.buf)
	b.buf, err = b.frames.appendFrame(b.buf, b.records.spool, *c.Spool, c.BodyBytes)
	if err != nil {
		return 0, b.changed(c, "cannot be read as planned: "+err.Error())
	}
	lines := b.buf[start:]
	for _, part := range [][]byte{lines, {'\n'}} {
		if _, err := b.sum.Write(part); err != nil {
			return 0, err
		}
	}
	total = 1
	for i, c := range lines {
		if c == '\n' {
			lines[i] = ','
			total++
		}
	}
	return total, nil
}

func (b *bodyBuilder) changed(c *store.Chunk, how string) error {
	path := "the spool"
	switch {
	case b.records.spool != nil:
		path = b.records.spool.Name()
	case b.records.snapshot != nil && c.Spool == nil && len(c.Ranges) > 0:
		if i, ok := b.records.index[c.Ranges[0].File]; ok {
			path = b.records.snapshot.Files[i].Path
		}
	}
	return &SourceChangedError{Path: path, How: how}
}

func bodyHash(body []byte) string {
	sum := xxh3.Hash128(body).Bytes()
	return hashPrefix + hex.EncodeToString(sum[:])
}

// Body returns the exact body of a stored chunk, from its source or from what
// was kept of an earlier attempt. It sends nothing.
func Body(ctx context.Context, r *store.Reader, run *store.Run, c *store.Chunk) (body []byte, err error) {
	rec, err := openStored(ctx, r, run)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rec.close()) }()
	b, err := rec.newBuilder()
	if err != nil {
		return nil, err
	}
	defer b.close()
	body, _, err = b.build(c, nil)
	var changed *SourceChangedError
	if errors.As(err, &changed) && c.RedriveOf != 0 {
		return bodyAgain(ctx, r, run, c)
	}
	if c.Spool != nil && rec.spool == nil && run.FinishedAt != nil && errors.As(err, &changed) {
		return nil, fmt.Errorf("the body of chunk %d is not there any more: its source has no place to read records from again (it is compressed, a JSON document, "+
			"not in UTF-8, or the standard input), and the copies of its records were deleted when run %s ended", c.Chunk, run.Name())
	}
	return body, err
}

// openStored opens what the chunks of a stored run need, for looking at them.
func openStored(ctx context.Context, r *store.Reader, run *store.Run) (*records, error) {
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	return openRecords(ctx, opening{
		run: run, files: files, kept: &keptBodies{dir: keptDir(r.Path())}, spool: spoolPath(r.Path(), run.RunID),
	})
}
