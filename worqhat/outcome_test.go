package worqhat

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

var testNow = time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC)

// answered is an observation of a whole answer.
func answered(status int, body string) Observation {
	return Observation{
		BodyBytes: 100, BodyTaken: 100, WireBytes: 400, Connected: true,
		StatusCode: status, Header: http.Header{}, Answer: []byte(body), Now: testNow,
	}
}

func withHeader(o Observation, name, value string) Observation {
	o.Header.Set(name, value)
	return o
}

func withError(o Observation, err error) Observation {
	o.Err = err
	return o
}

func tooLong(o Observation) Observation {
	o.TooLong = true
	return o
}

func TestDecideAnswers(t *testing.T) {
	const id = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
	tests := []struct {
		name    string
		o       Observation
		outcome Outcome
		reason  Reason
		id      string
	}{
		{"documented", answered(200, `{"success":true,"message":"ok","analytics_id":"`+id+`","timestamp":"2026-11-24T02:30:00Z","data":{"workflow_status":"started"}}`), Accepted, ReasonAnalyticsID, id},
		{"success absent, id", answered(200, `{"analytics_id":"`+id+`"}`), Accepted, ReasonAnalyticsID, id},
		{"success null, id", answered(200, `{"success":null,"analytics_id":"`+id+`"}`), Accepted, ReasonAnalyticsID, id},
		{"success as string, id", answered(201, `{"success":"True","analytics_id":"`+id+`"}`), Accepted, ReasonAnalyticsID, id},
		{"id is a number", answered(202, `{"success":true,"analytics_id":12345678901234567890}`), Accepted, ReasonAnalyticsID, "12345678901234567890"},
		{"byte order mark, white space", answered(200, "\ufeff \r\n{\"success\":true,\"analytics_id\":\"x\"}\n\n"), Accepted, ReasonAnalyticsID, "x"},
		{"bytes that are no UTF-8 in data", answered(200, "{\"success\":true,\"analytics_id\":\"x\",\"data\":{\"name\":\"M\xfcller\"}}"), Accepted, ReasonAnalyticsID, "x"},
		{"whole object, then a broken connection", withError(answered(200, `{"success":true,"analytics_id":"x"}`), io.ErrUnexpectedEOF), Accepted, ReasonAnalyticsID, "x"},

		{"no id", answered(200, `{"success":true,"message":"ok"}`), AcceptedNoID, ReasonNoID, ""},
		{"id null", answered(200, `{"success":true,"analytics_id":null}`), AcceptedNoID, ReasonNoID, ""},
		{"id blank", answered(200, `{"success":true,"analytics_id":"  "}`), AcceptedNoID, ReasonNoID, ""},
		{"id too long", answered(200, `{"success":true,"analytics_id":"`+strings.Repeat("x", 257)+`"}`), AcceptedNoID, ReasonNoID, ""},
		{"flow's own output", answered(200, `{"success":true,"message":"m","timestamp":"t","data":{"success":true,"statusCode":"200","data":{"a":1}}}`), AcceptedNoID, ReasonNoID, ""},
		{"file trigger", answered(200, `{"success":true,"statusCode":"200","data":{},"message":"ok"}`), AcceptedNoID, ReasonNoID, ""},
		{"statusCode that is no number", answered(200, `{"success":true,"data":{"statusCode":"fine"}}`), AcceptedNoID, ReasonNoID, ""},
		{"statusCode deep in the flow's data", answered(200, `{"success":true,"data":{"data":{"statusCode":500,"success":false}}}`), AcceptedNoID, ReasonNoID, ""},

		{"success false", answered(200, `{"success":false,"message":"no"}`), FlowFailed, ReasonSuccessFalse, ""},
		{"success false, id", answered(200, `{"success":false,"analytics_id":"x"}`), FlowFailed, ReasonSuccessFalse, "x"},
		{"success \"false\"", answered(200, `{"success":"false","analytics_id":"x"}`), FlowFailed, ReasonSuccessFalse, "x"},
		{"nested status as string", answered(200, `{"success":true,"analytics_id":"x","data":{"statusCode":"500"}}`), FlowFailed, ReasonNestedStatus, "x"},
		{"nested status as number", answered(200, `{"success":true,"data":{"statusCode":400}}`), FlowFailed, ReasonNestedStatus, ""},
		{"nested status as fraction", answered(200, `{"success":true,"data":{"statusCode":4.22e2}}`), FlowFailed, ReasonNestedStatus, ""},
		{"status beside success", answered(200, `{"success":true,"statusCode":"502"}`), FlowFailed, ReasonNestedStatus, ""},
		{"nested success false", answered(200, `{"success":true,"data":{"success":false,"statusCode":"200"}}`), FlowFailed, ReasonSuccessFalse, ""},
		{"workflow status", answered(200, `{"success":true,"analytics_id":"x","data":{"workflow_status":"failed"}}`), FlowFailed, ReasonWorkflowFailed, "x"},

		{"empty", answered(200, ""), Unknown, ReasonAnswerEmpty, ""},
		{"no content", answered(204, ""), Unknown, ReasonAnswerEmpty, ""},
		{"white space", answered(200, " \n"), Unknown, ReasonAnswerEmpty, ""},
		{"html", answered(200, "<html><title>Welcome</title></html>"), Unknown, ReasonAnswerHTML, ""},
		{"array", answered(200, `[{"success":true,"analytics_id":"x"}]`), Unknown, ReasonAnswerNotObject, ""},
		{"text", answered(200, `OK`), Unknown, ReasonAnswerNotObject, ""},
		{"malformed", answered(200, `{"success":true,,"analytics_id":"x"}`), Unknown, ReasonAnswerMalformed, ""},
		{"malformed behind the id", answered(200, `{"success":true,"analytics_id":"x",,}`), Unknown, ReasonAnswerMalformed, "x"},
		{"two objects", answered(200, `{"success":true,"analytics_id":"x"}{}`), Unknown, ReasonAnswerMalformed, "x"},
		{"success twice", answered(200, `{"success":false,"success":true,"analytics_id":"x"}`), Unknown, ReasonAnswerMalformed, "x"},
		{"two ids", answered(200, `{"success":true,"analytics_id":"x","analytics_id":"y"}`), Unknown, ReasonAnswerMalformed, "y"},
		{"success is a number", answered(200, `{"success":1,"analytics_id":"x"}`), Unknown, ReasonAnswerMalformed, "x"},
		{"success is an object", answered(200, `{"success":{},"analytics_id":"x"}`), Unknown, ReasonAnswerMalformed, "x"},
		{"neither", answered(200, `{"message":"ok"}`), Unknown, ReasonNoSuccessNoID, ""},
		{"empty object", answered(200, `{}`), Unknown, ReasonNoSuccessNoID, ""},
		{"error shape with 200", answered(200, `{"error":"Nope","message":"m","code":"X"}`), Unknown, ReasonNoSuccessNoID, ""},
		{"other case", answered(200, `{"Success":true}`), Unknown, ReasonNoSuccessNoID, ""},
		{"cut, complete HTTP", answered(200, `{"success":true,"analytics_id":"x"`), Unknown, ReasonAnswerCut, "x"},
		{"cut by the connection", withError(answered(200, `{"success":true,"analytics_id":"x",`), io.ErrUnexpectedEOF), Unknown, ReasonAnswerCut, "x"},
		{"cut, success false", withError(answered(200, `{"success":false,`), io.ErrUnexpectedEOF), Unknown, ReasonAnswerCut, ""},
		{"cut before the first byte", withError(answered(200, ``), io.ErrUnexpectedEOF), Unknown, ReasonAnswerCut, ""},

		{"too long, success and id seen", tooLong(answered(200, `{"success":true,"analytics_id":"x","data":{"report":"aaa`)), Accepted, ReasonAnalyticsID, "x"},
		{"too long, failure seen", tooLong(answered(200, `{"success":false,"data":{"report":"aaa`)), FlowFailed, ReasonSuccessFalse, ""},
		{"too long, success alone", tooLong(answered(200, `{"success":true,"data":{"report":"aaa`)), Unknown, ReasonAnswerTooLong, ""},
		{"too long, id alone", tooLong(answered(200, `{"analytics_id":"x","data":{"report":"aaa`)), Unknown, ReasonAnswerTooLong, "x"},
		{"too long, nothing", tooLong(answered(200, `{"data":{"report":"aaa`)), Unknown, ReasonAnswerTooLong, ""},
		{"too long, malformed", tooLong(answered(200, `{"success":true,"analytics_id":"x",aaa`)), Unknown, ReasonAnswerMalformed, "x"},
		{"too long, page", tooLong(answered(200, `<html>`)), Unknown, ReasonAnswerHTML, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Decide(tt.o)
			if v.Outcome != tt.outcome || v.Reason != tt.reason || v.AnalyticsID != tt.id {
				t.Errorf("Decide = %s, %s, id %q; want %s, %s, %q", v.Outcome, v.Reason, v.AnalyticsID, tt.outcome, tt.reason, tt.id)
			}
			if v.Stop != StopNothing || v.RetryAfter != 0 {
				t.Errorf("a 2xx stops %q and waits %s; want neither", v.Stop, v.RetryAfter)
			}
		})
	}
}

func TestDecideStatuses(t *testing.T) {
	const hour = time.Hour
	tests := []struct {
		name    string
		o       Observation
		outcome Outcome
		stop    Stop
		wait    time.Duration
	}{
		{"429 seconds", withHeader(answered(429, ""), "Retry-After", "30"), Throttled, "", 30 * time.Second},
		{"429 date", withHeader(answered(429, ""), "Retry-After", testNow.Add(90*time.Second).Format(http.TimeFormat)), Throttled, "", 90 * time.Second},
		{"429 date by the server's clock", withHeader(withHeader(answered(429, ""), "Date", testNow.Add(-hour).Format(http.TimeFormat)), "Retry-After", testNow.Add(-hour+40*time.Second).Format(http.TimeFormat)), Throttled, "", 40 * time.Second},
		{"429 date in the past", withHeader(answered(429, ""), "Retry-After", testNow.Add(-hour).Format(http.TimeFormat)), Throttled, "", time.Second},
		{"429 zero", withHeader(answered(429, ""), "Retry-After", "0"), Throttled, "", time.Second},
		{"429 garbage", withHeader(answered(429, ""), "Retry-After", "soon"), Throttled, "", 10 * time.Second},
		{"429 negative", withHeader(answered(429, ""), "Retry-After", "-5"), Throttled, "", 10 * time.Second},
		{"429 a billion", withHeader(answered(429, ""), "Retry-After", "1000000000"), Throttled, "", hour},
		{"429 far date", withHeader(answered(429, ""), "Retry-After", testNow.AddDate(100, 0, 0).Format(http.TimeFormat)), Throttled, "", hour},
		{"429 in the body alone", answered(429, `{"success":false,"message":"slow","error_code":"RATE","retry_after":60}`), Throttled, "", time.Minute},
		{"429 in the body as string", answered(429, `{"retry_after":"61"}`), Throttled, "", 61 * time.Second},
		{"429 a billion in the body", answered(429, `{"retry_after":1e9}`), Throttled, "", hour},
		{"429 beyond a minute", answered(429, `{"retry_after":600}`), Throttled, "", 10 * time.Minute},
		{"429 body longer than header", withHeader(answered(429, `{"retry_after":60}`), "Retry-After", "5"), Throttled, "", time.Minute},
		{"429 header longer than body", withHeader(answered(429, `{"retry_after":5}`), "Retry-After", "60"), Throttled, "", time.Minute},
		{"429 garbage header, body", withHeader(answered(429, `{"retry_after":7}`), "Retry-After", "soon"), Throttled, "", 7 * time.Second},
		{"429 html", answered(429, `<html>`), Throttled, "", 10 * time.Second},
		{"429 cut body", withError(answered(429, `{"retry_after":60,"mess`), io.ErrUnexpectedEOF), Throttled, "", time.Minute},
		{"425", answered(425, ""), Throttled, "", 10 * time.Second},
		{"503 with Retry-After", withHeader(answered(503, ""), "Retry-After", "120"), Throttled, "", 2 * time.Minute},
		{"503 with retry_after", answered(503, `{"retry_after":3}`), Throttled, "", 3 * time.Second},
		{"503 alone", answered(503, ""), Unknown, "", 0},
		{"503 with garbage", withHeader(answered(503, ""), "Retry-After", "soon"), Unknown, "", 0},
		{"500 with Retry-After", withHeader(answered(500, ""), "Retry-After", "5"), Unknown, "", 0},
		{"401", answered(401, ""), Refused, StopKey, 0},
		{"402", answered(402, ""), Refused, StopKey, 0},
		{"403", answered(403, "<html>"), Refused, StopKey, 0},
		{"404", answered(404, ""), Refused, StopFlow, 0},
		{"413", answered(413, ""), Refused, "", 0},
		{"413 cut", withError(answered(413, ""), io.ErrUnexpectedEOF), Refused, "", 0},
		{"500 with success true", answered(500, `{"success":true,"analytics_id":"x"}`), Unknown, "", 0},
		{"400 with success true", answered(400, `{"success":true,"analytics_id":"x"}`), Refused, "", 0},
	}
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308, 399, 400, 405, 407, 410, 415, 417, 421, 422, 431, 451, 499} {
		tests = append(tests, struct {
			name    string
			o       Observation
			outcome Outcome
			stop    Stop
			wait    time.Duration
		}{fmt.Sprint(status), answered(status, ""), Refused, "", 0})
	}
	for _, status := range []int{100, 101, 103, 199, 408, 409, 500, 501, 502, 504, 505, 507, 511, 520, 521, 522, 523, 524, 525, 526, 527, 530, 599, 600, 999} {
		tests = append(tests, struct {
			name    string
			o       Observation
			outcome Outcome
			stop    Stop
			wait    time.Duration
		}{fmt.Sprint(status), answered(status, ""), Unknown, "", 0})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Decide(tt.o)
			if v.Outcome != tt.outcome || v.Stop != tt.stop || v.RetryAfter != tt.wait {
				t.Errorf("Decide = %s, stop %q, wait %s; want %s, %q, %s", v.Outcome, v.Stop, v.RetryAfter, tt.outcome, tt.stop, tt.wait)
			}
			if want := Reason(fmt.Sprintf("http_%d", tt.o.StatusCode)); v.Reason != want {
				t.Errorf("reason %s, want %s", v.Reason, want)
			}
			if !strings.HasPrefix(v.Detail, fmt.Sprint(tt.o.StatusCode)) {
				t.Errorf("detail %q does not begin with the status", v.Detail)
			}
		})
	}
}

func TestDecideWithoutAnswer(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	some := Observation{BodyBytes: 100, BodyTaken: 50, WireBytes: -1, Connected: true, Err: reset}
	whole := Observation{BodyBytes: 100, BodyTaken: 100, WireBytes: 300, Connected: true, Err: reset}
	before := func(err error) Observation { return Observation{BodyBytes: 100, WireBytes: -1, Err: err} }
	change := func(o Observation, f func(*Observation)) Observation { f(&o); return o }
	tests := []struct {
		name    string
		o       Observation
		outcome Outcome
		reason  Reason
		stop    Stop
	}{
		{"nothing known", Observation{}, Unknown, ReasonBrokenAfterBody, ""},
		{"dns", before(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x.invalid"}}), NotSent, ReasonDNS, ""},
		{"refused", before(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), NotSent, ReasonRefusedConn, ""},
		{"no route", before(&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}), NotSent, ReasonUnreachable, ""},
		{"scheme mismatch", before(http.ErrSchemeMismatch), NotSent, ReasonTLS, ""},
		{"certificate", before(fmt.Errorf("tls: %w", x509.UnknownAuthorityError{})), NotSent, ReasonCertificate, StopRun},
		{"certificate of another host", before(x509.HostnameError{Host: "x", Certificate: &x509.Certificate{}}), NotSent, ReasonCertificate, StopRun},
		{"something else", before(errors.New("odd")), NotSent, ReasonConnection, ""},
		{"timeout before the connection", change(before(errors.New("late")), func(o *Observation) { o.TimedOut = true }), NotSent, ReasonTimeout, ""},
		{"interrupted before the connection", change(before(errors.New("gone")), func(o *Observation) { o.Interrupted = true }), NotSent, ReasonInterrupted, ""},
		{"reset in the body", some, NotSent, ReasonResetInBody, ""},
		{"timeout in the body", change(some, func(o *Observation) { o.TimedOut = true }), NotSent, ReasonTimeout, ""},
		{"interrupted in the body", change(some, func(o *Observation) { o.Interrupted = true }), NotSent, ReasonInterrupted, ""},
		{"taken, but not on the wire", change(whole, func(o *Observation) { o.WireBytes = 99 }), NotSent, ReasonResetInBody, ""},
		{"taken, nothing on the wire", change(whole, func(o *Observation) { o.WireBytes = 0 }), NotSent, ReasonResetInBody, ""},
		{"taken, wire not counted", change(whole, func(o *Observation) { o.WireBytes = -1 }), Unknown, ReasonResetAfterBody, ""},
		{"reset after the body", whole, Unknown, ReasonResetAfterBody, ""},
		{"pipe after the body", withError(whole, syscall.EPIPE), Unknown, ReasonResetAfterBody, ""},
		{"EOF after the body", withError(whole, io.EOF), Unknown, ReasonEOFAfterBody, ""},
		{"cut header", withError(whole, fmt.Errorf("x: %w", io.ErrUnexpectedEOF)), Unknown, ReasonEOFAfterBody, ""},
		{"bad header", withError(whole, errors.New("malformed HTTP response")), Unknown, ReasonBrokenAfterBody, ""},
		{"timeout after the body", change(whole, func(o *Observation) { o.TimedOut = true }), Unknown, ReasonTimeout, ""},
		{"interrupted after the body", change(whole, func(o *Observation) { o.Interrupted = true }), Unknown, ReasonInterrupted, ""},
		{"refused, but the body was taken", withError(whole, syscall.ECONNREFUSED), Unknown, ReasonBrokenAfterBody, ""},
		{"dns, but the body was taken", withError(whole, &net.DNSError{}), Unknown, ReasonBrokenAfterBody, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Decide(tt.o)
			if v.Outcome != tt.outcome || v.Reason != tt.reason || v.Stop != tt.stop {
				t.Errorf("Decide = %s, %s, stop %q; want %s, %s, %q", v.Outcome, v.Reason, v.Stop, tt.outcome, tt.reason, tt.stop)
			}
			if v.Detail == "" {
				t.Error("no detail")
			}
		})
	}
}

func TestAnAnswerBeatsAnError(t *testing.T) {
	o := answered(413, `{"message":"too large"}`)
	o.BodyTaken, o.WireBytes, o.Err = 10, 10, syscall.EPIPE
	if v := Decide(o); v.Outcome != Refused || v.Reason != "http_413" {
		t.Errorf("Decide = %s, %s; want refused, http_413", v.Outcome, v.Reason)
	}
}

func TestDetail(t *testing.T) {
	tests := []struct {
		name string
		o    Observation
		want string
	}{
		{"message and code", answered(429, `{"message":"Rate limit exceeded","error_code":"RATE_LIMIT","retry_after":60}`), "429 Too Many Requests: Rate limit exceeded (RATE_LIMIT); waiting 1m0s"},
		{"second error shape", answered(400, `{"error":"Bad","message":"Missing field","code":17}`), "400 Bad Request: Missing field (17)"},
		{"error alone", answered(400, `{"error":"Bad"}`), "400 Bad Request: Bad"},
		{"title of a page", answered(502, "<html><head><TITLE> Bad\ngateway </TITLE>"), "502 Bad Gateway: Bad gateway"},
		{"rows are not quoted", answered(200, `{"data":{"name":"Ada Lovelace"}}`), "200 OK; the answer does not say whether the flow was started (no_success_no_id)"},
		{"control characters", answered(400, `{"message":"a\u0000b\r\nc\u2028d\u001b[31m"}`), "400 Bad Request: a b  c d [31m"},
		{"odd status", answered(520, ""), "520"},
		{"redirect", answered(302, ""), "302 Found; redirects are not followed, check base_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(tt.o).Detail; got != tt.want {
				t.Errorf("detail\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestDetailIsShort(t *testing.T) {
	long := strings.Repeat("ä\xff\U0001F600", 5000)
	for _, o := range []Observation{
		answered(400, `{"message":"`+long+`","code":"`+long+`"}`),
		answered(502, "<title>"+long[:4000]+"</title>"),
		withError(answered(429, `{"message":"`+long+`","code":"`+long+`"}`), errors.New(long)),
		{BodyBytes: 1, Err: errors.New(long)},
	} {
		d := Decide(o).Detail
		if n := utf8.RuneCountInString(d); n > 500 || !utf8.ValidString(d) {
			t.Errorf("detail has %d characters, valid UTF-8 is %v", n, utf8.ValidString(d))
		}
	}
}
