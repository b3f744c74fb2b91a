package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// script answers one trigger.
type script func(w http.ResponseWriter, r *request)

// request is a trigger as the server saw it.
type request struct {
	number   int // from 1
	key      string
	row      int // the record's id
	at       time.Time
	accepted bool   // the flow was started
	id       string // that was answered; "" if none
	answered bool   // the answer was written without error
	http     *http.Request
	server   *server
}

// server plays WorqHat by a script. It logs each trigger before it answers.
type server struct {
	url    string
	script script
	http   *http.Server
	closed chan struct{} // frees handlers that hold an answer back

	mu  sync.Mutex
	log []*request
	cut int // bodies that did not come whole
}

func startServer(t *testing.T, s script) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, listener, s)
}

func serveOn(t *testing.T, listener net.Listener, s script) *server {
	return serveIdle(t, listener, s, 0)
}

// serveIdle drops connections that are idle for some time; 0: it does not.
func serveIdle(t *testing.T, listener net.Listener, s script, idle time.Duration) *server {
	srv := &server{url: "http://" + listener.Addr().String(), script: s, closed: make(chan struct{})}
	srv.http = &http.Server{Handler: srv, ReadHeaderTimeout: time.Minute, IdleTimeout: idle}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.http.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		close(srv.closed)
		_ = srv.http.Close()
		<-done
	})
	return srv
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Records []struct {
			ID int `json:"id,string"`
		} `json:"records"`
		Batch struct {
			Key string `json:"key"`
		} `json:"_batch"`
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(raw, &body) != nil {
		s.mu.Lock()
		s.cut++
		s.mu.Unlock()
		return
	}
	q := &request{key: body.Batch.Key, at: time.Now(), http: r, server: s}
	if len(body.Records) > 0 {
		q.row = body.Records[0].ID
	}
	s.mu.Lock()
	s.log = append(s.log, q)
	q.number = len(s.log)
	answer := s.script
	s.mu.Unlock()
	answer(w, q)
}

// plays gives it another script.
func (s *server) plays(other script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = other
}

// requests are those that came whole, in order.
func (s *server) requests() []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*request(nil), s.log...)
}

func (s *server) count() int { return len(s.requests()) }

// accept is the script of a server that works.
func accept(w http.ResponseWriter, r *request) {
	r.server.mu.Lock()
	r.accepted, r.id = true, fmt.Sprintf("id-%d", r.number)
	r.server.mu.Unlock()
	_, err := fmt.Fprintf(w, `{"success":true,"analytics_id":%q}`, r.id)
	r.server.mu.Lock()
	r.answered = err == nil
	r.server.mu.Unlock()
}

// say answers with a status and a body.
func say(status int, body string) script {
	return func(w http.ResponseWriter, _ *request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// first does one thing for the first n triggers and accepts the others.
func first(n int, s script) script {
	return func(w http.ResponseWriter, r *request) {
		if r.number <= n {
			s(w, r)
			return
		}
		accept(w, r)
	}
}

// after holds an answer back until a channel is closed.
func after(gate <-chan struct{}, s script) script {
	return func(w http.ResponseWriter, r *request) {
		select {
		case <-gate:
			s(w, r)
		case <-r.http.Context().Done():
		case <-r.server.closed:
		}
	}
}

// late answers after a time.
func late(d time.Duration, s script) script {
	return func(w http.ResponseWriter, r *request) {
		gate := make(chan struct{})
		timer := time.AfterFunc(d, func() { close(gate) })
		defer timer.Stop()
		after(gate, s)(w, r)
	}
}

// breakOff ends the connection without an answer; reset with RST.
func breakOff(reset bool) script {
	return func(w http.ResponseWriter, _ *request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}
