package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/source"
	"worqcron/store"
)

// A file that arrives at a schedule with on_arrival gets a slot that waits, in the
// ledger before anything else happens, and its run begins as that of any slot that
// waits does: the oldest first, when nothing is in its way. A pause, a blackout and a
// restart leave it waiting.

// arrivalWatch is the watch of one schedule under way.
type arrivalWatch struct {
	path   string
	settle time.Duration
	stop   context.CancelFunc
	ended  chan struct{}
}

// watchArrivals watches for files of all schedules that want them, until ctx ends.
// What a reload changed is taken over.
func (d *daemon) watchArrivals(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	notices, err := source.OpenNotices()
	if err != nil {
		d.log.Warn("nobody tells of files that arrive: folders are looked at every few seconds", "err", err)
	} else {
		parts.Go(func() {
			if err := notices.Run(ctx); err != nil {
				d.log.Warn("notices of files not ended in good order", "err", err)
			}
		})
	}
	watches := map[string]*arrivalWatch{}
	for {
		d.setArrivalWatches(ctx, watches, notices)
		select {
		case <-d.reloaded:
		case <-ctx.Done():
			for _, w := range watches {
				<-w.ended
			}
			return nil
		}
	}
}

// setArrivalWatches stops the watches that are no longer wanted, begins the new ones,
// and looks at what waits: a reload may have ended a pause.
func (d *daemon) setArrivalWatches(ctx context.Context, watches map[string]*arrivalWatch, notices *source.Notices) {
	d.mu.Lock()
	c := d.config
	d.mu.Unlock()
	for name, w := range watches {
		s, ok := c.Schedule(name)
		if ok && s.OnArrival && s.Job.Source.Path == w.path && s.Job.Files.Settle == w.settle {
			continue
		}
		w.stop()
		<-w.ended
		delete(watches, name)
		d.runWaiting(ctx, name)
	}
	for _, s := range c.Schedules {
		if !s.OnArrival {
			continue
		}
		if watches[s.Name] == nil {
			watches[s.Name] = d.beginArrivalWatch(ctx, s, notices)
		}
		d.runWaiting(ctx, s.Name)
	}
}

func (d *daemon) beginArrivalWatch(ctx context.Context, s config.Schedule, notices *source.Notices) *arrivalWatch {
	ctx, stop := context.WithCancel(ctx)
	w := &arrivalWatch{path: s.Job.Source.Path, settle: s.Job.Files.Settle, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		defer stop()
		if err := d.watchSchedule(ctx, s, notices); err != nil && ctx.Err() == nil {
			d.log.Error("files that arrive are not found: reload the configuration", "schedule", s.Name, "err", err)
		}
	}()
	return w
}

func (d *daemon) watchSchedule(ctx context.Context, s config.Schedule, notices *source.Notices) error {
	known, err := lyingFiles(ctx, &d.ledger.Reader, s.Name)
	if err != nil {
		return err
	}
	log := d.log.With("schedule", s.Name)
	w := source.ArrivalWatch{
		Options: *s.Job.Source, Settle: s.Job.Files.Settle, Notices: notices, Known: known,
		Arrived: func(ctx context.Context, files []source.Arrived) error {
			err := d.arrived(ctx, s.Name, files)
			if err != nil && ctx.Err() == nil {
				log.Error("files that arrived not recorded; trying again", "files", len(files), "err", err)
			}
			return err
		},
		Left: func(ctx context.Context, paths []string) error {
			err := d.ledger.LeftArrivals(ctx, s.Name, paths)
			if err != nil && ctx.Err() == nil {
				log.Error("files that left not recorded; trying again", "files", len(paths), "err", err)
			}
			return err
		},
		Looked: func(ctx context.Context) { d.runWaiting(ctx, s.Name) },
		Trouble: func(path string, err error) {
			switch {
			case err == nil:
				log.Info("files that arrive are found again", "path", path)
			case path == "":
				log.Warn("files that arrive may be found late, or not; trying again", "err", err)
			default:
				log.Warn("file does not arrive; trying again", "path", path, "err", err)
			}
		},
	}
	return w.Run(ctx)
}

// lyingFiles are the files that arrived before, for a watch.
func lyingFiles(ctx context.Context, r *store.Reader, schedule string) (list []source.Arrived, err error) {
	arrivals, err := r.LyingArrivals(ctx, schedule)
	for _, a := range arrivals {
		list = append(list, source.Arrived{
			Path: a.Path, Identity: source.Identity{Size: a.Size, ModTime: a.ModTime, Inode: a.Inode}, Changed: a.Changed, ContentHash: a.ContentHash,
		})
	}
	return list, err
}

// arrived writes the slots of files.
func (d *daemon) arrived(ctx context.Context, schedule string, files []source.Arrived) error {
	list := make([]store.Arrival, len(files))
	for i, f := range files {
		list[i] = store.Arrival{
			Schedule: schedule, Path: f.Path, Size: f.Size, ModTime: f.ModTime, Changed: f.Changed, Inode: f.Inode, ContentHash: f.ContentHash,
		}
	}
	arrived, err := d.ledger.NoteArrivals(ctx, list)
	if err != nil {
		return err
	}
	for _, a := range arrived {
		d.log.Info("file arrived", "schedule", schedule, "scheduled_for", a.ScheduledFor, "path", a.Path, "bytes", a.Size)
	}
	return nil
}

// startArrival decides about the oldest slot that waits for a file. It goes on when
// its run began, or it is decided that there will be none; else it waits.
func (d *daemon) startArrival(ctx, runs context.Context, slot store.Slot) (goesOn bool, err error) {
	log := d.log.With("schedule", slot.Schedule, "scheduled_for", slot.ScheduledFor)
	a, known, err := d.ledger.Arrival(ctx, slot.Schedule, slot.ScheduledFor)
	if err != nil {
		return false, err
	}
	if !known {
		return false, fmt.Errorf("slot %s of %s waits for a file, and the ledger does not know which", slot.ScheduledFor.Format(time.RFC3339Nano), slot.Schedule)
	}
	s, ok := d.schedule(slot.Schedule)
	if reason := givenUp(s, ok, a); reason != "" {
		log.Warn("file that arrived is not read", "path", a.Path, "reason", reason)
		slot.State, slot.Reason = store.SlotSkipped, reason
		return true, d.ledger.GiveUpArrival(ctx, slot)
	}
	against, err := d.speaksAgainst(ctx, s.Name)
	if err != nil || against != "" || s.SkipReason(time.Now()) != "" {
		return false, err
	}
	if _, err := os.Stat(a.Path); err != nil {
		return false, nil //nolint:nilerr // the watch says what that means
	}
	if by, err := d.ledger.ReadBefore(ctx, a); err != nil || by != "" {
		slot.State, slot.Reason = store.SlotSkipped, d.readBy(ctx, by)
		if err == nil {
			log.Info("slot skipped", "reason", slot.Reason)
			err = d.ledger.EndWaiting(ctx, slot)
		}
		return err == nil, err
	}
	o := batch.Order{Origin: batch.OriginArrival, ScheduledFor: slot.ScheduledFor}
	run, err := d.runner.Start(ctx, &s.Job, o)
	if errors.Is(err, store.ErrSlotTaken) {
		return true, nil // a person ran it meanwhile
	}
	if err != nil {
		return false, err
	}
	d.begin(runs, s, run, o)
	return true, nil
}

// givenUp says why a file that arrived is never read; "" if it is to be.
func givenUp(s config.Schedule, ok bool, a store.Arrival) string {
	switch {
	case !ok:
		return scheduler.SkippedRemoved
	case !s.OnArrival:
		return "on_arrival was taken off the schedule"
	case !s.Job.Source.Names(a.Path):
		return "source.path no longer names the file"
	}
	return ""
}

func (d *daemon) readBy(ctx context.Context, runID string) string {
	if run, err := d.ledger.FindRun(ctx, runID); err == nil {
		runID = run.Name()
	}
	return "read by run " + runID + " already"
}
