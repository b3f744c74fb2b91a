// Package worqhat is the wire to WorqHat: it loads the API key, sends one
// trigger at a time and says how each attempt ended.
//
// # The model
//
// A trigger is one POST of one JSON body to one flow. WorqHat has no
// idempotency key: whoever sends a body twice may run the flow twice. So the
// question after each attempt is not "did it work?" but "may I send it again?".
// Seven outcomes answer it:
//
//	accepted        the flow was started, and its analytics_id is known
//	accepted_no_id  the flow was started (or ran to its end), no id was given
//	flow_failed     the flow ran and says that it failed: a definite no
//	throttled       not started; come back after RetryAfter
//	refused         not started: the request, the key or the flow is wrong
//	not_sent        the body never left as a whole: safe to send again
//	unknown         it may have started; only a person or a policy may repeat it
//
// Decide is the one function that turns what was seen into an outcome. It is
// pure: no clock, no network. Client.Trigger only gathers what it needs.
//
// # What it does not do
//
// It never retries, never waits and never follows a redirect. Repeating is the
// caller's decision, because only the caller has a ledger. Waiting is Budget's:
// one per process, shared by all schedules, since one key has one rate.
//
// # Invariants
//
//   - One call of Trigger is at most one request at the server. net/http repeats
//     a POST by itself in some cases; GetBody stays nil to forbid it.
//   - "not_sent" is proved by counting bytes, never guessed from an error. In
//     doubt the outcome is unknown.
//   - An answer beats an error: if a status arrived, it decides.
//   - After Trigger has returned nothing reads Trigger.Body any more, so the
//     caller may reuse the buffer at once.
//   - The key is in no Result, no error and no printed value, even if the server
//     sends it back.
package worqhat
