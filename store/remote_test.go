package store

import (
	"context"
	"testing"
	"time"
)

func TestRemote(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	run := planned(t, l, slotRun("orders"), 6)
	accepted := try(t, l, run, 1, ChunkAccepted)
	try(t, l, run, 2, ChunkAccepted)
	unknown := try(t, l, run, 3, ChunkUnknown)
	try(t, l, run, 4, ChunkFailed)
	noID := get[int64](t)(l.BeginAttempt(ctx, run.ID, 5, "xxh3:body", 200))
	must(t, l.FinishAttempt(ctx, noID, AttemptEnd{Outcome: "accepted_no_id", StatusCode: 200, Next: ChunkAccepted}))

	ids := func() (list []int64) {
		for _, a := range get[[]Attempt](t)(l.Doubtful(ctx, run.ID)) {
			list = append(list, a.AttemptID)
		}
		return list
	}
	if got := ids(); len(got) != 2 || got[0] != unknown || got[1] != noID {
		t.Errorf("doubtful %v, want %d and %d", got, unknown, noID)
	}

	at := time.UnixMilli(1_700_000_000_000).UTC()
	must(t, l.StoreRemote(ctx, []Remote{{AttemptID: accepted, Status: RemoteRunning, StartedAt: at}}, at))
	must(t, l.StoreRemote(ctx, []Remote{
		{AttemptID: accepted, Status: RemoteFailed, StartedAt: at, EndedAt: at.Add(time.Second)},
		{AttemptID: noID, Status: RemoteCompleted, ExecutionID: "found", StartedAt: at},
	}, at))
	must(t, l.StoreHints(ctx, unknown, []Hint{{ExecutionID: "maybe", Status: RemoteCompleted, StartedAt: at}}, at))
	must(t, l.MarkNotListed(ctx, run.ID, at))
	if b := get[RemoteBalance](t)(l.Remote(ctx, run.ID)); b != (RemoteBalance{}) {
		t.Errorf("before anybody looked: %+v", b)
	}
	must(t, l.KeepRemote(ctx, run.ID))
	b := get[RemoteBalance](t)(l.Remote(ctx, run.ID))
	if b.LookedUpAt == nil || !b.LookedUpAt.Equal(at) {
		t.Errorf("looked up at %v", b.LookedUpAt)
	}
	if b.LookedUpAt = nil; b != (RemoteBalance{Completed: 1, Failed: 1, NotListed: 1}) {
		t.Errorf("balance %+v", b)
	}
	if got := ids(); len(got) != 1 || got[0] != unknown {
		t.Errorf("doubtful %v, want %d", got, unknown)
	}
	for id, want := range map[string]int64{"found": 5, "maybe": 3} {
		if places := get[[]Place](t)(l.ByAnalyticsID(ctx, id)); len(places) != 1 || places[0].Chunk != want {
			t.Errorf("%s: %+v, want chunk %d", id, places, want)
		}
	}
	if c := get[[]Claimant](t)(l.Claimants(ctx, "found", 0)); len(c) != 1 || c[0] != (Claimant{noID, "found"}) {
		t.Errorf("claimants %+v", c)
	}
	if c := get[[]Claimant](t)(l.Claimants(ctx, "maybe", 0)); len(c) != 0 {
		t.Errorf("a hint claims: %+v", c)
	}

	// What is looked up anew replaces what was known.
	must(t, l.StoreRemote(ctx, []Remote{{AttemptID: unknown, Status: RemoteNotListed}}, at))
	if h := get[[]Hint](t)(l.Hints(ctx, unknown)); len(h) != 0 {
		t.Errorf("hints stay: %+v", h)
	}
	if s := get[*Remote](t)(l.RemoteOf(ctx, accepted)); s == nil || s.Status != RemoteFailed || !s.EndedAt.Equal(at.Add(time.Second)) {
		t.Errorf("remote %+v", s)
	}
	if s := get[*Remote](t)(l.RemoteOf(ctx, 999)); s != nil {
		t.Errorf("remote of nothing %+v", s)
	}
}
