package store

import (
	"context"
	"encoding/json"
	"errors"
)

// madeGood says whether redrives have brought to WorqHat all that a run left behind:
// its failed chunks, and its dead records once they were mended. Of a redrive it is
// asked about the run that it is of in the end.
func (r *Reader) madeGood(ctx context.Context, run *Run) (bool, error) {
	for run.RedriveOf != "" {
		up, err := r.FindRun(ctx, run.RedriveOf)
		var gone *NotFoundError
		if errors.As(err, &gone) {
			return false, nil // by retention
		}
		if err != nil {
			return false, err
		}
		run = up
	}
	return r.nothingLeft(ctx, run)
}

// nothingLeft is madeGood for a run that is not looked at as a redrive. One that
// left nothing behind by itself was never made good.
func (r *Reader) nothingLeft(ctx context.Context, run *Run) (bool, error) {
	if run.PlannedAt == nil || run.State != Partial && run.State != Failed {
		return false, nil
	}
	c, err := r.Receipt(ctx, run)
	if err != nil {
		return false, err
	}
	if c.Chunks.Failed+c.Records.Dead == 0 || !c.Balanced || c.Chunks.Unknown+c.Chunks.Pending+c.Records.Unknown+c.Records.Pending > 0 {
		return false, nil
	}
	again, err := r.Redrives(ctx, run)
	if err != nil || len(again) == 0 {
		return false, err
	}
	var sent, mended int64
	if err := r.ro.QueryRowContext(ctx, countSentAgain, run.RunID, run.ID).Scan(&sent); err != nil {
		return false, err
	}
	good := []int64{} // redrives of which nothing is left
	for _, each := range again {
		ok := each.State == Succeeded
		if !ok {
			if ok, err = r.nothingLeft(ctx, each); err != nil {
				return false, err
			}
		}
		if ok {
			good = append(good, each.ID)
		}
	}
	ids, err := json.Marshal(good)
	if err != nil {
		return false, err
	}
	if err := r.ro.QueryRowContext(ctx, countMended, string(ids)).Scan(&mended); err != nil {
		return false, err
	}
	return sent == c.Chunks.Failed && mended == c.Records.Dead, nil
}

// countSentAgain counts the failed chunks of a run that redrives, also redrives of
// those, brought to WorqHat. A chunk that was split there counts with its run.
const countSentAgain = `
WITH RECURSIVE again (root_chunk, run_id, chunk, done) AS (
  SELECT n.redrive_of, k.run_id, n.chunk, n.state = 'accepted' OR k.state = 'succeeded'
  FROM runs k INDEXED BY runs_by_redrive CROSS JOIN chunks n INDEXED BY chunks_by_redrive ON n.run = k.id AND n.redrive_of IS NOT NULL
  WHERE k.redrive_of = ?1
  UNION ALL
  SELECT a.root_chunk, k.run_id, n.chunk, n.state = 'accepted' OR k.state = 'succeeded'
  FROM again a CROSS JOIN runs k INDEXED BY runs_by_redrive ON k.redrive_of = a.run_id
  CROSS JOIN chunks n INDEXED BY chunks_by_redrive ON n.run = k.id AND n.redrive_of = a.chunk)
SELECT count(DISTINCT root_chunk) FROM again
WHERE done AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.run = ?2 AND c.chunk = root_chunk AND c.state <> 'failed')`

const countMended = `
SELECT count(DISTINCT number) FROM mended WHERE run IN (SELECT value FROM json_each(?))`
