package worqhat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"worqcron/failpoint"
)

const (
	// maxAnswerBytes is read of an answer, keptAnswerBytes kept of it.
	maxAnswerBytes  = 1 << 20
	keptAnswerBytes = 64 << 10

	// DefaultTimeout is for one trigger: a flow with a return node answers when
	// it has ended, which can take minutes.
	DefaultTimeout = 5 * time.Minute

	// smallBytes is what goes out with its header in one write. net/http flushes the
	// header first unless it knows the body to be in memory, and then what was
	// handed over is not known: of such a body, its copy, only the bytes that the
	// kernel took count, the header among them. RoundTrip fails only when writing
	// has ended.
	smallBytes = writeBufferBytes / 2

	userAgent = "worqcron"
)

// Client sends triggers. It is safe for concurrent use; it does not limit how
// many run at once, which is Budget's.
type Client struct {
	base      *url.URL
	key       Key
	timeout   time.Duration
	transport http.RoundTripper
	own       *http.Transport // to be closed; nil if the transport came from outside
	answers   sync.Pool       // of *bytes.Buffer
	urls      sync.Map        // of *url.URL, by flow id; never written to
}

// NewClient makes a client. transport nil means its own: HTTP/1.1 alone, TLS 1.2
// or newer, the environment's proxy except for this machine, and no connection
// used again that was idle for two seconds. A foreign transport must not retry.
func NewClient(o Options, key Key, transport http.RoundTripper) (*Client, error) {
	base, err := parseBaseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if key.IsZero() {
		return nil, errors.New("no API key: load one with LoadKey")
	}
	c := &Client{base: base, key: key, timeout: o.Timeout, transport: transport}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if transport == nil {
		c.own = newTransport(base.Scheme == "http")
		c.transport = c.own
	}
	c.answers.New = func() any { return new(bytes.Buffer) }
	return c, nil
}

// BaseURL is where the client sends to, without a trailing slash.
func (c *Client) BaseURL() string { return strings.TrimSuffix(c.base.String(), "/") }

// Close drops idle connections. Triggers under way are not touched.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Trigger is one POST of one body.
type Trigger struct {
	FlowID  string
	Body    []byte        // a JSON object; the caller's again once Client.Trigger has returned
	Timeout time.Duration // connection, sending and answer together; 0 takes Options.Timeout
}

// Result is how an attempt ended. Nothing in it contains the key.
type Result struct {
	Outcome     Outcome
	Reason      Reason
	Detail      string // a sentence for a person, at most 500 characters
	StatusCode  int    // 0 without an answer
	AnalyticsID string // whatever the outcome, if the answer had one
	Answer      []byte // the first 64 KiB of the answer
	RetryAfter  time.Duration
	Stop        Stop

	Started, Finished time.Time
}

// Trigger sends t once and reports the outcome; it does not return earlier. If
// ctx ends before the body is out the outcome is not_sent, afterwards unknown,
// both with the reason "interrupted": who wants to drain must not cancel ctx.
func (c *Client) Trigger(ctx context.Context, t Trigger) Result {
	started := time.Now()
	o := c.observe(ctx, t)
	v := Decide(o)
	if v.Outcome == NotSent && !validFlowID(t.FlowID) {
		v.Reason, v.Stop = ReasonBadTrigger, StopFlow
	} else if v.Outcome == NotSent && len(t.Body) == 0 {
		v.Reason, v.Stop = ReasonBadTrigger, StopRun
	}
	c.key.mask(o.Answer)
	answer := o.Answer
	if len(answer) > keptAnswerBytes {
		answer = bytes.Clone(answer[:keptAnswerBytes])
	}
	return Result{
		Outcome:     v.Outcome,
		Reason:      v.Reason,
		Detail:      v.Detail,
		StatusCode:  o.StatusCode,
		AnalyticsID: c.key.redact(v.AnalyticsID),
		Answer:      answer,
		RetryAfter:  v.RetryAfter,
		Stop:        v.Stop,
		Started:     started,
		Finished:    time.Now(),
	}
}

// observe does the request and gathers what Decide needs.
func (c *Client) observe(ctx context.Context, t Trigger) Observation {
	unsent := Observation{BodyBytes: max(1, int64(len(t.Body))), WireBytes: -1, key: c.key}
	switch {
	case !validFlowID(t.FlowID):
		unsent.Err = fmt.Errorf("%q is no flow id: copy the UUID from the flow's trigger", t.FlowID)
		return unsent
	case len(t.Body) == 0:
		unsent.Err = errors.New("the body is empty: WorqHat takes an object with at least one key")
		return unsent
	case ctx.Err() != nil:
		unsent.Err, unsent.Interrupted = context.Cause(ctx), true
		return unsent
	}
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = c.timeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // not before the answer was read: it would lose the outcome

	var wire wireCount
	sealed := &sealedBody{data: t.Body, begins: wire.bodyBegins}
	var body io.ReadCloser = sealed
	var small *bytes.Reader
	if c.own != nil && int64(len(t.Body)) <= failpoint.Piece("mid-body", smallBytes) {
		small = bytes.NewReader(bytes.Clone(t.Body))
		body = io.NopCloser(small)
	}
	resp, err := c.transport.RoundTrip(c.request(wire.trace(limited), t, body))
	o := Observation{BodyBytes: int64(len(t.Body)), Err: err, key: c.key}
	if err == nil {
		o.StatusCode, o.Header, o.Now = resp.StatusCode, resp.Header, time.Now()
		o.Answer, o.TooLong, o.Err = c.readAnswer(resp.Body)
	}
	o.BodyTaken = sealed.seal()
	if small != nil { // nobody reads it any more once RoundTrip has failed
		o.BodyTaken = o.BodyBytes
		if err != nil {
			o.BodyTaken -= int64(small.Len())
		}
	}
	o.Connected, o.TLSFailed, o.WireBytes = wire.connected, wire.tlsFailed.Load(), wire.bytes()
	if o.Err != nil {
		o.Interrupted = ctx.Err() != nil
		o.TimedOut = !o.Interrupted && limited.Err() != nil
	}
	return o
}

// request builds the POST. GetBody stays nil and no Idempotency-Key is set: each
// would allow net/http to send the body again by itself. RoundTrip is called
// without http.Client around it, so no redirect is followed.
func (c *Client) request(ctx context.Context, t Trigger, body io.ReadCloser) *http.Request {
	at, ok := c.urls.Load(t.FlowID)
	if !ok {
		at, _ = c.urls.LoadOrStore(t.FlowID, c.base.JoinPath("flows", "trigger", t.FlowID))
	}
	req := &http.Request{
		Method:        http.MethodPost,
		URL:           at.(*url.URL),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Host:          c.base.Host,
		ContentLength: int64(len(t.Body)),
		Body:          body,
		Header: http.Header{
			"Authorization": {c.key.Bearer()},
			"Content-Type":  {"application/json"},
			"Accept":        {"application/json"},
			"User-Agent":    {userAgent},
		},
	}
	return req.WithContext(ctx)
}

// readAnswer reads up to 1 MiB and closes the body. What it returns is a copy.
func (c *Client) readAnswer(body io.ReadCloser) (answer []byte, tooLong bool, err error) {
	defer body.Close() // its error says nothing that reading did not
	buffer := c.answers.Get().(*bytes.Buffer)
	defer c.answers.Put(buffer)
	buffer.Reset()
	_, err = buffer.ReadFrom(io.LimitReader(body, maxAnswerBytes+1))
	answer = buffer.Bytes()
	if len(answer) > maxAnswerBytes {
		answer, tooLong, err = answer[:maxAnswerBytes], true, nil
	}
	return bytes.Clone(answer), tooLong, err
}

// validFlowID keeps an id from changing the URL's path. It is a UUID, but other
// ids of letters, digits, '-' and '_' are WorqHat's to refuse.
func validFlowID(id string) bool {
	return id != "" && len(id) <= 128 && strings.Trim(id, flowIDChars) == ""
}

const flowIDChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
