package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/store"
)

func newServe(p *program) *cobra.Command {
	accept := false
	c := &cobra.Command{
		Use:   "serve",
		Short: "the daemon: fires due slots and serves what other commands hand over",
		Long: `serve runs the schedules of the configuration until it is told to stop.

  SIGHUP   load the configuration anew; a broken one changes nothing
  SIGTERM  send nothing new, wait for triggers under way, exit 0
           (a second one exits at once, 130)

At its start it settles what a crash left and goes on with interrupted runs.
One daemon a ledger: another one exits 75.`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return p.serve(c.Context(), accept) },
	}
	c.Flags().BoolVar(&accept, "accept-restore", false, acceptRestoreHelp)
	return c
}

// daemon is 'serve' while it runs.
type daemon struct {
	ledger    *store.Ledger
	runner    *batch.Runner
	scheduler *scheduler.Scheduler
	log       *slog.Logger
	runs      sync.WaitGroup

	mu     sync.Mutex
	config *config.Config
	busy   map[string]*busyRun    // by schedule
	turns  map[string]*sync.Mutex // by schedule

	backfilling map[string]bool // by schedule
	following   sync.Mutex      // one look at followers at a time

	reloaded chan struct{} // holds one: the watches for files are to look at the configuration
	watch    *watch        // nil: nobody watches
	again    chan struct{} // holds one: load the configuration once more
}

// busyRun is a run under way.
type busyRun struct {
	run  *store.Run
	done chan struct{} // closed when it came to rest
	code int           // its exit code, once done

	makeRoom func()      // stops it for a slot that is due; nil: it is no backfill
	madeRoom atomic.Bool // it was stopped so
}

func newDaemon(cfg *config.Config, ledger *store.Ledger, log *slog.Logger) *daemon {
	return &daemon{
		ledger: ledger, log: log, config: cfg, runner: newRunner(cfg, ledger, log),
		busy: map[string]*busyRun{}, turns: map[string]*sync.Mutex{}, backfilling: map[string]bool{},
		again: make(chan struct{}, 1), watch: newWatch(ledger, cfg, log),
	}
}

func (p *program) serve(ctx context.Context, acceptRestore bool) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	log := p.logger(slog.LevelInfo)
	for _, w := range cfg.Warnings {
		log.Warn("configuration", "problem", w.String())
	}
	ledger, err := openLedger(ctx, cfg, "serve", log, acceptRestore)
	if err != nil {
		return err
	}
	d := newDaemon(cfg, ledger, log)
	err = d.run(ctx)
	log.Info("daemon stopped")
	err = errors.Join(err, ledger.Close())
	if err == nil {
		return nil // SIGTERM and SIGINT are the way to end a daemon
	}
	return err
}

// run works until ctx ends or the ledger halts, and returns when all its runs
// have come to rest.
func (d *daemon) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer d.watch.close()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	interrupted, err := recoverLedger(ctx, d.runner, d.config)
	if err != nil {
		return err
	}
	if err := d.takeOff(ctx); err != nil {
		return err
	}
	if err := recordFilePauses(ctx, d.ledger, d.config); err != nil {
		return err
	}
	if err := d.missOldWaiting(ctx); err != nil {
		return err
	}
	if err := d.setFollowers(ctx); err != nil {
		return err
	}
	table, err := timetableOf(ctx, &d.ledger.Reader, d.config)
	if err != nil {
		return err
	}
	d.resume(ctx, interrupted, table)
	d.scheduler = scheduler.New(slots{d, ctx}, d.log)
	d.scheduler.Set(table)
	d.startAllWaiting(ctx)
	d.reloaded = make(chan struct{}, 1)
	d.compareLoaded(ctx)
	d.storeLoaded(ctx, d.config)

	parts, pctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return d.scheduler.Run(pctx) })
	parts.Go(func() error { return d.serveRequests(pctx) })
	parts.Go(func() error { return d.watchFollowers(pctx) })
	parts.Go(func() error { return d.retain(pctx) })
	parts.Go(func() error { return d.watchArrivals(pctx) })
	parts.Go(func() error { return d.watch.run(pctx) })
	parts.Go(func() error { return watchdog(pctx) })
	parts.Go(func() error {
		for {
			select {
			case <-hangups:
				d.reload(pctx)
			case <-d.again:
				d.reload(pctx)
			case <-d.ledger.Halted():
				return fmt.Errorf("the ledger can no longer be written, nothing is sent: %w", store.ErrHalted)
			case <-pctx.Done():
				return nil
			}
		}
	})
	d.log.Info("daemon started", "config", d.config.File, "ledger", d.ledger.Path(), "schedules", len(d.config.Schedules), "version", programVersion())
	notifySystemd(d.log, notifyReady)
	debug.FreeOSMemory() // what loading took: with thousands of schedules as much as they need
	err = parts.Wait()
	notifySystemd(d.log, notifyStopping)
	cancel()
	d.runs.Wait()
	return err
}

// takeOff marks schedules that are gone from the file or have no times of their own
// any more, so that nothing of the past fires should they come back.
func (d *daemon) takeOff(ctx context.Context) error {
	marks, err := d.ledger.Marks(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		mark := marks[name]
		if s, ok := d.config.Schedule(name); ok && s.After == "" || mark.Spec == "" {
			continue
		}
		if due := (scheduler.Due{Schedule: name, At: mark.WaitingFor}); !due.At.IsZero() {
			if err := closeSlot(ctx, d.ledger, due, store.SlotSkipped, scheduler.SkippedRemoved); err != nil {
				return err
			}
		}
		if err := d.ledger.SetMark(ctx, name, store.Mark{At: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// schedule returns a schedule as the configuration has it now.
func (d *daemon) schedule(name string) (config.Schedule, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config.Schedule(name)
}

// resume goes on with interrupted runs, oldest first, each in its schedule's
// turn, if they are young enough.
func (d *daemon) resume(ctx context.Context, interrupted []*store.Run, table []scheduler.Schedule) {
	paused := map[string]bool{}
	for _, s := range table {
		paused[s.Name] = slices.ContainsFunc(s.Pauses, func(p scheduler.Pause) bool { return p.Until.IsZero() })
	}

	for _, run := range interrupted {
		s, ok := d.config.Schedule(run.Schedule)
		log := d.log.With("schedule", run.Schedule, "run_id", run.RunID)
		switch {
		case !ok:
			log.Warn("interrupted run stays as it is: its schedule is gone")
			continue
		case paused[run.Schedule]:
			log.Warn("interrupted run stays as it is: its schedule is paused")
		case run.Origin == batch.OriginBackfill:
			log.Info("interrupted run is its backfill's to go on with")
			continue
		case run.Origin != batch.OriginArrival && time.Since(askedFor(s, run)) > s.CatchUpWindow:
			log.Warn("interrupted run stays as it is: outside catch_up_window", "scheduled_for", run.ScheduledFor)
			continue
		case d.busyWith(run.Schedule) != nil:
			log.Warn("interrupted run stays as it is: an older one of its schedule goes on first")
			continue
		}
		if err := d.runner.Resume(ctx, &s.Job, run); err != nil {
			log.Error("interrupted run stays as it is", "err", err)
			continue
		}
		d.begin(ctx, s, run, batch.Order{Origin: "manual"})
	}
}

// askedFor is when a run was wanted. A redrive has the slot of a run that may be
// long past, and so has a run that follows another schedule's.
func askedFor(s config.Schedule, run *store.Run) time.Time {
	if run.RedriveOf != "" || s.After != "" {
		return run.StartedAt
	}
	return run.ScheduledFor
}

// begin executes a run in the background, as its schedule's run under way. The run
// of a backfill makes room for it: it comes to rest first.
func (d *daemon) begin(ctx context.Context, s config.Schedule, run *store.Run, o batch.Order) *busyRun {
	b := &busyRun{run: run, done: make(chan struct{})}
	execute, end := context.WithCancelCause(ctx)
	if o.Origin == batch.OriginBackfill {
		b.makeRoom = func() {
			b.madeRoom.Store(true)
			end(batch.ErrMadeRoom)
		}
	}
	d.mu.Lock()
	before := d.busy[s.Name]
	d.busy[s.Name] = b
	d.mu.Unlock()
	d.watch.began(s, run)
	d.runs.Go(func() {
		defer end(nil)
		if before != nil && before.makeRoom != nil {
			before.makeRoom()
			<-before.done
		}
		c, err := d.runner.Execute(execute, &s.Job, run, o)
		b.code = exitFailed
		if err != nil {
			d.log.Error("run broke off", "schedule", s.Name, "run_id", run.RunID, "err", err)
		} else if c != nil {
			b.code = statusCode(c)
		}
		d.mu.Lock()
		if d.busy[s.Name] == b {
			delete(d.busy, s.Name)
		}
		d.mu.Unlock()
		d.watch.ended(s.Name)
		close(b.done)
		d.runWaiting(ctx, s.Name)
		d.lookAtFollowers(ctx, s.Name)
	})
	return b
}

// turn lets one caller at a time look whether a schedule has a run under way, and
// begin one; the caller ends it. Two runs of a schedule at once could both send
// what an earlier one left.
func (d *daemon) turn(schedule string) (end func()) {
	t := d.turnOf(schedule)
	t.Lock()
	return t.Unlock
}

// tryTurn is turn for a caller that does not wait for another's end.
func (d *daemon) tryTurn(schedule string) (end func(), ok bool) {
	t := d.turnOf(schedule)
	return t.Unlock, t.TryLock()
}

func (d *daemon) turnOf(schedule string) *sync.Mutex {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.turns[schedule]
	if t == nil {
		t = &sync.Mutex{}
		d.turns[schedule] = t
	}
	return t
}

// inTheWay is the run under way that a slot of the schedule has to wait for; nil if
// there is none. A backfill makes room.
func (d *daemon) inTheWay(schedule string) *busyRun {
	b := d.busyWith(schedule)
	if b != nil && b.makeRoom != nil {
		return nil
	}
	return b
}

func (d *daemon) busyWith(schedule string) *busyRun {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy[schedule]
}
