package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"worqcron/store"
)

// Removed says what retention removed.
type Removed struct {
	Runs     int64
	Rows     int64 // of those runs
	Slots    int64
	Requests int64
	Pauses   int64
	Bytes    int64 // that the ledger's file is shorter by, at its next checkpoint
}

// Retain removes settled runs that ended before an instant, with all their rows,
// kept bodies and spools, and old slots, requests and pauses; then it makes the ledger's
// file shorter. What a later run needs of them stays: which files were delivered,
// and, where that was in part, which bytes.
//
// It works in transactions of some milliseconds. Before each it calls idle, which
// returns when nothing is under way that would wait for it, or an error to end.
// What was begun goes on with the next call.
func (r *Runner) Retain(ctx context.Context, before time.Time, idle func(context.Context) error) (Removed, error) {
	t := &retention{runner: r, before: before, idle: idle, rows: 100}
	err := t.runs(ctx)
	if err == nil {
		err = t.slots(ctx)
	}
	if err == nil {
		err = t.all(ctx, &t.removed.Requests, t.runner.Ledger.RemoveRequests)
	}
	if err == nil {
		err = t.all(ctx, &t.removed.Pauses, t.runner.Ledger.RemovePauses)
	}
	if err == nil {
		err = t.giveBack(ctx)
	}
	return t.removed, err
}

type retention struct {
	runner  *Runner
	before  time.Time
	idle    func(context.Context) error
	rows    int64 // that one transaction removes; it follows how long they take
	removed Removed
}

// A transaction of retention should take so long, and never has more rows or
// pages than most.
const (
	retainStep  = 10 * time.Millisecond
	leastInStep = 10
	mostInStep  = 1000
)

// step does one transaction, when nothing is under way. It is not cut short: it
// is over in a moment, and a cut costs a connection.
func (t *retention) step(ctx context.Context, do func(ctx context.Context, rows int64) error) error {
	if err := t.idle(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := do(context.WithoutCancel(ctx), t.rows); err != nil {
		return err
	}
	switch took := time.Since(began); {
	case took > 2*retainStep:
		t.rows = max(t.rows/2, leastInStep)
	case took < retainStep/2:
		t.rows = min(t.rows*2, mostInStep)
	}
	return nil
}

func (t *retention) runs(ctx context.Context) error {
	begun, err := t.runner.Ledger.Removing(ctx)
	if err != nil {
		return err
	}
	for _, run := range begun {
		if err := t.remove(ctx, run); err != nil {
			return err
		}
	}
	const page = 100
	var last *store.Run
	for {
		list, err := t.runner.Ledger.Removable(ctx, t.before, last, page)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, run := range list {
			last = run
			if err := t.keepRanges(ctx, run); err != nil {
				return err
			}
			begin := func(ctx context.Context, _ int64) error { return t.runner.Ledger.BeginRemoval(ctx, run) }
			if err := t.step(ctx, begin); err != nil {
				return err
			}
			if err := t.remove(ctx, run); err != nil {
				return err
			}
		}
	}
}

// remove removes a run whose removal was begun: first what lies beside the ledger,
// while its rows still tell of it.
func (t *retention) remove(ctx context.Context, run *store.Run) error {
	if err := t.runner.keptBodies().removeRun(run.RunID); err != nil {
		return fmt.Errorf("kept bodies of run %s: %w", run.RunID, err)
	}
	if err := removeSpool(spoolPath(t.runner.Ledger.Path(), run.RunID)); err != nil {
		return err
	}
	for gone := false; !gone; {
		err := t.step(ctx, func(ctx context.Context, rows int64) (err error) {
			n, last, err := t.runner.Ledger.RemoveRows(ctx, run, rows)
			t.removed.Rows += n
			gone = last
			return err
		})
		if err != nil {
			return err
		}
	}
	t.removed.Runs++
	return nil
}

// keepRanges keeps which bytes a run delivered of files that were not delivered
// whole, and of all files if it depends on a run which of their records go out:
// being delivered whole means nothing then.
func (t *retention) keepRanges(ctx context.Context, run *store.Run) error {
	files, err := t.runner.Ledger.Files(ctx, run.ID)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.ContentHash == "" || f.UnchangedSince != "" {
			continue
		}
		if !whereReadsRun(run) {
			by, err := t.runner.Ledger.DeliveredBy(ctx, run.Schedule, run.Shape, f.ContentHash)
			if err != nil {
				return err
			}
			if by != "" {
				continue
			}
		}
		ranges, err := t.runner.Ledger.AcceptedRanges(ctx, run, f.File)
		if err != nil {
			return err
		}
		if err := t.keep(ctx, run, store.Content{Size: f.Size, Hash: f.ContentHash}, ranges); err != nil {
			return err
		}
	}
	return t.keepMended(ctx, run, files)
}

func (t *retention) keep(ctx context.Context, run *store.Run, of store.Content, ranges []store.Earlier) error {
	for len(ranges) > 0 {
		err := t.step(ctx, func(ctx context.Context, rows int64) error {
			n := min(int(rows), len(ranges))
			err := t.runner.Ledger.KeepRanges(ctx, run, of, ranges[:n])
			ranges = ranges[n:]
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepMended keeps what was delivered of files in which dead records were mended, as
// they were before and as they are now: without the run nobody will know that the two
// are the same but for those.
func (t *retention) keepMended(ctx context.Context, run *store.Run, files []store.SnapshotFile) error {
	all, err := t.runner.Ledger.Mendings(ctx, run)
	if err != nil || len(all) == 0 {
		return err
	}
	mine := map[store.Content]bool{}
	for _, f := range files {
		mine[store.Content{Size: f.Size, Hash: f.ContentHash}] = true
	}
	anybody := &store.Run{Schedule: run.Schedule, Shape: run.Shape} // also what the run itself did
	for _, m := range all {
		if !mine[m.Before] && !mine[m.Now] {
			continue
		}
		for _, content := range []store.Content{m.Before, m.Now} {
			ranges, err := knownRanges(ctx, &t.runner.Ledger.Reader, anybody, content)
			if err != nil {
				return err
			}
			ranges = slices.DeleteFunc(ranges, func(g store.Earlier) bool { return g.State != store.ChunkAccepted })
			if err := t.keep(ctx, run, content, ranges); err != nil {
				return err
			}
		}
	}
	return nil
}

// whereReadsRun says whether it may depend on the run which records went out, by
// the options that it was planned with; also if they cannot be read.
func whereReadsRun(run *store.Run) bool {
	var s shape
	return json.Unmarshal([]byte(run.Job), &s) != nil || s.WhereReadsRun()
}

func (t *retention) slots(ctx context.Context) error {
	for schedule := ""; ; {
		var rows int64
		behind := schedule
		err := t.step(ctx, func(ctx context.Context, most int64) (err error) {
			schedule, rows, err = t.runner.Ledger.RemoveSlots(ctx, behind, t.before, most)
			t.removed.Slots += rows
			return err
		})
		if err != nil || schedule == "" {
			return err
		}
		if rows > 0 { // it may have more
			schedule = behind
		}
	}
}

// all repeats one kind of removal until nothing is left of it, and counts.
func (t *retention) all(ctx context.Context, gone *int64, remove func(ctx context.Context, before time.Time, limit int64) (int64, error)) error {
	for rows := int64(1); rows > 0; {
		err := t.step(ctx, func(ctx context.Context, most int64) (err error) {
			rows, err = remove(ctx, t.before, most)
			*gone += rows
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sparePages stay free for what comes next.
const sparePages = 1000

func (t *retention) giveBack(ctx context.Context) error {
	for last := int64(-1); ; {
		free, size, err := t.runner.Ledger.FreePages(ctx)
		if err != nil {
			return err
		}
		if last >= 0 {
			t.removed.Bytes += max(0, last-free) * size
		}
		if free <= sparePages || free == last { // the latter: the file was not made for it
			return nil
		}
		last = free
		err = t.step(ctx, func(ctx context.Context, pages int64) error {
			return t.runner.Ledger.GiveBack(ctx, min(pages, free-sparePages))
		})
		if err != nil {
			return err
		}
	}
}

// removeRun forgets all bodies of a run.
func (k *keptBodies) removeRun(runID string) error {
	dir := filepath.Join(k.dir, runID)
	were, err := filesBelow(dir)
	if err != nil || were.Files == 0 {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	k.give(were.Bytes)
	return nil
}
