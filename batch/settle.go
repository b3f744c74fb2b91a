package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"worqcron/failpoint"
	"worqcron/source"
	"worqcron/store"
)

// settle computes the receipt of a run that came to rest and stores the state
// that it means. imposed is an end that delivery or plan came to; cause is why
// it was cut short. It works although ctx has ended.
func (r *Runner) settle(ctx context.Context, run *store.Run, imposed *store.End, cause error) (*store.Receipt, error) {
	ctx = context.WithoutCancel(ctx)
	if errors.Is(cause, store.ErrHalted) {
		return nil, nil // nothing can be written; recovery finds the run open
	}
	end := imposed
	if cause != nil {
		end = r.endOf(cause)
	}
	if run.PlannedAt == nil {
		if err := r.Ledger.DiscardPlan(ctx, run); err != nil {
			return nil, err
		}
	}
	why, cancelled, err := r.Ledger.Cancelled(ctx, run)
	if err != nil {
		return nil, err
	}
	if cancelled && run.PlannedAt == nil {
		end = &store.End{State: store.Failed}
	}
	failpoint.Hit("settle")
	c, err := r.Ledger.SettleRun(ctx, run, func(c *store.Receipt) store.End {
		settled := endState(c, end)
		if cancelled {
			settled.Reason = strings.TrimSuffix(reasonCancelled+": "+why+"; "+settled.Reason, "; ")
		}
		return settled
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit("settled")
	if c.Chunks.Pending == 0 && c.Chunks.Unknown == 0 {
		if err := removeSpool(spoolPath(r.Ledger.Path(), run.RunID)); err != nil {
			r.Log.Warn("spool not removed", "run_id", run.RunID, "err", err)
		}
	}
	return c, nil
}

// endOf says how a run ends that was cut short.
func (r *Runner) endOf(cause error) *store.End {
	var plan *PlanError
	var tooLong *tooLongError
	switch {
	case errors.As(cause, &tooLong):
		return &store.End{State: store.Stopped, Reason: tooLong.Error()}
	case errors.Is(cause, ErrInterruptedByHand):
		return &store.End{State: store.Stopped, Reason: reasonByHand}
	case errors.Is(cause, ErrMadeRoom):
		return &store.End{State: store.Stopped, Reason: ReasonMadeRoom}
	case errors.Is(cause, context.Canceled):
		return &store.End{State: store.Stopped, Reason: ReasonInterrupted}
	case errors.As(cause, &plan):
		return &store.End{State: store.Failed, Reason: oneLine(cause)}
	}
	return &store.End{State: store.Stopped, Reason: oneLine(cause)}
}

// oneLine is an error as a reason: its hints follow on the same line.
func oneLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	var at *source.Error
	if errors.As(err, &at) && at.Hint != "" {
		lines = append(lines, "hint: "+at.Hint)
	}
	return strings.Join(lines, "; ")
}

// ErrInterruptedByHand is the cause to end a run's context with when a person
// did it: the next start of the daemon does not go on by itself.
var ErrInterruptedByHand = fmt.Errorf("interrupted by hand: %w", context.Canceled)

// ErrMadeRoom is the cause to end the context of a backfill's run with when a slot
// of its schedule is due: whoever backfills goes on with the run after that.
var ErrMadeRoom = fmt.Errorf("%s: %w", ReasonMadeRoom, context.Canceled)

// endState decides the state of a run that came to rest: the receipt speaks,
// and an imposed end counts only for what the receipt leaves open.
func endState(c *store.Receipt, imposed *store.End) store.End {
	switch {
	case !c.Balanced:
		return store.End{State: store.Failed, Reason: "does not balance"}
	case c.Chunks.Pending > 0 && imposed == nil:
		return store.End{State: store.Stopped, Reason: counted(c.Chunks.Pending, "chunk") + " still planned"}
	case imposed != nil && c.Chunks.Pending > 0:
		return store.End{State: store.Stopped, Reason: imposed.Reason}
	case imposed != nil && c.Chunks.Planned == 0:
		return *imposed
	case c.Chunks.Unknown > 0:
		return store.End{State: store.Held, Reason: fmt.Sprintf("%s may or may not have been accepted; worqcron resolve %s decides", counted(c.Chunks.Unknown, "chunk"), c.Name)}
	case c.Records.Unknown > 0:
		return store.End{State: store.Held, Reason: counted(c.Records.Unknown, "record") + " left to an earlier run that has not settled them"}
	case c.Chunks.Failed > 0 && c.Chunks.Accepted == 0:
		return store.End{State: store.Failed, Reason: "nothing was accepted"}
	case c.Records.Dead > 0 && c.Records.Dead == c.Records.Read:
		return store.End{State: store.Failed, Reason: "nothing was accepted: " + partialReason(c)}
	case c.Chunks.Failed > 0 || c.Records.Dead > 0:
		return store.End{State: store.Partial, Reason: partialReason(c)}
	}
	return store.End{State: store.Succeeded}
}

func partialReason(c *store.Receipt) string {
	var parts []string
	if c.Chunks.Failed > 0 {
		parts = append(parts, counted(c.Chunks.Failed, "chunk")+" failed")
	}
	if c.Records.Dead > 0 {
		parts = append(parts, counted(c.Records.Dead, "record")+" dead")
	}
	return strings.Join(parts, ", ")
}

// counted is a number with its noun.
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// logReceipt logs how a run ended, as loudly as it needs a person.
func logReceipt(log *slog.Logger, c *store.Receipt, elapsed time.Duration, watched bool) {
	level := slog.LevelInfo
	switch {
	case c.Reason == ReasonInterrupted: // the next start goes on with it
	case strings.HasPrefix(c.Reason, reasonCancelled) && c.Chunks.Unknown+c.Chunks.Pending == 0: // as somebody wanted
	case c.Status == store.Held, c.Status == store.Failed, c.Status == store.Stopped:
		level = slog.LevelError
	case c.Status == store.Partial:
		level = slog.LevelWarn
	}
	if watched || c.Reason == ReasonMadeRoom {
		level = slog.LevelInfo
	}
	log.Log(context.Background(), level, "run "+string(c.Status),
		"reason", c.Reason, "read", c.Records.Read, "accepted", c.Records.Accepted, "failed", c.Records.Failed,
		"dead", c.Records.Dead, "filtered", c.Records.Filtered, "unchanged", c.Records.Unchanged, "unknown", c.Records.Unknown,
		"pending", c.Records.Pending, "chunks", c.Chunks.Planned, "attempts", c.Attempts, "balanced", c.Balanced, "elapsed", elapsed)
}
