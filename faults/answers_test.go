package faults

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAnswers has one trigger for each way in which a server can answer, and what
// the ledger must say of it.
func TestAnswers(t *testing.T) {
	const id = `"analytics_id":"an-id"`
	for _, c := range []struct {
		name    string
		answer  script
		outcome string
		state   string // of the chunk
	}{
		{"200 as documented", say(200, `{"success":true,"message":"ok",`+id+`,"timestamp":"2026-11-24T02:30:00Z","data":{"workflow_status":"started"}}`), "accepted", "accepted"},
		{"200 as staff published it", say(200, `{"success":true,"message":"ok","data":{"success":true,"statusCode":"200","data":{}}}`), "accepted_no_id", "accepted"},
		{"202 without success", say(202, `{`+id+`}`), "accepted", "accepted"},
		{"success false", say(200, `{"success":false,"message":"the flow failed",`+id+`}`), "flow_failed", "failed"},
		{"nested statusCode", say(200, `{"success":true,"data":{"statusCode":"500"}}`), "flow_failed", "failed"},
		{"neither success nor id", say(200, `{"message":"ok"}`), "unknown", "unknown"},
		{"malformed JSON", say(200, `{"success":true,,`), "unknown", "unknown"},
		{"HTML", say(200, `<html><body>welcome</body></html>`), "unknown", "unknown"},
		{"an array", say(200, `[{"success":true}]`), "unknown", "unknown"},
		{"empty", say(200, ``), "unknown", "unknown"},
		{"400", say(400, `{"success":false,"message":"bad"}`), "refused", "failed"},
		{"415", say(415, ``), "refused", "failed"},
		{"422", say(422, `not JSON`), "refused", "failed"},
		{"413 for one record", say(413, ``), "refused", "failed"},
		{"401", say(401, ``), "refused", "planned"},
		{"402", say(402, ``), "refused", "planned"},
		{"403", say(403, ``), "refused", "planned"},
		{"404", say(404, ``), "refused", "planned"},
		{"408", say(408, ``), "unknown", "unknown"},
		{"409", say(409, ``), "unknown", "unknown"},
		{"500", say(500, `{"error":"x","message":"y","code":"Z"}`), "unknown", "unknown"},
		{"502", say(502, `<html>`), "unknown", "unknown"},
		{"503", say(503, ``), "unknown", "unknown"},
		{"504", say(504, ``), "unknown", "unknown"},
		{"520", say(520, ``), "unknown", "unknown"},
		{"524", say(524, ``), "unknown", "unknown"},
		{"cut JSON", cutAnswer, "unknown", "unknown"},
		{"reset after the body", breakOff(true), "unknown", "unknown"},
		{"closed after the body", breakOff(false), "unknown", "unknown"},
		{"no answer", late(time.Hour, accept), "unknown", "unknown"},
		{"endless header", endlessHeader, "unknown", "unknown"},
		{"endless body", endlessBody, "unknown", "unknown"},
		{"slow, but in time", late(150*time.Millisecond, accept), "accepted", "accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.answer, 1, `delivery = { timeout = "1s" }`)
			w.run("run", "in")
			if got := w.word(`SELECT outcome FROM attempts`); got != c.outcome {
				t.Errorf("outcome %s, want %s: %s", got, c.outcome, w.word(`SELECT detail FROM attempts`))
			}
			if got := w.word(`SELECT state FROM chunks`); got != c.state {
				t.Errorf("chunk %s, want %s", got, c.state)
			}
			// Nothing is sent again by itself, but what provably was not accepted
			// and stopped the run.
			before := w.server.count()
			w.run("run", "in")
			if again := w.server.count() - before; again > 0 && c.state != "planned" && c.state != "failed" {
				t.Errorf("sent again %d times", again)
			}
		})
	}
}

func cutAnswer(w http.ResponseWriter, _ *request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"success":true,"analytics_id":"an-id"`)
}

func endlessHeader(w http.ResponseWriter, _ *request) {
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, err = buffer.WriteString("HTTP/1.1 200 OK\r\n")
	for i := 0; err == nil; i++ {
		_, err = fmt.Fprintf(buffer, "X-Header-%d: %s\r\n", i, strings.Repeat("x", 1000))
	}
}

func endlessBody(w http.ResponseWriter, _ *request) {
	_, err := io.WriteString(w, `{"message":"`)
	for text := strings.Repeat("x", 64<<10); err == nil; {
		_, err = io.WriteString(w, text)
	}
}

// TestRedirect: another host never sees a request, key and body least of all.
func TestRedirect(t *testing.T) {
	other := startServer(t, accept)
	w := newWorld(t, func(w http.ResponseWriter, r *request) {
		http.Redirect(w, r.http, other.url+r.http.URL.Path, http.StatusTemporaryRedirect)
	}, 1)
	w.want(1, "run", "in")
	if other.count() != 0 || w.chunks("failed") != 1 {
		t.Errorf("the other host saw %d triggers, %d chunks failed", other.count(), w.chunks("failed"))
	}
}

// TestSameIDTwice: both answers are stored, and a person hears of it.
func TestSameIDTwice(t *testing.T) {
	w := newWorld(t, say(200, `{"success":true,"analytics_id":"the-same"}`), 2)
	r := w.run("run", "in")
	if n := w.number(`SELECT count(*) FROM attempts WHERE analytics_id = 'the-same'`); n != 2 {
		t.Errorf("%d attempts have the id, want 2", n)
	}
	if !strings.Contains(r.out+r.err, "the-same") {
		t.Errorf("nobody is told:\n%s%s", r.out, r.err)
	}
}

// TestThrottled: all workers of the key wait as long as asked.
func TestThrottled(t *testing.T) {
	const asked = time.Second
	header := func(value func() string) script {
		return func(w http.ResponseWriter, _ *request) {
			w.Header().Set("Retry-After", value())
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}
	for _, c := range []struct {
		name   string
		answer script
		least  time.Duration
	}{
		{"seconds", header(func() string { return "1" }), asked},
		{"a date", header(func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }), asked},
		{"in the body alone", say(429, `{"success":false,"retry_after":1}`), asked},
		{"in the body as text", say(429, `{"success":false,"retry_after":"1"}`), asked},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, first(1, c.answer), 12, `delivery = { max_in_flight = 4 }`)
			w.want(0, "run", "in")
			seen := w.server.requests()
			if gap := seen[1].at.Sub(seen[0].at); gap < c.least || gap > c.least+2*time.Second {
				t.Errorf("the second trigger came after %s, want %s", gap, c.least)
			}
			if len(seen) != 13 {
				t.Errorf("%d triggers, want 13", len(seen))
			}
		})
	}
	for name, value := range map[string]string{"garbage": "soon", "10⁹ seconds": "1000000000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, first(1, header(func() string { return value })), 2)
			p := w.start("run", "in", "--verbose")
			p.says("throttled, the key waits")
			w.during(300*time.Millisecond, "nothing is sent", func() bool { return w.server.count() == 1 })
			p.signal(2)
			if r := p.wait(); r.code != 130 || strings.Contains(r.err, "277777h") {
				t.Errorf("exit %d:\n%s", r.code, r.err)
			}
		})
	}
}
