package batch

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"worqcron/store"
	"worqcron/worqhat"
)

// What follows an outcome for the chunk is decided here and nowhere else: the
// outcome itself is decided by worqhat.Decide.

// next is what becomes of a chunk after an attempt, and of its run.
type next struct {
	state    store.ChunkState
	reason   string        // on the chunk
	backOff  bool          // a random, growing wait comes before the chunk's next try
	until    time.Time     // when that wait ends
	pauseKey time.Duration // how long all triggers of the key wait
	stop     string        // why the run stops; "" if it goes on
	split    *store.Split  // with state split: what takes the chunk's place
}

// tries counts the attempts of one chunk that came before.
type tries struct {
	probe   bool // of its schedule, at a closed gate
	closed  int  // of gates.enter, as the last one went
	notSent int  // that provably did not arrive
	unknown int  // that may have been accepted
	waits   *backoff.ExponentialBackOff
}

// pauseUnasked is how long the key waits when the server does not say.
const pauseUnasked = 30 * time.Second

// follow decides what follows an outcome for a chunk of so many records. before
// does not count this attempt.
func follow(r worqhat.Result, d *DeliveryOptions, before tries, records int64) next {
	switch r.Outcome {
	case worqhat.Accepted, worqhat.AcceptedNoID:
		return next{state: store.ChunkAccepted}
	case worqhat.FlowFailed:
		return next{state: store.ChunkFailed, reason: r.Detail}
	case worqhat.Throttled:
		pause := r.RetryAfter
		if pause <= 0 {
			pause = pauseUnasked
		}
		return next{state: store.ChunkPlanned, reason: r.Detail, pauseKey: pause}
	case worqhat.Refused:
		return followRefused(r, before, records)
	case worqhat.NotSent:
		return followNotSent(r, d, before)
	}
	return followUnknown(d.OnUnknown, r.Detail, before.unknown)
}

func followRefused(r worqhat.Result, before tries, records int64) next {
	switch {
	case r.Stop != worqhat.StopNothing:
		return next{state: store.ChunkPlanned, reason: r.Detail, stop: r.Detail}
	case r.Reason == worqhat.ReasonTooLarge && before.unknown > 0: // its parts would have other keys
		return next{state: store.ChunkFailed, reason: "not split, since an earlier trigger of it may have been accepted: " + r.Detail}
	case r.Reason == worqhat.ReasonTooLarge && records > 1:
		return next{state: store.ChunkSplit, reason: r.Detail}
	case r.Reason == worqhat.ReasonTooLarge && records == 1:
		return next{state: store.ChunkFailed, reason: "the record is too large for the flow: " + r.Detail}
	}
	return next{state: store.ChunkFailed, reason: r.Detail}
}

// followNotSent retries. A chunk that could not be sent stays planned when its
// attempts are used up: nothing is wrong with it, so the run stops instead.
func followNotSent(r worqhat.Result, d *DeliveryOptions, before tries) next {
	n := next{state: store.ChunkPlanned, reason: r.Detail, backOff: true}
	switch {
	case r.Stop != worqhat.StopNothing:
		n.stop = r.Detail
	case before.notSent+1 >= d.MaxAttempts:
		n.stop = fmt.Sprintf("%d attempts did not reach WorqHat; the last one: %s", d.MaxAttempts, r.Detail)
	}
	return n
}

// followUnknown applies on_unknown; unknown counts the earlier unknown attempts
// of the chunk.
func followUnknown(policy, why string, unknown int) next {
	switch {
	case policy == "accept":
		return next{state: store.ChunkAccepted, reason: store.AssumedReason}
	case policy == "resend" && unknown == 0:
		return next{state: store.ChunkPlanned, reason: why}
	}
	return next{state: store.ChunkUnknown, reason: why}
}

// newBackOff gives the waits between the tries of one chunk: each random up to
// a range that doubles from one second to two minutes, so that chunks which
// failed together do not come back together.
func newBackOff() *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{
		InitialInterval: 500 * time.Millisecond, RandomizationFactor: 1, Multiplier: 2, MaxInterval: time.Minute,
	}
	b.Reset()
	return b
}
