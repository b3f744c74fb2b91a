package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

// followerJSON is a schedule that no time makes due, but another schedule.
type followerJSON struct {
	Schedule string `json:"schedule"`
	After    string `json:"after"`
	AfterAny bool   `json:"after_any"`
	Skipped  string `json:"skipped,omitempty"` // why it would not run now: a pause, a blackout
}

// followersOf lists those of a file, of one schedule if it is named. table has their
// pauses.
func followersOf(c *config.Config, table []scheduler.Schedule, names []string) []followerJSON {
	list := []followerJSON{}
	for i, s := range c.Schedules {
		if s.After == "" || len(names) == 1 && s.Name != names[0] {
			continue
		}
		list = append(list, followerJSON{s.Name, s.After, s.AfterAny, table[i].SkipReasonIn(time.Now(), zoneOf(s))})
	}
	return list
}

func printFollowers(w io.Writer, list []followerJSON) {
	for _, f := range list {
		fmt.Fprintf(w, "%-20s  %s", f.Schedule, afterText(f.After, f.AfterAny))
		if f.Skipped != "" {
			fmt.Fprintf(w, "  will be skipped: %s", f.Skipped)
		}
		fmt.Fprintln(w)
	}
}

// whenText says what makes a schedule due.
func whenText(s config.Schedule) string {
	if s.After != "" {
		return afterText(s.After, s.AfterAny)
	}
	return s.Spec.String()
}

func afterText(other string, anyEnd bool) string {
	if anyEnd {
		return "after " + other + ", also when it was partial, held or skipped"
	}
	return "after " + other
}

// decidePausedFollower writes the rows of what a follower was due for in a pause.
func decidePausedFollower(ctx context.Context, cfg *config.Config, l *store.Ledger, name string) error {
	list, err := followUps(ctx, &l.Reader, cfg, name)
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.due.Schedule != name || f.due.Skipped == "" {
			continue
		}
		if err := closeSlot(ctx, l, f.due, store.SlotSkipped, f.due.Skipped); err != nil {
			return err
		}
	}
	return nil
}
