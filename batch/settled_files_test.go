package batch

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
)

// changed sets when a job's file changed last, by the clock of the bubble.
func changed(t *testing.T, job *Job, ago time.Duration) {
	t.Helper()
	if err := os.Chtimes(job.Source.Path, time.Time{}, time.Now().Add(-ago)); err != nil {
		t.Fatal(err)
	}
}

func TestRunWaitsForItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRunner(t, &wire{script: []answering{accepted}})
		job := testJob(t, 1)
		job.Files = FilePolicy{Settle: time.Minute, SettleTimeout: time.Hour}
		changed(t, job, 20*time.Second)
		began, progress := time.Now(), &Progress{}
		time.AfterFunc(5*time.Second, func() {
			if now := progress.Now(); now.Waiting != job.Source.Path {
				t.Errorf("progress while it waits: %+v", now)
			}
		})
		c, err := r.Run(context.Background(), job, Order{Origin: "manual", Progress: progress})
		if err != nil || c.Status != store.Succeeded || time.Since(began) != 40*time.Second {
			t.Errorf("after %s: %+v, %v", time.Since(began), c, err)
		}
		if now := progress.Now(); now.Waiting != "" {
			t.Errorf("progress after the wait: %+v", now)
		}
	})
}

func TestRunThatIsStoppedWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRunner(t, &wire{script: []answering{accepted}})
		job := testJob(t, 1)
		job.Files = FilePolicy{Settle: time.Minute, SettleTimeout: time.Hour}
		changed(t, job, 0)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, context.Canceled)
		defer cancel()
		c, err := r.Run(ctx, job, Order{Origin: "manual"})
		if err != nil || c.Status != store.Stopped || c.Reason != ReasonInterrupted {
			t.Fatalf("got %+v, %v", c, err)
		}
		c, err = r.Run(context.Background(), job, Order{Origin: "manual"})
		if err != nil || c.Status != store.Succeeded {
			t.Errorf("the run that goes on: %+v, %v", c, err)
		}
	})
}

func TestRunFailsIfAFileNeverSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRunner(t, &wire{script: []answering{accepted}})
		job := testJob(t, 1)
		job.Files = FilePolicy{Settle: time.Minute, SettleTimeout: time.Minute}
		changed(t, job, 0)
		time.AfterFunc(30*time.Second, func() { changed(t, job, 0) })
		c, err := r.Run(context.Background(), job, Order{Origin: "manual"})
		if err != nil || c.Status != store.Failed || !strings.Contains(c.Reason, job.Source.Path+": is still being written") || c.Attempts != 0 {
			t.Errorf("got %+v, %v", c, err)
		}
	})
}
