package main

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"worqcron/scheduler"
)

// slotJSON is a due time for programs.
type slotJSON struct {
	Schedule     string    `json:"schedule"`
	ScheduledFor time.Time `json:"scheduled_for"`
	Local        string    `json:"local"`
	Note         string    `json:"note"`
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
		Use:   "next [NAME]",
		Short: "the next slots in local time and UTC, with daylight-saving marks",
		Long: `next shows when schedules are due. With --cron it needs no configuration. The
window is [--from, --until); with --until all slots in it are listed, else -n.`,
		Example: `  worqcron next
  worqcron next orders -n 10
  worqcron next --cron '30 2 * * *' --tz America/New_York --from 2027-03-13 --until 2027-03-16`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f.n = max(f.n, 0)
			return p.next(f, args)
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

// timetable is a named Spec.
type timetable struct {
	name string
	spec scheduler.Spec
}

func (p *program) next(f nextFlags, args []string) error {
	list, err := p.timetables(f, args)
	if err != nil {
		return err
	}
	slots := []slotJSON{}
	for _, t := range list {
		more, err := slotsOf(t, f)
		if err != nil {
			return err
		}
		slots = append(slots, more...)
	}
	sort.SliceStable(slots, func(i, j int) bool { return slots[i].ScheduledFor.Before(slots[j].ScheduledFor) })
	if p.json {
		return printJSON(p.out, map[string]any{"slots": slots})
	}
	for _, s := range slots {
		fmt.Fprintf(p.out, "%-20s  %s  %s", s.Schedule, s.Local, s.ScheduledFor.Format("2006-01-02T15:04:05Z"))
		if s.Note != "" {
			fmt.Fprintf(p.out, "  %s", s.Note)
		}
		fmt.Fprintln(p.out)
	}
	if len(slots) == 0 {
		fmt.Fprintln(p.err, "no slots")
	}
	return nil
}

func (p *program) timetables(f nextFlags, args []string) ([]timetable, error) {
	if f.cron != "" {
		if len(args) > 0 {
			return nil, usageError{errors.New("next: give a schedule's name or --cron, not both")}
		}
		zone, err := scheduler.LoadZone(f.zone)
		if err != nil {
			return nil, usageError{err}
		}
		spec, err := scheduler.Parse(f.cron, zone, scheduler.SpecOptions{})
		if err != nil {
			return nil, usageError{err}
		}
		return []timetable{{f.cron, spec}}, nil
	}
	c, err := p.load()
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		s, err := schedule(c, args[0])
		if err != nil {
			return nil, err
		}
		return []timetable{{s.Name, s.Spec}}, nil
	}
	var list []timetable
	for _, s := range c.Schedules {
		list = append(list, timetable{s.Name, s.Spec})
	}
	return list, nil
}

func slotsOf(t timetable, f nextFlags) ([]slotJSON, error) {
	zone := t.spec.Zone()
	from, until := time.Now(), time.Time{}
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
	var list []slotJSON
	// One nanosecond back, since Next is strictly after and the window begins at from.
	for at, ok := t.spec.Next(from.Add(-1)); ok; at, ok = t.spec.Next(at) {
		if f.until != "" && !at.Before(until) || f.until == "" && len(list) == f.n {
			break
		}
		list = append(list, slotJSON{t.name, at.UTC(), at.In(zone).Format("2006-01-02T15:04:05Z07:00"), t.spec.Note(at)})
	}
	return list, nil
}
