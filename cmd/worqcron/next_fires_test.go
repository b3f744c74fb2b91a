package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/scheduler"
)

// fired keeps what the scheduler claims, and when.
type fired struct {
	mu    sync.Mutex
	marks map[string]scheduler.Mark
	list  []slotJSON
}

func (f *fired) Mark(_ context.Context, name string) (scheduler.Mark, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.marks[name]
	return m, ok, nil
}

func (f *fired) Advance(_ context.Context, name string, m scheduler.Mark) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[name] = m
	return nil
}

func (f *fired) Claim(_ context.Context, due scheduler.Due) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().UTC()
	f.list = append(f.list, slotJSON{Schedule: due.Schedule, ScheduledFor: due.At, Skipped: due.Skipped + due.Missed, StartsAt: &now})
	return nil
}

// What 'next' says of the coming slots is what the loop then does, over changes of
// the clock, with jitter, calendars and pauses.
func TestNextIsWhatFires(t *testing.T) {
	for _, tt := range []struct {
		name, cron, zone string
		o                scheduler.SpecOptions
		change           func(*scheduler.Schedule)
	}{
		{"plain", "0 */5 * * *", "UTC", scheduler.SpecOptions{}, nil},
		{"gap and fold", "30 2 * * *", "America/New_York", scheduler.SpecOptions{Fold: scheduler.FoldBoth}, nil},
		{"gap shifted", "15 0 * * *", "America/Santiago", scheduler.SpecOptions{Gap: scheduler.GapShift}, nil},
		{"half an hour", "45 1 * * *", "Australia/Lord_Howe", scheduler.SpecOptions{Fold: scheduler.FoldSecond}, nil},
		{"jitter", "0 */6 * * *", "Europe/Berlin", scheduler.SpecOptions{}, func(s *scheduler.Schedule) { s.Jitter = 4 * time.Hour }},
		{"calendar and pause", "0 9 * * *", "Asia/Kathmandu", scheduler.SpecOptions{}, func(s *scheduler.Schedule) {
			s.Exclude = []scheduler.Exclusion{{Name: "calendar x", Dates: map[string]bool{"2000-04-02": true}}}
			s.Pauses = []scheduler.Pause{{From: time.Date(2000, 4, 4, 0, 0, 0, 0, time.UTC), Until: time.Date(2000, 4, 6, 0, 0, 0, 0, time.UTC), Reason: "move"}}
		}},
		{"the last workday", "0 12 LW,5W * 5#2", "Pacific/Chatham", scheduler.SpecOptions{}, nil},
		{"every", "@every 7h", "UTC", scheduler.SpecOptions{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zone, err := scheduler.LoadZone(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			s := scheduler.Schedule{Name: tt.name}
			if s.Spec, err = scheduler.Parse(tt.cron, zone, tt.o); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(&s)
			}
			synctest.Test(t, func(t *testing.T) { nextIsWhatFires(t, s) })
		})
	}
}

func nextIsWhatFires(t *testing.T, s scheduler.Schedule) {
	f := &fired{marks: map[string]scheduler.Mark{}}
	loop := scheduler.New(f, slog.New(slog.NewTextHandler(io.Discard, nil)))
	loop.Set([]scheduler.Schedule{s})
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	time.Sleep(time.Until(time.Date(2000, 3, 20, 12, 0, 0, 1, time.UTC))) // the loop has run for a while
	synctest.Wait()
	f.mu.Lock()
	f.list = nil
	f.mu.Unlock()
	said, err := slotsOf(s, nextFlags{n: 20})
	if err != nil || len(said) != 20 {
		t.Fatalf("%d slots, %v", len(said), err)
	}
	mark, _, _ := f.Mark(ctx, s.Name)
	if begun, ok := begunSlot(s, markTo(mark), time.Now()); ok {
		said = append([]slotJSON{begun}, said[:19]...)
	}
	time.Sleep(time.Until(said[19].ScheduledFor) + 24*time.Hour)
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(f.list) < 20 {
		t.Fatalf("%d slots fired", len(f.list))
	}
	for i, want := range said {
		got, starts := f.list[i], want.ScheduledFor
		if want.StartsAt != nil {
			starts = *want.StartsAt
		}
		if !got.ScheduledFor.Equal(want.ScheduledFor) || got.Skipped != want.Skipped || want.Skipped == "" && !got.StartsAt.Equal(starts) {
			t.Errorf("next said %s %q, starting %s; it was %s %q, started %s", want.ScheduledFor, want.Skipped, starts, got.ScheduledFor, got.Skipped, got.StartsAt)
		}
	}
}
