package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// TestOneOfAGroupFails holds that the others of a group are committed, and learn
// nothing of the one that was refused.
func TestOneOfAGroupFails(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	r := planned(t, l, slotRun("orders"), 3)
	var all []*transition
	for _, chunk := range []int64{1, 7, 2} {
		all = append(all, &transition{done: make(chan error, 1), begin: &Intent{Run: r.ID, Chunk: chunk, BodyHash: "hash", BodyBytes: 10}})
	}
	l.commit(ctx, all)
	must(t, <-all[0].done)
	wantErr(t, <-all[1].done, ErrState)
	must(t, <-all[2].done)
	for chunk, want := range map[int64]ChunkState{1: ChunkSending, 2: ChunkSending, 3: ChunkPlanned} {
		if got := chunkState(t, l, r, chunk); got != want {
			t.Errorf("chunk %d is %s, want %s", chunk, got, want)
		}
	}
	if n := count(t, l, `SELECT count(*) FROM attempts`); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

// TestSharedCommits runs attempts side by side: each comes back after its own
// commit, with an id of its own, and a halted ledger lets none through.
func TestSharedCommits(t *testing.T) {
	const workers, each = 16, 25
	ctx := context.Background()
	l := open(t)
	r := planned(t, l, slotRun("orders"), workers*each)
	var mu sync.Mutex
	seen := map[int64]bool{}
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range each {
				chunk := int64(w*each + i + 1)
				id, err := l.BeginAttempt(ctx, r.ID, chunk, "hash", 10)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := l.Attempts(ctx, r.ID, chunk); err != nil || len(got) != 1 || got[0].AttemptID != id || got[0].FinishedAt != nil {
					t.Errorf("chunk %d: not there when its intent came back: %+v, %v", chunk, got, err)
				}
				if _, err := l.BeginAttempt(ctx, r.ID, chunk, "hash", 10); !errors.Is(err, ErrState) {
					t.Errorf("chunk %d: a second intent: %v", chunk, err)
				}
				if err := l.FinishAttempt(ctx, id, AttemptEnd{Outcome: "accepted", AnalyticsID: fmt.Sprint(id), Next: ChunkAccepted}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if len(seen) != workers*each {
		t.Errorf("%d ids, want %d", len(seen), workers*each)
	}
	if n := count(t, l, `SELECT count(*) FROM chunks WHERE state = 'accepted'`); n != workers*each {
		t.Errorf("%d chunks accepted, want %d", n, workers*each)
	}
	_ = l.halt(errors.New("the disk is gone")) // what it returns is for the one who halts
	for range 3 {
		_, err := l.BeginAttempt(ctx, r.ID, 1, "hash", 10)
		wantErr(t, err, ErrHalted)
	}
}
