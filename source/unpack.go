package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxRatio and ratioSlack bound what compressed data may grow to, at each point
// of it; real data stays far below, a bomb does not.
const (
	maxRatio   = 1000
	ratioSlack = 64 << 20
)

// maxZstdWindow is the memory that a zstd file may ask for.
const maxZstdWindow = 32 << 20

// unpackBuffer is how much of a compressed file is read at once.
const unpackBuffer = 256 << 10

// unpacked reads a file's content without its compression. It gives io.EOF at
// the true end alone; every other error is an *Error.
type unpacked struct {
	file  *File
	r     io.Reader
	read  func() int64 // bytes of compressed data read so far
	given int64
	close func() // frees the decompressor; whether the data was whole, Read said
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.given += int64(n)
	if u.read != nil && u.given > u.read()*maxRatio+ratioSlack {
		return 0, &Error{
			Path: u.file.Path, Msg: fmt.Sprintf("grows to over %d times its size: decompression ratio", maxRatio),
			Hint: "it looks like a decompression bomb; unpack it yourself if it is none",
		}
	}
	if err != nil && err != io.EOF {
		return n, u.file.damaged(err)
	}
	return n, err
}

// unpack opens the file's decompressor.
func (c *scan) unpack() (*unpacked, error) {
	u := &unpacked{file: c.file, r: c.disk, close: func() {}}
	switch c.file.Compression {
	case CompressionGzip:
		z, err := gzip.NewReader(bufio.NewReaderSize(c.disk, unpackBuffer))
		if err != nil {
			return nil, c.file.damaged(err)
		}
		u.r = z
	case CompressionZstd:
		z, err := zstd.NewReader(bufio.NewReaderSize(c.disk, unpackBuffer),
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, c.file.damaged(err)
		}
		u.r, u.close = z, z.Close
	case CompressionZip:
		z, err := c.file.member.Open()
		if err != nil {
			return nil, c.file.damaged(err)
		}
		before := c.file.zipped.read.Load()
		u.r, u.close = z, func() { z.Close() } // it only frees memory
		u.read = func() int64 { return c.file.zipped.read.Load() - before }
		return u, nil
	default:
		return u, nil
	}
	u.read = func() int64 { return c.disk.off }
	return u, nil
}

// damaged makes an *Error of what a decompressor says.
func (f *File) damaged(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{Path: f.Path, Msg: f.Compression + ": damaged", Err: err, Hint: "copy the file again"}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Msg, e.Err = f.Compression+": cut off before its end", io.ErrUnexpectedEOF
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		e.Msg = f.Compression
		e.Hint = fmt.Sprintf("it asks for over %d MiB of memory: compress it without --long", maxZstdWindow>>20)
	}
	return e
}
