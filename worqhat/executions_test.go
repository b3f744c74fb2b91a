package worqhat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// metricsTripper answers each request with the same text.
type metricsTripper struct {
	status int
	header http.Header
	body   string
	asked  string
}

func (m *metricsTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	m.asked = r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization")
	if m.header == nil {
		m.header = http.Header{}
	}
	return &http.Response{StatusCode: m.status, Header: m.header, Body: io.NopCloser(strings.NewReader(m.body))}, nil
}

func metricsClient(t *testing.T, m *metricsTripper) *Client {
	t.Helper()
	key, err := NewKey("wh_test")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(Options{BaseURL: "https://api.example"}, key, m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExecutions(t *testing.T) {
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	at := func(h, m int) time.Time { return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	for _, c := range []struct {
		name, body string
		want       []Execution
		unreadable int
		err        string
	}{
		{
			name: "as documented",
			body: `{"metrics":{"total_workflows":"2"},"workflows":[
				{"id":"a","workflow_id":"f","user_id":"u","start_timestamp":"2026-11-24T01:00:00.000Z","end_timestamp":"2026-11-24T01:05:00Z","status":"completed"},
				{"id":"b","workflow_id":"f","start_timestamp":"2026-11-24T03:30:00+02:00","end_timestamp":null,"status":"in_progress"}]}`,
			want: []Execution{
				{ID: "a", FlowID: "f", Status: "completed", Started: at(1, 0), Ended: at(1, 5)},
				{ID: "b", FlowID: "f", Status: "in_progress", Started: at(1, 30)},
			},
		},
		{
			name: "list first, no zone", body: `{"workflows":[{"id":"a","start_timestamp":"2026-11-24 02:00:00","status":"FAILED"}],"metrics":null}`,
			want: []Execution{{ID: "a", Status: "failed", Started: at(2, 0)}},
		},
		{
			name: "entries that cannot be used", body: `{"workflows":[1,{"id":7,"start_timestamp":"2026-11-24T01:00:00Z"},{"id":"x","start_timestamp":"yesterday"},{"id":"a","start_timestamp":"2026-11-24T01:00:00Z"}]}`,
			want: []Execution{{ID: "a", Started: at(1, 0)}}, unreadable: 3,
		},
		{name: "empty", body: `{"workflows":[]}`},
		{name: "no list", body: `{"metrics":{}}`, err: `no list of executions ("workflows")`},
		{name: "list is null", body: `{"workflows":null}`, err: `no list of executions`},
		{
			name: "cut", body: `{"workflows":[{"id":"a","start_timestamp":"2026-11-24T01:00:00Z"},{"id":"b"`,
			want: []Execution{{ID: "a", Started: at(1, 0)}}, err: "breaks off",
		},
		{name: "html", body: `<html>`, err: "no JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &metricsTripper{status: 200, body: c.body}
			var got []Execution
			unreadable, err := metricsClient(t, m).Executions(context.Background(), day, day.AddDate(0, 0, 1), func(e Execution) error {
				got = append(got, e)
				return nil
			})
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if unreadable != c.unreadable {
				t.Errorf("%d unreadable, want %d", unreadable, c.unreadable)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if want := "GET https://api.example/flows/metrics?end_date=2026-11-25&start_date=2026-11-24 Bearer wh_test"; m.asked != want {
				t.Errorf("asked %s, want %s", m.asked, want)
			}
		})
	}
}

func TestExecutionsRefused(t *testing.T) {
	m := &metricsTripper{status: 429, body: `{"success":false,"message":"slow down wh_test","retry_after":7}`}
	_, err := metricsClient(t, m).Executions(context.Background(), time.Now(), time.Now(), nil)
	var throttled *ThrottledError
	if !errors.As(err, &throttled) || throttled.RetryAfter != 7*time.Second || strings.Contains(err.Error(), "wh_test") {
		t.Errorf("%v", err)
	}
	m = &metricsTripper{status: 401, body: `{"error":"bad key"}`}
	_, err = metricsClient(t, m).Executions(context.Background(), time.Now(), time.Now(), nil)
	if err == nil || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Errorf("%v", err)
	}
}
