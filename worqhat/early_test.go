package worqhat

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// stubborn is a server, plain or with TLS, that reads take bytes of a body, says
// something, and neither reads nor closes from then on.
func stubborn(t *testing.T, secure bool, take int64, say string, then func()) *Client {
	t.Helper()
	end := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, take)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, say)
		then()
		<-end
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	start := s.Start
	if secure {
		start = s.StartTLS
	}
	start()
	t.Cleanup(func() {
		close(end)
		s.Close()
	})
	c := newTestClient(t, s.URL)
	if secure {
		c.own.TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}
	return c
}

// TestAnswerWhileTheBodyIsWritten: the answer is there, the body is stuck. The
// attempt ends soon, with what the answer says, and the buffer is ours again.
func TestAnswerWhileTheBodyIsWritten(t *testing.T) {
	const hurry = 300 * time.Millisecond
	for _, tt := range []struct {
		name, say string
		outcome   Outcome
		reason    Reason
	}{
		{"413", reply("413 Payload Too Large", "", `{"message":"too large"}`), Refused, "http_413"},
		{"401 without a body", reply("401 Unauthorized", "", ""), Refused, "http_401"},
		{"429, connection close", reply("429 Too Many Requests", "Connection: close\r\nRetry-After: 9\r\n", "{}"), Throttled, "http_429"},
		{"401 whose body never comes", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 99\r\n\r\n", Refused, "http_401"},
		{"accepted", reply("200 OK", "", okBody), Accepted, ReasonAnalyticsID},
		{"500", reply("500 Oops", "", "{}"), Unknown, "http_500"},
		{"nothing", "", NotSent, ReasonTimeout},
		{"half an answer", "HTTP/1.1 200 OK\r\nContent-Le", NotSent, ReasonTimeout},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(map[bool]string{false: "plain, ", true: "TLS, "}[secure]+tt.name, func(t *testing.T) {
				t.Parallel()
				c := stubborn(t, secure, 1000, tt.say, func() {})
				body := bodyOf(large)
				began := time.Now()
				r := c.Trigger(context.Background(), Trigger{FlowID: testFlow, Body: body, Timeout: hurry})
				wantResult(t, r, tt.outcome, tt.reason)
				clear(body) // -race would see a reader
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		}
	}
}

// TestInterruptedInTheBody: who waits no longer gets the attempt back at once.
func TestInterruptedInTheBody(t *testing.T) {
	for _, secure := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(context.Background())
		c := stubborn(t, secure, 1000, "", func() { cancel(errors.New("told to stop")) })
		body := bodyOf(large)
		r := c.Trigger(ctx, Trigger{FlowID: testFlow, Body: body})
		wantResult(t, r, NotSent, ReasonInterrupted)
		clear(body)
		if took := r.Finished.Sub(r.Started); took > 10*time.Second {
			t.Errorf("TLS %v: it took %s", secure, took)
		}
	}
}
