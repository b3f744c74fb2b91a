package batch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
)

// TestMaxDuration lets a run of ten chunks, of which each takes an hour, stop.
func TestMaxDuration(t *testing.T) {
	tests := []struct {
		name     string
		limit    time.Duration
		window   []string
		accepted int64
		state    store.RunState
		reason   string
		takes    time.Duration
	}{
		{"none", 0, nil, 10, store.Succeeded, "", 10 * time.Hour},
		{"long enough", 11 * time.Hour, nil, 10, store.Succeeded, "", 10 * time.Hour},
		{"too short", 150 * time.Minute, nil, 3, store.Stopped, "took longer than max_duration = 2h30m0s", 3 * time.Hour},
		// synctest's clock begins at midnight UTC.
		{"waiting for the window does not count", 150 * time.Minute, []string{"12:00-14:00"}, 3, store.Stopped, "took longer than max_duration = 2h30m0s", 37 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				for range 10 {
					w.script = append(w.script, slowly(time.Hour))
				}
				job := testJob(t, 10)
				job.Delivery.MaxInFlight, job.Delivery.Timeout, job.Delivery.ShutdownTimeout = 1, 2*time.Hour, 2*time.Hour
				job.Delivery.MaxDuration, job.Delivery.Window = tt.limit, windowOf(t, tt.window...)
				r := testRunner(t, w)
				began := time.Now()
				c := mustRun(t, r, job, Order{Origin: "manual"})
				if c.Status != tt.state || c.Reason != tt.reason || c.Chunks.Accepted != tt.accepted || c.Chunks.Pending != 10-tt.accepted || c.Chunks.Unknown != 0 {
					t.Errorf("%s: %s, %+v", c.Status, c.Reason, c.Chunks)
				}
				if took := time.Since(began).Round(time.Minute); took != tt.takes {
					t.Errorf("it took %s, want %s", took, tt.takes)
				}
				if tt.state != store.Stopped {
					return
				}
				job.Delivery.MaxDuration, job.Delivery.Window = 0, nil
				if c = mustRun(t, r, job, Order{Origin: "manual"}); c.Status != store.Succeeded || c.Chunks.Accepted != 10 {
					t.Errorf("gone on: %s: %s, %+v", c.Status, c.Reason, c.Chunks)
				}
			})
		})
	}
}

// TestMaxDurationIsReloaded shortens the limit of a run under way.
func TestMaxDurationIsReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		for range 10 {
			w.script = append(w.script, slowly(time.Hour))
		}
		job := testJob(t, 10)
		job.Delivery.MaxInFlight, job.Delivery.Timeout, job.Delivery.ShutdownTimeout = 1, 2*time.Hour, 2*time.Hour
		r := testRunner(t, w)
		timer := time.AfterFunc(90*time.Minute, func() {
			o := job.Delivery
			o.MaxDuration = 30 * time.Minute
			r.UpdateDelivery(job.Schedule, o)
		})
		defer timer.Stop()
		if c := mustRun(t, r, job, Order{Origin: "manual"}); c.Status != store.Stopped || c.Chunks.Accepted != 2 {
			t.Errorf("%s: %s, %+v", c.Status, c.Reason, c.Chunks)
		}
	})
}

// slowly accepts a trigger after a time.
func slowly(after time.Duration) answering {
	return func(r *http.Request) (*http.Response, error) {
		time.Sleep(after)
		return accepted(r)
	}
}
