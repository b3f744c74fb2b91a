package batch

import (
	"testing"

	"worqcron/store"
	"worqcron/worqhat"
)

func TestFollow(t *testing.T) {
	hold := DeliveryOptions{OnUnknown: "hold", MaxAttempts: 3}
	resend := DeliveryOptions{OnUnknown: "resend", MaxAttempts: 3}
	accept := DeliveryOptions{OnUnknown: "accept", MaxAttempts: 3}
	for _, c := range []struct {
		name    string
		outcome worqhat.Outcome
		stop    worqhat.Stop
		options DeliveryOptions
		before  tries
		state   store.ChunkState
		stops   bool
		backOff bool
	}{
		{"accepted", worqhat.Accepted, "", hold, tries{}, store.ChunkAccepted, false, false},
		{"accepted without id", worqhat.AcceptedNoID, "", hold, tries{}, store.ChunkAccepted, false, false},
		{"flow failed", worqhat.FlowFailed, "", hold, tries{}, store.ChunkFailed, false, false},
		{"throttled", worqhat.Throttled, "", hold, tries{notSent: 99}, store.ChunkPlanned, false, false},
		{"refused", worqhat.Refused, "", hold, tries{}, store.ChunkFailed, false, false},
		{"key refused", worqhat.Refused, worqhat.StopKey, hold, tries{}, store.ChunkPlanned, true, false},
		{"flow refused", worqhat.Refused, worqhat.StopFlow, hold, tries{}, store.ChunkPlanned, true, false},
		{"not sent", worqhat.NotSent, "", hold, tries{notSent: 1}, store.ChunkPlanned, false, true},
		{"not sent, attempts used up", worqhat.NotSent, "", hold, tries{notSent: 2}, store.ChunkPlanned, true, true},
		{"bad certificate", worqhat.NotSent, worqhat.StopRun, hold, tries{}, store.ChunkPlanned, true, true},
		{"unknown, hold", worqhat.Unknown, "", hold, tries{}, store.ChunkUnknown, false, false},
		{"unknown, resend", worqhat.Unknown, "", resend, tries{}, store.ChunkPlanned, false, false},
		{"unknown again, resend", worqhat.Unknown, "", resend, tries{unknown: 1}, store.ChunkUnknown, false, false},
		{"unknown, accept", worqhat.Unknown, "", accept, tries{}, store.ChunkAccepted, false, false},
		{"an outcome nobody knows is unknown", worqhat.Outcome("new"), "", hold, tries{}, store.ChunkUnknown, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := follow(worqhat.Result{Outcome: c.outcome, Stop: c.stop, Detail: "why"}, &c.options, c.before, 2)
			if n.state != c.state || (n.stop != "") != c.stops || n.backOff != c.backOff {
				t.Errorf("got state %s, stop %q, backOff %v", n.state, n.stop, n.backOff)
			}
			if c.outcome == worqhat.Throttled && n.pauseKey <= 0 {
				t.Error("the key does not wait")
			}
		})
	}
}

// The parts of a chunk have keys of their own: no flow could tell that it has them.
func TestNoSplitAfterAnUnknownAttempt(t *testing.T) {
	tooLarge := worqhat.Result{Outcome: worqhat.Refused, Reason: worqhat.ReasonTooLarge, Detail: "413"}
	for unknown, want := range []store.ChunkState{store.ChunkSplit, store.ChunkFailed} {
		if n := follow(tooLarge, &DeliveryOptions{OnUnknown: "resend"}, tries{unknown: unknown}, 2); n.state != want {
			t.Errorf("after %d unknown attempts: got %s (%s), want %s", unknown, n.state, n.reason, want)
		}
	}
}

func TestEndState(t *testing.T) {
	stopped := &store.End{State: store.Stopped, Reason: "401"}
	for _, c := range []struct {
		name    string
		chunks  store.ChunkBalance
		records store.RecordBalance
		imposed *store.End
		want    store.RunState
	}{
		{"all accepted", store.ChunkBalance{Planned: 2, Accepted: 2}, store.RecordBalance{Read: 5, Accepted: 5}, nil, store.Succeeded},
		{"stop that left nothing over", store.ChunkBalance{Planned: 2, Accepted: 2}, store.RecordBalance{Read: 5, Accepted: 5}, stopped, store.Succeeded},
		{"stopped", store.ChunkBalance{Planned: 2, Accepted: 1, Pending: 1}, store.RecordBalance{Read: 5, Accepted: 2, Pending: 3}, stopped, store.Stopped},
		{"stopped wins over held", store.ChunkBalance{Planned: 3, Accepted: 1, Pending: 1, Unknown: 1}, store.RecordBalance{Read: 3, Accepted: 1, Pending: 1, Unknown: 1}, stopped, store.Stopped},
		{"held", store.ChunkBalance{Planned: 2, Accepted: 1, Unknown: 1}, store.RecordBalance{Read: 5, Accepted: 2, Unknown: 3}, nil, store.Held},
		{"held elsewhere", store.ChunkBalance{Planned: 1, Accepted: 1}, store.RecordBalance{Read: 5, Accepted: 2, Unknown: 3}, nil, store.Held},
		{"one failed", store.ChunkBalance{Planned: 2, Accepted: 1, Failed: 1}, store.RecordBalance{Read: 5, Accepted: 2, Failed: 3}, nil, store.Partial},
		{"all failed", store.ChunkBalance{Planned: 1, Failed: 1}, store.RecordBalance{Read: 5, Failed: 5}, nil, store.Failed},
		{"dead", store.ChunkBalance{Planned: 1, Accepted: 1}, store.RecordBalance{Read: 5, Accepted: 4, Dead: 1}, nil, store.Partial},
		{"all dead", store.ChunkBalance{}, store.RecordBalance{Read: 5, Dead: 5}, nil, store.Failed},
		{"dead, and the others filtered", store.ChunkBalance{}, store.RecordBalance{Read: 5, Dead: 1, Filtered: 4}, nil, store.Partial},
		{"does not balance", store.ChunkBalance{Planned: 1, Accepted: 1}, store.RecordBalance{Read: 6, Accepted: 5}, nil, store.Failed},
		{"skipped", store.ChunkBalance{}, store.RecordBalance{}, &store.End{State: store.Skipped}, store.Skipped},
		{"a failure cannot hide what is planned", store.ChunkBalance{Planned: 2, Accepted: 1, Pending: 1}, store.RecordBalance{Read: 2, Accepted: 1, Pending: 1}, &store.End{State: store.Failed}, store.Stopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &store.Receipt{Chunks: c.chunks, Records: c.records}
			r.Balanced = c.records.Read == c.records.Accepted+c.records.Filtered+c.records.Failed+c.records.Dead+c.records.Unknown+c.records.Pending
			if got := endState(r, c.imposed); got.State != c.want {
				t.Errorf("got %s (%s), want %s", got.State, got.Reason, c.want)
			}
		})
	}
}
