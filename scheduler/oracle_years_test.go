package scheduler

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// nastyExprs are compared besides those of the grammar.
var nastyExprs = []string{
	"* * * * *", "0 * * * *", "30 2 * * *", "0 0 * * *", "59 23 * * *", "30 1 * * *", "15 0 * * *", "0,30 0-4 * * *", "*/15 2 * * *", "*/45 * * * *",
	"0 */5 * * *", "0 0 29 2 *", "0 0 29 2 1", "0 0 29 2 */7", "30 2 L * *", "30 2 LW * *", "0 3 1W * *", "0 3 31W * *", "0 3 15W,L * *", "0 3 29W 2 *",
	"0 12 * * 7", "0 12 * * 0", "0 12 * * 5-7", "0 12 * * FRI-SUN", "0 12 * * 5#2", "0 12 * * 5#5", "0 12 * * SUN#1", "0 12 * * 5L", "0 12 * * 7L,1#1",
	"0 2 13 * 5", "0 2 */2 * 5", "0 2 13 * */5", "0 2 1-7 * 1", "30 2 * 3,10,11 SUN", "0 0 30 12 *", "0 0 1 JAN *", "5 4 * jan-mar,NOV mon-fri",
	"0 2 ? * 6L", "59 1,2,3 31 3,10 *", "7/13 1-3 * * *", "30 23,0 * * 6,0",
}

// comparison is what the oracle and the evaluator are compared over.
type comparison struct {
	from, until time.Time
	exprs       []string
}

// exprsFor gives so many expressions: the nasty ones, then some of the grammar.
func exprsFor(t *testing.T, n int, seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	list := slices.Clone(nastyExprs)
	for len(list) < n {
		expr := randomExpr(r)
		if _, err := Parse(expr, time.UTC, SpecOptions{}); err == nil { // else an impossible date
			list = append(list, expr)
		}
	}
	if len(list) != n {
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	for _, expr := range nastyExprs {
		mustParse(t, expr, "UTC", SpecOptions{})
	}
	return list[:n]
}

// TestTenYearsAgainstOracle compares each slot of ten years in all zones with 200
// expressions, and Prev, Next and Is beside them, when WORQCRON_ORACLE is full;
// else one year with a few.
func TestTenYearsAgainstOracle(t *testing.T) {
	full := os.Getenv(oracleVariable) == "full"
	var slots, compared atomic.Int64
	var zones sync.WaitGroup
	places := make(chan struct{}, 2) // zones at once
	for i, name := range oracleZones {
		year := 2011 + i*7%16
		c := comparison{time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC), exprsFor(t, 6, uint64(i))}
		if full {
			c = comparison{time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), exprsFor(t, 200, 1)}
			if i%2 == 1 { // half of them through the years that the database only foresees
				c.from, c.until = c.from.AddDate(12, 0, 0), c.until.AddDate(12, 0, 0)
			}
		}
		zone := zoneNamed(t, name)
		zones.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			n := c.compare(t, zone, i)
			slots.Add(n)
			compared.Add(int64(len(c.exprs)))
		})
	}
	zones.Wait()
	t.Logf("%d zones, %d expressions, %d slots", len(oracleZones), compared.Load(), slots.Load())
	if slots.Load() < 100_000 {
		t.Errorf("only %d slots compared", slots.Load())
	}
}

// compare goes through the expressions, each with another pair of options.
func (c comparison) compare(t *testing.T, zone *time.Location, seed int) (slots int64) {
	spans := spansOf(zone, c.from.AddDate(0, 0, -3), c.until.AddDate(0, 0, 3))
	r := rand.New(rand.NewPCG(uint64(seed), 2))
	for i, expr := range c.exprs {
		n := i + seed
		o := SpecOptions{Gap: []string{GapRun, GapShift, GapSkip}[n%3], Fold: []string{FoldFirst, FoldSecond, FoldBoth}[n/3%3]}
		if n%4 == 0 {
			o = SpecOptions{}
		}
		s, err := Parse(expr, zone, o)
		if err != nil {
			t.Error(err)
			return slots
		}
		want := oracleSlots(spans, newOracleExpr(expr), o)
		first, _ := slices.BinarySearch(want, c.from.Unix())
		end, _ := slices.BinarySearch(want, c.until.Unix())
		k := first
		for at := range s.Between(c.from, c.until) {
			if k == end || at.Unix() != want[k] {
				t.Errorf("%q in %s, %+v: slot %d is %s, want %v", expr, zone, o, k-first, at, inZone(want[k:min(k+1, end)], zone))
				return slots
			}
			k++
		}
		if k != end {
			t.Errorf("%q in %s, %+v: no slot %v", expr, zone, o, inZone(want[k:k+1], zone))
			return slots
		}
		slots += int64(end - first)
		c.compareViews(t, s, want[first:end], r)
	}
	return slots
}

// compareViews asks Prev, Next and Is at some instants, slots among them and around
// each change of the clock, and walks back over the last slots.
func (c comparison) compareViews(t *testing.T, s Spec, want []int64, r *rand.Rand) {
	length := c.until.Unix() - c.from.Unix()
	for n := range 60 {
		at := c.from.Unix() + r.Int64N(length)
		if len(want) > 0 && n%2 == 0 {
			at = want[r.IntN(len(want))] + int64(n/2%3) - 1
		}
		if next, ok := changeAfter(s.zone, at, at+366*secondsPerDay); ok && n%5 == 0 {
			at = min(next.at+int64(r.IntN(3*3600))-2*3600, c.until.Unix())
		}
		place, is := slices.BinarySearch(want, at)
		if got := s.Is(time.Unix(at, 0)); got != is && at < c.until.Unix() {
			t.Errorf("%q in %s: Is(%d) is %v", s, s.zone, at, got)
		}
		if prev, ok := s.Prev(time.Unix(at, 0)); place > 0 && (!ok || prev.Unix() != want[place-1]) {
			t.Errorf("%q in %s: Prev(%d) is %s, %v, want %v", s, s.zone, at, prev, ok, inZone(want[place-1:place], s.zone))
		}
		if is {
			place++
		}
		if next, ok := s.Next(time.Unix(at, 0)); place < len(want) && (!ok || next.Unix() != want[place]) {
			t.Errorf("%q in %s: Next(%d) is %s, %v, want %v", s, s.zone, at, next, ok, inZone(want[place:place+1], s.zone))
		}
	}
	before := c.until
	for k := len(want) - 1; k >= max(0, len(want)-200); k-- {
		prev, ok := s.Prev(before)
		if !ok || prev.Unix() != want[k] {
			t.Errorf("%q in %s: Prev(%s) is %s, %v, want %v", s, s.zone, before, prev, ok, inZone(want[k:k+1], s.zone))
			return
		}
		before = prev
	}
}
