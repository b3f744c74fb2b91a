package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// slotJSON is a due time for programs.
type slotJSON struct {
	Schedule     string    `json:"schedule"`
	ScheduledFor time.Time `json:"scheduled_for"`
	Local        string    `json:"local"`
	Note         string    `json:"note"`  // what a person should know, "; " between
	Marks        []string  `json:"marks"` // the same for a program: dst, excluded, paused, jitter, once, last

	StartsAt *time.Time `json:"starts_at,omitempty"` // by its jitter
	Skipped  string     `json:"skipped,omitempty"`   // why it will not run: a pause, a calendar
}

// nextJSON is what 'next' lists.
type nextJSON struct {
	Slots []slotJSON     `json:"slots"`
	After []followerJSON `json:"after,omitempty"`

	Arrivals []arrivalsJSON `json:"arrivals"`
}

// nextFlags are the flags of 'next'.
type nextFlags struct {
	n           int
	cron, zone  string
	from, until string
}

func newNext(p *program) *cobra.Command {
	var f nextFlags
	c := &cobra.Command{
		Use:   "next [NAME...]",
		Short: "the next slots in local time and UTC, with marks",
		Long: `next shows when schedules are due. With --cron it needs no configuration. The
window is [--from, --until); with --until all slots in it are listed, else -n.
Marks tell what daylight saving does to a slot, when it starts by its jitter, that
it is the only one or the last, and what keeps it from running: a calendar, a
blackout, a pause. Schedules that are due after another one are listed with that
one, without a time, and those that are due when a file arrives with its path.`,
		Example: `  worqcron next
  worqcron next orders invoices -n 10
  worqcron next --until 2026-12-01 --json
  worqcron next --cron '30 2 * * *' --tz America/New_York --from 2027-03-13 --until 2027-03-16`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			f.n = max(f.n, 0)
			return p.next(c.Context(), f, args)
		},
	}
	fl := c.Flags()
	fl.IntVarP(&f.n, "number", "n", 5, "how many slots of each schedule")
	fl.StringVar(&f.cron, "cron", "", "evaluate this expression instead of a schedule")
	fl.StringVar(&f.zone, "tz", "UTC", "time zone for --cron")
	fl.StringVar(&f.from, "from", "", "list from this `TIME` on (default now)")
	fl.StringVar(&f.until, "until", "", "list all slots before this `TIME`")
	return c
}

func (p *program) next(ctx context.Context, f nextFlags, args []string) error {
	list, err := p.timetables(ctx, f, args)
	if err != nil {
		return err
	}
	now := time.Now()
	slots := []slotJSON{}
	for _, t := range list.table {
		more, err := slotsOf(t, f)
		if err != nil {
			return err
		}
		if f.from == "" {
			if begun, ok := begunSlot(t, list.marks[t.Name], now); ok {
				more = append([]slotJSON{begun}, more...)
			}
			if f.until == "" && len(more) > f.n {
				more = more[:f.n]
			}
		}
		slots = append(slots, more...)
	}
	arrivals, err := p.nextArrivals(ctx, f, list.table)
	if err != nil {
		return err
	}
	sort.SliceStable(slots, func(i, j int) bool { return slots[i].ScheduledFor.Before(slots[j].ScheduledFor) })
	if p.json {
		return printJSON(p.out, nextJSON{slots, list.after, arrivals})
	}
	for _, s := range slots {
		fmt.Fprintf(p.out, "%-20s  %s  %s", s.Schedule, s.Local, s.ScheduledFor.Format("2006-01-02T15:04:05Z"))
		if s.Note != "" {
			fmt.Fprintf(p.out, "  %s", s.Note)
		}
		fmt.Fprintln(p.out)
	}
	for _, a := range arrivals {
		fmt.Fprintf(p.out, "%-20s  when a file arrives: %s", a.Schedule, a.Path)
		if text := a.waits(); text != "" {
			fmt.Fprintf(p.out, " (%s)", text)
		}
		fmt.Fprintln(p.out)
	}
	printFollowers(p.out, list.after)
	if len(slots)+len(arrivals)+len(list.after) == 0 {
		fmt.Fprintln(p.err, "no slots")
	}
	return nil
}

// listed is what 'next' looks at.
type listed struct {
	table []scheduler.Schedule
	marks map[string]store.Mark
	after []followerJSON // those that no time makes due
}

func (p *program) timetables(ctx context.Context, f nextFlags, args []string) (l listed, err error) {
	if f.cron != "" {
		if len(args) > 0 {
			return l, usageError{errors.New("next: give a schedule's name or --cron, not both")}
		}
		zone, err := scheduler.LoadZone(f.zone)
		if err != nil {
			return l, usageError{err}
		}
		spec, err := scheduler.Parse(f.cron, zone, scheduler.SpecOptions{})
		if err != nil {
			return l, usageError{err}
		}
		l.table = []scheduler.Schedule{{Name: f.cron, Spec: spec}}
		return l, nil
	}
	c, err := p.load()
	if err != nil {
		return l, err
	}
	for _, name := range args {
		if _, err := schedule(c, name); err != nil {
			return l, err
		}
	}
	list, err := p.pausedTimetable(ctx, c)
	if err != nil {
		return l, err
	}
	if l.marks, err = marksNow(ctx, c); err != nil {
		return l, err
	}
	l.after = followersOf(c, list, args)
	l.table = slices.DeleteFunc(list, func(s scheduler.Schedule) bool {
		return s.Spec.Zone() == nil || len(args) > 0 && !slices.Contains(args, s.Name)
	})
	return l, nil
}

// pausedTimetable is the timetable as a daemon that starts now would have it: a
// pause of the file may not have met the ledger yet.
func (p *program) pausedTimetable(ctx context.Context, c *config.Config) (list []scheduler.Schedule, err error) {
	r, err := store.OpenReader(ctx, c.Ledger.Path)
	var pauses []store.Pause
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		pauses, err = r.Pauses(ctx, "")
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	for _, s := range c.Schedules {
		for _, each := range pauses {
			if each.Schedule != s.Name || each.Source == store.PausedByFile && each.ResumedAt == nil {
				continue
			}
			s.Pauses = append(s.Pauses, pauseOf(each, now))
		}
		if s.Paused {
			s.Pauses = append(s.Pauses, scheduler.Pause{From: now, Reason: s.PausedNote})
		}
		list = append(list, s.Schedule)
	}
	return list, nil
}

func slotsOf(s scheduler.Schedule, f nextFlags) ([]slotJSON, error) {
	zone := s.Spec.Zone()
	from, until := time.Now(), time.Time{}
	var list []slotJSON
	var err error
	if f.from != "" {
		if from, err = parseTime(f.from, zone); err != nil {
			return nil, err
		}
	}
	if f.until != "" {
		if until, err = parseTime(f.until, zone); err != nil {
			return nil, err
		}
	}
	// One nanosecond back, since Next is strictly after and the window begins at from.
	for at, ok := s.Spec.Next(from.Add(-1)); ok; at, ok = s.Spec.Next(at) {
		if f.until != "" && !at.Before(until) || f.until == "" && len(list) == f.n {
			break
		}
		list = append(list, slotOf(s, at))
	}
	return list, nil
}

const localLayout = "2006-01-02T15:04:05Z07:00"
