package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zip"
)

// maxZipEntries bounds the directory of a zip that is read into memory.
const maxZipEntries = 10_000

// zipEncrypted are the flags of a member that say it is encrypted (APPNOTE 4.4.4).
const zipEncrypted = 1<<0 | 1<<6

var errZipEntries = fmt.Errorf("has over %d entries", maxZipEntries)

// openZip finds the one file in a zip.
func (f *File) openZip() error {
	f.zipped = &countedReader{r: f.file}
	entries := 0
	archive, err := zip.NewReaderWithOptions(f.zipped, f.Size, zip.ReaderOptions{
		NameDecoder: func(*zip.FileHeader) error {
			if entries++; entries > maxZipEntries {
				return errZipEntries
			}
			return nil
		},
	})
	if err != nil {
		return f.zipError(err)
	}
	var names []string
	for _, m := range archive.File {
		if m.Name == "[Content_Types].xml" {
			return &Error{Path: f.Path, Msg: magics[0].msg, Hint: magics[0].hint}
		}
		if strings.HasSuffix(m.Name, "/") {
			continue
		}
		names = append(names, m.Name)
		f.member = m
	}
	switch m := f.member; {
	case m == nil:
		return &Error{Path: f.Path, Msg: "zip: there is no file in it", Hint: "make a zip of the one file that has the records"}
	case len(names) > 1:
		return &Error{
			Path: f.Path, Msg: fmt.Sprintf("zip: there are %d files in it, one is wanted: %s", len(names), listed(names)),
			Hint: "unpack it and name the files, or make a zip of the one that has the records",
		}
	case m.Flags&zipEncrypted != 0:
		return &Error{Path: f.Path, Msg: "zip: " + m.Name + " is encrypted", Hint: "make a zip without a password"}
	case m.Method != zip.Store && m.Method != zip.Deflate:
		return &Error{Path: f.Path, Msg: fmt.Sprintf("zip: %s is compressed by method %d, which is not supported", m.Name, m.Method), Hint: "make a usual zip (deflate)"}
	case !m.Mode().IsRegular():
		return &Error{Path: f.Path, Msg: "zip: " + m.Name + " is " + kindOf(m.Mode()) + ", not a regular file"}
	}
	return nil
}

// zipError says what is wrong with a zip's directory, which lies at its end.
func (f *File) zipError(err error) error {
	head := make([]byte, 4)
	n, readErr := f.file.ReadAt(head, 0)
	switch {
	case readErr != nil && !errors.Is(readErr, io.EOF):
		return &Error{Path: f.Path, Msg: "read", Err: readErr}
	case !bytes.HasPrefix(head[:n], []byte("PK")):
		return &Error{Path: f.Path, Msg: "is not zip data", Hint: `rename it, or set compression = "none"`}
	case errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Path: f.Path, Msg: "zip: cut off before its end, where its directory is", Hint: "copy the file again"}
	}
	return &Error{Path: f.Path, Msg: "zip", Err: err, Hint: "make a zip of the one file that has the records"}
}

// listed names the first of many.
func listed(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// countedReader counts what is read.
type countedReader struct {
	r    io.ReaderAt
	read atomic.Int64
}

func (c *countedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.read.Add(int64(n))
	return n, err
}
