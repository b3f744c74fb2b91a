package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hook is a web server that keeps what it was sent.
type hook struct {
	*httptest.Server
	mu    sync.Mutex
	calls []string // method, path and body
	came  chan struct{}
}

func newHook(t *testing.T, answer func(n int) int) *hook {
	h := &hook{came: make(chan struct{}, 100)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.calls = append(h.calls, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		n := len(h.calls)
		h.mu.Unlock()
		w.WriteHeader(answer(n))
		h.came <- struct{}{}
	}))
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		h.Close()
	})
	return h
}

func (h *hook) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

func always(status int) func(int) int { return func(int) int { return status } }

func (h *hook) service(t *testing.T, path string) *Service {
	t.Helper()
	list, err := Services([]URL{NewURL("generic://" + strings.TrimPrefix(h.URL, "http://") + path + "?disabletls=yes&template=json")})
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func TestSend(t *testing.T) {
	h := newHook(t, always(200))
	if err := h.service(t, "/hook").Send(t.Context(), "a title", "two\nlines"); err != nil {
		t.Fatal(err)
	}
	got := h.got()
	if len(got) != 1 || !strings.HasPrefix(got[0], "POST /hook ") || !strings.Contains(got[0], `"title":"a title"`) || !strings.Contains(got[0], `two\nlines`) {
		t.Errorf("got %q", got)
	}
}

// What a service says about its failure holds nothing of its URL.
func TestErrorsHoldNoSecret(t *testing.T) {
	const token = "sEcReT0123456789"
	h := newHook(t, always(500))
	err := h.service(t, "/"+token).Send(t.Context(), "t", "m")
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "500") {
		t.Errorf("a refusal: got %v", err)
	}
	s := h.service(t, "/"+token)
	h.Close()
	if err = s.Send(t.Context(), "t", "m"); err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody there: got %v", err)
	}
	for _, text := range []string{
		"slack://" + token, "smtp://user:" + token + "@127.0.0.1", token + "://x", "discord://" + token, "telegram://" + token + "@telegram",
		"generic://host:port/" + token, "ntfy://" + token + ":a b@%zz", "pushover://:" + token, "matrix://user:" + token + "@", "gotify://127.0.0.1/" + token,
		"generic+nothing://" + token, "\x00slack://" + token,
	} {
		if err := Check(NewURL(text)); err != nil && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(token)) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	u := NewURL("smtp://user%40example.com:p%2Fss-" + token + "@mail.example.com:587/?from=a@example.com&to=b@example.com")
	text := u.redact("dial mail.example.com:587: auth user@example.com p/ss-" + token + ", p%2Fss-" + token + " to b@example.com, see https://mail.example.com/x?y=z refused")
	for _, part := range []string{token, "p/ss", "p%2Fss", "example", "587/"} {
		if strings.Contains(text, part) {
			t.Errorf("%q is in %q", part, text)
		}
	}
	if !strings.Contains(text, "refused") {
		t.Errorf("nothing is left: %q", text)
	}
	for _, verb := range []string{"%v", "%s", "%q", "%#v", "%+v", "%x"} {
		if text := fmt.Sprintf(verb, struct{ U URL }{u}); strings.Contains(text, token) {
			t.Errorf("%s prints %q", verb, text)
		}
	}
	data, err := json.Marshal(u)
	if err != nil || strings.Contains(string(data), token) {
		t.Errorf("got %s, %v", data, err)
	}
}

// A service that logs in does so with its first message, not when it is made.
func TestNothingIsCalledByACheck(t *testing.T) {
	h := newHook(t, always(403))
	u := NewURL("matrix://user:secretpass@" + strings.TrimPrefix(h.URL, "http://") + "/?rooms=a&disableTLS=yes")
	list, err := Services([]URL{u})
	if err != nil || len(h.got()) != 0 {
		t.Fatalf("got %q, %v", h.got(), err)
	}
	err = list[0].Send(t.Context(), "t", "m")
	if err == nil || len(h.got()) == 0 || strings.Contains(err.Error(), "secretpass") {
		t.Errorf("got %q, %v", h.got(), err)
	}
}

func TestServiceNames(t *testing.T) {
	list, err := Services([]URL{NewURL("generic://a/b"), NewURL("ntfy://ntfy.sh/topic"), NewURL("generic+https://c/d")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range list {
		names = append(names, s.Name())
	}
	if want := []string{"generic", "ntfy", "generic#2"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "urls")
	write := func(mode os.FileMode) {
		if err := os.WriteFile(file, []byte("# ours\nntfy://ntfy.sh/topic\n\nnothing://secret\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(0o600)
	t.Setenv("URLS", "generic://a/b\n  generic://c/d")
	o := Options{URLs: []URL{NewURL("generic://e/f")}, Env: "URLS", File: file}
	list, errs := o.Load()
	if len(list) != 4 || len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "no URLs from "+file+": URL 2: there is no service") {
		t.Errorf("got %d services, %v", len(list), errs)
	}
	write(0o644)
	t.Setenv("URLS", "")
	list, errs = o.Load()
	if len(list) != 1 || len(errs) != 2 || !strings.Contains(errs[1].Error(), "mode 0644") {
		t.Errorf("got %d services, %v", len(list), errs)
	}
}

func TestHeartbeat(t *testing.T) {
	h := newHook(t, func(n int) int {
		if n == 2 {
			return 503
		}
		return 200
	})
	b := NewHeartbeat(slog.New(slog.NewTextHandler(io.Discard, nil)))
	u := NewURL(h.URL + "/uuid?x=1")
	b.Ping(Ping{URL: URL{}, Kind: PingStart})
	b.Ping(Ping{URL: u, Kind: PingStart, RunID: "r1", Text: "a"})
	b.Ping(Ping{URL: u, Kind: PingSuccess, RunID: "r1", Text: "b"})
	b.Ping(Ping{URL: u, Kind: PingFail, Text: "c"})
	b.Close(time.Minute)
	want := []string{
		"POST /uuid/start?rid=r1&x=1 a", "POST /uuid?rid=r1&x=1 b", "POST /uuid?rid=r1&x=1 b", "POST /uuid/fail?x=1 c",
	}
	if got := h.got(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.Ping(Ping{URL: u, Kind: PingStart})
	if len(h.got()) != len(want) {
		t.Error("a ping after the end")
	}
}

// A server that hangs is in nobody's way: pings wait in a short line, the oldest is
// given up, and the end of the daemon does not wait for it.
func TestHeartbeatThatHangs(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	release := make(chan struct{})
	h := newHook(t, func(int) int { <-release; return 200 })
	defer close(release)
	b := NewHeartbeat(slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil)))
	const secret = "uuid-3141592653"
	for range 3 * maxLine {
		b.Ping(Ping{Schedule: "orders", URL: NewURL(h.URL + "/" + secret), Kind: PingStart})
	}
	b.Close(0)
	mu.Lock()
	defer mu.Unlock()
	text := log.String()
	if !strings.Contains(text, "heartbeat given up") || !strings.Contains(text, "heartbeat not sent") || strings.Contains(text, secret) {
		t.Errorf("got %s", text)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestHeartbeatDefiniteNo(t *testing.T) {
	h := newHook(t, always(404))
	b := NewHeartbeat(slog.New(slog.NewTextHandler(io.Discard, nil)))
	b.Ping(Ping{URL: NewURL(h.URL + "/uuid")})
	b.Close(time.Minute)
	if got := h.got(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}
