package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// handleTrigger is POST /flows/trigger/{flowId}.
func (s *Server) handleTrigger(w http.ResponseWriter, r *http.Request) {
	req := Request{Time: time.Now(), FlowID: r.PathValue("flowId"), Bytes: max(0, r.ContentLength)}
	if !s.welcome(w, r, &req, "application/json") {
		return
	}
	bad, misbehaves := s.drawFault()
	if misbehaves && bad.kind.Name == "reset-before" {
		s.resetEarly(w, r, req)
		return
	}
	buffer := s.buffer(r.ContentLength)
	defer s.buffers.Put(buffer)
	body, err := readBody(r.Body, buffer, s.options.MaxBytes)
	req.Time, req.Bytes = time.Now(), int64(len(body))
	switch {
	case errors.Is(err, errTooLarge):
		s.turnAway(w, req, http.StatusRequestEntityTooLarge, "Payload too large", "PAYLOAD_TOO_LARGE")
		return
	case err != nil:
		s.note(req, "client-gone", 0)
		panic(http.ErrAbortHandler)
	}
	found, err := checkBody(body, s.options.Check, s.hashes())
	if err != nil {
		s.turnAway(w, req, http.StatusBadRequest, "Invalid request body: "+err.Error(), "INVALID_PAYLOAD")
		return
	}
	req.Key, req.Chunk, req.Records = found.key, found.chunk, found.records
	if s.hashes() {
		sum := sha256.Sum256(body)
		req.SHA256 = hex.EncodeToString(sum[:])
	}
	a := &answering{server: s, w: w, r: r}
	s.answer(a, req, bad, body)
}

// welcome checks what can be known before the body: key, flow, content type and
// announced size. If something is wrong it has answered.
func (s *Server) welcome(w http.ResponseWriter, r *http.Request, req *Request, contentType string) bool {
	if !s.authorized(w, r) {
		s.note(*req, "401", http.StatusUnauthorized)
		return false
	}
	if uuid.Validate(req.FlowID) != nil || len(req.FlowID) != 36 {
		s.turnAway(w, *req, http.StatusNotFound, "Workflow not found", "WORKFLOW_NOT_FOUND")
		return false
	}
	if !isMedia(r.Header.Get("Content-Type"), contentType) {
		s.turnAway(w, *req, http.StatusUnsupportedMediaType, "Content-Type must be "+contentType, "UNSUPPORTED_MEDIA_TYPE")
		return false
	}
	limit := s.options.MaxBytes
	if contentType != "application/json" {
		limit = maxFileBytes + 1<<20 // the envelope of the form is not the file
	}
	if r.ContentLength > limit {
		s.turnAway(w, *req, http.StatusRequestEntityTooLarge, "Payload too large", "PAYLOAD_TOO_LARGE")
		return false
	}
	return true
}

// isMedia says whether a Content-Type is that one, whatever its parameters.
func isMedia(header, contentType string) bool {
	if header == contentType {
		return true
	}
	media, _, err := mime.ParseMediaType(header)
	return err == nil && media == contentType
}

// answer notes the trigger, lets the log have it, and answers. fault is the zero
// fault for a trigger without one; body is nil if it was not kept.
func (s *Server) answer(a *answering, req Request, bad fault, body []byte) {
	kind := bad.kind
	if kind.Name == "" {
		kind = FaultKind{Name: "accepted", Accepts: true, status: http.StatusOK, act: (*answering).accept}
	}
	req.Outcome, req.Accepted, req.Status = kind.Name, kind.Accepts, kind.status
	a.wait = bad.wait
	if req.Accepted {
		a.id = s.newID()
		if previous := s.record.previousID(); kind.Name == "same-id" && previous != "" {
			a.id = previous
		}
		req.AnalyticsID = a.id
		if s.options.KeepBodies != nil {
			s.options.KeepBodies(req, body)
		}
	}
	if err := s.record.add(req); err != nil {
		s.options.ServerLog.Printf("%v", err)
		writeError(a.w, http.StatusInternalServerError, "the sandbox cannot write its log", "LOG_FAILED")
		return
	}
	if kind.act == nil {
		a.refuse(kind.status)
		return
	}
	kind.act(a)
}

// resetEarly reads half of the announced body and resets the connection.
func (s *Server) resetEarly(w http.ResponseWriter, r *http.Request, req Request) {
	// Fewer bytes than asked for mean that the client is gone: the same reset.
	_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	s.note(req, "reset-before", 0)
	(&answering{server: s, w: w, r: r}).reset()
}

// turnAway refuses a request that is wrong.
func (s *Server) turnAway(w http.ResponseWriter, req Request, status int, message, code string) {
	s.note(req, strconv.Itoa(status), status)
	writeError(w, status, message, code)
}

// note records a request that was not accepted.
func (s *Server) note(req Request, outcome string, status int) {
	req.Outcome, req.Status = outcome, status
	if err := s.record.add(req); err != nil {
		s.options.ServerLog.Printf("%v", err) // nothing was accepted, so nothing is lost
	}
}

func (s *Server) hashes() bool {
	return s.options.Check == CheckFull || s.options.Log != nil || s.options.KeepBodies != nil
}

func (s *Server) drawFault() (fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Faults.pick(s.random)
}

// newID is a UUIDv4; with a seed it follows from the seed and the order.
func (s *Server) newID() string {
	var b [16]byte
	if s.options.Seed == 0 {
		_, _ = rand.Read(b[:]) // never fails, crypto/rand says
	} else {
		s.mu.Lock()
		binary.LittleEndian.PutUint64(b[:8], s.random.Uint64())
		binary.LittleEndian.PutUint64(b[8:], s.random.Uint64())
		s.mu.Unlock()
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return uuid.UUID(b).String()
}

var errTooLarge = errors.New("body too large")

// buffer lends a buffer for a body of that length, -1 if it is not known.
func (s *Server) buffer(length int64) *[]byte {
	buffer, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	if need := int(max(length, 4096)) + 1; cap(*buffer) < need {
		*buffer = make([]byte, 0, need)
	}
	return buffer
}

// readBody reads up to limit bytes into buffer, which grows if it must.
func readBody(from io.Reader, buffer *[]byte, limit int64) ([]byte, error) {
	b := (*buffer)[:0]
	for {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), 2*cap(b))
			copy(grown, b)
			b, *buffer = grown, grown
		}
		n, err := from.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return b, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}
