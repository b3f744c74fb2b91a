package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const flow = "f825ab82-371f-40cb-9bed-b325531ead4a"

func start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call sends a request and reads its whole answer.
func call(t testing.TB, req *http.Request) (int, string) {
	t.Helper()
	if req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer wh_test")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func newRequest(t testing.TB, method, url string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func trigger(t testing.TB, s *Server, body string) (int, string) {
	t.Helper()
	return call(t, newRequest(t, "POST", s.URL()+"/flows/trigger/"+flow, strings.NewReader(body), "Content-Type", "application/json"))
}

func TestTriggerIsAccepted(t *testing.T) {
	var log bytes.Buffer
	var kept []byte
	s := start(t, Options{Log: &log, KeepBodies: func(_ Request, b []byte) { kept = bytes.Clone(b) }})
	const body = `{"records":[1,2],"_batch":{"key":"k1","chunk":4,"records":2}}`
	status, answer := trigger(t, s, body)
	var got struct {
		Success     bool      `json:"success"`
		Message     string    `json:"message"`
		AnalyticsID string    `json:"analytics_id"`
		Timestamp   time.Time `json:"timestamp"`
		Data        struct {
			Status string `json:"workflow_status"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	if status != 200 || !got.Success || got.Message == "" || got.Timestamp.IsZero() || got.Data.Status != "started" || uuid.Validate(got.AnalyticsID) != nil {
		t.Errorf("answer %d %s", status, answer)
	}
	var line Request
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	want := Request{Time: line.Time, FlowID: flow, Key: "k1", Chunk: 4, Records: 2, Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), AnalyticsID: got.AnalyticsID, Outcome: "accepted", Accepted: true, Status: 200}
	if line != want || line.Time.IsZero() || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("log line\n got %+v\nwant %+v", line, want)
	}
	if string(kept) != body {
		t.Errorf("kept %q", kept)
	}
	if r := s.Requests(); len(r) != 1 || !r[0].Time.Equal(want.Time) || r[0].Key != "k1" {
		t.Errorf("requests %+v", r)
	}
	st := s.Stats()
	if st.Requests != 1 || st.Accepted != 1 || st.Records != 2 || st.Bytes != int64(len(body)) || st.ByOutcome["accepted"] != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestTriggerIsRefused(t *testing.T) {
	s := start(t, Options{MaxBytes: 1000, LogAll: true, Log: io.Discard})
	path := "/flows/trigger/" + flow
	const jsonType = "application/json"
	tests := []struct {
		name, path, body string
		header           []string
		status           int
		code             string
	}{
		{"no key", path, `{"a":1}`, []string{"Content-Type", jsonType, "Authorization", "none"}, 401, "UNAUTHORIZED"},
		{"other key", path, `{"a":1}`, []string{"Content-Type", jsonType, "Authorization", "Bearer sk_1"}, 401, "UNAUTHORIZED"},
		{"doubled prefix", path, `{"a":1}`, []string{"Content-Type", jsonType, "Authorization", "Bearer Bearer wh_1"}, 401, "UNAUTHORIZED"},
		{"flow id", "/flows/trigger/orders", `{"a":1}`, []string{"Content-Type", jsonType}, 404, "WORKFLOW_NOT_FOUND"},
		{"flow id in braces", "/flows/trigger/%7B" + flow + "%7D", `{"a":1}`, []string{"Content-Type", jsonType}, 404, "WORKFLOW_NOT_FOUND"},
		{"path", "/flows/start/" + flow, `{"a":1}`, []string{"Content-Type", jsonType}, 404, "NOT_FOUND"},
		{"content type", path, `{"a":1}`, []string{"Content-Type", "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"no content type", path, `{"a":1}`, nil, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"too large", path, `{"a":"` + strings.Repeat("x", 1000) + `"}`, []string{"Content-Type", jsonType}, 413, "PAYLOAD_TOO_LARGE"},
		{"array", path, `[1]`, []string{"Content-Type", jsonType}, 400, "INVALID_PAYLOAD"},
		{"no key in it", path, `{}`, []string{"Content-Type", jsonType + "; charset=utf-8"}, 400, "INVALID_PAYLOAD"},
		{"not UTF-8", path, "{\"a\":\"\xff\"}", []string{"Content-Type", jsonType}, 400, "INVALID_PAYLOAD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := s.Stats()
			status, answer := call(t, newRequest(t, "POST", s.URL()+tt.path, strings.NewReader(tt.body), tt.header...))
			var got errorBody
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				t.Fatalf("%v: %s", err, answer)
			}
			if status != tt.status || got.Success || got.Message == "" || got.ErrorCode != tt.code {
				t.Errorf("answer %d %s; want %d, %s", status, answer, tt.status, tt.code)
			}
			if after := s.Stats(); after.Accepted != before.Accepted {
				t.Error("it was accepted")
			}
		})
	}
	t.Run("too large, length not announced", func(t *testing.T) {
		req := newRequest(t, "POST", s.URL()+path, io.MultiReader(strings.NewReader(`{"a":"`+strings.Repeat("x", 9000)+`"}`)), "Content-Type", jsonType)
		if status, answer := call(t, req); status != 413 {
			t.Errorf("answer %d %s", status, answer)
		}
	})
	if s.Stats().Accepted != 0 {
		t.Error("something was accepted")
	}
}

func TestOneKeyAlone(t *testing.T) {
	s := start(t, Options{Key: "wh_right"})
	for key, want := range map[string]int{"wh_right": 200, "wh_wrong": 401, "wh_right2": 401, "": 401} {
		req := newRequest(t, "POST", s.URL()+"/flows/trigger/"+flow, strings.NewReader(`{"a":1}`), "Content-Type", "application/json", "Authorization", "Bearer "+key)
		if status, _ := call(t, req); status != want {
			t.Errorf("key %q: %d, want %d", key, status, want)
		}
	}
}

// orderLog fails the test if a line comes after its answer: Write runs while the
// client still waits.
type orderLog struct {
	answered func() bool
	late     bool
	lines    int
}

func (l *orderLog) Write(p []byte) (int, error) {
	l.late = l.late || l.answered()
	l.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

func TestLogComesBeforeTheAnswer(t *testing.T) {
	var mu sync.Mutex
	answered := false
	log := &orderLog{answered: func() bool { mu.Lock(); defer mu.Unlock(); return answered }}
	s := start(t, Options{Log: log})
	for range 50 {
		mu.Lock()
		answered = false
		mu.Unlock()
		trigger(t, s, `{"a":1}`)
		mu.Lock()
		answered = true
		mu.Unlock()
	}
	if log.late || log.lines != 50 {
		t.Errorf("%d lines, late: %v", log.lines, log.late)
	}
}

type brokenLog struct{}

func (brokenLog) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestNoLogNoAccept(t *testing.T) {
	s := start(t, Options{Log: brokenLog{}})
	if status, answer := trigger(t, s, `{"a":1}`); status != 500 || strings.Contains(answer, "analytics_id") {
		t.Errorf("answer %d %s", status, answer)
	}
	if st := s.Stats(); st.Accepted != 0 || st.ByOutcome["log-failed"] != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestSeedRepeats(t *testing.T) {
	run := func(seed uint64) (out []string) {
		faults, err := ParseFaults("429=0.3,no-id=0.3")
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, Options{Seed: seed, Faults: faults})
		for range 30 {
			trigger(t, s, `{"a":1}`)
		}
		for _, r := range s.Requests() {
			out = append(out, r.Outcome+r.AnalyticsID)
		}
		return out
	}
	a, b, c := strings.Join(run(5), " "), strings.Join(run(5), " "), strings.Join(run(6), " ")
	if a != b || a == c {
		t.Errorf("seed 5 gave\n%s\n%s\nseed 6 gave\n%s", a, b, c)
	}
}

func TestLoopbackAlone(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:80", "127.0.0.1", "127.0.0.1:99999"} {
		if s, err := Start(Options{Addr: addr}); err == nil {
			t.Errorf("listens on %q", addr)
			s.Close()
		}
	}
	if s, err := Start(Options{Check: "some"}); err == nil {
		t.Error("an unknown check was taken")
		s.Close()
	}
}

// lineSignal is a log that tells of each line.
type lineSignal chan struct{}

func (l lineSignal) Write(p []byte) (int, error) {
	l <- struct{}{}
	return len(p), nil
}

func TestCloseFreesHeldAnswers(t *testing.T) {
	faults, err := ParseFaults("drop=0.5,slow=0.5:1h")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(lineSignal, 10)
	s, err := Start(Options{Faults: faults, Seed: 1, Log: accepted})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		req := newRequest(t, "POST", s.URL()+"/flows/trigger/"+flow, strings.NewReader(`{"a":1}`), "Content-Type", "application/json", "Authorization", "Bearer wh_x")
		wg.Go(func() {
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
				t.Errorf("answered with %d", resp.StatusCode)
			}
		})
	}
	for range 10 {
		<-accepted // its answer is held from here on
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestMemoryIsBounded(t *testing.T) {
	var r ring[int]
	for i := range 25 {
		r.add(i, 10)
	}
	got := r.ordered()
	for i, v := range got {
		if v != 15+i {
			t.Fatalf("kept %v", got)
		}
	}
	if len(got) != 10 {
		t.Errorf("kept %d", len(got))
	}
}
