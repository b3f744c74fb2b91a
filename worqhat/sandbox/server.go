package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Check says how closely bodies are looked at.
type Check string

const (
	// CheckFull parses every body: UTF-8, JSON, an object with at least one key.
	// It is the default.
	CheckFull Check = "full"
	// CheckFast looks at the first and last byte and the size alone, for
	// benchmarks; bodies are hashed only if there is a log or KeepBodies.
	CheckFast Check = "fast"
)

const (
	// DefaultMaxBytes is WorqHat's limit for a JSON body, in its stricter reading.
	DefaultMaxBytes = 10_000_000
	// maxFileBytes is WorqHat's limit for the file trigger.
	maxFileBytes = 50_000_000

	keptRequests   = 10_000
	keptExecutions = 100_000
)

// Options of a sandbox; zero values are usable.
type Options struct {
	Addr     string // where to listen; "" is 127.0.0.1 and a free port; anything but loopback is refused
	Key      string // the one key that is accepted; "" takes each that starts with wh_
	Faults   Faults
	Seed     uint64 // makes ids and faults repeatable, as far as the order of requests is; 0 is random
	MaxBytes int64  // of a JSON body; 0 is DefaultMaxBytes
	Check    Check

	// Log gets one line of JSON (a Request) for each accepted trigger, in one
	// Write before the answer; a Flush method is called, too. LogAll adds the
	// triggers that were not accepted, after their answer was decided on.
	Log    io.Writer
	LogAll bool
	// KeepBodies is called for each accepted trigger, before the answer and from
	// several goroutines at once; the body is only lent.
	KeepBodies func(r Request, body []byte)
	// ServerLog gets what net/http complains about; nil drops it.
	ServerLog *log.Logger
}

// Server is a running sandbox.
type Server struct {
	options  Options
	listener net.Listener
	http     *http.Server
	served   chan struct{} // closed when Serve has returned
	closing  chan struct{} // closed by Close: frees handlers that hold an answer back
	started  time.Time
	buffers  sync.Pool // of *[]byte, for bodies

	record record

	mu       sync.Mutex // guards the fields below
	random   *rand.Rand
	handlers sync.WaitGroup
	closed   bool
}

// Start opens the listener and serves until Close.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	switch o.Check {
	case "":
		o.Check = CheckFull
	case CheckFull, CheckFast:
	default:
		return nil, fmt.Errorf("check %q: there are %q and %q", o.Check, CheckFull, CheckFast)
	}
	if o.ServerLog == nil {
		o.ServerLog = log.New(io.Discard, "", 0)
	}
	listener, err := listenLoopback(o.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, listener: listener, started: time.Now(),
		served: make(chan struct{}), closing: make(chan struct{}),
		random: newRandom(o.Seed),
	}
	s.record = record{log: o.Log, logAll: o.LogAll, byOutcome: map[string]int64{}}
	s.http = &http.Server{
		Handler: s.routes(), ErrorLog: o.ServerLog,
		ReadHeaderTimeout: 30 * time.Second,
	}
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.ServerLog.Printf("serve: %v", err)
		}
	}()
	return s, nil
}

func newRandom(seed uint64) *rand.Rand {
	if seed == 0 {
		return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return rand.New(rand.NewPCG(seed, 0))
}

// listenLoopback refuses to be seen by others: the sandbox takes made-up keys,
// and what is sent to it may be real.
func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w; write it like 127.0.0.1:8411", addr, err)
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return nil, fmt.Errorf("listen on %q: the sandbox is for this machine alone; write it like 127.0.0.1:8411", addr)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return nil, errors.Join(
			fmt.Errorf("listen on %q: it is %s, not this machine alone", addr, listener.Addr()), listener.Close())
	}
	return listener, nil
}

// URL is the base URL, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends all connections, also those whose answer is held back, and waits
// for the handlers.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	err := s.http.Close()
	<-s.served
	s.handlers.Wait()
	return err
}

// routes are the endpoints. What is not there answers 404 like an unknown flow.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /flows/trigger/{flowId}", s.handleTrigger)
	mux.HandleFunc("POST /flows/file/{flowId}", s.handleFile)
	mux.HandleFunc("GET /flows/metrics", s.handleMetrics)
	mux.HandleFunc("GET /health", s.handleHealth)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "Route "+r.Method+" "+r.URL.Path+" not found", "NOT_FOUND")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			panic(http.ErrAbortHandler)
		}
		defer s.handlers.Done()
		mux.ServeHTTP(w, r)
	})
}

// enter counts a handler in, unless the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handlers.Add(1)
	return true
}

// authorized checks the key and answers 401 itself if it is wrong.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case ok && s.options.Key != "" && key == s.options.Key:
		return true
	case ok && s.options.Key == "" && strings.HasPrefix(key, "wh_") && !strings.ContainsAny(key, " \t"):
		return true
	}
	writeError(w, http.StatusUnauthorized, "Invalid or missing API key", "UNAUTHORIZED")
	return false
}

func (s *Server) handleHealth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"status": "ok", "uptime": time.Since(s.started).Seconds(), "version": "sandbox",
		"timestamp": time.Now().UTC().Format(time.RFC3339),
	})
}
