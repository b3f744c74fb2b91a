package batch

import (
	"time"

	"github.com/google/uuid"

	"worqcron/expression"
	"worqcron/source"
)

// WouldRead says what the run of a slot would read: the source's path as its
// expressions make it for the slot, and the files that lie there now. A job whose
// path has no expressions reads the same whatever the slot, and gives "".
func WouldRead(job *Job, slot time.Time) (path string, files []string, err error) {
	if job.Source == nil || !job.Source.HasExpressions() {
		return "", nil, nil
	}
	o := *job.Source
	o.Moment = expression.Moment{
		Schedule: job.Schedule, RunID: uuid.Nil.String(), Origin: OriginBackfill,
		ScheduledFor: slot.In(job.Zone), IntervalStart: intervalStart(job, slot).In(job.Zone),
	}
	if o, err = o.Rendered(); err != nil {
		return "", nil, err
	}
	files, err = source.List(o)
	return o.Path, files, err
}

// intervalStart is the slot before an instant, or the instant if there was none.
func intervalStart(job *Job, at time.Time) time.Time {
	if job.Slots != nil {
		if before, ok := job.Slots.Prev(at); ok {
			return before
		}
	}
	return at
}
