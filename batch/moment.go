package batch

import (
	"fmt"
	"time"

	"worqcron/expression"
	"worqcron/source"
	"worqcron/store"
)

// momentOf is what expressions know of a run. It comes from the run's row alone,
// zone included, so that a resumed run evaluates what the planned one did.
func momentOf(run *store.Run) (expression.Moment, error) {
	zone, err := time.LoadLocation(run.Zone)
	if err != nil {
		return expression.Moment{}, fmt.Errorf("run %s: its time zone: %w", run.RunID, err)
	}
	return expression.Moment{Schedule: run.Schedule, RunID: run.RunID, ScheduledFor: run.ScheduledFor.In(zone), Origin: run.Origin}, nil
}

// sourceOptions are a source's options for one run.
func sourceOptions(o source.Options, run *store.Run) (source.Options, error) {
	if o.Where == "" && len(o.Set) == 0 {
		return o, nil
	}
	var err error
	o.Moment, err = momentOf(run)
	return o, err
}
