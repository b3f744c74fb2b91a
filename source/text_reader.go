package source

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// TextReader copies pieces of a file's text, unpacked and in UTF-8: the bytes
// that offsets of a Scan count. It belongs to one goroutine.
type TextReader struct {
	file *File
	text *text // nil: pieces are read where they lie
	at   int64 // of text
}

// NewTextReader makes a reader for one file. Of the standard input there is none.
func (s *Snapshot) NewTextReader(ctx context.Context, file int) (*TextReader, error) {
	f := s.Files[file]
	switch {
	case f.Stdin():
		return nil, &Error{Path: Stdin, Msg: "the standard input cannot be read twice"}
	case f.Seekable():
		return &TextReader{file: f}, nil
	}
	c := &scan{snapshot: s, file: f, disk: newDisk(f), line: 1}
	t, err := c.text(ctx)
	return &TextReader{file: f, text: t}, err
}

// Copy writes the bytes [start, end) to w. Of a file that is not Seekable pieces
// must be asked for in order. A file that has fewer bytes is an *Error.
func (r *TextReader) Copy(w io.Writer, start, end int64) error {
	if r.text == nil {
		_, err := io.CopyN(w, io.NewSectionReader(r.file.file, start, end-start), end-start)
		return r.fault(end, err)
	}
	if start < r.at {
		return fmt.Errorf("%s: byte %d was read already", r.file.Path, start)
	}
	n, err := io.CopyN(io.Discard, r.text, start-r.at)
	r.at += n
	if err == nil {
		n, err = io.CopyN(w, r.text, end-start)
		r.at += n
	}
	return r.fault(end, err)
}

func (r *TextReader) fault(end int64, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{Path: r.file.Path, Msg: fmt.Sprintf("ends before byte %d of its text", end)}
	}
	return err
}

// Close ends the reader; the snapshot stays open.
func (r *TextReader) Close() {
	if r.text != nil {
		r.text.close()
	}
}
