package batch

import (
	"math/rand/v2"
	"slices"
	"testing"

	"worqcron/store"
)

func TestMoved(t *testing.T) {
	moves := []move{{10, 15, 10, 18}, {30, 32, 33, 33}, {32, 35, 33, 40}}
	for _, c := range []struct {
		name       string
		start, end int64
		want       [][2]int64
	}{
		{"before", 0, 10, [][2]int64{{0, 10}}},
		{"between", 15, 30, [][2]int64{{18, 33}}},
		{"behind", 35, 40, [][2]int64{{40, 45}}},
		{"a place", 10, 15, nil},
		{"within a place", 11, 13, nil},
		{"over a place", 5, 20, [][2]int64{{5, 10}, {18, 23}}},
		{"over all", 0, 50, [][2]int64{{0, 10}, {18, 33}, {40, 55}}},
		{"from within a place", 12, 20, [][2]int64{{18, 23}}},
		{"into a place", 20, 31, [][2]int64{{23, 33}}},
	} {
		got := moved([]store.Earlier{{Start: c.start, End: c.end, Records: 3}}, moves)
		var places [][2]int64
		for _, g := range got {
			places = append(places, [2]int64{g.Start, g.End})
			if whole := len(got) == 1 && g.End-g.Start == c.end-c.start; (g.Records == 3) != whole {
				t.Errorf("%s: %d records", c.name, g.Records)
			}
		}
		if !slices.Equal(places, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, places, c.want)
		}
	}
}

// What lies outside mended places comes back to where it was.
func TestMovedThereAndBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var places []store.Mended
		old, now := int64(0), int64(0)
		for range r.IntN(4) {
			gap := r.Int64N(5)
			old, now = old+gap, now+gap
			m := store.Mended{OldStart: old, OldEnd: old + 1 + r.Int64N(4), ByteStart: now, ByteEnd: now + r.Int64N(4)}
			places, old, now = append(places, m), m.OldEnd, m.ByteEnd
		}
		size := old + 5
		for start := int64(0); start < size; start++ {
			within := slices.ContainsFunc(places, func(m store.Mended) bool { return m.OldStart <= start && start < m.OldEnd })
			there := moved([]store.Earlier{{Start: start, End: start + 1}}, forward(places))
			if within != (len(there) == 0) {
				t.Fatalf("%v: byte %d went to %v", places, start, there)
			}
			back := moved(there, backward(places))
			if !within && (len(back) != 1 || back[0].Start != start || back[0].End != start+1) {
				t.Fatalf("%v: byte %d went to %v and came back as %v", places, start, there, back)
			}
		}
	}
}
