package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRequestIsAskedServedAndFinished(t *testing.T) {
	ctx, l := context.Background(), open(t)
	first := get[int64](t)(Ask(ctx, l.Path(), "run", `{"schedule":"orders"}`))
	second := get[int64](t)(Ask(ctx, l.Path(), "resolve", `{}`))
	if list := get[[]Request](t)(l.OpenRequests(ctx, 0)); len(list) != 2 || list[0].RequestID != first || list[0].Body != `{"schedule":"orders"}` {
		t.Fatalf("open: got %+v", list)
	}
	if list := get[[]Request](t)(l.OpenRequests(ctx, first)); len(list) != 1 || list[0].RequestID != second {
		t.Errorf("after the first: got %+v", list)
	}
	must(t, l.ServeRequest(ctx, first, "run-1"))
	must(t, l.FinishRequest(ctx, first, 3, "held"))
	want := Request{RequestID: first, Kind: "run", Body: `{"schedule":"orders"}`, RunID: "run-1", Finished: true, ExitCode: 3, Message: "held"}
	if got := get[Request](t)(l.Request(ctx, first)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if list := get[[]Request](t)(l.OpenRequests(ctx, 0)); len(list) != 1 || list[0].RequestID != second {
		t.Errorf("still open: got %+v", list)
	}
	wantErr(t, l.FinishRequest(ctx, first, 0, ""), ErrState)
	wantErr(t, l.ServeRequest(ctx, 99, "run-1"), ErrState)
}

func TestAskIsRefused(t *testing.T) {
	ctx := context.Background()
	missing := filepath.Join(t.TempDir(), "worqcron.db")
	_, err := Ask(ctx, missing, "run", "{}")
	wantErr(t, err, fs.ErrNotExist)
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking created the ledger: %v", err)
	}
	if _, err := Ask(ctx, open(t).Path(), "erase", "{}"); err == nil {
		t.Error("a request of no kind was taken")
	}
}

// Intents and requests are written at the same time by two connections.
func TestAskBesideAWriter(t *testing.T) {
	ctx, l := context.Background(), open(t)
	r := planned(t, l, slotRun("orders"), 50)
	asked := make(chan error, 1)
	go func() {
		for range 50 {
			if _, err := Ask(ctx, l.Path(), "run", "{}"); err != nil {
				asked <- err
				return
			}
		}
		asked <- nil
	}()
	for i := range 50 {
		try(t, l, r, int64(i+1), ChunkAccepted)
	}
	must(t, <-asked)
	settle(t, l, r, Succeeded)
	if list := get[[]Request](t)(l.OpenRequests(ctx, 0)); len(list) != 50 {
		t.Errorf("got %d requests, want 50", len(list))
	}
}
