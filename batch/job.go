package batch

import (
	"time"

	"worqcron/source"
)

// Job is everything that decides what a schedule's run does, apart from when.
// It comes from the configuration and is never changed by a run.
type Job struct {
	Schedule string          // the schedule's name
	FlowID   string          // the WorqHat flow that is triggered
	BaseURL  string          // where the flow lives, without a trailing slash
	Zone     *time.Location  // for expressions and for times shown to people
	Slots    Slots           // when it is due, for the interval of a run; nil: never
	Payload  *Payload        // compiled members of the body; never nil
	Source   *source.Options // nil: one trigger with the payload alone
	Files    FilePolicy
	Records  RecordPolicy
	Chunk    ChunkOptions
	Delivery DeliveryOptions
}

// Slots is a schedule's due times.
type Slots interface {
	// Prev gives the last one before an instant; false if there was none.
	Prev(before time.Time) (time.Time, bool)
}

// readsStdin says whether the records come from the standard input.
func (j *Job) readsStdin() bool { return j.Source != nil && j.Source.Path == source.Stdin }

// FilePolicy is what a run does about its files before it reads them and after
// it delivered them.
type FilePolicy struct {
	Settle        time.Duration // a file counts only when it has not changed for so long
	SettleTimeout time.Duration // how long a run waits for that at most
	WhenDone      string        // DoneKeep (also ""), DoneDelete or DoneMove
	Folder        string        // absolute; where DoneMove puts files
}

// What becomes of a file that was delivered whole.
const (
	DoneKeep   = "keep"
	DoneDelete = "delete"
	DoneMove   = "move"
)

// RecordPolicy is what a run does about records that are bad, absent or known.
type RecordPolicy struct {
	OnBad     string // "quarantine": a dead letter each; "fail": the first one fails the run
	MaxBad    Share  // more bad records than this fail the run in its plan
	Empty     string // no records at all: "skip" or "fail"
	Unchanged string // a file delivered whole before: "skip" or "send"
}

// ChunkOptions shape one request body.
type ChunkOptions struct {
	Mode       string // "records": one trigger a record; "" packs chunks
	MaxBytes   int64  // a body, envelope included, is strictly shorter than this
	MaxRecords int    // 0: as many as fit
	RecordsKey string // the body's member that holds the records
	BatchKey   string // the member that describes the chunk; "" leaves it out
}

// Modes of ChunkOptions.
const (
	ModeChunks  = "chunks"  // records packed into bodies
	ModeRecords = "records" // one trigger a record, its members beside the payload's
)

// DeliveryOptions are current values: a reload changes them for runs under way
// (Runner.UpdateDelivery), and they shape no body.
type DeliveryOptions struct {
	MaxInFlight     int           // triggers of one run under way at once
	Rate            float64       // triggers a second of this schedule, within the key's; 0: it has none of its own
	Window          Window        // the hours in which it sends, in the job's zone; none: always
	MaxAttempts     int           // tries of one chunk that provably did not arrive
	MaxFailed       Share         // more failed triggers than this stop the run; a percentage counts after maxFailedSample of them
	Ordered         bool          // one chunk at a time, in the order of the plan; MaxInFlight does not count
	OnUnknown       string        // "hold", "resend" or "accept"
	Timeout         time.Duration // for one trigger, answer included
	MaxDuration     time.Duration // a run that takes longer stops, hours outside of Window not counted; 0: it never does
	ShutdownTimeout time.Duration // how long a stop waits for triggers under way
}

// workers is how many triggers of one run may be under way at once.
func (o *DeliveryOptions) workers() int {
	if o.Ordered {
		return 1
	}
	return o.MaxInFlight
}

// Share is a limit as a count or as a percentage of a whole, such as the records
// read.
type Share struct {
	Count     int64
	Percent   float64 // used where IsPercent
	IsPercent bool
}
