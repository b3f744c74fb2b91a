package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxSleep bounds each sleep. Timers count time that the machine was awake and
	// know nothing of a clock that was set, so the wall clock is read this often.
	maxSleep = 30 * time.Second
	// retryAfter is the pause after the Host could not store something.
	retryAfter = 5 * time.Second
)

// errRunning is what a second Run at the same time returns.
var errRunning = errors.New("scheduler: already running")

// Scheduler is the timetable's loop. Make one with New, give it schedules with
// Set, and call Run.
type Scheduler struct {
	host Host
	log  *slog.Logger
	wake chan struct{} // holds one: something was set

	mu      sync.Mutex
	wanted  []Schedule // what Set was last given
	isSet   bool       // wanted was not taken over yet
	running bool

	// Used by Run alone.
	table  *timetable
	begun  bool      // a first Set was taken over: what comes later is a reload
	looked time.Time // the wall clock at the last look
}

// New makes a loop with an empty timetable.
func New(host Host, log *slog.Logger) *Scheduler {
	return &Scheduler{host: host, log: log, wake: make(chan struct{}, 1), table: newTimetable()}
}

// Set gives the whole timetable, at start and at each reload; names are unique.
// It returns at once; Run takes it over at its next look. A schedule with the same
// Fingerprint as before keeps its mark; a new or edited one is looked at from then
// on; one that is missing is taken off, unless another was renamed from it: that is
// the same with another name. Only what is set before the first look
// catches up with what was missed while the process was down.
func (s *Scheduler) Set(schedules []Schedule) {
	s.mu.Lock()
	s.wanted, s.isSet = append([]Schedule(nil), schedules...), true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// Run claims slots until ctx ends and then returns nil. It returns an error only
// if it runs already.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return errRunning
	}
	s.running = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running = false
		s.mu.Unlock()
	}()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.look(ctx, wallClock()))
	}
}

// Once looks at one schedule a single time, without a loop: what is due is decided
// and claimed. It is for a process that is no daemon; it must not Run.
func (s *Scheduler) Once(ctx context.Context, schedule Schedule) error {
	now := wallClock()
	e := s.table.add(schedule, now, false)
	return s.settle(ctx, e, now)
}

// wallClock reads the time without its monotonic part: a clock that was set must
// show.
func wallClock() time.Time { return time.Now().Round(0) }

// look decides and claims everything that is due, and gives how long to sleep.
func (s *Scheduler) look(ctx context.Context, now time.Time) time.Duration {
	s.noticeClock(now)
	s.takeOver(now)
	if host, ok := s.host.(Together); ok {
		s.settleTogether(ctx, host, now)
	}

	var failed []error
	for ctx.Err() == nil {
		e, ok := s.table.due(now)
		if !ok {
			break
		}
		if err := s.settle(ctx, e, now); err != nil {
			failed = append(failed, err)
			s.table.lookAt(e, now.Add(retryAfter))
			continue
		}
		s.table.lookAtNext(e)
	}
	if len(failed) > 0 && ctx.Err() == nil {
		// One record a look: when the ledger is gone, each schedule fails alike.
		s.log.Error("slots not decided; trying again", "err", failed[0], "schedules", len(failed), "retry_in", retryAfter)
	}

	next, ok := s.table.next()
	if !ok {
		return maxSleep
	}
	return min(maxSleep, max(0, next.Sub(wallClock())))
}

// noticeClock compares the wall clock with the last look. When it went back,
// marks that lie ahead come down to now, and everything is queued anew: retries
// would else wait for a time that is far off.
func (s *Scheduler) noticeClock(now time.Time) {
	last := s.looked
	s.looked = now
	switch {
	case last.IsZero():
	case now.Before(last):
		s.log.Warn("clock went back", "by", last.Sub(now))
		for _, e := range s.table.entries {
			e.clockBack(now)
			s.table.lookAt(e, now)
		}
	case now.Sub(last) > maxSleep+LateAfter:
		s.log.Warn("no look for a while: the machine slept, the clock was set forward, or claims took long", "for", now.Sub(last))
	}
}

// takeOver brings what Set was given onto the timetable.
func (s *Scheduler) takeOver(now time.Time) {
	s.mu.Lock()
	wanted, isSet := s.wanted, s.isSet
	s.wanted, s.isSet = nil, false
	s.mu.Unlock()
	if !isSet {
		return
	}
	keep := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		keep[w.Name] = true
		e, known := s.table.entries[w.Name]
		if !known {
			e, known = s.table.rename(w.RenamedFrom, w.Name)
		}
		switch {
		case !known:
			s.table.add(w, now, s.begun)
		case e.current().fingerprint == w.Spec.Fingerprint():
			e.current().Schedule = w // the catch-up rule may have changed
		default:
			s.logEdit(w.Name, e.current().Spec, w.Spec, now)
			s.table.replace(e, w, now)
		}
	}
	for name, e := range s.table.entries {
		if !keep[name] && e.current().fingerprint != "" {
			s.logEdit(name, e.current().Spec, Spec{}, now)
			s.table.replace(e, Schedule{Name: name}, now)
		}
	}
	s.begun = true
}

// logEdit says what changed, and which slot will not come because of it: it has
// no row, since it was not due yet. The Host tells people, who knows more.
func (s *Scheduler) logEdit(name string, old, edited Spec, now time.Time) {
	attrs := []any{"schedule", name, "was", old.String(), "is", edited.String()}
	if slot, ok := old.Next(now); ok && !edited.Is(slot) {
		attrs = append(attrs, "will_not_come", slot)
	}
	if slot, ok := edited.Next(now); ok {
		attrs = append(attrs, "next", slot)
	}
	s.log.Debug("timetable changed", attrs...)
}
