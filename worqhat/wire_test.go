package worqhat

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	small = 200      // fits into every buffer
	large = 32 << 20 // more than all buffers between client and server hold
)

func TestRequestOnTheWire(t *testing.T) {
	var got *http.Request
	var body []byte
	s := newScript(t, func(p *peer) {
		req, ok := p.header()
		if !ok {
			return
		}
		got = req
		body, _ = io.ReadAll(req.Body)
		p.say(reply("200 OK", "Connection: close\r\n", okBody))
	})
	r := fire(t, newTestClient(t, s.url()+"/base/"), small)
	wantResult(t, r, Accepted, ReasonAnalyticsID)
	if r.AnalyticsID != "id-1" || string(r.Answer) != okBody || r.StatusCode != 200 {
		t.Errorf("result %+v", r)
	}
	want := map[string]string{
		"Authorization": "Bearer " + secret, "Content-Type": "application/json", "Accept": "application/json", "User-Agent": "worqcron",
		"Idempotency-Key": "", "X-Idempotency-Key": "", "Expect": "", "Accept-Encoding": "", "Cookie": "",
	}
	for name, value := range want {
		if v := got.Header.Get(name); v != value {
			t.Errorf("header %s: %q, want %q", name, v, value)
		}
	}
	if got.Method != "POST" || got.RequestURI != "/base/flows/trigger/"+testFlow || got.Proto != "HTTP/1.1" || got.ContentLength != small || len(got.TransferEncoding) != 0 {
		t.Errorf("request %s %s %s, length %d, %v", got.Method, got.RequestURI, got.Proto, got.ContentLength, got.TransferEncoding)
	}
	if !bytes.Equal(body, bodyOf(small)) {
		t.Error("the body is another")
	}
}

// TestFaultsOfTheWire has one row a fault. Each runs twice on the same client:
// neither may be repeated, so the server sees two requests at most.
func TestFaultsOfTheWire(t *testing.T) {
	half := func(p *peer) bool {
		req, ok := p.header()
		if !ok {
			return false
		}
		_, err := io.CopyN(io.Discard, req.Body, min(req.ContentLength/2, 100_000))
		return err == nil
	}
	whole := func(then func(*peer)) func(*peer) {
		return func(p *peer) {
			for {
				if _, ok := p.request(); !ok {
					return
				}
				then(p)
			}
		}
	}
	say := func(text string) func(*peer) { return whole(func(p *peer) { p.say(text) }) }
	sayAndClose := func(text string) func(*peer) {
		return whole(func(p *peer) { p.say(text); _ = p.conn.Close() })
	}
	endless := func(start, again string) func(*peer) {
		return whole(func(p *peer) {
			p.say(start)
			for {
				if _, err := io.WriteString(p.conn, again); err != nil {
					return
				}
			}
		})
	}
	const hurry = 150 * time.Millisecond
	tests := []struct {
		name    string
		serve   func(*peer)
		size    int
		timeout time.Duration
		outcome Outcome
		reason  Reason
	}{
		{"reset in the header", func(p *peer) { _, _ = p.r.ReadByte(); p.reset() }, large, 0, NotSent, ReasonResetInBody},
		{"reset in the body", func(p *peer) { half(p); p.reset() }, large, 0, NotSent, ReasonResetInBody},
		{"closed in the body", func(p *peer) { half(p) }, large, 0, NotSent, ReasonResetInBody},
		{"body is never read", func(p *peer) { p.hold() }, large, hurry, NotSent, ReasonTimeout},
		{"reset after the body", whole(func(p *peer) { p.reset() }), small, 0, Unknown, ReasonResetAfterBody},
		{"reset after a large body", whole(func(p *peer) { p.reset() }), large, 0, Unknown, ReasonResetAfterBody},
		{"closed after the body", whole(func(p *peer) { _ = p.conn.Close() }), small, 0, Unknown, ReasonEOFAfterBody},
		{"closed after a large body", whole(func(p *peer) { _ = p.conn.Close() }), large, 0, Unknown, ReasonEOFAfterBody},
		{"no answer", whole(func(p *peer) { p.hold() }), small, hurry, Unknown, ReasonTimeout},
		{"half a status line", sayAndClose("HTTP/1.1 20"), small, 0, Unknown, ReasonBrokenAfterBody},
		{"header cut", sayAndClose("HTTP/1.1 200 OK\r\nContent-Le"), small, 0, Unknown, ReasonBrokenAfterBody},
		{"no HTTP", sayAndClose("220 mail.example.com ESMTP\r\n"), small, 0, Unknown, ReasonBrokenAfterBody},
		{"endless header", endless("HTTP/1.1 200 OK\r\n", "X-Filler: "+strings.Repeat("x", 1000)+"\r\n"), small, 0, Unknown, ReasonBrokenAfterBody},
		{"endless header line", endless("HTTP/1.1 200 OK\r\nX-Filler: ", strings.Repeat("x", 1000)), small, 0, Unknown, ReasonBrokenAfterBody},
		{"endless informational answers", endless("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), small, 0, Unknown, ReasonBrokenAfterBody},
		{"endless body", endless("HTTP/1.1 200 OK\r\n\r\n{\"a\":\"", strings.Repeat("x", 1000)), small, 0, Unknown, ReasonAnswerTooLong},
		{"endless body behind success and id", endless("HTTP/1.1 200 OK\r\n\r\n{\"success\":true,\"analytics_id\":\"x\",\"data\":\"", strings.Repeat("x", 1000)), small, 0, Accepted, ReasonAnalyticsID},
		{"body cut", sayAndClose("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"success\":true,"), small, 0, Unknown, ReasonAnswerCut},
		{"body late", say("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"success\":true,"), small, hurry, Unknown, ReasonTimeout},
		{"body missing", sayAndClose("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), small, 0, Unknown, ReasonAnswerCut},
		{"last chunk missing behind a whole object", sayAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n" + okBody + "\r\n"), small, 0, Accepted, ReasonAnalyticsID},
		{"body until the end of the connection", sayAndClose("HTTP/1.0 200 OK\r\n\r\n" + okBody), small, 0, Accepted, ReasonAnalyticsID},
		{"status without its body in time", say("HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\n"), small, hurry, Unknown, "http_500"},
		{"refusal without its body in time", say("HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\n"), small, hurry, Refused, "http_401"},
		{"compressed although not asked for", say(reply("200 OK", "Content-Encoding: gzip\r\n", "\x1f\x8b\x08\x00")), small, 0, Unknown, ReasonAnswerNotObject},
		{"switching protocols", sayAndClose("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), small, 0, Unknown, "http_101"},
		{"429 seconds", say(reply("429 Too Many Requests", "Retry-After: 3\r\n", "")), small, 0, Throttled, "http_429"},
		{"409", say(reply("409 Conflict", "", "{}")), small, 0, Unknown, "http_409"},
		{"522", say(reply("522 ", "", "<html>")), small, 0, Unknown, "http_522"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, tt.serve)
			c := newTestClient(t, s.url())
			for range 2 {
				r := c.Trigger(context.Background(), Trigger{FlowID: testFlow, Body: bodyOf(tt.size), Timeout: tt.timeout})
				wantResult(t, r, tt.outcome, tt.reason)
				if len(r.Answer) > 64<<10 {
					t.Errorf("%d bytes of the answer were kept", len(r.Answer))
				}
			}
			if n := s.requests.Load(); n > 2 {
				t.Errorf("the server saw %d requests, 2 were made", n)
			}
		})
	}
}

func TestThrottledWait(t *testing.T) {
	tests := []struct {
		name, header, body string
		want               time.Duration
	}{
		{"seconds", "Retry-After: 30\r\n", "", 30 * time.Second},
		{"date", "Date: Tue, 24 Nov 2026 02:30:00 GMT\r\nRetry-After: Tue, 24 Nov 2026 02:32:00 GMT\r\n", "", 2 * time.Minute},
		{"garbage", "Retry-After: later\r\n", "", 10 * time.Second},
		{"a billion", "Retry-After: 1000000000\r\n", "", time.Hour},
		{"body alone", "", `{"success":false,"retry_after":60}`, time.Minute},
		{"two headers", "Retry-After: 5\r\nRetry-After: 50\r\n", "", 50 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, func(p *peer) {
				if _, ok := p.request(); ok {
					p.say(reply("429 Too Many Requests", tt.header, tt.body))
				}
			})
			r := fire(t, newTestClient(t, s.url()), small)
			wantResult(t, r, Throttled, "http_429")
			if r.RetryAfter != tt.want {
				t.Errorf("waits %s, want %s", r.RetryAfter, tt.want)
			}
		})
	}
}

// TestEarlyAnswerWins: a server that refuses early answers while we still write,
// and closes. Whatever net/http notices first, the answer decides.
func TestEarlyAnswerWins(t *testing.T) {
	s := newScript(t, func(p *peer) {
		if _, ok := p.header(); ok {
			p.say(reply("413 Payload Too Large", "Connection: close\r\n", `{"message":"too large"}`))
		}
	})
	c := newTestClient(t, s.url())
	body := bodyOf(large)
	for range 40 {
		r := c.Trigger(context.Background(), Trigger{FlowID: testFlow, Body: body})
		wantResult(t, r, Refused, "http_413")
		for i := range body[:1<<16] {
			body[i] = 'y' // the buffer is ours again: -race would see a reader
		}
	}
	if n := s.requests.Load(); n != 40 {
		t.Errorf("the server saw %d requests, want 40", n)
	}
}

// TestReusedConnectionDies: net/http repeats a request by itself when a reused
// connection dies, if it may. It must not: the server may have run the flow.
func TestReusedConnectionDies(t *testing.T) {
	for _, end := range []string{"closed", "reset"} {
		t.Run(end, func(t *testing.T) {
			s := newScript(t, func(p *peer) {
				if _, ok := p.request(); !ok {
					return
				}
				p.say(reply("200 OK", "", okBody))
				if _, ok := p.request(); ok && end == "reset" {
					p.reset() // the second one is read as a whole, and lost
				}
			})
			c := newTestClient(t, s.url())
			wantResult(t, fire(t, c, small), Accepted, ReasonAnalyticsID)
			want := ReasonEOFAfterBody
			if end == "reset" {
				want = ReasonResetAfterBody
			}
			wantResult(t, fire(t, c, small), Unknown, want)
			if r, n := s.requests.Load(), s.connections.Load(); r != 2 || n != 1 {
				t.Errorf("the server saw %d requests on %d connections, want 2 on 1", r, n)
			}
		})
	}
}

// TestRequestsNeverExceedTriggers closes connections at the worst moments,
// thousands of times, and counts.
func TestRequestsNeverExceedTriggers(t *testing.T) {
	s := newScript(t, func(p *peer) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			p.say(reply("200 OK", "", okBody))
			if p.requests.Load()%2 == 0 {
				return // idle, kept alive, and gone: without a word about it
			}
		}
	})
	c := newTestClient(t, s.url())
	const triggers = 2000
	seen := map[Outcome]int64{}
	for range triggers {
		seen[fire(t, c, small).Outcome]++
	}
	if n := s.requests.Load(); n > triggers || n < seen[Accepted] {
		t.Errorf("%d triggers, %d requests at the server, outcomes %v", triggers, n, seen)
	}
	if seen[Accepted] < triggers/2 || seen[Accepted]+seen[NotSent]+seen[Unknown] != triggers {
		t.Errorf("outcomes %v", seen)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newScript(t, func(p *peer) { p.until() })
	for _, status := range []string{"301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"} {
		s := newScript(t, func(p *peer) {
			if _, ok := p.request(); ok {
				p.say(reply(status, "Location: "+elsewhere.url()+"/x\r\n", ""))
			}
		})
		wantResult(t, fire(t, newTestClient(t, s.url()), small), Refused, Reason("http_"+status[:3]))
		if n := s.requests.Load(); n != 1 {
			t.Errorf("%s: the server saw %d requests", status, n)
		}
	}
	if n := elsewhere.connections.Load(); n != 0 {
		t.Errorf("the other host saw %d connections", n)
	}
}
