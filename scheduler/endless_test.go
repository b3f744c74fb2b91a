package scheduler

import (
	"math/rand/v2"
	"testing"
	"time"
)

// In no zone of the database does a search go on for ever, or take long: forth and
// back over each change of the clock of two centuries, and at random.
func TestNoSearchIsEndless(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	from, until := instantOf(t, "1900-01-01").Unix(), instantOf(t, "2100-01-01").Unix()
	searches, slowest := 0, time.Duration(0)
	for i, name := range allZones(t) {
		zone := zoneNamed(t, name)
		o := SpecOptions{Gap: []string{GapRun, GapShift, GapSkip}[i%3], Fold: []string{FoldFirst, FoldSecond, FoldBoth}[i/3%3]}
		var specs []Spec
		for _, n := range r.Perm(len(nastyExprs))[:3] {
			specs = append(specs, mustParse(t, nastyExprs[n], name, o))
		}
		instants := []int64{minSecond, maxSecond, from + r.Int64N(until-from), from + r.Int64N(until-from)}
		for at := from; ; {
			c, ok := changeAfter(zone, at, until)
			if !ok {
				break
			}
			at = c.at
			instants = append(instants, []int64{c.at - 1, c.at, c.at + c.after - c.before}[len(instants)%3])
		}
		for k, at := range instants {
			s := specs[k%len(specs)]
			begun := time.Now()
			next, ok := s.Next(time.Unix(at, 0))
			prev, was := s.Prev(time.Unix(at, 0))
			slowest = max(slowest, time.Since(begun))
			searches += 2
			if ok && next.Unix() <= at || was && prev.Unix() >= at {
				t.Errorf("%q in %s at %d: next %s, previous %s", s, name, at, next, prev)
			}
		}
	}
	t.Logf("%d searches, the slowest two took %s", searches, slowest)
	if slowest > time.Second || searches < 50_000 {
		t.Errorf("%d searches, the slowest two took %s", searches, slowest)
	}
}

// The last days that there are: a search for the other pass of an hour went on for
// ever behind them.
func TestSearchEndsWithTheYear9999(t *testing.T) {
	for _, fold := range []string{FoldFirst, FoldSecond, FoldBoth} {
		s := mustParse(t, "30 1 * * *", "Asia/Kathmandu", SpecOptions{Fold: fold})
		for _, ahead := range []time.Duration{0, time.Hour, 24 * time.Hour, reach * time.Second} {
			at := time.Unix(maxSecond, 0).Add(-ahead)
			prev, ok := s.Prev(at)
			if !ok || at.Sub(prev) > 25*time.Hour || !s.Is(prev) {
				t.Errorf("fold %s: Prev(%s) is %s, %v", fold, at, prev, ok)
			}
			s.Note(prev)
			s.Next(at)
		}
	}
}
