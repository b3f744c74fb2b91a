package worqhat

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	wantResult(t, fire(t, newTestClient(t, closed), small), NotSent, ReasonRefusedConn)

	dial := func(err error) *Client {
		c := newTestClient(t, "https://api.example.invalid")
		c.own.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		return c
	}
	c := dial(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.example.invalid", IsNotFound: true}})
	wantResult(t, fire(t, c, small), NotSent, ReasonDNS)
	c = dial(&net.OpError{Op: "dial", Err: syscall.ENETUNREACH})
	wantResult(t, fire(t, c, small), NotSent, ReasonUnreachable)
}

func TestPlainHTTPStaysOnThisMachine(t *testing.T) {
	if err := loopbackOnly("tcp", "192.0.2.1:80", nil); err == nil {
		t.Error("192.0.2.1 was allowed")
	}
	for _, ok := range []string{"127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"} {
		if err := loopbackOnly("tcp", ok, nil); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

func TestTLS(t *testing.T) {
	var requests atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, okBody)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	c := newTestClient(t, s.URL)
	r := fire(t, c, small)
	wantResult(t, r, NotSent, ReasonCertificate)
	if r.Stop != StopRun || requests.Load() != 0 {
		t.Errorf("stop %q after %d requests; want run after 0", r.Stop, requests.Load())
	}

	trust := func(c *Client) *Client {
		c.own.TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		return c
	}
	c = trust(newTestClient(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)))
	wantResult(t, fire(t, c, small), NotSent, ReasonCertificate) // it is for another name
	c = trust(newTestClient(t, s.URL))
	wantResult(t, fire(t, c, 3<<20), Accepted, ReasonAnalyticsID)

	old := newTestClient(t, s.URL)
	s.TLS.MaxVersion = tls.VersionTLS11
	wantResult(t, fire(t, trust(old), small), NotSent, ReasonTLS)

	plain := newScript(t, func(p *peer) { p.say("HTTP/1.1 400 Bad Request\r\n\r\n") })
	c = newTestClient(t, strings.Replace(plain.url(), "http:", "https:", 1))
	wantResult(t, fire(t, c, small), NotSent, ReasonTLS)
}

func TestTLSLostAnswer(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 100_000)
		panic(http.ErrAbortHandler)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c := newTestClient(t, s.URL)
	c.own.TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	wantResult(t, fire(t, c, large), NotSent, ReasonResetInBody)
	if r := fire(t, c, small); r.Outcome != Unknown {
		t.Errorf("outcome %s, want unknown", r.Outcome)
	}
}

// deadConn lets some writes pass, then takes a few bytes more and dies.
type deadConn struct {
	net.Conn
	passes *int
	took   int
}

func (d deadConn) Write(p []byte) (int, error) {
	if *d.passes > 0 {
		*d.passes--
		return d.Conn.Write(p)
	}
	return min(d.took, len(p)), syscall.EPIPE
}

// TestKernelTookTooLittle: the connection dies under a body that fits into our
// own buffers, so that net/http took all of it.
func TestKernelTookTooLittle(t *testing.T) {
	const large = smallBytes + 1 // goes out after its header, a small body together with it
	tests := []struct {
		name               string
		body, passes, took int
		outcome            Outcome
	}{
		{"nothing at all", large, 0, 0, NotSent},
		{"some of the header", large, 0, 50, NotSent},
		{"the header", large, 1, 0, NotSent},
		{"some of the body", large, 1, large / 2, NotSent},
		{"all but one byte", large, 1, large - 1, NotSent},
		{"all, with an error", large, 1, large, Unknown},
		{"nothing of a small one", small, 0, 0, NotSent},
		{"less than a small one", small, 0, small - 1, NotSent},
		{"as much as a small one, with its header", small, 0, small, Unknown},
		{"all of a small one, with an error", small, 0, 1 << 20, Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, func(p *peer) { p.until() })
			c := newTestClient(t, s.url())
			dial := c.own.DialContext
			c.own.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				if err == nil {
					counted := conn.(*countedConn)
					counted.Conn = deadConn{counted.Conn, &tt.passes, tt.took}
					counted.endRead() // no answer will come: do not wait for one
				}
				return conn, err
			}
			r := fire(t, c, tt.body)
			if r.Outcome != tt.outcome {
				t.Errorf("%s, %s; want %s", r.Outcome, r.Reason, tt.outcome)
			}
		})
	}
}
