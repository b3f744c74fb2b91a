package worqhat

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// answerGrace is how long a failed write waits for the reader, see Write.
const answerGrace = time.Second

// countedConn counts what the kernel took. Fewer bytes than the body has are a
// proof that the server can't have all of it; so is zero on a connection that
// turned out to be dead.
//
// It also lets an answer win over a write error. A server that refuses a body
// early (413) answers and closes while we still write; net/http then sees the
// write error and the answer at once and picks either. So a failed write comes
// back only after the reading side has ended too: by then the answer, if there
// is one, was read.
type countedConn struct {
	net.Conn
	written   atomic.Int64
	readEnd   sync.Once
	readEnded chan struct{} // closed at the first read error, or by Close
}

// Read implements net.Conn.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.endRead()
	}
	return n, err
}

// Write implements net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	if err != nil {
		grace := time.NewTimer(answerGrace)
		defer grace.Stop()
		select {
		case <-c.readEnded:
		case <-grace.C:
		}
	}
	return n, err
}

// copyBytes is what one write takes of a body. net/http copies a body to a plain
// connection through ReadFrom if it has one, and by 32 KiB if not: a POST of
// 9.5 MB over loopback took a fifth longer so. Over TLS it is not called:
// crypto/tls writes records of 16 KiB.
const copyBytes = 256 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// ReadFrom implements io.ReaderFrom.
func (c *countedConn) ReadFrom(r io.Reader) (total int64, err error) {
	buf := copyBuffers.Get().(*[copyBytes]byte)
	defer copyBuffers.Put(buf)
	for {
		n, readErr := r.Read(buf[:])
		if n > 0 {
			n, err = c.Write(buf[:n])
			total += int64(n)
		}
		switch {
		case err != nil:
			return total, err
		case errors.Is(readErr, io.EOF):
			return total, nil
		case readErr != nil:
			return total, readErr
		}
	}
}

// Close implements net.Conn. It frees a write that waits for the reader.
func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.endRead()
	return err
}

func (c *countedConn) endRead() { c.readEnd.Do(func() { close(c.readEnded) }) }

// counterOf finds the counted connection below TLS; nil if it is not ours.
func counterOf(c net.Conn) *countedConn {
	for {
		switch under := c.(type) {
		case *countedConn:
			return under
		case interface{ NetConn() net.Conn }:
			c = under.NetConn()
		default:
			return nil
		}
	}
}
