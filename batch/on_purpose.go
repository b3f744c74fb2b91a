package batch

import (
	"strings"

	"worqcron/store"
)

// StoppedOnPurpose says that a run is where it is because somebody wanted it so: it
// was cancelled, interrupted by hand, made room for another, or was to send a part.
// That is no news about its schedule.
func StoppedOnPurpose(run *store.Run) bool {
	switch run.Reason {
	case ReasonLimit, ReasonMadeRoom, reasonByHand, reasonPlanOnly:
		return run.State == store.Stopped
	}
	return strings.HasPrefix(run.Reason, reasonCancelled)
}

// WasUnchanged says that a run had nothing to read, because all of it was delivered
// before.
func WasUnchanged(run *store.Run) bool {
	return run.State == store.Skipped && strings.HasPrefix(run.Reason, reasonUnchanged)
}
