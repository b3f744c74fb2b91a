package worqhat

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync/atomic"
)

// wireCount counts what the kernel took of one attempt's body, TLS included. It
// begins at the first read of the body: net/http flushes the header before it,
// since the body is of no type whose content it could know to be in memory. With
// a small body, which goes out together with its header, the header is counted
// too: fewer bytes than the body has still prove that it is not whole, and the
// only consequence is an unknown more where the connection broke within it.
type wireCount struct {
	tlsFailed atomic.Bool // set by the goroutine that dials, which may live longer

	// Set on the goroutine of RoundTrip, before the body is read.
	connected bool
	foreign   bool // some connection is not ours to count
	conns     []*countedConn

	before atomic.Int64 // of all conns; set by the goroutine that writes
}

func (w *wireCount) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: w.gotConn,
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				w.tlsFailed.Store(true)
			}
		},
	})
}

func (w *wireCount) gotConn(info httptrace.GotConnInfo) {
	w.connected = true
	conn := counterOf(info.Conn)
	if conn == nil {
		w.foreign = true
		return
	}
	w.conns = append(w.conns, conn)
	w.before.Store(w.total())
}

// bodyBegins is called at the first read of the body.
func (w *wireCount) bodyBegins() { w.before.Store(w.total()) }

// bytes is what the kernel took. It is called after RoundTrip has failed, when
// net/http has ended all writing (persistConn waits for its write loop), or
// after an answer, when nobody asks. -1 is not known.
func (w *wireCount) bytes() int64 {
	if w.foreign || !w.connected {
		return -1
	}
	return w.total() - w.before.Load()
}

func (w *wireCount) total() (sum int64) {
	for _, c := range w.conns {
		sum += c.written.Load()
	}
	return sum
}
