package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"worqcron/store"
	"worqcron/worqhat"
)

// Reconcile looks up at WorqHat what became of the triggers of some runs and
// stores it: how accepted ones ended, which execution one that was accepted
// without an id started, and for unknown ones which executions may be theirs.
// It changes no outcome, no chunk and no run.
func (r *Runner) Reconcile(ctx context.Context, runs []*store.Run) error {
	if err := r.current.Load().err; err != nil {
		return err
	}
	runs, err := r.sentHere(runs)
	if err != nil {
		return err
	}
	l := &lookUp{runner: r, at: time.Now(), flows: map[string]bool{}, candidates: map[int64][]worqhat.Execution{}, claimed: map[string]int{}}
	if err := l.findDoubts(ctx, runs); err != nil {
		return err
	}
	for _, span := range daysOf(runs, l.at) {
		if err := l.read(ctx, span); err != nil {
			return err
		}
	}
	if err := l.settleDoubts(ctx); err != nil {
		return err
	}
	for _, run := range runs {
		if err := r.Ledger.MarkNotListed(ctx, run.ID, l.at); err != nil {
			return err
		}
		if err := r.Ledger.KeepRemote(ctx, run.ID); err != nil {
			return err
		}
	}
	if l.unreadable > 0 {
		r.Log.Warn("entries of WorqHat's list of executions were left out: no id, no start or no known status in them", "entries", l.unreadable)
	}
	r.Log.Info("executions looked up", "runs", len(runs), "executions", l.seen, "doubtful", len(l.doubtful))
	return nil
}

// sentHere leaves out runs that went to another address than the present one.
func (r *Runner) sentHere(runs []*store.Run) (list []*store.Run, err error) {
	base := r.client().BaseURL()
	for _, run := range runs {
		if run.BaseURL == base {
			list = append(list, run)
			continue
		}
		err = fmt.Errorf("run %s was sent to %s and base_url is now %s: it cannot be looked up there", run.Name(), run.BaseURL, base)
		r.Log.Warn("run not looked up", "run_id", run.RunID, "err", err)
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, err
}

const (
	// clockSlack is how far WorqHat's clock and this one may be apart.
	clockSlack = 2 * time.Minute
	// longestTrigger bounds how long after its intent a trigger may have
	// started an execution: a crash's outcome may be written days later.
	longestTrigger = time.Hour + clockSlack
	// maxHints is how many executions are kept for one attempt: more would
	// help nobody to decide.
	maxHints = 20
	// lookUpDays is how many days one request asks for.
	lookUpDays = 7
)

// span is days to ask for, both inclusive.
type span struct{ first, last time.Time }

// daysOf returns the days of runs, with one more before and after each run,
// since the zone of the list's days is unknown, in pieces of a week.
func daysOf(runs []*store.Run, now time.Time) (list []span) {
	wanted := map[time.Time]bool{}
	var first, last time.Time
	for _, run := range runs {
		end := now
		if run.FinishedAt != nil {
			end = *run.FinishedAt
		}
		from, until := run.StartedAt.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1), end.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
		for day := from; !day.After(until); day = day.AddDate(0, 0, 1) {
			wanted[day] = true
		}
		if first.IsZero() || from.Before(first) {
			first = from
		}
		if until.After(last) {
			last = until
		}
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		n := len(list)
		switch {
		case !wanted[day]:
		case n > 0 && list[n-1].last.AddDate(0, 0, 1).Equal(day) && day.Sub(list[n-1].first) < lookUpDays*24*time.Hour:
			list[n-1].last = day
		default:
			list = append(list, span{day, day})
		}
	}
	return list
}

// doubt is an attempt whose execution is not known.
type doubt struct {
	store.Attempt
	flowID string
}

// mayHaveStarted says whether an execution can be the attempt's.
func (d *doubt) mayHaveStarted(e worqhat.Execution) bool {
	end := d.StartedAt.Add(longestTrigger)
	if d.FinishedAt != nil && d.FinishedAt.Before(end) {
		end = *d.FinishedAt
	}
	return e.FlowID == d.flowID && !e.Started.Before(d.StartedAt.Add(-clockSlack)) && !e.Started.After(end.Add(clockSlack))
}

// lookUp is one look at WorqHat's list.
type lookUp struct {
	runner     *Runner
	at         time.Time
	flows      map[string]bool // of doubtful attempts
	doubtful   []doubt
	candidates map[int64][]worqhat.Execution // by attempt: unclaimed executions that it may have started
	claimed    map[string]int                // by execution: how many attempts have it for a candidate
	near       int64                         // the attempt of an execution that was listed before
	seen       int
	unreadable int
	batch      []store.Remote
}

func (l *lookUp) findDoubts(ctx context.Context, runs []*store.Run) error {
	for _, run := range runs {
		doubtful, err := l.runner.Ledger.Doubtful(ctx, run.ID)
		if err != nil {
			return err
		}
		for _, a := range doubtful {
			l.flows[run.FlowID] = true
			l.doubtful = append(l.doubtful, doubt{a, run.FlowID})
		}
	}
	return nil
}

// remoteBatch is how many remote states share a commit.
const remoteBatch = 500

// read asks for the executions of a span and stores those that the ledger knows.
func (l *lookUp) read(ctx context.Context, s span) error {
	for try := 1; ; try++ {
		release, err := l.runner.Budget.Acquire(ctx, "") // a turn of its own among the schedules
		if err != nil {
			return err
		}
		unreadable, err := l.runner.client().Executions(ctx, s.first, s.last, func(e worqhat.Execution) error { return l.execution(ctx, e) })
		release()
		var throttled *worqhat.ThrottledError
		if errors.As(err, &throttled) && try < 3 {
			l.runner.Log.Warn("throttled, the key waits", "retry_in", throttled.RetryAfter)
			if l.runner.Budget.Pause(time.Now().Add(throttled.RetryAfter), throttled.Detail) {
				l.runner.keepPause(ctx)
			}
			continue
		}
		l.unreadable += unreadable
		if err != nil {
			return fmt.Errorf("executions from %s to %s: %w", s.first.Format(time.DateOnly), s.last.Format(time.DateOnly), err)
		}
		return l.flush(ctx)
	}
}

// execution takes in one entry of the list.
func (l *lookUp) execution(ctx context.Context, e worqhat.Execution) error {
	l.seen++
	status, ok := remoteStatus(e)
	if !ok {
		l.unreadable++
		return nil
	}
	owners, err := l.runner.Ledger.Claimants(ctx, e.ID, l.near)
	if err != nil {
		return err
	}
	for _, o := range owners {
		l.near = o.AttemptID
		l.batch = append(l.batch, store.Remote{AttemptID: o.AttemptID, Status: status, ExecutionID: o.ExecutionID, StartedAt: e.Started, EndedAt: e.Ended})
	}
	if len(l.batch) >= remoteBatch {
		return l.flush(ctx)
	}
	if len(owners) == 0 && l.flows[e.FlowID] {
		l.consider(e)
	}
	return nil
}

func remoteStatus(e worqhat.Execution) (store.RemoteStatus, bool) {
	switch e.Status {
	case "completed":
		return store.RemoteCompleted, true
	case "failed":
		return store.RemoteFailed, true
	case "in_progress":
		return store.RemoteRunning, true
	}
	return "", false
}

// consider notes an execution that nobody claims for the attempts that may have
// started it. Spans overlap nowhere, but a list may name an execution twice.
func (l *lookUp) consider(e worqhat.Execution) {
	if _, seen := l.claimed[e.ID]; seen {
		return
	}
	for i := range l.doubtful {
		d := &l.doubtful[i]
		if d.mayHaveStarted(e) {
			l.claimed[e.ID]++
			l.candidates[d.AttemptID] = append(l.candidates[d.AttemptID], e)
		}
	}
}

func (l *lookUp) flush(ctx context.Context) error {
	list := l.batch
	l.batch = nil
	if len(list) == 0 {
		return nil
	}
	return l.runner.Ledger.StoreRemote(ctx, list, l.at)
}

// settleDoubts stores what was found for the doubtful attempts. An attempt that
// was accepted without an id has its execution if exactly one fits, and it fits
// no other attempt. For an unknown one all that fit are hints.
func (l *lookUp) settleDoubts(ctx context.Context) error {
	ledger := l.runner.Ledger
	for i := range l.doubtful {
		d := &l.doubtful[i]
		found := l.candidates[d.AttemptID]
		var err error
		switch {
		case len(found) == 0 && d.Outcome == "unknown":
			err = ledger.StoreRemote(ctx, []store.Remote{{AttemptID: d.AttemptID, Status: store.RemoteNotListed}}, l.at)
		case len(found) == 0:
		case d.Outcome != "unknown" && len(found) == 1 && l.claimed[found[0].ID] == 1:
			status, _ := remoteStatus(found[0])
			err = ledger.StoreRemote(ctx, []store.Remote{{
				AttemptID: d.AttemptID, Status: status, ExecutionID: found[0].ID, StartedAt: found[0].Started, EndedAt: found[0].Ended,
			}}, l.at)
		default:
			err = ledger.StoreHints(ctx, d.AttemptID, hintsOf(d.AttemptID, found), l.at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func hintsOf(attemptID int64, found []worqhat.Execution) (list []store.Hint) {
	for _, e := range found[:min(len(found), maxHints)] {
		status, _ := remoteStatus(e)
		list = append(list, store.Hint{AttemptID: attemptID, ExecutionID: e.ID, Status: status, StartedAt: e.Started})
	}
	return list
}
