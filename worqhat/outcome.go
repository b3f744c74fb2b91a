package worqhat

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Outcome is how one attempt ended. The package comment says what each allows.
type Outcome string

// The outcomes of an attempt.
const (
	Accepted     Outcome = "accepted"
	AcceptedNoID Outcome = "accepted_no_id"
	FlowFailed   Outcome = "flow_failed"
	Throttled    Outcome = "throttled"
	Refused      Outcome = "refused"
	NotSent      Outcome = "not_sent"
	Unknown      Outcome = "unknown"
)

// Reason is the fixed word for why an outcome was chosen; logs, the ledger and
// tests share it. Where a status alone decides it is "http_" and the status.
type Reason string

// Reasons other than "http_NNN", and that one of these that more hangs on.
const (
	ReasonAnalyticsID Reason = "analytics_id" // accepted: the answer names the execution
	ReasonNoID        Reason = "no_id"        // accepted: success, but no id

	ReasonSuccessFalse   Reason = "success_false"   // flow failed: it says so
	ReasonNestedStatus   Reason = "nested_status"   // flow failed: a statusCode ≥ 400 inside a 2xx
	ReasonWorkflowFailed Reason = "workflow_failed" // flow failed: workflow_status says so

	ReasonAnswerEmpty     Reason = "answer_empty"     // unknown: 2xx without a body
	ReasonAnswerHTML      Reason = "answer_html"      // unknown: a page of some gateway
	ReasonAnswerNotObject Reason = "answer_no_object" // unknown: JSON, but no object
	ReasonAnswerMalformed Reason = "answer_malformed" // unknown: no JSON, or contradicts itself
	ReasonAnswerCut       Reason = "answer_cut"       // unknown: the connection ended within the answer
	ReasonAnswerTooLong   Reason = "answer_too_long"  // unknown: over 1 MiB and undecided until there
	ReasonNoSuccessNoID   Reason = "no_success_no_id" // unknown: neither is in the answer

	ReasonTimeout         Reason = "timeout"            // not sent or unknown: the trigger's time is over
	ReasonInterrupted     Reason = "interrupted"        // not sent or unknown: the caller gave up
	ReasonDNS             Reason = "dns"                // not sent: the host has no address
	ReasonRefusedConn     Reason = "refused_connection" // not sent: nobody listens
	ReasonUnreachable     Reason = "unreachable"        // not sent: no route
	ReasonTLS             Reason = "tls"                // not sent: no TLS was agreed on
	ReasonCertificate     Reason = "certificate"        // not sent: the server's certificate is not trusted
	ReasonConnection      Reason = "connection"         // not sent: no connection for another cause
	ReasonResetInBody     Reason = "reset_in_body"      // not sent: connection lost before all was out
	ReasonResetAfterBody  Reason = "reset_after_body"   // unknown: connection reset after all was out
	ReasonEOFAfterBody    Reason = "eof_after_body"     // unknown: connection closed without an answer
	ReasonBrokenAfterBody Reason = "broken_after_body"  // unknown: no readable HTTP answer
	ReasonTooLarge        Reason = "http_413"           // refused: the body is too large for the flow
	ReasonBadTrigger      Reason = "bad_trigger"        // not sent: no flow id, or no body
)

// Stop says how far an outcome stops more than its own chunk.
type Stop string

// What an outcome stops.
const (
	StopNothing Stop = ""
	StopKey     Stop = "key"  // the key is refused: all runs
	StopFlow    Stop = "flow" // the flow is refused: all runs of it
	StopRun     Stop = "run"  // a person must look: this run
)

// Observation is all that was seen of an attempt.
type Observation struct {
	// BodyBytes is the body's length, BodyTaken how much of it was taken from
	// the buffer. Equal (also both zero) means that it may be out as a whole.
	BodyBytes, BodyTaken int64
	// WireBytes is what the kernel took of the body, TLS included; -1 if it was
	// not counted.
	WireBytes int64
	// Connected says that there was a connection, TLS included; TLSFailed that
	// a TCP connection was there, but TLS could not be agreed on.
	Connected, TLSFailed bool
	// TimedOut: the trigger's own time was over. Interrupted: the caller's
	// context ended. Both are judged when RoundTrip or reading gave an error.
	TimedOut, Interrupted bool
	// Err is why there is no answer, or why the answer's body ended early.
	Err error

	// StatusCode is zero as long as no status line and header arrived.
	StatusCode int
	Header     http.Header
	// Answer is the answer's body, up to 1 MiB; TooLong says that there was more.
	Answer  []byte
	TooLong bool
	// Now is when the answer arrived, for dates in Retry-After.
	Now time.Time

	// key is what Detail must not show; it has to be taken out before a text is
	// cut, or half of it could stay.
	key Key
}

// Verdict is what an observation means.
type Verdict struct {
	Outcome     Outcome
	Reason      Reason
	Detail      string        // for a person: the status, the server's message, the error; at most 500 characters
	AnalyticsID string        // as the answer has it, whatever the outcome
	RetryAfter  time.Duration // throttled: how long all users of the key wait, one second to one hour
	Stop        Stop
}

const (
	maxDetail = 500 // characters of Verdict.Detail
	maxQuote  = 300 // characters of one foreign text in it, so that ours fits too
	maxCode   = 40  // characters of an error_code
)

// Decide says what an observation means. It is the only place that does: the
// table of outcomes in one function, pure, and total: each observation has
// exactly one verdict, and nothing unforeseen is ever accepted or repeated.
func Decide(o Observation) Verdict {
	if o.StatusCode == 0 {
		return decideUnanswered(o)
	}
	a := parseAnswer(o.Answer)
	v := Verdict{
		Outcome:     Unknown,
		Reason:      Reason("http_" + strconv.Itoa(o.StatusCode)),
		AnalyticsID: a.id,
	}
	wait, asked := askedWait(o, a)
	switch s := o.StatusCode; {
	case s >= 200 && s < 300:
		v.Outcome, v.Reason = decideAnswer(o, a)
	case s == http.StatusTooManyRequests, s == http.StatusTooEarly,
		s == http.StatusServiceUnavailable && asked:
		v.Outcome, v.RetryAfter = Throttled, wait
	case s == http.StatusUnauthorized, s == http.StatusPaymentRequired, s == http.StatusForbidden:
		v.Outcome, v.Stop = Refused, StopKey
	case s == http.StatusNotFound:
		v.Outcome, v.Stop = Refused, StopFlow
	case s == http.StatusRequestTimeout, s == http.StatusConflict:
		// A gateway may say both after the flow was started.
	case s >= 300 && s < 500:
		v.Outcome = Refused
	}
	v.Detail = answerDetail(o, a, v)
	return v
}

// decideAnswer judges a 2xx. An object that arrived whole counts even if the
// connection broke behind it. One cut by the connection is unknown, whatever its
// beginning says. One cut by our own limit (the report of a synchronous flow) is
// judged by its beginning, if that says both success and id, or a failure.
func decideAnswer(o Observation, a answer) (Outcome, Reason) {
	switch {
	case a.kind == kindEmpty && o.Err == nil:
		return Unknown, ReasonAnswerEmpty
	case a.kind == kindEmpty, o.Err != nil && (a.broken || a.kind != kindObject), a.cut && !o.TooLong:
		return Unknown, reasonOfCut(o)
	case a.kind == kindHTML:
		return Unknown, ReasonAnswerHTML
	case a.kind == kindOther:
		return Unknown, ReasonAnswerNotObject
	case a.contradicts, a.broken && !a.cut, a.success == flagOdd:
		return Unknown, ReasonAnswerMalformed
	case a.failed != "":
		return FlowFailed, a.failed
	case o.TooLong && (a.success != flagTrue || a.id == ""):
		return Unknown, ReasonAnswerTooLong
	case a.id != "":
		return Accepted, ReasonAnalyticsID
	case a.success == flagTrue:
		return AcceptedNoID, ReasonNoID
	}
	return Unknown, ReasonNoSuccessNoID
}

// reasonOfCut says why the rest of an answer is missing.
func reasonOfCut(o Observation) Reason {
	switch {
	case o.Interrupted:
		return ReasonInterrupted
	case o.TimedOut:
		return ReasonTimeout
	}
	return ReasonAnswerCut
}

// decideUnanswered judges an attempt without a status. Only arithmetic makes it
// "not sent": bytes of the body that were never taken, or fewer bytes on the
// wire than the body has.
func decideUnanswered(o Observation) Verdict {
	whole := o.BodyTaken >= o.BodyBytes && (o.WireBytes < 0 || o.WireBytes >= o.BodyBytes)
	v := Verdict{Outcome: Unknown, Reason: brokenAfterBody(o)}
	if !whole {
		v.Outcome, v.Reason = NotSent, brokenBeforeEnd(o)
	}
	if v.Reason == ReasonCertificate {
		v.Stop = StopRun
	}
	said := "no answer"
	if o.Err != nil {
		said = o.Err.Error()
	}
	v.Detail = fmt.Sprintf("%s (%s)", o.quote(said, maxQuote), unansweredHint(v.Outcome, v.Reason))
	return v
}

// unansweredHint says what the missing answer means.
func unansweredHint(outcome Outcome, reason Reason) string {
	switch {
	case reason == ReasonCertificate:
		return "nothing was sent; the server's certificate must be put right, or its authority added to this machine"
	case outcome == NotSent:
		return "the body was not sent as a whole"
	case reason == ReasonTimeout:
		return "the body was sent, no answer came in time"
	case reason == ReasonInterrupted:
		return "the body was sent, the wait for its answer was given up"
	}
	return "the body was sent, its answer is lost"
}
