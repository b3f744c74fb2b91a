package worqhat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"worqcron/worqhat"
	"worqcron/worqhat/sandbox"
)

const flow = "f825ab82-371f-40cb-9bed-b325531ead4a"

// TestEachFaultOfTheSandbox: what the client believes and what the server did.
func TestEachFaultOfTheSandbox(t *testing.T) {
	want := map[string]worqhat.Outcome{
		"429": worqhat.Throttled, "429-date": worqhat.Throttled, "429-garbage": worqhat.Throttled,
		"retry-after-body": worqhat.Throttled, "503-retry": worqhat.Throttled,
		"400": worqhat.Refused, "401": worqhat.Refused, "402": worqhat.Refused, "403": worqhat.Refused, "404": worqhat.Refused,
		"413": worqhat.Refused, "415": worqhat.Refused, "422": worqhat.Refused, "redirect": worqhat.Refused,
		"408": worqhat.Unknown, "409": worqhat.Unknown, "500": worqhat.Unknown, "500-after": worqhat.Unknown, "502": worqhat.Unknown,
		"503": worqhat.Unknown, "504": worqhat.Unknown, "520": worqhat.Unknown,
		"reset-before": worqhat.NotSent, "reset-after": worqhat.Unknown, "lost": worqhat.Unknown, "drop": worqhat.Unknown,
		"slow": worqhat.Accepted, "same-id": worqhat.Accepted, "failed-later": worqhat.Accepted, "running": worqhat.Accepted, "unlisted": worqhat.Accepted, "huge": worqhat.Accepted,
		"no-id": worqhat.AcceptedNoID, "sync": worqhat.AcceptedNoID,
		"success-false": worqhat.FlowFailed, "nested-500": worqhat.FlowFailed,
		"html": worqhat.Unknown, "malformed": worqhat.Unknown, "cut": worqhat.Unknown, "empty": worqhat.Unknown,
	}
	body := []byte(`{"records":["` + strings.Repeat("x", 9_400_000) + `"],"_batch":{"key":"k1","chunk":3,"records":1}}`)
	key, err := worqhat.NewKey("wh_sandbox")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range sandbox.FaultKinds() {
		t.Run(kind.Name, func(t *testing.T) {
			spec := kind.Name + "=1"
			if kind.Name == "slow" {
				spec += ":1ms"
			}
			faults, err := sandbox.ParseFaults(spec)
			if err != nil {
				t.Fatal(err)
			}
			s, err := sandbox.Start(sandbox.Options{Faults: faults, Check: sandbox.CheckFast, Log: new(bytes.Buffer)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c, err := worqhat.NewClient(worqhat.Options{BaseURL: s.URL()}, key, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			timeout := time.Minute
			if kind.Name == "drop" {
				timeout = 300 * time.Millisecond
			}
			r := c.Trigger(context.Background(), worqhat.Trigger{FlowID: flow, Body: body, Timeout: timeout})
			if r.Outcome != want[kind.Name] {
				t.Errorf("outcome %s, %s (%s); want %s", r.Outcome, r.Reason, r.Detail, want[kind.Name])
			}
			requests := s.Requests()
			if len(requests) != 1 || requests[0].Accepted != kind.Accepts {
				t.Fatalf("the server saw %+v", requests)
			}
			if r.AnalyticsID != "" && r.AnalyticsID != requests[0].AnalyticsID {
				t.Errorf("id %q, the server gave %q", r.AnalyticsID, requests[0].AnalyticsID)
			}
			// The rule everything else stands on.
			if r.Outcome == worqhat.NotSent && requests[0].Accepted {
				t.Error("not sent, and yet accepted: a retry would run the flow twice")
			}
			if r.Outcome == worqhat.Accepted && !requests[0].Accepted {
				t.Error("accepted, and yet not: rows would be lost")
			}
		})
	}
}

// TestTogetherUnderFaults runs many triggers against a misbehaving server and
// balances both books.
func TestTogetherUnderFaults(t *testing.T) {
	faults, err := sandbox.ParseFaults("429=0.05,500=0.05,500-after=0.05,reset-before=0.05,reset-after=0.05,lost=0.05,no-id=0.05,cut=0.05,html=0.05,success-false=0.05,413=0.02")
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	s, err := sandbox.Start(sandbox.Options{Faults: faults, Seed: 7, Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key, err := worqhat.NewKey("wh_sandbox")
	if err != nil {
		t.Fatal(err)
	}
	c, err := worqhat.NewClient(worqhat.Options{BaseURL: s.URL(), Timeout: time.Minute}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	const workers, each = 4, 150
	results := make([]map[string]worqhat.Result, workers)
	var wg sync.WaitGroup
	for w := range workers {
		results[w] = map[string]worqhat.Result{}
		wg.Go(func() {
			for i := range each {
				name := string(rune('a'+w)) + "-" + time.Duration(i).String()
				body := []byte(`{"records":[1,2,3],"_batch":{"key":"` + name + `","chunk":1,"records":3}}`)
				results[w][name] = c.Trigger(context.Background(), worqhat.Trigger{FlowID: flow, Body: body})
			}
		})
	}
	wg.Wait()

	accepted := map[string]string{} // key → id, from the log
	for line := range strings.Lines(log.String()) {
		var r sandbox.Request
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if _, twice := accepted[r.Key]; twice {
			t.Errorf("%s was accepted twice: the client repeats by itself", r.Key)
		}
		accepted[r.Key] = r.AnalyticsID
	}
	seen := map[worqhat.Outcome]int{}
	for _, m := range results {
		for name, r := range m {
			seen[r.Outcome]++
			id, ran := accepted[name]
			switch r.Outcome {
			case worqhat.Accepted:
				if id != r.AnalyticsID {
					t.Errorf("%s: id %q, the log has %q", name, r.AnalyticsID, id)
				}
			case worqhat.AcceptedNoID, worqhat.FlowFailed:
				if !ran {
					t.Errorf("%s is %s, the log does not have it", name, r.Outcome)
				}
			case worqhat.Throttled, worqhat.Refused, worqhat.NotSent:
				if ran {
					t.Errorf("%s is %s, but the flow was started", name, r.Outcome)
				}
			}
		}
	}
	if n := s.Stats().Requests; n != workers*each {
		t.Errorf("%d requests at the server, %d triggers; outcomes %v", n, workers*each, seen)
	}
	if seen[worqhat.Unknown] == 0 || seen[worqhat.Accepted] == 0 || seen[worqhat.Throttled] == 0 {
		t.Errorf("outcomes %v: the test did not test", seen)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
