package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"worqcron/source"
	"worqcron/store"
)

// DeadKind is what dead letters have in common that can stand in one file.
type DeadKind struct {
	Format string // source.FormatCSV, …
	Ending string // of the source's name, which may decide how it is read: ".csv"
	Head   string // what stands before the first record: skipped lines, header
}

// DeadPlace says where a dead letter lies in its source, and why it is one.
type DeadPlace struct {
	Path string
	store.DeadLetter
	MendLine int64 // the line of the written file that it begins at, from 1
}

// DeadOutput takes what ExportDead writes.
type DeadOutput struct {
	// Open begins the file for a kind; it is called once a kind.
	Open func(DeadKind) (io.Writer, error)
	// Wrote is told of each record behind its bytes.
	Wrote func(DeadKind, DeadPlace) error
}

// DeadReport is what became of an export of dead letters.
type DeadReport struct {
	Written int64    // records
	Missing int64    // records whose file is not there any more as it was read
	Why     []string // a line for each such file
	Hints   []string // what to mind when the file is fed in again, a line each
}

// ExportDead writes the raw bytes of a run's dead letters, unpacked and in UTF-8,
// each as it lies in its file, behind what stands before the first record there:
// once mended they can be read with the same options. Records of a JSON document
// are written as documents of their own.
func ExportDead(ctx context.Context, r *store.Reader, run *store.Run, out DeadOutput) (*DeadReport, error) {
	report := &DeadReport{}
	err := r.View(ctx, func(v *store.View) (err error) {
		again, err := newRereading(run, 1, nil)
		if err != nil {
			return err
		}
		files, err := v.Files(ctx, run.ID)
		if err != nil {
			return err
		}
		dead, err := peek(v.Dead(ctx, run.ID))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dead.cursor.Close()) }()
		d := &deadExporter{rereading: again, out: out, report: report, open: map[DeadKind]*deadFile{}}
		d.hints()
		for dead.ok {
			if err := d.exportFile(ctx, files[dead.row.File], dead); err != nil {
				return err
			}
		}
		return nil
	})
	return report, err
}

type deadExporter struct {
	*rereading
	out    DeadOutput
	report *DeadReport
	open   map[DeadKind]*deadFile
}

// deadFile is a file under way.
type deadFile struct {
	w       io.Writer
	newline byte
	lines   int64 // so far
	last    byte  // written
}

// Write counts lines.
func (f *deadFile) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	wrote := p[:n]
	f.lines += int64(bytes.Count(wrote, []byte{f.newline}))
	if len(wrote) > 0 {
		f.last = wrote[len(wrote)-1]
	}
	return n, err
}

// hints says what of the options is not true of what is written.
func (d *deadExporter) hints() {
	add := func(format string, args ...any) {
		d.report.Hints = append(d.report.Hints, fmt.Sprintf(format, args...))
	}
	if e := d.shape.Encoding; e != "" && e != "utf-8" {
		add("it is UTF-8, and the source has encoding = %q: feed it in through iconv -f UTF-8 -t %s", e, e)
	}
	if c := d.shape.Compression; c != "" && c != source.CompressionNone {
		add("it is not compressed, and the source has compression = %q: feed it in compressed", c)
	}
	if d.shape.Pointer != "" {
		add("its records stand alone, and the source has pointer = %q: feed it in without that", d.shape.Pointer)
	}
}

// exportFile writes the dead letters of one file.
func (d *deadExporter) exportFile(ctx context.Context, f store.SnapshotFile, dead *peeked[store.DeadLetter]) error {
	snap, err := d.openProven(ctx, f)
	var changed *SourceChangedError
	if errors.As(err, &changed) {
		n := int64(0)
		for ; dead.ok && dead.row.File == f.File; n++ {
			if err := dead.advance(); err != nil {
				return err
			}
		}
		d.report.Missing += n
		d.report.Why = append(d.report.Why, fmt.Sprintf("%s of %s: %v", counted(n, "dead record"), f.Path, changed))
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.copyFile(ctx, snap, f, dead), snap.Close())
}

// openProven opens a file that is proven to have the bytes that the run read. A
// plan that gave up in the middle has no hash of it; then its identity counts.
func (d *deadExporter) openProven(ctx context.Context, f store.SnapshotFile) (*source.Snapshot, error) {
	snap, err := d.rereading.open(ctx, f)
	if err != nil {
		return nil, err
	}
	now := snap.Files[0]
	same := now.ModTime.Equal(f.ModTime) && now.Identity().Inode == f.Inode
	if f.ContentHash != "" {
		var hash string
		hash, err = now.Hash(ctx)
		same = hash == f.ContentHash
	}
	if err == nil && !same {
		err = &SourceChangedError{Path: f.Path, How: "has other bytes"}
	}
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return snap, nil
}

func (d *deadExporter) copyFile(ctx context.Context, snap *source.Snapshot, f store.SnapshotFile, dead *peeked[store.DeadLetter]) error {
	kind, err := d.kindOf(ctx, snap, f)
	if err != nil {
		return err
	}
	to, err := d.fileOf(kind)
	if err != nil {
		return err
	}
	text, err := snap.NewTextReader(ctx, 0)
	if err != nil {
		return err
	}
	defer text.Close()
	for ; dead.ok && dead.row.File == f.File; err = dead.advance() {
		if err != nil {
			return err
		}
		row := dead.row
		place := DeadPlace{Path: f.Path, DeadLetter: row, MendLine: to.lines + 1}
		if err := text.Copy(to, row.ByteStart, row.ByteEnd); err != nil {
			return err
		}
		if to.last != to.newline { // the file's last line, or an element of a document
			if _, err := to.Write([]byte{to.newline}); err != nil {
				return err
			}
		}
		d.report.Written++
		if err := d.out.Wrote(kind, place); err != nil {
			return err
		}
	}
	return err
}

// errEnough ends a scan.
var errEnough = errors.New("enough was read")

// kindOf reads what stands before a file's first record.
func (d *deadExporter) kindOf(ctx context.Context, snap *source.Snapshot, f store.SnapshotFile) (DeadKind, error) {
	name := f.Path
	for _, packed := range []string{".gz", ".zst", ".zip"} {
		name = strings.TrimSuffix(name, packed)
	}
	kind := DeadKind{Format: f.Format, Ending: filepath.Ext(name)}
	if f.Format != source.FormatCSV {
		return kind, nil
	}
	err := snap.Scan(ctx, 0, source.ScanOptions{Workers: 1}, func(*source.Block) error { return errEnough })
	if err != nil && !errors.Is(err, errEnough) {
		return kind, err
	}
	text, err := snap.NewTextReader(ctx, 0)
	if err != nil {
		return kind, err
	}
	defer text.Close()
	var head bytes.Buffer
	err = text.Copy(&head, 0, snap.Files[0].DataStart)
	kind.Head = head.String()
	return kind, err
}

// fileOf is the file for a kind, with its head written.
func (d *deadExporter) fileOf(kind DeadKind) (*deadFile, error) {
	if f := d.open[kind]; f != nil {
		return f, nil
	}
	w, err := d.out.Open(kind)
	if err != nil {
		return nil, err
	}
	f := &deadFile{w: w, newline: '\n'}
	if slices.Contains([]byte(kind.Head), '\r') && !slices.Contains([]byte(kind.Head), '\n') {
		f.newline = '\r'
	}
	d.open[kind] = f
	_, err = io.WriteString(f, kind.Head)
	return f, err
}
