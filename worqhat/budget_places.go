package worqhat

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// places is how many triggers may be under way at once: the ceiling that the
// user set, less what WorqHat seems to bear. It begins at the ceiling. As many
// good answers as there are places add one; being throttled, a time-out and
// rising latency halve them, once for all triggers that were under way together.
//
// Latency rises when it is at least twice, and slowReal above, what the same
// flow needs for bodies of about that size. If a cut makes the answers no
// quicker the flow is slow by itself: the cut is taken back, and that latency is
// what the flow needs from then on. So a flow whose answers take minutes, some
// of them twice as long as others, keeps its places.
type places struct {
	ceiling  int
	adaptive bool
	limit    int
	good     int       // good answers since the limit changed
	cutAt    time.Time // triggers that began before know nothing of the limit as it is
	needs    map[likeness]*need
	trial    *trial // the cut whose effect has yet to be seen
}

const (
	// slowReal is by how much latency rises at least: less is the noise of any
	// network, and of a machine that is busy.
	slowReal = 250 * time.Millisecond
	// minSample is of how many answers the median is taken at least.
	minSample = 32
)

// likeness is what two answers have in common whose latencies can be compared.
type likeness struct {
	flow string
	size int // of the body, to a power of four
}

// need is how long triggers that are alike take.
type need struct {
	sample []time.Duration // since the last median
	usual  time.Duration   // a slow mean of the medians; 0: there is none yet
	least  time.Duration   // the least that was usual
	risen  bool            // the last median was too high
}

// trial is a cut for latency.
type trial struct {
	of     *need
	median time.Duration // that led to it
	before int           // the limit
}

// sight is what is seen of one trigger.
type sight struct {
	like      likeness
	accepted  bool
	throttled bool
	timedOut  bool
	began     time.Time
	ended     time.Time
}

func sightOf(t Trigger, r Result) sight {
	return sight{
		like:      likeness{t.FlowID, bits.Len(uint(len(t.Body))) / 2},
		accepted:  r.Outcome == Accepted || r.Outcome == AcceptedNoID,
		throttled: r.Outcome == Throttled,
		timedOut:  r.Reason == ReasonTimeout,
		began:     r.Started,
		ended:     r.Finished,
	}
}

// set takes the user's choice over. What was learnt stays where it can.
func (p *places) set(ceiling int, adaptive bool) {
	ceiling = max(1, ceiling)
	switch {
	case !adaptive || p.ceiling == p.limit: // also at the beginning
		p.limit = ceiling
	default:
		p.limit = min(p.limit, ceiling)
	}
	p.ceiling, p.adaptive = ceiling, adaptive
}

// learn takes what one trigger showed, of so many that are under way with it.
// why is for people, "" unless the limit was lowered.
func (p *places) learn(s sight, inFlight int) (why string) {
	if !p.adaptive || !s.began.After(p.cutAt) {
		return ""
	}
	switch {
	case s.throttled:
		p.trial = nil
		return p.cut(s, inFlight, "WorqHat throttles")
	case s.timedOut:
		p.trial = nil
		return p.cut(s, inFlight, "a trigger timed out")
	case s.accepted:
		p.grow()
		return p.watch(s, inFlight)
	}
	return ""
}

// grow counts a good answer. While a cut is on trial the limit stays, or it would
// be back before its effect is seen; unless the trial's flow sends no more.
func (p *places) grow() {
	p.good++
	if p.trial != nil {
		if p.good < 4*max(minSample, p.limit) {
			return
		}
		p.trial = nil
	}
	if p.good >= p.limit && p.limit < p.ceiling {
		p.limit, p.good = p.limit+1, 0
	}
}

// cut halves the limit, or as many as were under way if that is less.
func (p *places) cut(s sight, inFlight int, why string) string {
	before := p.limit
	p.limit = max(1, min(p.limit, inFlight)/2)
	p.good, p.cutAt = 0, s.ended
	for _, n := range p.needs {
		n.sample = n.sample[:0]
	}
	if p.limit == before {
		return ""
	}
	return why
}

// watch compares latencies.
func (p *places) watch(s sight, inFlight int) (why string) {
	if p.needs == nil {
		p.needs = map[likeness]*need{}
	}
	n := p.needs[s.like]
	if n == nil {
		n = &need{}
		p.needs[s.like] = n
	}
	n.sample = append(n.sample, s.ended.Sub(s.began))
	if len(n.sample) < max(minSample, p.limit) {
		return ""
	}
	median := medianOf(n.sample)
	n.sample = n.sample[:0]
	if t := p.trial; t != nil && t.of == n {
		p.trial = nil
		if median > t.median/4*3 {
			p.limit, p.good = max(p.limit, min(t.before, p.ceiling)), 0
			n.usual, n.least, n.risen = median, median, false
			return ""
		}
	}
	if !n.rises(median) || p.limit == 1 {
		n.risen = false
		n.settle(median, p.limit == 1)
		return ""
	}
	if !n.risen { // the next one does not mix what was before the rise into it
		n.risen = true
		return ""
	}
	n.risen = false
	before := p.limit
	why = p.cut(s, inFlight, fmt.Sprintf("answers take %s, usual were %s", median.Round(time.Millisecond), n.least.Round(time.Millisecond)))
	p.trial = &trial{n, median, before}
	return why
}

func (n *need) rises(median time.Duration) bool {
	return n.usual > 0 && median >= 2*n.least && median >= n.least+slowReal
}

// settle takes a median over: by and by, or at once where it is the first one,
// or with one trigger at a time, when nothing of it can be our doing.
func (n *need) settle(median time.Duration, alone bool) {
	if n.usual == 0 || alone {
		n.usual, n.least = median, median
		return
	}
	n.usual += (median - n.usual) / 8
	n.least = min(n.least, n.usual)
}

func medianOf(sample []time.Duration) time.Duration {
	slices.Sort(sample)
	return sample[len(sample)/2]
}
