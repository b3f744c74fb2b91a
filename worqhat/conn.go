package worqhat

import (
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

// ReadFrom implements io.ReaderFrom: net/http hands a body to a plain connection
// so, behind a limit, and would else copy it by 32 KiB. Over TLS it is not called.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*sealedBody); ok {
			n, err := body.writeTo(c, limited.N)
			limited.N -= n
			return n, err
		}
	}
	return io.Copy(struct{ io.Writer }{c}, r)
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
