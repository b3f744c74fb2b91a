package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Pings that a heartbeat URL knows, by the convention of Healthchecks
// (https://healthchecks.io/docs/http_api/).
const (
	PingStart   = "start"
	PingSuccess = "" // the URL itself
	PingFail    = "fail"
)

const (
	pingTimeout = 10 * time.Second
	pingTries   = 4
	// maxLine is how many pings of one URL may wait, maxLines how many URLs are
	// pinged at once.
	maxLine  = 8
	maxLines = 8
)

// Ping is one call of a heartbeat URL.
type Ping struct {
	Schedule string // for the log
	URL      URL
	Kind     string // a Ping… word
	RunID    string // pairs a start with its end, and measures the run
	Text     string // goes along as the body
}

// Heartbeat sends pings in the background: those of one URL in order, those of
// several side by side. Nobody ever waits for it. The zero value is not ready.
type Heartbeat struct {
	log    *slog.Logger
	client *http.Client
	places chan struct{}
	ctx    context.Context // of pings, which outlive the run that asks for them
	end    context.CancelFunc
	all    sync.WaitGroup

	mu    sync.Mutex
	lines map[string][]Ping // by address: what waits; there is an entry while a goroutine works on it
}

// NewHeartbeat makes one; Close ends it.
func NewHeartbeat(log *slog.Logger) *Heartbeat {
	ctx, end := context.WithCancel(context.Background())
	return &Heartbeat{
		log: log, ctx: ctx, end: end, places: make(chan struct{}, maxLines), lines: map[string][]Ping{},
		client: &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 5 * time.Second, TLSHandshakeTimeout: pingTimeout,
		}},
	}
}

// Ping sends a ping as soon as those of the same URL before it are done. If too
// many wait, the oldest is given up.
func (h *Heartbeat) Ping(p Ping) {
	if p.URL.IsZero() || h.ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	waiting, works := h.lines[p.URL.text()]
	if len(waiting) >= maxLine {
		h.log.Warn("heartbeat given up", "schedule", waiting[0].Schedule, "kind", waiting[0].name(), "err", "too many wait")
		waiting = waiting[1:]
	}
	h.lines[p.URL.text()] = append(waiting, p)
	if !works {
		h.all.Go(func() { h.work(p.URL.text()) })
	}
}

// work sends what waits for an address until nothing does.
func (h *Heartbeat) work(address string) {
	h.places <- struct{}{}
	defer func() { <-h.places }()
	for {
		h.mu.Lock()
		waiting := h.lines[address]
		if len(waiting) == 0 {
			delete(h.lines, address)
			h.mu.Unlock()
			return
		}
		p := waiting[0]
		h.lines[address] = waiting[1:]
		h.mu.Unlock()
		if err := h.send(p); err != nil {
			h.log.Warn("heartbeat not sent", "schedule", p.Schedule, "kind", p.name(), "err", err)
		} else {
			h.log.Debug("heartbeat sent", "schedule", p.Schedule, "kind", p.name())
		}
	}
}

// Close waits up to grace until all pings are sent, and gives up the rest.
func (h *Heartbeat) Close(grace time.Duration) {
	done := make(chan struct{})
	go func() {
		h.all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(grace):
		h.end()
		<-done
	}
	h.end()
	h.client.CloseIdleConnections()
}

func (p Ping) name() string {
	if p.Kind == PingSuccess {
		return "success"
	}
	return p.Kind
}

// address is where a ping goes: the word behind the path, before a query.
func (p Ping) address() (string, error) {
	u, err := url.Parse(p.URL.text())
	if err != nil {
		return "", errors.New("it is no URL")
	}
	if p.Kind != PingSuccess {
		u = u.JoinPath(p.Kind)
	}
	if p.RunID != "" {
		q := u.Query()
		q.Set("rid", p.RunID)
		u.RawQuery = q.Encode()
	}
	return u.String(), nil
}

// send tries a few times, with waits that are random up to a range that doubles.
func (h *Heartbeat) send(p Ping) error {
	address, err := p.address()
	if err != nil {
		return err
	}
	waits := &backoff.ExponentialBackOff{InitialInterval: time.Second, RandomizationFactor: 1, Multiplier: 3, MaxInterval: 20 * time.Second}
	waits.Reset()
	for try := 1; ; try++ {
		again, err := h.try(address, p.Text)
		if err == nil || !again || try == pingTries {
			return err
		}
		select {
		case <-time.After(waits.NextBackOff()):
		case <-h.ctx.Done():
			return fmt.Errorf("given up at the end of the daemon: %w", err)
		}
	}
}

// try sends once. A definite no is not tried again.
func (h *Heartbeat) try(address, text string) (again bool, err error) {
	ctx, cancel := context.WithTimeout(h.ctx, pingTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(text))
	if err != nil {
		return false, errors.New("it is no URL")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "worqcron")
	res, err := h.client.Do(req)
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err // the address is a secret
		}
		return true, errors.New(NewURL(address).redact(err.Error()))
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096)) // so that the connection can be used again
	_ = res.Body.Close()                                       // read only
	if res.StatusCode >= 300 {
		again = res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout
		return again, fmt.Errorf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	return false, nil
}

// CheckHeartbeat says what is wrong with a heartbeat URL; nil if nothing is.
func CheckHeartbeat(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("it is no URL of a web server, such as https://hc-ping.com/…")
	case u.Fragment != "" || u.User != nil:
		return errors.New("a URL with a user or a fragment")
	}
	return nil
}
