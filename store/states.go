package store

// RunState is where a run is. docs/states.md draws the transitions.
type RunState string

// The states of a run. Planning and Delivering are set as the run moves on, all
// others by SettleRun from what the ledger holds. A run that is Held, Stopped
// or Partial may move again: resolve and run take it back to Delivering.
const (
	Planning   RunState = "planning"   // the source is being read; nothing was sent
	Delivering RunState = "delivering" // the plan is committed; chunks are going out
	Succeeded  RunState = "succeeded"  // each record accepted, or left out by the user's own rule
	Partial    RunState = "partial"    // went to its end; something failed or is dead
	Held       RunState = "held"       // something is unknown and waits for a decision
	Failed     RunState = "failed"     // nothing was accepted, or the source or the plan failed
	Stopped    RunState = "stopped"    // chunks are still planned
	Skipped    RunState = "skipped"    // there was nothing to send
)

// Ended says whether nothing of the run is going on.
func (s RunState) Ended() bool { return s != Planning && s != Delivering }

// ChunkState is where a chunk is.
type ChunkState string

// The states of a chunk. BeginAttempt sets Sending and FinishAttempt what
// follows, also for what a crash left in Sending. SplitChunk sets Split as well, and
// CancelRun fails what is Planned. ResolveChunk moves Unknown on.
const (
	ChunkPlanned  ChunkState = "planned"  // to be sent; not before its not_before
	ChunkSending  ChunkState = "sending"  // an intent is committed, its outcome is not
	ChunkAccepted ChunkState = "accepted" // never sent again
	ChunkFailed   ChunkState = "failed"   // definitely refused, failed or abandoned
	ChunkUnknown  ChunkState = "unknown"  // it may have been accepted; held
	ChunkSplit    ChunkState = "split"    // replaced by two smaller chunks, which name it as their parent
)

// SlotState is what became of a due time.
type SlotState string

// The states of a slot, each with a reason in words when it did not run. Waiting
// is the only one that another follows by itself: Ran when its run begins, Missed
// or Skipped when it gives way.
const (
	SlotRan     SlotState = "ran"
	SlotSkipped SlotState = "skipped"
	SlotMissed  SlotState = "missed"
	SlotWaiting SlotState = "waiting" // it runs as soon as no run of its schedule is under way
)
