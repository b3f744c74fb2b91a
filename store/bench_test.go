package store

import (
	"bytes"
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// BenchmarkAttempt is an intent and its outcome, each with its own fsync: what a
// trigger costs the ledger.
func BenchmarkAttempt(b *testing.B) {
	ctx, l := context.Background(), open(b)
	r := planned(b, l, slotRun("orders"), 1)
	end := AttemptEnd{Outcome: "throttled", Reason: "status", StatusCode: 429, Next: ChunkPlanned}
	for b.Loop() {
		// The same chunk again would count ever more attempts of it.
		b.StopTimer()
		r = fresh(b, l, r)
		b.StartTimer()
		id, err := l.BeginAttempt(ctx, r.ID, 1, "xxh3:0123456789abcdef", 9_000_000)
		must(b, err)
		must(b, l.FinishAttempt(ctx, id, end))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

// fresh gives a new run once the old one's chunk had a hundred attempts.
func fresh(b *testing.B, l *Ledger, r *Run) *Run {
	if n := count(b, l, `SELECT count(*) FROM attempts WHERE run = ?`, r.ID); n < 100 {
		return r
	}
	return planned(b, l, handRun("orders", r.ScheduledFor.Add(time.Second)), 1)
}

// BenchmarkAddToPlan commits 1,000 chunks with a range each.
func BenchmarkAddToPlan(b *testing.B) {
	ctx, l := context.Background(), open(b)
	r := get[*Run](b)(l.BeginRun(ctx, slotRun("orders")))
	must(b, l.StartPlan(ctx, r, PlanHead{Shape: "s", Files: []SnapshotFile{file(1)}}))
	next := int64(1)
	for b.Loop() {
		part := PlanPart{Chunks: make([]Chunk, 1000)}
		for i := range part.Chunks {
			part.Chunks[i] = chunkOf(r, next)
			next++
		}
		must(b, l.AddToPlan(ctx, r, part))
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "chunks/s")
}

// BenchmarkOpen opens a ledger with 100,000 chunks, which is read whole for it.
func BenchmarkOpen(b *testing.B) {
	ctx, path := context.Background(), filepath.Join(b.TempDir(), "worqcron.db")
	l, err := Open(ctx, path, "run")
	must(b, err)
	planned(b, l, slotRun("orders"), 100_000)
	size := count(b, l, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`)
	must(b, l.Close())
	b.SetBytes(size)
	for b.Loop() {
		l, err := Open(ctx, path, "run")
		must(b, err)
		must(b, l.Close())
	}
}

func BenchmarkReceipt(b *testing.B) {
	ctx, l := context.Background(), open(b)
	r := planned(b, l, slotRun("orders"), 10_000)
	for b.Loop() {
		_, err := l.Receipt(ctx, r)
		must(b, err)
	}
}

// BenchmarkRecords is an intent and its outcome of 64 records at a time, as with one
// trigger a record: what it costs in CPU time, whatever the disk takes.
func BenchmarkRecords(b *testing.B) {
	ctx, l := context.Background(), open(b)
	r := segmented(b, l, slotRun("orders"), b.N/10+1)
	end := ends[ChunkAccepted]
	end.Answer = bytes.Repeat([]byte("a"), 190)
	var next atomic.Int64
	var workers sync.WaitGroup
	b.ResetTimer()
	before := cpuTime(b)
	for range 64 {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				i := intentOf(r, n)
				i.BodyHash = "xxh3-128:0123456789abcdef0123456789abcdef"
				id, err := l.BeginRecord(ctx, i)
				if err != nil {
					b.Error(err)
					return
				}
				end := end
				end.AnalyticsID = uuid.NewString()
				if err := l.FinishAttempt(ctx, id, end); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "CPU-µs/trigger")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "triggers/s")
}

// cpuTime is what the process has used, user and system.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
