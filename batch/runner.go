// Package batch is one run: what of the source goes out (snapshot and plan), in
// which bodies (packer), whether it was accepted (deliver), and what that means
// (receipt). It also decides what "again" means: resume, leave out, or refuse.
//
// It does not decide when a run is due (scheduler), how a file is read
// (source), what an answer means (worqhat.Decide), or how anything is stored
// (store). What it guarantees:
//
//   - the whole plan is committed before the first trigger leaves;
//   - an attempt's intent is committed before its body leaves, and its outcome
//     before it counts;
//   - a chunk's body is byte for byte what was planned, or it is not sent;
//   - a chunk that may have been accepted is not sent again, unless the user
//     asked for that (on_unknown) or decides it (Resolve).
package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"worqcron/store"
	"worqcron/worqhat"
)

// Runner runs jobs on one ledger with one key. It is safe for concurrent use;
// two runs of one schedule at a time are the caller's to prevent.
type Runner struct {
	Ledger     *store.Ledger
	Budget     *worqhat.Budget
	Log        *slog.Logger
	Workers    int   // goroutines that parse during a plan
	KeepBodies int64 // bytes of kept bodies at most

	current  atomic.Pointer[connection]
	gates    gates
	underway underway
	buffers  bodyBuffers

	collector collector

	keepOnce sync.Once
	kept     keptBodies
}

// connection is a client, or why there is none.
type connection struct {
	client *worqhat.Client
	err    error
}

// Connect sets the client for all triggers from now on, also of runs under way,
// or says why there is none (a missing key): runs then fail before they read
// anything. It must be called before the first run. A new key may be a better
// one, so each flow's next trigger goes alone again.
func (r *Runner) Connect(c *worqhat.Client, err error) {
	r.current.Store(&connection{c, err})
	r.gates.doubtAll()
}

func (r *Runner) client() *worqhat.Client { return r.current.Load().client }

func (r *Runner) keptBodies() *keptBodies {
	r.keepOnce.Do(func() { r.kept.dir, r.kept.limit = keptDir(r.Ledger.Path()), r.KeepBodies })
	return &r.kept
}

// Order is what is asked of one run.
type Order struct {
	Origin       string    // "slot", "catch-up", "manual", OriginBackfill or OriginArrival
	ScheduledFor time.Time // the slot; zero: a run by hand without one
	New          bool      // start afresh although something could be resumed
	Force        bool      // send everything again, whatever was accepted before
	Actor        string    // who asks, for the audit
	Limit        int64     // send so many chunks and stop; 0: all
	PlanOnly     bool      // plan and stop
	Stdin        bool      // the process's standard input may be read as the source
	Progress     *Progress // may be nil
	Watched      bool      // somebody waits for the receipt: it need not alarm in the log as well
}

// Reasons of runs in the state stopped that callers act on.
const (
	ReasonInterrupted = "interrupted: worqcron was stopped" // the next start goes on with it
	ReasonCrashed     = "interrupted: worqcron was killed or crashed"
	ReasonLimit       = "limit reached"
	ReasonMadeRoom    = "made room for a slot of its schedule" // the backfill goes on with it
	reasonByHand      = "interrupted by hand"
	reasonPlanOnly    = "planned only, nothing was sent"
	reasonUnchanged   = "unchanged since run "
)

// OriginBackfill is the origin of runs of past slots that a person asked for. They
// are sent within the share of the budget that all backfills have.
const OriginBackfill = "backfill"

// OriginArrival is the origin of runs of files that arrived. Such a run reads its file
// alone.
const OriginArrival = "arrival"

// byPerson says whether a person asks, and not the time: an earlier run of the slot
// can then go on, and a slot that was decided before runs after all.
func (o *Order) byPerson() bool { return o.Origin == "manual" || o.Origin == OriginBackfill }

// Run does what an order asks of a schedule: Start, then Execute.
func (r *Runner) Run(ctx context.Context, job *Job, o Order) (*store.Receipt, error) {
	run, err := r.Start(ctx, job, o)
	if err != nil {
		return nil, err
	}
	return r.Execute(ctx, job, run, o)
}

// Start finds the run that an order means, or begins a new one and claims its
// slot, durably. A run that comes back in an ended state has nothing left to
// do. A slot that was decided before is store.ErrSlotTaken, unless a person
// asks for it.
func (r *Runner) Start(ctx context.Context, job *Job, o Order) (*store.Run, error) {
	if !o.byPerson() || o.New || o.Force {
		return r.begin(ctx, job, o)
	}
	var latest *store.Run
	var err error
	if o.ScheduledFor.IsZero() {
		latest, err = r.Ledger.Unfinished(ctx, job.Schedule)
	} else {
		latest, err = r.Ledger.LatestOfSlot(ctx, job.Schedule, o.ScheduledFor)
	}
	if err != nil {
		return nil, err
	}
	if latest == nil {
		return r.begin(ctx, job, o)
	}
	over, err := r.overForGood(ctx, latest)
	if err != nil {
		return nil, err
	}
	if over {
		return r.begin(ctx, job, o)
	}
	return latest, r.reopen(ctx, job, latest, o)
}

// overForGood says whether a run was cancelled, and nobody decided since that some
// of it is sent again.
func (r *Runner) overForGood(ctx context.Context, run *store.Run) (bool, error) {
	_, cancelled, err := r.Ledger.Cancelled(ctx, run)
	if err != nil || !cancelled || run.PlannedAt == nil {
		return cancelled, err
	}
	left, _, err := r.Ledger.Left(ctx, run)
	return !left, err
}

// Resume takes up a run that was interrupted.
func (r *Runner) Resume(ctx context.Context, job *Job, run *store.Run) error {
	return r.reopen(ctx, job, run, Order{})
}

// Execute brings a run to rest: it plans it unless it has its plan, delivers
// and settles. The receipt says how it stands; it also comes with an error.
// Ending ctx stops the run in good order. Errors are the ledger's; what is wrong
// with the source, the key or the flow is in the receipt.
func (r *Runner) Execute(ctx context.Context, job *Job, run *store.Run, o Order) (*store.Receipt, error) {
	if run.State.Ended() {
		c, err := r.Ledger.Receipt(ctx, run)
		if err != nil || o.PlanOnly {
			return c, err
		}
		return r.finishDone(ctx, job, run, c)
	}
	return r.execute(ctx, job, run, o)
}

func (r *Runner) begin(ctx context.Context, job *Job, o Order) (*store.Run, error) {
	return r.Ledger.BeginRun(ctx, newRun(job, o))
}

// newRun is what the ledger has to know of a run that begins.
func newRun(job *Job, o Order) store.NewRun {
	n := store.NewRun{
		Schedule: job.Schedule, ScheduledFor: o.ScheduledFor, Origin: o.Origin, Zone: job.Zone.String(),
		FlowID: job.FlowID, BaseURL: job.BaseURL, Actor: o.Actor,
		Slot: !o.ScheduledFor.IsZero(), ByHand: o.byPerson(),
	}
	if o.ScheduledFor.IsZero() {
		n.ScheduledFor = time.Now().Truncate(time.Second)
	}
	n.IntervalStart = intervalStart(job, n.ScheduledFor)
	if o.Force {
		n.Force = "everything is sent again"
	}
	return n
}

// reopen takes an earlier run up again where something of it is left: planned
// chunks, or a plan that never came about.
func (r *Runner) reopen(ctx context.Context, job *Job, run *store.Run, o Order) error {
	if run.RedriveOf != "" {
		if err := sameDestination(job, run); err != nil {
			return err
		}
	}
	if run.PlannedAt == nil {
		return r.Ledger.ReopenRun(ctx, run)
	}
	left, others, err := r.Ledger.Left(ctx, run)
	if err != nil || !left {
		return err
	}
	if !others {
		return r.reopenUnsent(ctx, job, run)
	}
	if o.PlanOnly {
		return nil // what is left of its plan is shown as it stands
	}
	return r.reopenSame(ctx, job, run)
}

// reopenSame goes on with the plan as it is, to where it was meant to go.
func (r *Runner) reopenSame(ctx context.Context, job *Job, run *store.Run) error {
	if run.BaseURL != job.BaseURL {
		return fmt.Errorf("run %s was begun for %s and base_url is now %s: put it back, or start afresh with --new", run.Name(), run.BaseURL, job.BaseURL)
	}
	return r.Ledger.ReopenRun(ctx, run)
}

// reopenUnsent takes up a run of which WorqHat has nothing yet. If its source
// or its configuration changed since, it is planned again.
func (r *Runner) reopenUnsent(ctx context.Context, job *Job, run *store.Run) error {
	now, err := shapeOf(job).hash()
	if err != nil {
		return err
	}
	fresh := now != run.Shape && run.RedriveOf == "" // a redrive has the shape of the run before
	if !fresh {
		rec, err := r.openRecords(ctx, run, nil)
		if err != nil {
			return err
		}
		fresh = rec.changed != nil
		if err := rec.close(); err != nil {
			return err
		}
	}
	if fresh && job.readsStdin() {
		return fmt.Errorf("run %s was planned from the standard input, which cannot be read again, and its configuration or its spool changed since: put it back, or start afresh with --new", run.Name())
	}
	if fresh {
		err := r.Ledger.ReplanRun(ctx, run, store.Destination{FlowID: job.FlowID, BaseURL: job.BaseURL})
		if err == nil {
			r.Log.Info("nothing of the run was sent and its source or configuration changed: it is planned again", "run_id", run.RunID)
		}
		if !errors.Is(err, store.ErrState) {
			return err
		}
		// A chunk may have been accepted once and is to be sent again, so the
		// plan stays: kept bodies still go out.
	}
	return r.reopenSame(ctx, job, run)
}

// execute plans a run unless it has its plan, delivers it and settles it.
func (r *Runner) execute(ctx context.Context, job *Job, run *store.Run, o Order) (*store.Receipt, error) {
	log := r.Log.With("schedule", run.Schedule, "run_id", run.RunID)
	log.Info("run started", "scheduled_for", run.ScheduledFor, "origin", run.Origin, "flow_id", run.FlowID, "resumed", run.State == store.Delivering)
	began := time.Now()
	live, e := r.underway.begin(ctx, run)
	defer close(e.done)
	live, release := r.limitDuration(live, job)
	stop, err := r.planAndDeliver(live, job, run, o)
	err = causeOf(live, err)
	release()
	if cancelled := r.underway.end(run, e); cancelled != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = r.giveUpCancelled(context.WithoutCancel(ctx), run, cancelled)
	}
	c, settleErr := r.settle(ctx, run, stop, err)
	if c != nil && settleErr == nil && !o.PlanOnly {
		c, settleErr = r.finishDone(ctx, job, run, c)
	}
	if c != nil {
		logReceipt(log, c, time.Since(began), o.Watched)
	}
	var plan *PlanError
	if errors.As(err, &plan) || errors.Is(err, context.Canceled) {
		err = nil // the receipt says it
	}
	return c, errors.Join(err, settleErr)
}

// planAndDeliver returns the end that something imposed on the run; nil if it
// went to its own.
func (r *Runner) planAndDeliver(ctx context.Context, job *Job, run *store.Run, o Order) (end *store.End, err error) {
	if why := r.current.Load().err; why != nil && !o.PlanOnly {
		return nil, &PlanError{why}
	}
	held := &planned{}
	resumed := run.State == store.Delivering
	if !resumed {
		if held, err = r.plan(ctx, job, run, o); err != nil {
			return nil, err
		}
	}
	defer func() { err = errors.Join(err, held.close()) }()
	if held.end != nil {
		return held.end, nil
	}
	if o.PlanOnly {
		return &store.End{State: store.Stopped, Reason: reasonPlanOnly}, nil
	}
	if held.snapshot != nil { // what the plan took makes room for bodies
		held.snapshot.DropBuffers()
		debug.FreeOSMemory()
	}
	rec, err := r.openRecords(ctx, run, held)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rec.close()) }()
	d := &delivery{
		runner: r, run: run, records: rec, zone: job.Zone, order: o, resumed: resumed,
		log: r.Log.With("schedule", run.Schedule, "run_id", run.RunID),
	}
	d.options.Store(&job.Delivery)
	return r.deliverAll(ctx, d)
}

// deliverAll delivers what is planned, or as much as the order's limit, and
// says what imposed the end.
func (r *Runner) deliverAll(ctx context.Context, d *delivery) (*store.End, error) {
	pending, err := r.Ledger.CountLeft(ctx, d.run)
	if err != nil {
		return nil, err
	}
	limit := d.order.Limit
	if limit == 0 {
		limit = -1
	}
	todo := pending
	if limit > 0 {
		todo = min(todo, limit)
	}
	ordered := d.options.Load().Ordered
	if ordered && todo > 0 {
		unknown, err := r.Ledger.ChunksInState(ctx, d.run.ID, store.ChunkUnknown, 0, 1)
		if err != nil {
			return nil, err
		}
		if len(unknown) > 0 {
			return &store.End{State: store.Stopped, Reason: orderedReason(d.run, unknown[0].Chunk)}, nil
		}
	}
	d.order.Progress.deliver(todo)
	d.queue = &chunkQueue{ledger: r.Ledger, run: d.run.ID, left: limit, ordered: ordered}
	if err := errors.Join(d.queue.begin(ctx), r.loadLimit(ctx, destinationOf(d.run))); err != nil {
		return nil, err
	}
	if d.records.envelope.perRecord {
		if d.queue.reader, err = d.records.newSegmentReader(); err != nil {
			return nil, err
		}
		defer d.queue.reader.close()
		r.collector.relax()
		defer r.collector.restore()
	}
	r.buffers.begin()
	defer r.buffers.end()
	before, err := r.Ledger.LastAttempt(ctx)
	if err != nil {
		return nil, err
	}
	why, err := d.deliver(ctx)
	if err == nil {
		err = r.alarmSameIDs(ctx, d.run, before)
	}
	switch {
	case err != nil:
		return nil, err
	case why != "":
		return &store.End{State: store.Stopped, Reason: why}, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limit > 0 && pending > limit:
		return &store.End{State: store.Stopped, Reason: ReasonLimit}, nil
	}
	return nil, nil
}
