package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"
)

// Request is what the sandbox knows about one trigger. Its JSON is a line of the
// log.
type Request struct {
	Time        time.Time `json:"time"` // when the body had arrived
	FlowID      string    `json:"flow_id"`
	Key         string    `json:"key"`     // _batch.key, "" without
	Chunk       int64     `json:"chunk"`   // _batch.chunk, 0 without
	Records     int64     `json:"records"` // counted in "records" or "rows"; otherwise _batch.records
	Bytes       int64     `json:"bytes"`   // of the body, or of the file
	SHA256      string    `json:"sha256"`  // of the same, in hex; "" if it was not read as a whole
	AnalyticsID string    `json:"analytics_id"`
	Outcome     string    `json:"outcome"`  // "accepted", the fault's name, or the refusal's status
	Accepted    bool      `json:"accepted"` // the flow was started
	Status      int       `json:"status"`   // to be answered; 0 for no answer
}

// Stats are counts since the start.
type Stats struct {
	Requests  int64            // triggers that arrived, whatever became of them
	Accepted  int64            // flows that were started
	Bytes     int64            // of accepted bodies
	Records   int64            // in accepted bodies
	ByOutcome map[string]int64 // by Request.Outcome
}

// execution is a flow that was started, as the metrics show it.
type execution struct {
	id, flowID string
	start      time.Time
	status     string // completed, failed or in_progress
}

// statusOf is how an execution is shown, by its request's outcome.
func statusOf(outcome string) string {
	switch outcome {
	case "success-false", "nested-500", "failed-later":
		return "failed"
	case "running":
		return "in_progress"
	}
	return "completed"
}

// ring keeps the last items, up to its limit.
type ring[T any] struct {
	items []T
	next  int // where the oldest is, once full
}

func (r *ring[T]) add(item T, limit int) {
	if len(r.items) < limit {
		r.items = append(r.items, item)
		return
	}
	r.items[r.next] = item
	r.next = (r.next + 1) % limit
}

// ordered is a copy, oldest first.
func (r *ring[T]) ordered() []T {
	out := make([]T, 0, len(r.items))
	return append(append(out, r.items[r.next:]...), r.items[:r.next]...)
}

// record is the sandbox's memory and its log.
type record struct {
	log    io.Writer // nil: none
	logAll bool

	mu         sync.Mutex
	byOutcome  map[string]int64
	stats      Stats // without ByOutcome
	requests   ring[Request]
	executions ring[execution]
	lastID     string
}

// add notes a request. For an accepted one it returns only after its line was
// handed to the log; an error means that it was not, and that the trigger must
// not be accepted.
func (m *record) add(r Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Accepted || m.logAll {
		if err := m.writeLine(r); err != nil {
			r.Accepted, r.Status, r.Outcome = false, 500, "log-failed"
			m.count(r)
			return err
		}
	}
	m.count(r)
	return nil
}

func (m *record) count(r Request) {
	m.stats.Requests++
	m.byOutcome[r.Outcome]++
	m.requests.add(r, keptRequests)
	if !r.Accepted {
		return
	}
	m.stats.Accepted++
	m.stats.Bytes += r.Bytes
	m.stats.Records += r.Records
	m.lastID = r.AnalyticsID
	if r.Outcome != "unlisted" {
		m.executions.add(execution{r.AnalyticsID, r.FlowID, r.Time, statusOf(r.Outcome)}, keptExecutions)
	}
}

func (m *record) writeLine(r Request) error {
	if m.log == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("accept log: %w", err)
	}
	if _, err := m.log.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("accept log: %w", err)
	}
	if f, ok := m.log.(interface{ Flush() error }); ok {
		if err := f.Flush(); err != nil {
			return fmt.Errorf("accept log: %w", err)
		}
	}
	return nil
}

// previousID is the id of the trigger that was accepted last.
func (m *record) previousID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastID
}

// Stats counts what came in so far.
func (s *Server) Stats() Stats {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	out := s.record.stats
	out.ByOutcome = maps.Clone(s.record.byOutcome)
	return out
}

// Requests are the last 10,000 triggers, oldest first, in the order of the log.
func (s *Server) Requests() []Request {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return s.record.requests.ordered()
}
