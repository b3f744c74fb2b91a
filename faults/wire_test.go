package faults

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestRefusedConnection: what did not arrive is tried again, and arrives once.
func TestRefusedConnection(t *testing.T) {
	w := newWorld(t, accept, 1)
	addr := closedPort(t)
	w.configure("http://" + addr)
	p := w.start("run", "in")
	p.says("reason=refused_connection")
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	w.server = serveOn(t, listener, accept)
	if r := p.wait(); r.code != 0 || w.server.count() != 1 {
		t.Errorf("exit %d, %d triggers\n%s", r.code, w.server.count(), r.err)
	}
}

// TestNoConnection: a name without an address, and no TLS to be had. Nothing is
// sent, the chunks stay planned.
func TestNoConnection(t *testing.T) {
	plain := startServer(t, accept)
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about the handshake
	untrusted.StartTLS()
	defer untrusted.Close()
	for name, c := range map[string]struct{ url, reason string }{
		"DNS":                 {"https://nobody.invalid", "dns"},
		"TLS":                 {"https://" + strings.TrimPrefix(plain.url, "http://"), "tls"},
		"certificate":         {untrusted.URL, "certificate"},
		"refused for good":    {"http://" + closedPort(t), "refused_connection"},
		"no host at all here": {"https://127.0.0.1:1", "refused_connection"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, accept, 2, `delivery = { max_attempts = 2 }`)
			w.configure(c.url, `delivery = { max_attempts = 2 }`)
			w.env = []string{"HTTPS_PROXY=", "https_proxy="}
			r := w.want(1, "run", "in")
			if got := w.word(`SELECT group_concat(DISTINCT outcome || ' ' || reason) FROM attempts`); got != "not_sent "+c.reason {
				t.Errorf("attempts %s, want not_sent %s", got, c.reason)
			}
			if w.chunks("planned") != 2 {
				t.Errorf("%d chunks planned, want 2\n%s", w.chunks("planned"), r.out)
			}
		})
	}
}

// proxy passes connections on, and resets them when limit bytes went through it
// towards the server.
type proxy struct {
	addr  string
	limit int64
	left  int // connections that it cuts; the others go through
}

func startProxy(t *testing.T, to string, limit int64, times int) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: listener.Addr().String(), limit: limit, left: times}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			cut := p.left > 0
			p.left--
			go p.pass(conn, to, cut)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return p
}

func (p *proxy) pass(conn net.Conn, to string, cut bool) {
	defer conn.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	if cut {
		_, _ = io.CopyN(server, conn, p.limit)
		_ = conn.(*net.TCPConn).SetLinger(0)
		return
	}
	go func() { _, _ = io.Copy(conn, server) }()
	_, _ = io.Copy(server, conn)
}

// TestResetInTheBody: the proxy resets the connection when half of the body is
// through. The kernel's buffers are smaller than the body, so the program knows.
func TestResetInTheBody(t *testing.T) {
	w := newWorld(t, accept, 0, `delivery = { max_attempts = 5 }`)
	w.write("in.csv", "id,text\n1,"+strings.Repeat("x", 9_000_000)+"\n")
	p := startProxy(t, strings.TrimPrefix(w.server.url, "http://"), 500_000, 1)
	w.configure("http://" + p.addr)
	w.want(0, "run", "in")
	if got := w.word(`SELECT group_concat(outcome || ' ' || reason, ', ') FROM (SELECT * FROM attempts ORDER BY attempt_id)`); got != "not_sent reset_in_body, accepted analytics_id" {
		t.Errorf("attempts: %s", got)
	}
	if w.server.count() != 1 {
		t.Errorf("%d triggers, want 1", w.server.count())
	}
}

// TestIdleConnections: a server that closes connections after 2.5 seconds, with
// triggers just as far apart. Each must have a fresh connection.
func TestIdleConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 seconds")
	}
	t.Parallel()
	w := newWorld(t, accept, 5)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.server = serveIdle(t, listener, accept, 2500*time.Millisecond)
	w.write("schedules.toml", strings.Replace(w.text(w.server.url), `rate = "off"`, `rate = "24/min"`, 1))
	w.want(0, "run", "in")
	if n := w.number(`SELECT count(*) FROM attempts WHERE outcome <> 'accepted'`); n != 0 || w.server.count() != 5 {
		t.Errorf("%d attempts were not accepted, %d triggers", n, w.server.count())
	}
}
