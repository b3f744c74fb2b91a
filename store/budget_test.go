package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func TestPauseIsKept(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "worqcron.db")
	l := get[*Ledger](t)(Open(ctx, path, "serve"))
	if until, reason, err := l.Pause(ctx); err != nil || !until.IsZero() || reason != "" {
		t.Errorf("a new ledger is paused until %s: %q, %v", until, reason, err)
	}
	first := time.Now().Add(time.Minute)
	must(t, l.KeepPause(ctx, first, "429 first"))
	must(t, l.KeepPause(ctx, first.Add(time.Hour), "429 second"))
	must(t, l.Close())
	l = openAt(t, path)
	until, reason, err := l.Pause(ctx)
	must(t, err)
	if late := until.Sub(first.Add(time.Hour)); reason != "429 second" || late < 0 || late > time.Millisecond {
		t.Errorf("paused until %s (%s after what was kept): %q", until, late, reason)
	}
	if n := count(t, l, `SELECT count(*) FROM budget`); n != 1 {
		t.Errorf("%d rows, want one", n)
	}
}

func TestStartsSince(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	began := time.Now().Truncate(time.Millisecond)
	orders := planned(t, l, slotRun("orders"), 3)
	report := planned(t, l, slotRun("report"), 1)
	for chunk := range int64(3) {
		try(t, l, orders, chunk+1, ChunkAccepted)
	}
	try(t, l, report, 1, ChunkPlanned)

	list, from, err := l.StartsSince(ctx, began, 100)
	must(t, err)
	if len(list) != 4 || !from.Equal(began) || list[0].Schedule != "orders" || list[3].Schedule != "report" {
		t.Errorf("got %+v from %s", list, from)
	}
	for i := range list[1:] {
		if list[i+1].At.Before(list[i].At) {
			t.Errorf("%s comes before %s", list[i].At, list[i+1].At)
		}
	}
	if list[0].At.Before(began) || list[3].At.After(time.Now()) {
		t.Errorf("began at %s, got %+v", began, list)
	}

	list, from, err = l.StartsSince(ctx, began, 2)
	must(t, err)
	if len(list) != 2 || !from.Equal(list[0].At) || list[1].Schedule != "report" {
		t.Errorf("the last two: got %+v from %s", list, from)
	}

	later := time.Now().Add(time.Second)
	list, from, err = l.StartsSince(ctx, later, 100)
	must(t, err)
	if len(list) != 0 || !from.Equal(later) {
		t.Errorf("nothing began since %s: got %+v from %s", later, list, from)
	}
}
