package worqhat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Execution is one run of a flow as WorqHat's metrics list it.
type Execution struct {
	ID      string // expected to be the trigger's analytics_id
	FlowID  string
	Status  string // "completed", "failed", "in_progress", or what WorqHat says in their place
	Started time.Time
	Ended   time.Time // zero while it runs, or if it is not said
}

// ExecutionsTimeout bounds one look-up, its list included.
const ExecutionsTimeout = 10 * time.Minute

// ThrottledError says that a look-up has to wait.
type ThrottledError struct {
	RetryAfter time.Duration
	Detail     string
}

func (e *ThrottledError) Error() string { return e.Detail }

// Executions reads GET /flows/metrics for the days from first to last (UTC, both
// inclusive) and calls each for every execution that it lists, in its order; an
// error of each ends the reading and is returned. unreadable counts the entries
// that have no id or no start that is a time. The list is read as a stream: it
// has no pages, so it may be long. An answer without a list is an error, and so
// is one that breaks off. A 429 is a *ThrottledError.
func (c *Client) Executions(ctx context.Context, first, last time.Time, each func(Execution) error) (unreadable int, err error) {
	ctx, cancel := context.WithTimeout(ctx, ExecutionsTimeout)
	defer cancel()
	resp, err := c.transport.RoundTrip(c.metricsRequest(ctx, first, last))
	if err != nil {
		return 0, fmt.Errorf("GET /flows/metrics: %s", c.key.redact(err.Error()))
	}
	defer resp.Body.Close() // its error says nothing that reading did not
	if resp.StatusCode != http.StatusOK {
		return 0, c.metricsRefused(resp)
	}
	unreadable, err = readExecutions(resp.Body, each)
	if err != nil {
		return unreadable, fmt.Errorf("GET /flows/metrics: %w", err)
	}
	return unreadable, nil
}

func (c *Client) metricsRequest(ctx context.Context, first, last time.Time) *http.Request {
	u := c.base.JoinPath("flows", "metrics")
	u.RawQuery = url.Values{
		"start_date": {first.UTC().Format(time.DateOnly)}, "end_date": {last.UTC().Format(time.DateOnly)},
	}.Encode()
	req := &http.Request{
		Method: http.MethodGet, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: c.base.Host,
		Header: http.Header{"Authorization": {c.key.Bearer()}, "Accept": {"application/json"}, "User-Agent": {userAgent}},
	}
	return req.WithContext(ctx)
}

// metricsRefused says what an answer other than 200 says.
func (c *Client) metricsRefused(resp *http.Response) error {
	text, tooLong, err := c.readAnswer(resp.Body)
	o := Observation{StatusCode: resp.StatusCode, Header: resp.Header, Answer: text, TooLong: tooLong, Err: err, Now: time.Now(), key: c.key}
	v := Decide(o)
	detail := "GET /flows/metrics: " + v.Detail
	if v.Outcome == Throttled {
		return &ThrottledError{v.RetryAfter, detail}
	}
	return errors.New(detail)
}

// readExecutions walks {"metrics":…,"workflows":[…]}.
func readExecutions(r io.Reader, each func(Execution) error) (unreadable int, err error) {
	d := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return 0, errors.Join(errors.New("the answer is no JSON object"), err)
	}
	found := false
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return unreadable, brokenOff(err)
		}
		if name.String() != "workflows" || d.PeekKind() != '[' {
			if err := d.SkipValue(); err != nil {
				return unreadable, brokenOff(err)
			}
			continue
		}
		found = true
		n, err := readExecutionList(d, each)
		unreadable += n
		if err != nil {
			return unreadable, err
		}
	}
	if !found {
		return 0, errors.New(`the answer has no list of executions ("workflows"): nothing could be looked up`)
	}
	return unreadable, nil
}

func readExecutionList(d *jsontext.Decoder, each func(Execution) error) (unreadable int, err error) {
	if _, err := d.ReadToken(); err != nil { // [
		return 0, brokenOff(err)
	}
	for d.PeekKind() != ']' {
		entry, err := d.ReadValue()
		if err != nil {
			return unreadable, brokenOff(err)
		}
		e, ok := parseExecution(entry)
		if !ok {
			unreadable++
			continue
		}
		if err := each(e); err != nil {
			return unreadable, err
		}
	}
	_, err = d.ReadToken()
	return unreadable, err
}

func brokenOff(err error) error { return fmt.Errorf("the list breaks off: %w", err) }

// parseExecution reads one entry leniently: each field may be missing or have
// another type than documented.
func parseExecution(entry jsontext.Value) (e Execution, ok bool) {
	var fields map[string]any
	if json.Unmarshal(entry, &fields, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return e, false
	}
	text := func(name string) string {
		s, _ := fields[name].(string)
		return strings.TrimSpace(s)
	}
	e = Execution{ID: text("id"), FlowID: text("workflow_id"), Status: strings.ToLower(text("status"))}
	started, ok := parseTimestamp(text("start_timestamp"))
	e.Started = started
	if ended, ok := parseTimestamp(text("end_timestamp")); ok {
		e.Ended = ended
	}
	return e, ok && e.ID != ""
}

// Which zone the timestamps have is not documented. The examples are RFC 3339;
// one without an offset is taken as UTC.
var timestampLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00"}

func parseTimestamp(text string) (time.Time, bool) {
	for _, layout := range timestampLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
