package worqhat

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const testFlow = "f825ab82-371f-40cb-9bed-b325531ead4a"

// script is a raw TCP server: each connection is handed to a function, which is
// free to break HTTP. It counts what arrived itself, below any HTTP library.
type script struct {
	t           testing.TB
	listener    net.Listener
	connections atomic.Int64
	requests    atomic.Int64 // request lines that were read
	stop        chan struct{}
	wg          sync.WaitGroup
	mu          sync.Mutex
	open        []net.Conn
}

// peer is one connection of a script.
type peer struct {
	*script
	conn *net.TCPConn
	r    *bufio.Reader
}

func newScript(t testing.TB, serve func(*peer)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, listener: l, stop: make(chan struct{})}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			s.mu.Lock()
			s.open = append(s.open, c)
			s.mu.Unlock()
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				defer c.Close()
				serve(&peer{script: s, conn: c.(*net.TCPConn), r: bufio.NewReader(c)})
			}()
		}
	}()
	t.Cleanup(func() {
		close(s.stop)
		l.Close()
		s.mu.Lock()
		for _, c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *script) url() string { return "http://" + s.listener.Addr().String() }

// header reads a request's head. false: the client left.
func (p *peer) header() (*http.Request, bool) {
	req, err := http.ReadRequest(p.r)
	if err != nil {
		return nil, false
	}
	p.requests.Add(1)
	return req, true
}

// request reads a whole request.
func (p *peer) request() (*http.Request, bool) {
	req, ok := p.header()
	if !ok {
		return nil, false
	}
	if n, err := io.Copy(io.Discard, req.Body); err != nil || n != req.ContentLength {
		return nil, false
	}
	return req, true
}

// say writes; that the client is gone is part of some scripts.
func (p *peer) say(text string) { _, _ = io.WriteString(p.conn, text) }

// reset ends the connection with RST.
func (p *peer) reset() {
	_ = p.conn.SetLinger(0)
	_ = p.conn.Close()
}

// hold keeps the connection without a word until the test ends.
func (p *peer) hold() { <-p.stop }

// until reads and drops what comes until the client closes.
func (p *peer) until() { _, _ = io.Copy(io.Discard, p.r) }

// reply makes a whole answer.
func reply(status, header, body string) string {
	return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

const okBody = `{"success":true,"analytics_id":"id-1"}`

func newTestClient(t testing.TB, url string) *Client {
	t.Helper()
	c, err := NewClient(Options{BaseURL: url, Timeout: 30 * time.Second}, mustKey(t, secret), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func bodyOf(size int) []byte {
	return []byte(`{"records":["` + strings.Repeat("x", size-len(`{"records":[""]}`)) + `"]}`)
}

func fire(t testing.TB, c *Client, size int) Result {
	t.Helper()
	return c.Trigger(context.Background(), Trigger{FlowID: testFlow, Body: bodyOf(size)})
}

func wantResult(t testing.TB, r Result, outcome Outcome, reason Reason) {
	t.Helper()
	if r.Outcome != outcome || r.Reason != reason {
		t.Errorf("result %s, %s (%s); want %s, %s", r.Outcome, r.Reason, r.Detail, outcome, reason)
	}
	if r.Detail == "" || r.Started.IsZero() || r.Finished.Before(r.Started) {
		t.Errorf("incomplete result: %+v", r)
	}
}
