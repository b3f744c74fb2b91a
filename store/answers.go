package store

import (
	"context"
	"time"
)

const meanAnswer = `
SELECT coalesce(avg(finished_at - started_at), 0) FROM (
  SELECT started_at, finished_at FROM attempts WHERE run = ? AND finished_at IS NOT NULL LIMIT 1000)`

// MeanAnswer says how long WorqHat took to answer a trigger of a run on average, by
// up to a thousand of them; 0 if none was answered.
func (r *Reader) MeanAnswer(ctx context.Context, run *Run) (time.Duration, error) {
	var ms float64
	err := r.ro.QueryRowContext(ctx, meanAnswer, run.ID).Scan(&ms)
	return time.Duration(ms * float64(time.Millisecond)), err
}
