package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Snapshot is the files of one run, held open. Scan and CheckUnchanged are
// called from one goroutine at a time; range readers may run beside each other.
type Snapshot struct {
	Files []*File

	blockSize int       // bytes read ahead in one piece
	spare     sync.Pool // *piece: kept between scans, given up when memory is short
}

// blockBytes is the usual size of a block. Smaller ones were slower, larger
// ones only take memory.
const blockBytes = 1 << 20

// maxMaxRecordBytes keeps offsets within a block far inside 32 bits.
const maxMaxRecordBytes = 1 << 30

// OpenSnapshot opens the files that o.Path names, in the order of o.Order, or
// takes the standard input.
// A glob that matches nothing gives a Snapshot without files; a path without
// glob characters that does not exist gives an error that wraps fs.ErrNotExist.
//
// A glob is expanded below the part before its first glob character, and a
// symbolic link that leads out of that tree is an error. What is not a regular
// file is an error as well, except directories matched by "*" or "**".
func OpenSnapshot(o Options) (*Snapshot, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Path == Stdin {
		s := newSnapshot()
		f, err := openStdin(o)
		if err != nil {
			return nil, err
		}
		s.Files = append(s.Files, f)
		return s, nil
	}
	if !o.belowTree() {
		return openAll(o, []string{o.Path}, os.OpenFile)
	}
	t, err := openTree(o)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return openMissing(o)
	}
	defer t.close()
	paths, err := t.match()
	if err != nil {
		return nil, err
	}
	s, err := openAll(o, paths, t.open)
	if err != nil {
		return nil, err
	}
	if err := s.sort(o.Order); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenFiles opens just these paths in this order, as a run needs them that goes on with what
// an earlier Snapshot named. The same checks apply; a missing file is an error
// that names it and wraps fs.ErrNotExist.
func OpenFiles(o Options, paths []string) (*Snapshot, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if !o.belowTree() {
		return openAll(o, paths, os.OpenFile)
	}
	t, err := openTree(o)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return openAll(o, paths, os.OpenFile) // says which file is missing
	}
	defer t.close()
	return openAll(o, paths, t.open)
}

// openMissing is what a path gives whose tree is missing: nothing matches a glob,
// and a single file is not there.
func openMissing(o Options) (*Snapshot, error) {
	if hasWildcard(o.Path) {
		return newSnapshot(), nil
	}
	return nil, openError(unescape(o.Path), fs.ErrNotExist)
}

func newSnapshot() *Snapshot { return &Snapshot{blockSize: blockBytes} }

// openAll opens paths in this order through open, all or none.
func openAll(o Options, paths []string, open func(string, int, os.FileMode) (*os.File, error)) (*Snapshot, error) {
	s := newSnapshot()
	for _, path := range paths {
		if path == Stdin {
			err := &Error{Path: Stdin, Msg: "the standard input cannot be read again", Hint: "start afresh with --new"}
			return nil, errors.Join(err, s.Close())
		}
		fd, err := open(path, openFlags, 0)
		var f *File
		if err == nil {
			f, err = newFile(fd, path, o)
		} else {
			err = openError(path, err)
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Files = append(s.Files, f)
	}
	return s, nil
}

// openError says what a person can do about err. The cause's own path is left
// out: the error names it already.
func openError(path string, err error) error {
	e := &Error{Path: path, Msg: "open", Err: err}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		e.Err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Msg, e.Err = "", fs.ErrNotExist
		e.Hint = "check path in [source]; it is relative to the configuration file's folder"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "let the user that runs worqcron read it"
	}
	return e
}

// Close closes the files. It waits for nothing: no Scan may be running.
func (s *Snapshot) Close() error {
	var errs []error
	for _, f := range s.Files {
		if f.Stdin() {
			continue // the process's own
		}
		if err := f.file.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	s.Files = nil
	return errors.Join(errs...)
}

// DropBuffers gives up the memory that a Scan leaves for the next one.
func (s *Snapshot) DropBuffers() { s.spare = sync.Pool{} }

// CheckUnchanged compares length and time of each open file, and of what is at
// its path now, with those fixed at open. A difference is a *ChangedError. The
// standard input is what it was when it was read.
func (s *Snapshot) CheckUnchanged() error {
	for _, f := range s.Files {
		if f.Stdin() {
			continue
		}
		open, err := f.file.Stat()
		if err != nil {
			return &Error{Path: f.Path, Msg: "stat", Err: err}
		}
		if how := f.difference(open); how != "" {
			return &ChangedError{f.Path, how}
		}
		there, err := os.Stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &ChangedError{f.Path, "was removed or renamed"}
		case err != nil:
			return &Error{Path: f.Path, Msg: "stat", Err: err}
		case !os.SameFile(f.info, there):
			return &ChangedError{f.Path, "was replaced"}
		}
	}
	return nil
}

// difference says in words how now differs from what was fixed at open.
func (f *File) difference(now fs.FileInfo) string {
	switch {
	case now.Size() > f.Size:
		return fmt.Sprintf("grew from %d to %d bytes", f.Size, now.Size())
	case now.Size() < f.Size:
		return fmt.Sprintf("shrank from %d to %d bytes", f.Size, now.Size())
	case !now.ModTime().Equal(f.ModTime):
		return "was modified at " + now.ModTime().Format(time.RFC3339)
	}
	return ""
}

// withDefaults fills in zero values and refuses what no file could be read
// with.
func (o Options) withDefaults() (Options, error) {
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = DefaultMaxRecordBytes
	}
	switch {
	case o.MaxRecordBytes < 0 || o.MaxRecordBytes > maxMaxRecordBytes:
		return o, fmt.Errorf("a record's bound must be between 1 and %d bytes, not %d", maxMaxRecordBytes, o.MaxRecordBytes)
	case o.Pointer != "" && !jsontext.Pointer(o.Pointer).IsValid():
		return o, fmt.Errorf(`pointer %q: write it like "/data/items" (RFC 6901)`, o.Pointer)
	case o.Format != "" && o.Format != FormatCSV && o.Format != FormatNDJSON && o.Format != FormatJSON:
		return o, fmt.Errorf(`format %q: use "csv", "ndjson" or "json"`, o.Format)
	}
	switch o.Compression {
	case "", CompressionNone, CompressionGzip, CompressionZstd, CompressionZip:
	default:
		return o, fmt.Errorf(`compression %q: use "none", "gzip", "zstd" or "zip"`, o.Compression)
	}
	name, err := EncodingName(o.Encoding)
	if err != nil {
		return o, err
	}
	o.Encoding = name
	if !o.HasExpressions() {
		o.Path = filepath.Clean(o.Path)
	}
	err = o.check()
	return o, err
}

// belowTree says whether the path's files are opened through a tree.
func (o *Options) belowTree() bool { return isGlob(o.Path) || o.Base != "" }

// isGlob reports whether path has a glob character.
func isGlob(path string) bool { return strings.ContainsAny(path, `*?[{`) }
