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
	return expression.Moment{
		Schedule: run.NameInBodies(), RunID: run.RunID, Origin: run.Origin,
		ScheduledFor: run.ScheduledFor.In(zone), IntervalStart: run.IntervalStart.In(zone),
	}, nil
}

// sourceOptions are a source's options for one run: it has its moment, and its
// path no expressions any more.
func sourceOptions(o source.Options, run *store.Run) (source.Options, error) {
	if o.Where == "" && len(o.Set) == 0 && !o.HasExpressions() {
		return o, nil
	}
	var err error
	if o.Moment, err = momentOf(run); err != nil {
		return o, err
	}
	return o.Rendered()
}
