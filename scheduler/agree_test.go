package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Next, Prev, Between and Is are four views of one list.
func TestViewsAgree(t *testing.T) {
	zones := map[string]*time.Location{}
	for _, name := range oracleZones {
		zones[name] = zoneNamed(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := zones[rapid.SampledFrom(oracleZones).Draw(t, "zone")]
		expr := randomExpr(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "expr"), 0)))
		if rapid.IntRange(0, 9).Draw(t, "every") == 0 {
			expr = fmt.Sprintf("@every %ds", rapid.IntRange(1, 100000).Draw(t, "seconds"))
		}
		o := SpecOptions{
			Gap:  rapid.SampledFrom([]string{GapRun, GapShift, GapSkip}).Draw(t, "gap"),
			Fold: rapid.SampledFrom([]string{FoldFirst, FoldSecond, FoldBoth}).Draw(t, "fold"),
		}
		at := time.Unix(rapid.Int64Range(0, 3e9).Draw(t, "at"), rapid.Int64Range(0, 1).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "bounded") {
			o.Start, o.End = at.Add(-3*time.Hour), at.AddDate(0, 2, 0)
		}
		s, err := Parse(expr, zone, o)
		if err != nil {
			return // an impossible date
		}
		agree(t, s, at)
	})
}

func agree(t *rapid.T, s Spec, at time.Time) {
	next, ok := s.Next(at)
	if !ok {
		return
	}
	if !next.After(at) || !s.Is(next) {
		t.Fatalf("Next(%v) = %v, Is %v", at, next, s.Is(next))
	}
	if got := slices.Collect(s.Between(at.Add(1), next.Add(1))); len(got) != 1 || !got[0].Equal(next) {
		t.Fatalf("Between(%v, %v] = %v", at, next, got)
	}
	if after, ok := s.Next(next); ok {
		if back, ok := s.Prev(after); !ok || !back.Equal(next) {
			t.Fatalf("Prev(%v) = %v, %v, want %v", after, back, ok, next)
		}
		if back, ok := s.Prev(after.Add(1)); !ok || !back.Equal(after) {
			t.Fatalf("Prev just after %v = %v, %v", after, back, ok)
		}
		if middle := next.Add(after.Sub(next) / 2).Truncate(time.Second); !middle.Equal(next) && s.Is(middle) {
			t.Fatalf("Is(%v) between %v and %v", middle, next, after)
		}
	}
	if prev, ok := s.Prev(at); ok {
		if forth, ok := s.Next(prev); !prev.Before(at) || !ok || forth.Before(at) {
			t.Fatalf("Prev(%v) = %v, whose Next is %v", at, prev, forth)
		}
	}
}
