package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// forecastJSON is what 'plan --until' predicts, for programs.
type forecastJSON struct {
	From     time.Time      `json:"from"`
	Until    time.Time      `json:"until"`
	Limit    *float64       `json:"limit_per_second"`  // the key's; null: none
	Triggers int64          `json:"triggers"`          // of all slots that run
	Needed   float64        `json:"needed_per_second"` // they, over the whole time
	Slots    []forecastSlot `json:"slots"`
	Peaks    []peakJSON     `json:"peaks"`
	Unknown  []string       `json:"without_a_run"` // schedules of which no run tells how much they send
	Timeless []string       `json:"without_slots"` // schedules that are due in no slot of the time

	zone *time.Location // of the times of peaks
}

type forecastSlot struct {
	slotJSON
	Chunks   int64      `json:"chunks"`            // as many as the last run had
	From     string     `json:"chunks_from"`       // that run; "": there was none
	Needed   *float64   `json:"needed_per_second"` // to be done before the next slot; null: there is none, or nothing to send
	State    string     `json:"state"`             // runs, waits, skipped, superseded, unfinished
	Reason   string     `json:"reason"`
	Starts   *time.Time `json:"predicted_start"`
	Finishes *time.Time `json:"predicted_finish"`
}

type peakJSON struct {
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	Schedules []string  `json:"schedules"`
	Needed    float64   `json:"needed_per_second"` // what they would send each by itself
}

const (
	// maxForecastSlots bounds a forecast, against a slip of the pen.
	maxForecastSlots = 10_000
	// forecastBeyond is how long after its end runs are followed.
	forecastBeyond = 30 * 24 * time.Hour
)

// forecast serves 'plan --until'.
func (p *program) forecast(ctx context.Context, names []string, times [2]string) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	table, err := p.pausedTimetable(ctx, cfg)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := schedule(cfg, name); err != nil {
			return err
		}
	}
	table = slices.DeleteFunc(table, func(s scheduler.Schedule) bool {
		return len(names) > 0 && !slices.Contains(names, s.Name)
	})
	j := &forecastJSON{Slots: []forecastSlot{}, Peaks: []peakJSON{}, Unknown: []string{}, Timeless: []string{}}
	if err := j.read(table, times); err != nil {
		return err
	}
	r, err := readerIfAny(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := j.predict(ctx, r, cfg, table); err != nil {
		return err
	}
	if p.json {
		return printJSON(p.out, j)
	}
	p.printSlotForecast(j)
	return nil
}

// read takes the flags over. Times without an offset are in the zone that the
// schedules have in common, else in UTC.
func (j *forecastJSON) read(table []scheduler.Schedule, times [2]string) (err error) {
	j.zone = time.UTC
	for i, s := range table {
		if zone := s.Spec.Zone(); zone != nil && (i == 0 || zone.String() == j.zone.String()) {
			j.zone = zone
		} else {
			j.zone = time.UTC
			break
		}
	}
	j.From = time.Now().UTC().Truncate(time.Second)
	if times[0] != "" {
		if j.From, err = parseTime(times[0], j.zone); err != nil {
			return err
		}
	}
	if times[1] == "" {
		return usageError{errors.New("plan: --from needs --until\n  hint: --until 2026-12-01 tells the slots before it")}
	}
	if j.Until, err = parseTime(times[1], j.zone); err != nil {
		return err
	}
	if !j.From.Before(j.Until) {
		return usageError{errors.New("plan: --from must be before --until")}
	}
	j.From, j.Until = j.From.UTC(), j.Until.UTC()
	return nil
}

// predict lists the slots, looks up what the last runs had, and lets them run.
func (j *forecastJSON) predict(ctx context.Context, r *store.Reader, cfg *config.Config, table []scheduler.Schedule) error {
	rate := math.Inf(1)
	if cfg.WorqHat.Rate > 0 {
		limit := cfg.WorqHat.Rate
		rate, j.Limit = limit, &limit
	}
	var flights []*flight
	of := map[*flight]int{} // its place in Slots
	for _, t := range table {
		s, _ := cfg.Schedule(t.Name)
		l, last, err := loadOf(ctx, r, s)
		if err != nil {
			return err
		}
		before := len(j.Slots)
		for at, ok := t.Spec.Next(j.From.Add(-1)); ok && at.Before(j.Until); at, ok = t.Spec.Next(at) {
			if len(j.Slots) == maxForecastSlots {
				return usageError{fmt.Errorf("plan: more than %d slots lie before --until\n  hint: take less time, or name schedules", maxForecastSlots)}
			}
			slot := forecastSlot{slotJSON: slotOf(t, at), Chunks: int64(l.chunks), From: last}
			if needed, ok := neededRate(t, at, l.chunks); ok {
				slot.Needed = &needed
			}
			if slot.Skipped != "" {
				slot.State, slot.Reason, slot.Chunks, slot.Needed = overlapped, slot.Skipped, 0, nil
			} else {
				f := &flight{load: l, slot: at, begin: t.StartOf(at)}
				of[f] = len(j.Slots)
				flights = append(flights, f)
			}
			j.Slots = append(j.Slots, slot)
		}
		switch {
		case len(j.Slots) == before:
			j.Timeless = append(j.Timeless, t.Name)
		case last == "":
			j.Unknown = append(j.Unknown, t.Name)
		}
	}
	under, err := j.underWay(ctx, r, cfg, flights)
	if err != nil {
		return err
	}
	peaks := simulate(append(under, slices.Clone(flights)...), rate, j.From, j.Until.Add(forecastBeyond))
	j.conclude(of, peaks)
	return nil
}

// loadOf is what a run of a schedule asks for, as the last one that had a plan did,
// and that run's name; "" if there is none.
func loadOf(ctx context.Context, r *store.Reader, s config.Schedule) (*load, string, error) {
	l := &load{
		name: s.Name, speed: math.Inf(1), queue: s.Overlap == scheduler.OverlapQueue,
		window: s.Job.Delivery.Window, zone: zoneOf(s),
	}
	if s.Job.Delivery.Rate > 0 {
		l.speed = s.Job.Delivery.Rate
	}
	if r == nil {
		return l, "", nil
	}
	const lookBack = 50
	runs, err := r.Runs(ctx, s.Name, lookBack)
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(runs, func(run *store.Run) bool {
		return run.PlannedAt != nil && run.RedriveOf == "" && run.State != store.Skipped
	})
	if i < 0 {
		return l, "", nil
	}
	c, err := r.Receipt(ctx, runs[i])
	if err != nil {
		return nil, "", err
	}
	answer, err := r.MeanAnswer(ctx, runs[i])
	if err != nil {
		return nil, "", err
	}
	l.chunks, l.reading = float64(c.Chunks.Planned), runs[i].PlannedAt.Sub(runs[i].StartedAt)
	if places := s.Job.Delivery.MaxInFlight; answer > 0 && places > 0 {
		l.speed = math.Min(l.speed, float64(places)/answer.Seconds())
	}
	return l, runs[i].Name(), nil
}

// underWay are the runs that are under way when the forecast begins, if it begins
// now: they have what is pending before them.
func (j *forecastJSON) underWay(ctx context.Context, r *store.Reader, cfg *config.Config, flights []*flight) (list []*flight, err error) {
	if r == nil || j.From.After(time.Now()) {
		return nil, nil
	}
	open, err := r.OpenRuns(ctx)
	if err != nil {
		return nil, err
	}
	loads := map[string]*load{}
	for _, f := range flights {
		loads[f.load.name] = f.load
	}
	for _, run := range open {
		s, ok := cfg.Schedule(run.Schedule)
		if !ok {
			continue
		}
		c, err := r.Receipt(ctx, run)
		if err != nil {
			return nil, err
		}
		l := loads[run.Schedule]
		if l == nil {
			if l, _, err = loadOf(ctx, r, s); err != nil {
				return nil, err
			}
		}
		list = append(list, underWay(l, run, c, j.From))
	}
	return list, nil
}

func underWay(l *load, run *store.Run, c *store.Receipt, from time.Time) *flight {
	f := &flight{load: l, slot: run.ScheduledFor, begin: from}
	if run.PlannedAt != nil { // else it is reading
		pending := float64(c.Chunks.Pending)
		f.pending = &pending
	}
	return f
}

// conclude writes down what became of the slots.
func (j *forecastJSON) conclude(of map[*flight]int, peaks []peak) {
	for f, i := range of {
		slot := &j.Slots[i]
		slot.State = f.state
		switch f.state {
		case overlapped:
			slot.Reason = "overlap: the run of " + f.behind + " is still under way"
		case waits:
			slot.Reason = "behind the run of " + f.behind
		case superseded:
			slot.Reason = "it waits behind the run of " + f.behind + ", and a newer slot takes its place"
		case unfinished:
			slot.Reason = fmt.Sprintf("not done %d days after the end of the forecast", forecastBeyond/(24*time.Hour))
		}
		if f.state == overlapped || f.state == superseded {
			continue
		}
		j.Triggers += slot.Chunks
		start := f.started.UTC().Truncate(time.Second)
		slot.Starts = &start
		if !f.finish.IsZero() {
			finish := f.finish.UTC().Truncate(time.Second)
			slot.Finishes = &finish
		}
	}
	j.Needed = float64(j.Triggers) / j.Until.Sub(j.From).Seconds()
	for _, p := range peaks {
		if p.until.Sub(p.from) >= time.Second {
			j.Peaks = append(j.Peaks, peakJSON{p.from.UTC().Truncate(time.Second), p.until.UTC().Truncate(time.Second), sortedNames(p.names), p.need})
		}
	}
	slices.SortStableFunc(j.Slots, func(a, b forecastSlot) int { return a.ScheduledFor.Compare(b.ScheduledFor) })
}

func sortedNames(set map[string]bool) (list []string) {
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
