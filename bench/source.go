package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// makeSources writes the files. They stay in the page cache, where the measured
// programs find them.
func makeSources(list []source) error {
	written := map[string]*source{}
	for i := range list {
		s := &list[i]
		if same := written[s.path]; same != nil {
			s.records, s.bytes = same.records, same.bytes
			continue
		}
		if err := s.write(); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		written[s.path] = s
	}
	return nil
}

func (s *source) write() error {
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var into io.WriteCloser = file
	if s.wrap != nil {
		into = s.wrap(file)
	}
	text := &counted{w: into}
	s.records, err = s.orders(text, s.bytes, 1)
	if s.wrap != nil {
		err = errors.Join(err, into.Close())
	}
	s.bytes = text.n
	return errors.Join(err, file.Sync(), file.Close())
}

// counted counts what is written through it.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

// zstandard takes little memory: what this program ever had resident counts as
// the peak of the processes that it starts, too.
func zstandard(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err) // only an option can be wrong, and these are not
	}
	return z
}

func utf16(w io.Writer) io.WriteCloser {
	return transform.NewWriter(w, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder())
}

// jsonArray makes an array of a file with an object a line.
func jsonArray(w io.Writer) io.WriteCloser {
	return &arrayWriter{out: bufio.NewWriterSize(w, 1<<20), before: "[\n"}
}

type arrayWriter struct {
	out    *bufio.Writer
	before string // what stands before the next object
}

// Write takes any piece of the lines; an error of out comes again with Close.
func (a *arrayWriter) Write(p []byte) (n int, err error) {
	for piece := range bytes.SplitAfterSeq(p, []byte{'\n'}) {
		if len(piece) == 0 {
			continue
		}
		line, ended := bytes.CutSuffix(piece, []byte{'\n'})
		_, err = a.out.WriteString(a.before)
		if err == nil {
			_, err = a.out.Write(line)
		}
		if err != nil {
			return n, err
		}
		n += len(piece)
		a.before = ""
		if ended {
			a.before = ",\n"
		}
	}
	return n, nil
}

func (a *arrayWriter) Close() error {
	_, err := a.out.WriteString("\n]\n")
	return errors.Join(err, a.out.Flush())
}
