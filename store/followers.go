package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"
)

// A follower is a schedule that is due after another one. What it is due for is asked
// of the ledger: runs of the other one that ended well and for whose slot it has no
// row. So a crash between the two loses nothing and doubles nothing.

// Follower says which schedule follows which.
type Follower struct {
	Schedule string
	Other    string
	AnyEnd   bool // its runs that were partial, held or skipped count too
}

const selectFollowers = `SELECT schedule, other, any_end FROM followers`

const insertFollower = `INSERT INTO followers (schedule, other, any_end, since) VALUES (?, ?, ?, ?)`

const deleteFollower = `DELETE FROM followers WHERE schedule = ?`

// SetFollowers records all schedules that follow one. A new one, or one that follows
// otherwise than before, is due for what ends from now on.
func (l *Ledger) SetFollowers(ctx context.Context, all []Follower) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		known, err := followers(ctx, tx)
		if err != nil {
			return err
		}
		for _, f := range known {
			if !slices.Contains(all, f) {
				if _, err := tx.ExecContext(ctx, deleteFollower, f.Schedule); err != nil {
					return err
				}
			}
		}
		for _, f := range all {
			if slices.Contains(known, f) {
				continue
			}
			if _, err := tx.ExecContext(ctx, insertFollower, f.Schedule, f.Other, f.AnyEnd, ms(time.Now())); err != nil {
				return err
			}
		}
		return nil
	})
}

func followers(ctx context.Context, tx *sql.Tx) (list []Follower, err error) {
	rows, err := tx.QueryContext(ctx, selectFollowers)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f Follower
		if err := rows.Scan(&f.Schedule, &f.Other, &f.AnyEnd); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// EndsKnownFor is how long after its end a run is in the ledger at the latest, unless
// it counts as under way until then. A follower's mark stays so far behind the clock.
const EndsKnownFor = 10 * time.Minute

const advanceFollowers = `UPDATE followers SET since = ?1 WHERE since < ?1 AND other NOT IN (SELECT value FROM json_each(?2))`

// AdvanceFollowers records that followers are decided for all runs that ended up to
// EndsKnownFor before now, so that FollowUps has less to read. Not those of busy
// schedules: the end of a run under way may not be in the ledger yet.
func (l *Ledger) AdvanceFollowers(ctx context.Context, now time.Time, busy []string) error {
	names, err := json.Marshal(append([]string{}, busy...))
	if err != nil {
		return err
	}
	return l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, advanceFollowers, ms(now.Add(-EndsKnownFor)), string(names))
		return err
	})
}

// FollowUp is a run that makes a follower due.
type FollowUp struct {
	Schedule string // the follower
	Run      *Run   // of the other one: its ScheduledFor is the slot, since its end it is due
}

// A mark ahead of the clock is of one that went wrong, and the rows of slots say
// what was done.
const followUps = `
SELECT ` + runColumns + `, follower, any_end
FROM (SELECT schedule AS follower, other, any_end, CASE WHEN since > ?2 THEN ?3 ELSE since END AS first FROM followers WHERE ?1 IN ('', schedule, other))
CROSS JOIN runs INDEXED BY runs_followed ON runs.schedule = other AND finished_at >= first
WHERE removing IS NULL AND state IN ('succeeded', 'partial', 'held', 'skipped', 'failed')
  AND NOT EXISTS (SELECT 1 FROM slots WHERE slots.schedule = follower AND slots.scheduled_for = runs.scheduled_for)
ORDER BY follower, finished_at, id`

// FollowUps returns what followers are due for: those of a schedule that follow or
// are followed, or ("") all. They come by follower, and there in the order in which
// the runs ended. A redrive that leaves nothing behind of its run stands for it.
func (r *Reader) FollowUps(ctx context.Context, schedule string) ([]FollowUp, error) {
	candidates, err := r.endedRuns(ctx, schedule)
	if err != nil {
		return nil, err
	}
	type slot struct {
		schedule string
		at       int64
	}
	last := map[slot]int{} // its last end: before that, redrives had left something
	for i, c := range candidates {
		last[slot{c.Schedule, ms(c.Run.ScheduledFor)}] = i
	}
	var due []FollowUp
	seen := map[slot]bool{}
	for i, c := range candidates {
		s := slot{c.Schedule, ms(c.Run.ScheduledFor)}
		if seen[s] || !c.good() && last[s] != i {
			continue
		}
		if !c.good() {
			made, err := r.madeGood(ctx, c.Run)
			if err != nil {
				return nil, err
			}
			if !made {
				continue
			}
		}
		seen[s] = true
		due = append(due, c.FollowUp)
	}
	return due, nil
}

// endedRun is a run that may make a follower due.
type endedRun struct {
	FollowUp
	anyEnd bool
}

// good says that the run does, by its own state.
func (c endedRun) good() bool {
	if c.Run.RedriveOf != "" {
		return false
	}
	return c.Run.State == Succeeded || c.anyEnd && c.Run.State != Failed
}

func (r *Reader) endedRuns(ctx context.Context, schedule string) (list []endedRun, err error) {
	now := time.Now()
	rows, err := r.ro.QueryContext(ctx, followUps, schedule, ms(now), ms(now.Add(-EndsKnownFor)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c endedRun
		if c.Run, err = scanRun(rows, &c.Schedule, &c.anyEnd); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}
