package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zip"
	"github.com/zeebo/blake3"

	"worqcron/expression"
)

// Formats and compressions, as Options and File name them.
const (
	FormatCSV       = "csv"
	FormatNDJSON    = "ndjson"
	FormatJSON      = "json"
	CompressionNone = "none"
	CompressionGzip = "gzip"
	CompressionZstd = "zstd"
	CompressionZip  = "zip"
)

// File is one open file of a Snapshot. Its length and time are those it had
// when it was opened; bytes appended later are not read.
type File struct {
	Path                string
	Size                int64 // bytes on disk
	ModTime             time.Time
	Format, Compression string
	// Header is the column names of a CSV file: set by Scan, or by UseHeader,
	// which the caller that resumes a run calls before AppendRange.
	Header []string
	// Columns are the names of a record's members in order, known with the
	// Header; nil where records differ.
	Columns []string
	// ContentHash is "blake3:hex" of the bytes on disk; set by a Scan that came
	// to the file's end.
	ContentHash string
	// Records, Bad and BlankLines count what the last complete Scan found; blank
	// lines before the header included.
	Records, Bad, BlankLines, Filtered, Replaced int64
	// DataStart is the offset in the decompressed file of the first byte after
	// the byte order mark and the header; set by Scan.
	DataStart int64

	read      atomic.Int64 // bytes on disk, by the Scan under way or the last one
	taken     bool         // the standard input was read
	file      *os.File
	info      fs.FileInfo
	dialect   Dialect
	delimiter byte
	quote     byte           // noQuote where CSV fields have none
	encoding  charset        // as the options say
	charset   charset        // of the text; known at open, or for a compressed file during Scan
	replace   bool           // what cannot be decoded
	member    *zip.File      // the one file in a zip
	zipped    *countedReader // what member is read from
	newline   byte           // what ends a line: '\n', or '\r' in a CSV file without line feeds
	maxRecord int
	pointer   jsontext.Pointer // where in a JSON document its array is

	moment   expression.Moment
	planLock sync.Mutex
	plan     *mapPlan // nil: not compiled for the header yet
}

// UseHeader takes the header that an earlier Scan found, nil for none, in the
// place of one, and sets Columns. A mapping that does not fit it is an *Error.
func (f *File) UseHeader(header []string) (err error) {
	f.Header = header
	f.Columns, err = f.outgoing()
	return err
}

// Seekable says whether ranges of the file can be read again. Those of a file
// that is compressed, not in UTF-8 or a JSON document, or of
// the standard input, cannot: the caller keeps the records it needs.
func (f *File) Seekable() bool {
	return f.Compression == CompressionNone && f.charset.name == encodingUTF8 && f.Format != FormatJSON && !f.Stdin()
}

// BytesRead is how many bytes on disk the Scan under way has read, or the last
// one has; of the standard input, that is its size. Any goroutine may ask.
func (f *File) BytesRead() int64 {
	n := f.read.Load()
	if f.zipped != nil {
		n = max(n, min(f.zipped.read.Load(), f.Size)) // the whole file is hashed afterwards
	}
	return n
}

// Hash reads the file once and gives what Scan would store as ContentHash. Of the
// standard input there is none before a Scan.
func (f *File) Hash(ctx context.Context) (string, error) {
	if f.Stdin() {
		return "", &Error{Path: Stdin, Msg: "the standard input cannot be read twice"}
	}
	d := newDisk(f)
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		_, err := d.Read(buf)
		if errors.Is(err, io.EOF) {
			return d.sum(), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// disk reads a file's bytes from its start to the length fixed at open, and
// hashes each of them once. Its errors are *Error.
type disk struct {
	f    *File
	off  int64
	hash *blake3.Hasher
	// Of the standard input:
	done  <-chan struct{} // ends a wait
	ended bool
}

func newDisk(f *File) *disk { return &disk{f: f, hash: blake3.New()} }

// count takes note of bytes that were read for the first time.
func (d *disk) count(p []byte) {
	d.off += int64(len(p))
	d.f.read.Store(d.off)
	d.hash.Write(p)
}

func (d *disk) Read(p []byte) (int, error) {
	if d.f.Stdin() {
		return d.readStdin(p)
	}
	left := d.f.Size - d.off
	if left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := d.f.file.ReadAt(p, d.off)
	d.count(p[:n])
	switch {
	case n == len(p):
		return n, nil // an error, if any, comes again with the next call
	case err == io.EOF:
		return n, d.f.shrank(d.off)
	default:
		return n, &Error{Path: d.f.Path, Msg: fmt.Sprintf("read at byte %d", d.off), Err: err}
	}
}

func (d *disk) sum() string { return "blake3:" + hex.EncodeToString(d.hash.Sum(nil)) }

func (f *File) shrank(at int64) *Error {
	return &Error{
		Path: f.Path, Msg: fmt.Sprintf("the file shrank from %d to %d bytes while it was read", f.Size, at),
		Hint: "run again when nothing writes to it",
	}
}

// openFlags keep the open itself from waiting for a writer where the path is a
// FIFO, and from making a terminal this process's own.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// newFile takes over fd and makes a File of it, or closes it.
func newFile(fd *os.File, path string, o Options) (*File, error) {
	f := newTextFile(fd, path, o)
	err := f.begin(o)
	if err != nil {
		fd.Close() // read-only: nothing can be lost, and err says more
		return nil, err
	}
	return f, nil
}

// newTextFile is a File as the options alone make it.
func newTextFile(fd *os.File, path string, o Options) *File {
	f := &File{
		Path: path, file: fd, maxRecord: o.MaxRecordBytes, newline: '\n', replace: o.InvalidUTF8 == invalidReplace,
		pointer: jsontext.Pointer(o.Pointer), moment: o.Moment,
	}
	f.setCSV(o.Dialect)
	if o.Encoding != "" {
		f.encoding, _ = findCharset(o.Encoding) // withDefaults found it
	}
	return f
}

func (f *File) begin(o Options) error {
	info, err := f.file.Stat()
	if err != nil {
		return &Error{Path: f.Path, Msg: "stat", Err: err}
	}
	if !info.Mode().IsRegular() {
		e := &Error{Path: f.Path, Msg: "is " + kindOf(info.Mode()) + ", not a regular file"}
		if info.IsDir() {
			e.Hint = fmt.Sprintf("name the files in it, such as %q", filepath.Base(f.Path)+"/*.csv")
		}
		return e
	}
	f.info, f.Size, f.ModTime = info, info.Size(), info.ModTime()
	if err := f.classify(o); err != nil {
		return err
	}
	head := make([]byte, firstBytes)
	n, err := f.file.ReadAt(head[:min(int64(len(head)), f.Size)], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return &Error{Path: f.Path, Msg: "read", Err: err}
	}
	if err := f.checkFirstBytes(head[:n]); err != nil {
		return err
	}
	if f.Format == FormatCSV && f.Seekable() {
		f.takeSeparatorLine(head[:n])
		f.newline, err = f.findNewline()
		return err
	}
	return nil
}

// kindOf names what is not a regular file.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "of type " + m.Type().String()
}
