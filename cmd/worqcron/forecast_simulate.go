package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"worqcron/batch"
	"worqcron/scheduler"
)

// The forecast lets runs share the rate as water shares a pipe: each run under way
// sends as fast as it can by itself, and where that is more than the limit all
// together, they get equal parts. It is exact about which slots come when, and
// about the rate; about how long WorqHat takes it knows what the last runs saw.

// load is what one schedule asks for.
type load struct {
	name    string
	chunks  float64       // of each of its runs
	reading time.Duration // before a run sends anything
	speed   float64       // triggers a second, if it is alone; +Inf: as fast as the limit allows
	queue   bool          // overlap = "queue"
	window  batch.Window
	zone    *time.Location
}

// flight is a run of the forecast.
type flight struct {
	load  *load
	slot  time.Time
	begin time.Time // when it is to start

	pending *float64 // chunks that a run under way has left, which has read its source; nil: it is to come

	started, finish time.Time
	state           string // one of the words below
	behind          string // what was in its way
	left            float64
	reading         time.Duration
}

// What the forecast says about a slot.
const (
	flies      = "runs"
	waits      = "waits"      // behind the run before it, and then runs
	overlapped = "skipped"    // the run before it is still under way
	superseded = "superseded" // it waited, and a newer slot took its place
	unfinished = "unfinished" // not done when the forecast ends
)

// peak is a time in which schedules want more than the limit gives.
type peak struct {
	from, until time.Time
	names       map[string]bool
	need        float64 // triggers a second, at its highest
}

// simulation is a forecast being made.
type simulation struct {
	rate    float64 // triggers a second, all together; +Inf: no limit
	now     time.Time
	active  []*flight
	waiting map[string]*flight // by schedule
	peaks   []peak
	peaking bool
}

// simulate follows runs, in the order in which they begin, until all are done or
// last comes.
func simulate(flights []*flight, rate float64, from, last time.Time) []peak {
	s := &simulation{rate: rate, now: from, waiting: map[string]*flight{}}
	slices.SortStableFunc(flights, func(a, b *flight) int {
		return cmp.Or(a.begin.Compare(b.begin), cmp.Compare(a.load.name, b.load.name))
	})
	for len(flights) > 0 || len(s.active) > 0 {
		for len(flights) > 0 && !flights[0].begin.After(s.now) {
			s.start(flights[0])
			flights = flights[1:]
		}
		next := last
		if len(flights) > 0 && flights[0].begin.Before(next) {
			next = flights[0].begin
		}
		if len(flights) == 0 && !s.now.Before(last) {
			break
		}
		s.advance(next)
	}
	for _, f := range s.active {
		f.state = unfinished
	}
	return s.peaks
}

// start lets a slot's run begin, unless the one before it is in its way.
func (s *simulation) start(f *flight) {
	f.left, f.reading = f.load.chunks, f.load.reading
	if f.pending != nil {
		f.left, f.reading = *f.pending, 0
	}
	i := slices.IndexFunc(s.active, func(o *flight) bool { return o.load == f.load })
	if i < 0 {
		f.state, f.started = flies, s.now
		s.active = append(s.active, f)
		return
	}
	f.behind = s.active[i].slot.UTC().Format(time.RFC3339)
	if !f.load.queue {
		f.state = overlapped
		return
	}
	if older := s.waiting[f.load.name]; older != nil {
		older.state = superseded
	}
	f.state = waits
	s.waiting[f.load.name] = f
}

// advance goes on to the next instant at which anything changes, at most to next.
func (s *simulation) advance(next time.Time) {
	speeds, need, edge := s.speeds()
	if edge.Before(next) {
		next = edge
	}
	for i, f := range s.active {
		switch {
		case f.left > 0 && speeds[i] > 0:
			next = earliest(next, s.now.Add(seconds(f.left/speeds[i])))
		case f.left <= 0 && !s.now.Before(f.started.Add(f.reading)):
			next = s.now // it has nothing to send
		}
	}
	s.notePeak(next, speeds, need)
	passed := next.Sub(s.now).Seconds()
	s.now = next
	var still []*flight
	for i, f := range s.active {
		if math.IsInf(speeds[i], 1) {
			f.left = 0
		} else {
			f.left -= speeds[i] * passed
		}
		if f.left > 1e-6 || s.now.Before(f.started.Add(f.reading)) {
			still = append(still, f)
			continue
		}
		f.finish = s.now
		if w := s.waiting[f.load.name]; w != nil {
			delete(s.waiting, f.load.name)
			w.started, w.left = s.now, w.load.chunks
			still = append(still, w)
		}
	}
	s.active = still
}

// speeds are those of the runs under way; need is what they would have if there were
// no other. They hold until edge, when one has read its source or a window opens or
// closes.
func (s *simulation) speeds() (speeds []float64, need float64, edge time.Time) {
	speeds = make([]float64, len(s.active))
	edge = s.now.AddDate(10, 0, 0)
	var sending []int
	for i, f := range s.active {
		if ready := f.started.Add(f.reading); ready.After(s.now) {
			edge = earliest(edge, ready)
			continue
		}
		open, until := f.load.window.Around(s.now, f.load.zone)
		if len(f.load.window) > 0 {
			edge = earliest(edge, until)
		}
		if open && f.left > 0 {
			sending = append(sending, i)
			need += math.Min(f.load.speed, s.rate)
		}
	}
	slices.SortFunc(sending, func(a, b int) int { return cmp.Compare(s.active[a].load.speed, s.active[b].load.speed) })
	left := s.rate
	for n, i := range sending { // the slowest first: what they leave, others share
		speeds[i] = math.Min(s.active[i].load.speed, left/float64(len(sending)-n))
		left -= speeds[i]
	}
	return speeds, need, edge
}

// notePeak adds the time up to an instant to the peaks if the limit holds back more
// than one schedule in it.
func (s *simulation) notePeak(until time.Time, speeds []float64, need float64) {
	names := map[string]bool{}
	for i, f := range s.active {
		if speeds[i] > 0 {
			names[f.load.name] = true
		}
	}
	if len(names) < 2 || need <= s.rate*1.001 {
		s.peaking = false
		return
	}
	if !s.peaking {
		s.peaks = append(s.peaks, peak{from: s.now, names: map[string]bool{}})
	}
	p := &s.peaks[len(s.peaks)-1]
	p.until, p.need = until, math.Max(p.need, need)
	maps.Copy(p.names, names)
	s.peaking = true
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// seconds is a duration, rounded up so that what is left is done then.
func seconds(n float64) time.Duration {
	const most = 10 * 365 * 24 * time.Hour
	if n > most.Seconds() {
		return most
	}
	return time.Duration(math.Ceil(n * float64(time.Second)))
}

// neededRate is how fast a run has to send so that it is done before its schedule's
// next slot; false if there is none.
func neededRate(s scheduler.Schedule, slot time.Time, chunks float64) (float64, bool) {
	next, ok := s.Spec.Next(slot)
	if !ok || chunks == 0 {
		return 0, false
	}
	return chunks / next.Sub(slot).Seconds(), true
}
