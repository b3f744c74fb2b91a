package sandbox

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answering is one trigger that is to be answered.
type answering struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	id     string        // analytics_id
	file   bool          // the file trigger has a shape of its own
	wait   time.Duration // of the fault
}

// writeJSON sends v. That the client is gone is no fault of the sandbox.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sendJSON(w, status, body)
}

func sendJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// errorBody is the documented shape of a refusal.
type errorBody struct {
	Success    bool   `json:"success"`
	Message    string `json:"message"`
	ErrorCode  string `json:"error_code"`
	RetryAfter int64  `json:"retry_after,omitempty"` // seconds
}

func writeError(w http.ResponseWriter, status int, message, code string) {
	writeJSON(w, status, errorBody{Message: message, ErrorCode: code})
}

// refuse answers a status that starts nothing.
func (a *answering) refuse(status int) {
	text := http.StatusText(status)
	if text == "" {
		text = "Unknown Error"
	}
	writeError(a.w, status, text+" (sandbox fault)", strings.ToUpper(strings.ReplaceAll(text, " ", "_")))
}

// started is the documented answer of the JSON trigger.
type started struct {
	Success     bool              `json:"success"`
	Message     string            `json:"message"`
	AnalyticsID string            `json:"analytics_id,omitempty"`
	Timestamp   string            `json:"timestamp"`
	Data        map[string]string `json:"data"`
}

const timestampLayout = "2006-01-02T15:04:05.000Z"

func (a *answering) startedBody() started {
	return started{
		Success: true, Message: "Workflow triggered successfully", AnalyticsID: a.id,
		Timestamp: time.Now().UTC().Format(timestampLayout),
		Data:      map[string]string{"workflow_status": "started"},
	}
}

// accept gives the documented answer.
func (a *answering) accept() {
	if a.file {
		writeJSON(a.w, http.StatusOK, map[string]any{
			"success": true, "statusCode": "200", "data": map[string]any{}, "message": "Workflow triggered successfully",
		})
		return
	}
	if a.id == "" {
		writeJSON(a.w, http.StatusOK, a.startedBody())
		return
	}
	// The same by hand, since most answers are this one. An id needs no escape.
	body := make([]byte, 0, 256)
	body = append(body, `{"success":true,"message":"Workflow triggered successfully","analytics_id":"`...)
	body = append(append(body, a.id...), `","timestamp":"`...)
	body = append(time.Now().UTC().AppendFormat(body, timestampLayout), `","data":{"workflow_status":"started"}}`...)
	sendJSON(a.w, http.StatusOK, body)
}

func (a *answering) withoutID() {
	a.id = ""
	a.accept()
}

func (a *answering) slow() {
	timer := time.NewTimer(a.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		a.accept()
		return
	case <-a.r.Context().Done():
	case <-a.server.closing:
	}
	panic(http.ErrAbortHandler)
}

// flowOutput is the shape that a flow with a return node answers with.
func (a *answering) flowOutput() {
	writeJSON(a.w, http.StatusOK, a.output(true, "200", "Workflow completed"))
}

func (a *answering) output(success bool, status, message string) map[string]any {
	return map[string]any{
		"success": true, "message": message, "timestamp": time.Now().UTC().Format(time.RFC3339),
		"data": map[string]any{"success": success, "statusCode": status, "data": map[string]any{"report": "done"}},
	}
}

func (a *answering) nested500() {
	writeJSON(a.w, http.StatusOK, a.output(false, "500", "Workflow completed"))
}

func (a *answering) successFalse() {
	writeError(a.w, http.StatusOK, "Workflow failed", "WORKFLOW_FAILED")
}

func (a *answering) throttle(header string, inBody int64) {
	if header != "" {
		a.w.Header().Set("Retry-After", header)
	}
	writeJSON(a.w, http.StatusTooManyRequests, errorBody{
		Message: "Rate limit exceeded", ErrorCode: "RATE_LIMIT_EXCEEDED", RetryAfter: inBody,
	})
}

func (a *answering) throttleHeader() { a.throttle(strconv.FormatInt(a.seconds(), 10), 0) }
func (a *answering) throttleDate() {
	a.throttle(time.Now().Add(a.wait).UTC().Format(http.TimeFormat), 0)
}
func (a *answering) throttleGarbage() { a.throttle("soon", 0) }
func (a *answering) throttleBody()    { a.throttle("", a.seconds()) }

func (a *answering) unavailable() {
	a.w.Header().Set("Retry-After", strconv.FormatInt(a.seconds(), 10))
	a.refuse(http.StatusServiceUnavailable)
}

// seconds is the fault's time, rounded up.
func (a *answering) seconds() int64 { return int64((a.wait + time.Second - 1) / time.Second) }

func (a *answering) redirect() {
	a.w.Header().Set("Location", a.server.URL()+"/elsewhere")
	a.w.WriteHeader(http.StatusTemporaryRedirect)
}

func (a *answering) html() {
	a.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = a.w.Write([]byte("<!DOCTYPE html><html><head><title>Just a moment</title></head><body>…</body></html>"))
}

func (a *answering) malformed() {
	a.w.Header().Set("Content-Type", "application/json")
	_, _ = a.w.Write([]byte(`{"success":true,"analytics_id":"` + a.id + `",,}`))
}

func (a *answering) empty() {
	a.w.WriteHeader(http.StatusOK)
}

// huge is a whole and correct answer that is longer than any client should read.
func (a *answering) huge() {
	body := a.startedBody()
	body.Data["report"] = strings.Repeat("x", 2<<20)
	writeJSON(a.w, http.StatusOK, body)
}

// cut promises more than it sends.
func (a *answering) cut() {
	a.w.Header().Set("Content-Type", "application/json")
	a.w.Header().Set("Content-Length", "200")
	_, _ = a.w.Write([]byte(`{"success":true,"message":"Workflow trig`))
	if f, ok := a.w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// hold answers nothing until the client or the server gives up.
func (a *answering) hold() {
	select {
	case <-a.r.Context().Done():
	case <-a.server.closing:
	}
	panic(http.ErrAbortHandler)
}

// hangUp closes the connection in order, without an answer.
func (a *answering) hangUp() { panic(http.ErrAbortHandler) }

// reset closes the connection so that the client gets a reset (RST): with no
// time to linger the kernel sends one.
func (a *answering) reset() {
	hijacker, ok := a.w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that is gone already is reset anyway
	}
	_ = conn.Close()
}
