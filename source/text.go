package source

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
)

// text reads a file's content as UTF-8, without its compression. Another
// goroutine unpacks and decodes ahead of who reads.
type text struct {
	ahead    *readAhead
	unpacked *unpacked
	decoder  *transcoder // nil for UTF-8
	cancel   context.CancelFunc
}

// text opens the file's content and looks at its first bytes. Errors are *Error.
func (c *scan) text(ctx context.Context) (*text, error) {
	ctx, cancel := context.WithCancel(ctx)
	c.disk.done = ctx.Done()
	t := &text{cancel: cancel}
	r, err := t.open(c)
	if err != nil {
		t.close()
		return nil, err
	}
	t.ahead = newReadAhead(r, c.snapshot.blockSize)
	return t, nil
}

func (t *text) open(c *scan) (r io.Reader, err error) {
	if t.unpacked, err = c.unpack(); err != nil {
		return nil, err
	}
	buf := bufio.NewReaderSize(t.unpacked, firstBytes)
	head, err := buf.Peek(firstBytes)
	if damage := (*Error)(nil); errors.As(err, &damage) { // else the text is short
		return nil, err
	}
	if err := c.file.checkText(head); err != nil {
		return nil, err
	}
	d := c.file.charset.decoder(c.file.replace)
	if d == nil {
		return buf, nil
	}
	t.decoder = newTranscoder(c.file, buf, d)
	return t.decoder, nil
}

// Read gives io.EOF at the text's end; every other error is an *Error.
func (t *text) Read(p []byte) (int, error) { return t.ahead.Read(p) }

// replaced is how many characters could not be decoded so far.
func (t *text) replaced() int64 {
	if t == nil || t.decoder == nil {
		return 0
	}
	return t.decoder.replaced.Load()
}

// close ends the goroutine and waits for it.
func (t *text) close() {
	t.cancel()
	if t.ahead != nil {
		t.ahead.close()
		t.ahead = nil
	}
	if t.unpacked != nil {
		t.unpacked.close()
		t.unpacked = nil
	}
}

// aheadPieces is how many pieces wait to be read at most, besides the one that
// is filled and the one that is read.
const aheadPieces = 2

// readAhead reads in a goroutine of its own.
type readAhead struct {
	free    chan []byte
	full    chan aheadPiece
	stop    chan struct{}
	running sync.WaitGroup
	buf     []byte // the piece that is read
	rest    []byte // of it
	err     error
}

type aheadPiece struct {
	buf []byte
	err error
}

func newReadAhead(r io.Reader, size int) *readAhead {
	const pieces = aheadPieces + 2
	a := &readAhead{free: make(chan []byte, pieces), full: make(chan aheadPiece, pieces), stop: make(chan struct{})}
	for range pieces - 1 {
		a.free <- nil // made when it is needed
	}
	a.running.Go(func() { a.run(r, size) })
	return a
}

func (a *readAhead) run(r io.Reader, size int) {
	for {
		var buf []byte
		select {
		case <-a.stop:
			return
		case buf = <-a.free:
		}
		if buf == nil {
			buf = make([]byte, size)
		}
		n, err := io.ReadFull(r, buf[:size])
		if err == io.ErrUnexpectedEOF { // ReadFull's own
			err = io.EOF
		}
		a.full <- aheadPiece{buf[:n], err}
		if err != nil {
			return
		}
	}
}

func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.buf != nil {
			a.free <- a.buf
		}
		piece := <-a.full
		a.buf, a.rest, a.err = piece.buf, piece.buf, piece.err
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

func (a *readAhead) close() {
	close(a.stop)
	a.running.Wait()
}
