package worqhat

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdleConnectionIsNotReused uses pipes for connections, so that the two
// seconds pass in a bubble.
func TestIdleConnectionIsNotReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := NewClient(Options{BaseURL: "http://127.0.0.1"}, mustKey(t, secret), nil)
		if err != nil {
			t.Fatal(err)
		}
		dials := 0
		c.own.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials++
			client, server := net.Pipe()
			go servePipe(server)
			return client, nil
		}
		for i, tt := range []struct {
			idle  time.Duration
			dials int
		}{{0, 1}, {1900 * time.Millisecond, 1}, {2100 * time.Millisecond, 2}, {time.Hour, 3}} {
			time.Sleep(tt.idle)
			r := c.Trigger(t.Context(), Trigger{FlowID: testFlow, Body: bodyOf(small)})
			wantResult(t, r, Accepted, ReasonAnalyticsID)
			if dials != tt.dials {
				t.Errorf("trigger %d after %s: %d connections, want %d", i, tt.idle, dials, tt.dials)
			}
			synctest.Wait() // the connection is back in the pool
		}
		c.Close()
	})
}

func servePipe(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if _, err := io.WriteString(conn, reply("200 OK", "", okBody)); err != nil {
			return
		}
	}
}

// roundTrip is a transport without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTimeoutHoldsForTheAnswer: default and own time-out, and the context that
// lives until the answer was read.
func TestTimeoutHoldsForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(after time.Duration) roundTrip {
			return func(r *http.Request) (*http.Response, error) {
				if r.GetBody != nil {
					t.Error("GetBody is set: net/http may repeat the request")
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return nil, err
				}
				select {
				case <-time.After(after):
					return nil, io.ErrUnexpectedEOF
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
		}
		tests := []struct {
			options, own, after, want time.Duration
			reason                    Reason
		}{
			{0, 0, time.Hour, 5 * time.Minute, ReasonTimeout},
			{time.Minute, 0, time.Hour, time.Minute, ReasonTimeout},
			{time.Minute, 2 * time.Minute, time.Hour, 2 * time.Minute, ReasonTimeout},
			{0, 0, 4 * time.Minute, 4 * time.Minute, ReasonEOFAfterBody},
		}
		for _, tt := range tests {
			c, err := NewClient(Options{BaseURL: "http://127.0.0.1", Timeout: tt.options}, mustKey(t, secret), slow(tt.after))
			if err != nil {
				t.Fatal(err)
			}
			r := c.Trigger(t.Context(), Trigger{FlowID: testFlow, Body: bodyOf(small), Timeout: tt.own})
			wantResult(t, r, Unknown, tt.reason)
			if took := r.Finished.Sub(r.Started); took != tt.want {
				t.Errorf("took %s, want %s", took, tt.want)
			}
			c.Close()
		}
	})
}
