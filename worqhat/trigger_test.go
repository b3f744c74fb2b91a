package worqhat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestInterrupted(t *testing.T) {
	cause := errors.New("told to stop")
	s := newScript(t, func(p *peer) { p.hold() })
	c := newTestClient(t, s.url())
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	r := c.Trigger(ctx, Trigger{FlowID: testFlow, Body: bodyOf(small)})
	wantResult(t, r, NotSent, ReasonInterrupted)
	if n := s.connections.Load(); n != 0 || !strings.Contains(r.Detail, cause.Error()) {
		t.Errorf("%d connections, detail %q", n, r.Detail)
	}

	ctx, cancel = context.WithCancelCause(context.Background())
	after := newScript(t, func(p *peer) {
		if _, ok := p.request(); ok {
			cancel(cause)
			p.hold()
		}
	})
	r = newTestClient(t, after.url()).Trigger(ctx, Trigger{FlowID: testFlow, Body: bodyOf(large)})
	wantResult(t, r, Unknown, ReasonInterrupted)

	ctx, cancel = context.WithCancelCause(context.Background())
	within := newScript(t, func(p *peer) {
		if req, ok := p.header(); ok {
			_, _ = io.CopyN(io.Discard, req.Body, 1000)
			cancel(cause)
			p.hold()
		}
	})
	r = newTestClient(t, within.url()).Trigger(ctx, Trigger{FlowID: testFlow, Body: bodyOf(large)})
	wantResult(t, r, NotSent, ReasonInterrupted)

	ctx, cancel = context.WithCancelCause(context.Background())
	c = newTestClient(t, s.url())
	c.own.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel(cause)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	wantResult(t, c.Trigger(ctx, Trigger{FlowID: testFlow, Body: bodyOf(small)}), NotSent, ReasonInterrupted)
}

func TestBadTrigger(t *testing.T) {
	s := newScript(t, func(p *peer) { p.until() })
	c := newTestClient(t, s.url())
	for _, id := range []string{"", "..", "a/b", "a?b", "a b", "%2e%2e", "ä", strings.Repeat("a", 129)} {
		r := c.Trigger(context.Background(), Trigger{FlowID: id, Body: bodyOf(small)})
		wantResult(t, r, NotSent, ReasonBadTrigger)
		if r.Stop != StopFlow {
			t.Errorf("flow id %q stops %q, want flow", id, r.Stop)
		}
	}
	r := c.Trigger(context.Background(), Trigger{FlowID: testFlow})
	wantResult(t, r, NotSent, ReasonBadTrigger)
	if r.Stop != StopRun {
		t.Errorf("an empty body stops %q, want run", r.Stop)
	}
	if n := s.connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestKeyCanary: a server that sends the key back everywhere.
func TestKeyCanary(t *testing.T) {
	filler := strings.Repeat("m", 290)
	answers := []string{
		reply("200 OK", "X-Echo: KEY\r\n", `{"success":true,"analytics_id":"KEY","message":"KEY","data":{"header":"Bearer KEY"}}`),
		reply("400 Bad Request", "", `{"error":"KEY","code":"KEY"}`),
		reply("400 Bad Request", "", `{"message":"`+filler+`KEY`+`KEY"}`), // at the cut of the message
		reply("401 KEY", "", `<html><title>KEY</title>Authorization: Bearer KEY`),
		reply("429 KEY", "Retry-After: KEY\r\n", `{"message":"\u0077h_canary0123456789","retry_after":"KEY"}`),
		"HTTP/1.1 KEY\r\n\r\n",
		"KEY KEY KEY\r\n\r\n",
		reply("200 OK", "", strings.Repeat("x", 64<<10-5)+"KEYKEYKEY"), // at the cut of the answer
		reply("302 Found", "Location: http://KEY@KEY/\r\n", ""),
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nKEY",
	}
	for i, answer := range answers {
		s := newScript(t, func(p *peer) {
			if _, ok := p.request(); ok {
				p.say(strings.ReplaceAll(strings.ReplaceAll(answer, "KEY", secret), "Content-Length: ", "X-Was: "))
			}
		})
		r := fire(t, newTestClient(t, s.url()), small)
		printed, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprintf("%+v %s %s", r, printed, r.Answer)
		for n := len(secret); n > len("wh_cana"); n-- {
			if strings.Contains(all, secret[:n]) {
				t.Errorf("answer %d: %d characters of the key are in the result: %.600s", i, n, all)
				break
			}
		}
	}
}
