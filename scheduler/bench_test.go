package scheduler

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	for _, expr := range []string{"*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "0 0 * * 5L"} {
		b.Run(expr, func(b *testing.B) {
			s := mustParse(b, expr, "America/New_York", SpecOptions{})
			after := time.Date(2028, 3, 1, 12, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(after)
			}
		})
	}
}

func BenchmarkPrev(b *testing.B) {
	for _, expr := range []string{"*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "0 0 * * 5L"} {
		b.Run(expr, func(b *testing.B) {
			s := mustParse(b, expr, "America/New_York", SpecOptions{})
			before := time.Date(2028, 2, 1, 12, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Prev(before)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	zone := zoneNamed(b, "America/New_York")
	for b.Loop() {
		if _, err := Parse("30 2 * * 1-5", zone, SpecOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
