package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"worqcron/scheduler"
)

// A thousand schedules that are due at the same instant, until their runs begin.
func BenchmarkClaimTogether(b *testing.B) {
	d := quietDaemon(b)
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("s%04d", i))
	}
	withSchedules(d, names...)
	ended, end := context.WithCancel(b.Context())
	end() // of the runs: they come to rest at once
	for i := 0; b.Loop(); i++ {
		dues := make([]scheduler.Due, len(names))
		for k, name := range names {
			dues[k] = scheduler.Due{Schedule: name, At: hourAt(0).Add(time.Duration(i) * time.Hour)}
		}
		done := slots{d, ended}.ClaimTogether(b.Context(), dues)
		for _, ok := range done {
			if !ok {
				b.Fatal("a slot was left")
			}
		}
		b.StopTimer()
		d.runs.Wait()
		b.StartTimer()
	}
}
