package store

import (
	"context"
	"slices"
	"testing"
)

// donePaths are the files of a run that nothing more is needed of.
func donePaths(t *testing.T, l *Ledger, r *Run) []string {
	t.Helper()
	var paths []string
	for _, f := range get[[]SnapshotFile](t)(l.DoneFiles(context.Background(), r)) {
		paths = append(paths, f.Path)
	}
	return paths
}

func wantDone(t *testing.T, l *Ledger, r *Run, want ...string) {
	t.Helper()
	if got := donePaths(t, l, r); !slices.Equal(got, want) {
		t.Errorf("done: got %v, want %v", got, want)
	}
}

// threeFiles plans a run of three files with a chunk of one record each.
func threeFiles(t *testing.T, l *Ledger, n NewRun, dead ...DeadLetter) *Run {
	t.Helper()
	ctx := context.Background()
	r := get[*Run](t)(l.BeginRun(ctx, n))
	head, part := PlanHead{Shape: "shape", Job: "{}"}, PlanPart{Dead: dead}
	for i, name := range []string{"a", "b", "c"} {
		head.Files = append(head.Files, SnapshotFile{
			File: i, Path: name, Size: int64(i + 1), Inode: 1<<63 + uint64(i), ContentHash: "blake3:" + name, Records: 1,
		})
		c := chunkOf(r, int64(i+1))
		c.Ranges[0].File, c.Records, c.Ranges[0].Records = i, 1, 1
		part.Chunks = append(part.Chunks, c)
	}
	must(t, l.StartPlan(ctx, r, head))
	must(t, l.AddToPlan(ctx, r, part))
	must(t, l.FinishPlan(ctx, r, PlanTotals{RecordsRead: 3 + int64(len(dead))}))
	return r
}

func TestDoneFilesAreDeliveredWhole(t *testing.T) {
	for _, c := range []struct {
		state ChunkState // of the second file's chunk
		end   RunState
	}{{ChunkFailed, Partial}, {ChunkUnknown, Held}, {ChunkPlanned, Stopped}} {
		t.Run(string(c.state), func(t *testing.T) {
			l := open(t)
			r := threeFiles(t, l, slotRun("orders"))
			try(t, l, r, 1, ChunkAccepted)
			try(t, l, r, 2, c.state)
			try(t, l, r, 3, ChunkAccepted)
			wantDone(t, l, r) // not before the run has ended
			settle(t, l, r, c.end)
			wantDone(t, l, r, "a", "c")
		})
	}
	t.Run("dead letter", func(t *testing.T) {
		l := open(t)
		r := threeFiles(t, l, slotRun("orders"), DeadLetter{Number: 1, File: 2, Line: 2, Column: 1, Reason: "ragged"})
		for chunk := range int64(3) {
			try(t, l, r, chunk+1, ChunkAccepted)
		}
		settle(t, l, r, Partial)
		wantDone(t, l, r, "a", "b")
	})
}

// TestDoneFilesOfEarlierRuns holds that a file which this run found unchanged is
// done if the run that delivered it had no dead letter of it.
func TestDoneFilesOfEarlierRuns(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	first := threeFiles(t, l, slotRun("orders"), DeadLetter{Number: 1, File: 2, Line: 2, Column: 1, Reason: "ragged"})
	for chunk := range int64(3) {
		try(t, l, first, chunk+1, ChunkAccepted)
	}
	settle(t, l, first, Partial)

	next := get[*Run](t)(l.BeginRun(ctx, later("orders")))
	must(t, l.StartPlan(ctx, next, PlanHead{Shape: "shape", Files: []SnapshotFile{
		{File: 0, Path: "copy of a", Size: 1, ContentHash: "blake3:a", UnchangedSince: first.RunID},
		{File: 1, Path: "c", Size: 3, ContentHash: "blake3:c", UnchangedSince: first.RunID},
		{File: 2, Path: "unread", Size: 3},
	}}))
	wantDone(t, l, next, "copy of a")

	other := get[*Run](t)(l.BeginRun(ctx, later("bills")))
	must(t, l.StartPlan(ctx, other, PlanHead{Shape: "shape", Files: []SnapshotFile{
		{Path: "a", Size: 1, ContentHash: "blake3:a", UnchangedSince: first.RunID},
	}}))
	wantDone(t, l, other)
}

// TestDoneFilesOfARunThatSendsAgain holds that what an earlier run delivered says
// nothing about a file that this run sent again, and failed to.
func TestDoneFilesOfARunThatSendsAgain(t *testing.T) {
	l := open(t)
	first := threeFiles(t, l, slotRun("orders"))
	for chunk := range int64(3) {
		try(t, l, first, chunk+1, ChunkAccepted)
	}
	settle(t, l, first, Succeeded)
	again := threeFiles(t, l, later("orders"))
	try(t, l, again, 1, ChunkFailed)
	try(t, l, again, 2, ChunkAccepted)
	try(t, l, again, 3, ChunkUnknown)
	settle(t, l, again, Held)
	wantDone(t, l, again, "b")
}

func TestMarkGone(t *testing.T) {
	ctx := context.Background()
	l := open(t)
	first := threeFiles(t, l, slotRun("orders"))
	for chunk := range int64(3) {
		try(t, l, first, chunk+1, ChunkAccepted)
	}
	settle(t, l, first, Succeeded)
	again := threeFiles(t, l, later("orders"))
	other := threeFiles(t, l, later("bills"))
	done := get[[]SnapshotFile](t)(l.DoneFiles(ctx, first))
	if len(done) != 3 || done[1].Inode != 1<<63+1 {
		t.Fatalf("done: %+v", done)
	}
	done[0].Gone, done[1].Gone = "/done/a", GoneAway
	must(t, l.MarkGone(ctx, first, done))
	wantDone(t, l, first, "b", "c") // b is tried again
	for _, c := range []struct {
		run  *Run
		want string
	}{{first, "/done/a"}, {again, "/done/a"}, {other, ""}} {
		if got := get[[]SnapshotFile](t)(l.Files(ctx, c.run.ID))[0].Gone; got != c.want {
			t.Errorf("run of %s: got %q, want %q", c.run.Schedule, got, c.want)
		}
	}
	done[0].ContentHash = "blake3:other"
	wantErr(t, l.MarkGone(ctx, first, done[:1]), ErrState)
}
