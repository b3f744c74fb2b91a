package batch

import (
	"testing"

	"worqcron/store"
)

func TestEarlierAt(t *testing.T) {
	e := &earlier{ranges: []store.Earlier{
		{Start: 0, End: 100, State: store.ChunkAccepted},
		{Start: 100, End: 200, State: store.ChunkUnknown},
		{Start: 150, End: 160, State: store.ChunkAccepted}, // a later run's, inside
		{Start: 300, End: 400, State: store.ChunkPlanned},
	}}
	for _, c := range []struct {
		offset int64
		want   known
	}{{0, knownAccepted}, {99, knownAccepted}, {100, knownElsewhere}, {150, knownAccepted}, {170, knownElsewhere}, {200, knownNothing}, {299, knownNothing}, {300, knownElsewhere}, {400, knownNothing}} {
		if got := e.at(c.offset); got != c.want {
			t.Errorf("at %d: got %d, want %d", c.offset, got, c.want)
		}
	}
}
