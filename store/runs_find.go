package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NotFoundError says that nothing in the ledger has this name.
type NotFoundError struct{ What, Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("no %s %q in the ledger", e.What, e.Name) }

const runByID = `SELECT ` + runColumns + ` FROM runs WHERE run_id = ? AND removing IS NULL`

const runsByMinute = `SELECT ` + runColumns + ` FROM runs WHERE schedule = ? AND scheduled_for >= ? AND scheduled_for < ? AND removing IS NULL ORDER BY id`

// FindRun returns the run with this id, or with this name as Run.Name gives it.
// Nothing found is a *NotFoundError; a name that fits several runs lists them.
func (r *Reader) FindRun(ctx context.Context, name string) (*Run, error) {
	schedule, at, isName := strings.Cut(name, "@")
	if !isName {
		run, err := scanRun(r.ro.QueryRowContext(ctx, runByID, name))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, &NotFoundError{"run", name}
		}
		return run, err
	}
	at, number, numbered := strings.Cut(at, "#")
	n := 1
	if numbered {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n < 1 {
			return nil, &NotFoundError{"run", name}
		}
	}
	return r.findNamed(ctx, name, schedule, at, n)
}

// findNamed looks a day around the local time, since the zone is the run's own.
func (r *Reader) findNamed(ctx context.Context, name, schedule, at string, number int) (*Run, error) {
	local, err := time.Parse("2006-01-02T15:04:05", at)
	if err != nil {
		if local, err = time.Parse("2006-01-02T15:04", at); err != nil {
			return nil, &NotFoundError{"run", name}
		}
	}
	near, err := queryRuns(ctx, r.ro, runsByMinute, schedule, ms(local.Add(-26*time.Hour)), ms(local.Add(26*time.Hour)))
	if err != nil {
		return nil, err
	}
	want := (&Run{Schedule: schedule, ScheduledFor: local, Number: number, Zone: "UTC"}).Name()
	var found []*Run
	for _, run := range near {
		if run.Name() == want {
			found = append(found, run)
		}
	}
	switch len(found) {
	case 0:
		now, err := r.NameNow(ctx, schedule)
		if err != nil || now == schedule {
			return nil, cmp.Or(err, error(&NotFoundError{"run", name}))
		}
		return r.findNamed(ctx, name, now, at, number)
	case 1:
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, run := range found {
		ids[i] = run.RunID
	}
	return nil, fmt.Errorf("%s names %d runs, use an id: %s", name, len(found), strings.Join(ids, ", "))
}

const runsNewest = `SELECT ` + runColumns + ` FROM runs WHERE removing IS NULL ORDER BY id DESC LIMIT ?`

const runsNewestOf = `SELECT ` + runColumns + ` FROM runs WHERE schedule = ? AND removing IS NULL ORDER BY id DESC LIMIT ?`

// Runs returns the newest runs first, of one schedule or ("") of all. One that was
// renamed may be asked for by its old name.
func (r *Reader) Runs(ctx context.Context, schedule string, limit int) ([]*Run, error) {
	if schedule == "" {
		return queryRuns(ctx, r.ro, runsNewest, limit)
	}
	list, err := queryRuns(ctx, r.ro, runsNewestOf, schedule, limit)
	if err != nil || len(list) > 0 {
		return list, err
	}
	now, err := r.NameNow(ctx, schedule)
	if err != nil || now == schedule {
		return nil, err
	}
	return queryRuns(ctx, r.ro, runsNewestOf, now, limit)
}

const runsOpen = `SELECT ` + runColumns + ` FROM runs WHERE state IN ('planning', 'delivering') ORDER BY id`

// OpenRuns returns the runs that are planning or delivering, oldest first. At
// a start these are the ones that a crash interrupted.
func (r *Reader) OpenRuns(ctx context.Context) ([]*Run, error) {
	return queryRuns(ctx, r.ro, runsOpen)
}

const runsHalfResolved = `
SELECT ` + runColumns + ` FROM runs WHERE state = 'held' AND removing IS NULL
  AND (EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state = 'planned')
    OR records_elsewhere = 0 AND NOT EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state = 'unknown')
      AND NOT EXISTS (SELECT 1 FROM segments WHERE run = id AND segments.state = 'unknown'))
ORDER BY id`

// HalfResolved returns the runs that are held although nothing is unknown any more,
// or a chunk is planned: a crash came between a decision and the run's new state.
func (r *Reader) HalfResolved(ctx context.Context) ([]*Run, error) {
	return queryRuns(ctx, r.ro, runsHalfResolved)
}

const runsInterrupted = `SELECT ` + runColumns + ` FROM runs WHERE state = 'stopped' AND reason IN (?, ?) AND removing IS NULL ORDER BY id`

// Interrupted returns the stopped runs with one of two reasons, oldest first.
func (r *Reader) Interrupted(ctx context.Context, reason, or string) ([]*Run, error) {
	return queryRuns(ctx, r.ro, runsInterrupted, reason, or)
}

const runsOfSlot = `
SELECT ` + runColumns + ` FROM runs WHERE schedule = ? AND scheduled_for = ? AND removing IS NULL
  AND (redrive_of IS NULL OR runs.state IN ('planning', 'delivering', 'stopped'))
ORDER BY number DESC LIMIT 1`

// LatestOfSlot returns the newest run for a due time; nil if there is none. A
// redrive counts only while it can go on: what it sent again is no news about the
// rest of the slot.
func (r *Reader) LatestOfSlot(ctx context.Context, schedule string, scheduledFor time.Time) (*Run, error) {
	return oneRun(ctx, r.ro, runsOfSlot, schedule, ms(scheduledFor))
}

const runsOfSlots = `
SELECT ` + runColumns + ` FROM runs WHERE schedule = ? AND scheduled_for >= ? AND scheduled_for < ? AND removing IS NULL
ORDER BY scheduled_for, number`

// RunsOfSlots returns all runs of a schedule that are for [from, until), by slot
// and number.
func (r *Reader) RunsOfSlots(ctx context.Context, schedule string, from, until time.Time) ([]*Run, error) {
	return queryRuns(ctx, r.ro, runsOfSlots, schedule, ms(from), ms(until))
}

const runUnfinished = `
SELECT ` + runColumns + `, planned_at IS NULL OR EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state = 'planned')
    OR EXISTS (SELECT 1 FROM segments WHERE run = id AND segments.state = 'planned' AND begun < records) AS can_go_on
FROM runs
WHERE schedule = ? AND removing IS NULL AND (runs.state IN ('planning', 'delivering') OR runs.state = 'stopped' AND planned_at IS NULL
    OR planned_at IS NOT NULL AND (EXISTS (SELECT 1 FROM chunks WHERE run = id AND chunks.state IN ('planned', 'sending', 'unknown'))
        OR EXISTS (SELECT 1 FROM segments WHERE run = id AND segments.state IN ('planned', 'unknown') AND begun < records)))
ORDER BY can_go_on DESC, id DESC
LIMIT 1`

// Unfinished returns the schedule's latest run that has planned chunks, else
// its latest with unknown ones; nil if there is neither.
func (r *Reader) Unfinished(ctx context.Context, schedule string) (*Run, error) {
	var canGoOn bool
	run, err := scanRun(r.ro.QueryRowContext(ctx, runUnfinished, schedule), &canGoOn)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return run, err
}

func oneRun(ctx context.Context, db *sql.DB, query string, args ...any) (*Run, error) {
	list, err := queryRuns(ctx, db, query, args...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}
