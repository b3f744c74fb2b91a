package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// answer is one way in which the server behaves towards a trigger.
type answer struct {
	name    string
	weight  int  // of 1000
	status  int  // 0: none is given, the connection ends
	accepts bool // the flow runs
	body    string
	wait    time.Duration // at most, before the answer
	reset   bool          // the connection ends with RST, not FIN
}

// answers is the mix. Those that are not "accepted" or "refused" leave the program
// without knowledge: whether the flow ran, only the server's log says.
var answers = []answer{
	{name: "accepted", weight: 875, status: 200, accepts: true, body: `{"success":true,"analytics_id":%q}`, wait: 5 * time.Millisecond},
	{name: "accepted slowly", weight: 15, status: 200, accepts: true, body: `{"success":true,"analytics_id":%q}`, wait: 150 * time.Millisecond},
	{name: "accepted, no id", weight: 20, status: 200, accepts: true, body: `{"success":true}`},
	{name: "refused", weight: 15, status: 400, body: `{"success":false,"message":"bad input"}`},
	{name: "too large", weight: 10, status: 413, body: `{"success":false,"message":"too large"}`},
	{name: "flow failed", weight: 10, status: 200, body: `{"success":false,"message":"it failed"}`},
	{name: "throttled", weight: 5, status: 429, body: `{"success":false,"message":"slow down"}`},
	{name: "500, it ran", weight: 10, status: 500, accepts: true, body: `{"message":"oh"}`},
	{name: "500, it did not run", weight: 10, status: 500, body: `{"message":"oh"}`},
	{name: "reset, it ran", weight: 10, accepts: true, reset: true},
	{name: "reset, it did not run", weight: 10, reset: true},
	{name: "closed, it ran", weight: 5, accepts: true},
	{name: "closed, it did not run", weight: 5},
}

// plain is an answer that only accepts.
var plain = answers[0]

// trigger is a line of the server's log.
type trigger struct {
	Key      string `json:"key"`
	IDs      []int  `json:"ids"` // the records' own numbers
	Answer   string `json:"answer"`
	ID       string `json:"id"`    // as answered; "" if none
	Start    int    `json:"start"` // which start of the program sent it
	Bytes    int    `json:"bytes"`
	At       time.Time
	given    answer
	body     []byte
	answered bool // the whole answer was handed to the kernel
}

// server plays WorqHat. It writes each trigger down before it answers.
type server struct {
	plain bool // accept everything
	seed  uint64
	url   string
	http  *http.Server
	done  chan struct{}
	file  *os.File // the log, to be looked at afterwards

	mu     sync.Mutex
	log    []*trigger
	times  map[int]int // triggers seen by their first record
	conns  int         // open ones
	start  int         // of the program, counted from 1
	pause  time.Time   // no trigger was allowed before
	wrong  []string    // what must fail the round
	onSeen func(n int) // called with how many this start sent, before the answer
	onDone func(n int) // the same, after the answer
	seen   int         // by this start
	first  time.Time   // when this start's first one came
}

func startServer(seed uint64, logPath string) (*server, error) {
	file, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens at once or not at all
	if err != nil {
		return nil, err
	}
	s := &server{
		seed: seed, url: "http://" + listener.Addr().String(), done: make(chan struct{}), file: file, times: map[int]int{},
		onSeen: func(int) {}, onDone: func(int) {},
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ConnState: s.count}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // ends with Close
	}()
	return s, nil
}

func (s *server) close() error {
	err := s.http.Close()
	<-s.done
	return errors.Join(err, s.file.Close())
}

// count follows the open connections.
func (s *server) count(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns++
	case http.StateClosed, http.StateHijacked:
		s.conns--
	case http.StateActive, http.StateIdle:
	}
}

// begin tells the server of a new start of the program and what to do at its
// triggers.
func (s *server) begin(onSeen, onDone func(n int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start++
	s.seen, s.first = 0, time.Time{}
	s.onSeen, s.onDone = onSeen, onDone
}

// quiet waits until nothing of a program that ended is under way.
func (s *server) quiet() error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	still := 0
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		s.mu.Lock()
		open := s.conns
		s.mu.Unlock()
		if still++; open > 0 {
			still = 0
		}
		if still >= 3 {
			return nil
		}
	}
	return fmt.Errorf("the server has open connections although the program ended")
}

// read parses a trigger; nil if it did not arrive whole.
func (s *server) read(r *http.Request) *trigger {
	var body struct {
		ID      *int `json:"id,string"` // with one trigger a record
		Records []struct {
			ID int `json:"id,string"`
		} `json:"records"`
		Batch struct {
			Key string `json:"key"`
		} `json:"_batch"`
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil || int64(len(raw)) != r.ContentLength {
		return nil // the program was killed while it sent
	}
	t := &trigger{body: raw, Bytes: len(raw), At: time.Now()}
	err = json.Unmarshal(raw, &body)
	if err == nil && (r.Header.Get("Authorization") != "Bearer "+key || r.URL.Path != "/flows/trigger/"+flowID) {
		err = errors.New("another key or flow")
	}
	if err != nil {
		s.complain(fmt.Errorf("%s %s: %w: %s", r.Method, r.URL, err, raw))
		return nil
	}
	t.Key = body.Batch.Key
	if body.ID != nil {
		t.IDs = append(t.IDs, *body.ID)
	}
	for _, rec := range body.Records {
		t.IDs = append(t.IDs, rec.ID)
	}
	return t
}

// complain notes what must fail the round.
func (s *server) complain(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, err.Error())
}

// complaints are those so far.
func (s *server) complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong
}

// ServeHTTP writes a trigger down and answers it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := s.read(r)
	if t == nil {
		return
	}
	wait, n, onSeen, onDone, err := s.note(t)
	if err != nil {
		s.complain(err)
		return
	}
	onSeen(n)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done(): // the program is gone
		}
	}
	if t.given.status == 0 {
		hangUp(w, t.given.reset)
		onDone(n)
		return
	}
	if err := respond(w, t); err == nil {
		s.mu.Lock()
		t.answered = true
		s.mu.Unlock()
	}
	onDone(n)
}

// note logs a trigger and decides about its answer, by seed, records and how often
// they came before: not by when.
func (s *server) note(t *trigger) (wait time.Duration, n int, onSeen, onDone func(int), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.given = plain
	first := -1
	if len(t.IDs) > 0 {
		first = t.IDs[0]
	}
	r := rand.New(rand.NewPCG(s.seed, uint64(first)<<16|uint64(s.times[first])))
	s.times[first]++
	if !s.plain {
		t.given = drawAnswer(r)
	}
	t.Answer, t.Start = t.given.name, s.start
	if strings.Contains(t.given.body, "%q") {
		t.ID = fmt.Sprintf("id-%d", len(s.log))
	}
	if t.given.status == http.StatusTooManyRequests {
		s.pause = time.Now().Add(time.Second)
	}
	if t.given.wait > 0 {
		wait = time.Duration(r.Int64N(int64(t.given.wait)))
	}
	line, err := json.Marshal(t)
	if err != nil {
		return 0, 0, nil, nil, err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return 0, 0, nil, nil, err
	}
	s.log = append(s.log, t)
	if s.seen++; s.seen == 1 {
		s.first = t.At
	}
	return wait, s.seen, s.onSeen, s.onDone, nil
}

func drawAnswer(r *rand.Rand) answer {
	n := r.IntN(1000)
	for _, a := range answers {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("the weights of the answers are not 1000")
}

func respond(w http.ResponseWriter, t *trigger) error {
	body := t.given.body
	if t.ID != "" {
		body = fmt.Sprintf(body, t.ID)
	}
	w.Header().Set("Content-Type", "application/json")
	if t.given.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(t.given.status)
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // without it the client sees an end of file, which is unknown as well
	}
	_ = conn.Close() // there is nothing to lose
}

// triggers is the log so far.
func (s *server) triggers() []trigger {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]trigger, len(s.log))
	for i, t := range s.log {
		list[i] = *t
	}
	return list
}

// counts says how many triggers this start sent, when the first came, until when
// the server asked for patience, and how many there are altogether.
func (s *server) counts() (seen int, first, pause time.Time, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.first, s.pause, len(s.log)
}
