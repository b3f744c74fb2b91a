package main

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"worqcron/batch"
)

func TestSimulate(t *testing.T) {
	at := func(clock string) time.Time {
		v, err := time.Parse("2006-01-02 15:04:05", "2026-11-24 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	last := at("23:00:00")
	fast := math.Inf(1)
	hours, err := batch.ParseHours("03:00-04:00")
	if err != nil {
		t.Fatal(err)
	}
	type slot struct {
		load  *load
		clock string
	}
	mk := func(name string, chunks, speed float64) *load {
		return &load{name: name, chunks: chunks, speed: speed, zone: time.UTC}
	}
	hourly := mk("h", 9000, fast)
	queued := mk("q", 9000, fast)
	queued.queue = true
	windowed := mk("w", 3600, fast)
	windowed.window = batch.Window{hours}
	reader := mk("r", 100, fast)
	reader.reading = 10 * time.Minute
	three := []*load{mk("a", 2400, fast), mk("b", 2400, 1.5), mk("c", 2400, 0.2)}
	for _, tt := range []struct {
		name  string
		rate  float64
		slots []slot
		want  []string
		peaks []string
	}{
		{"alone, the limit decides", 2, []slot{{hourly, "02:00:00"}}, []string{"h 02:00:00 runs 02:00:00-03:15:00"}, nil},
		{"alone, its own speed decides", 2, []slot{{mk("a", 100, 0.5), "02:00:00"}}, []string{"a 02:00:00 runs 02:00:00-02:03:20"}, nil},
		{"no limit at all", fast, []slot{{hourly, "02:00:00"}}, []string{"h 02:00:00 runs 02:00:00-02:00:00"}, nil},
		{
			"the next slot is skipped", 2,
			[]slot{{hourly, "02:00:00"}, {hourly, "03:00:00"}, {hourly, "04:00:00"}},
			[]string{"h 02:00:00 runs 02:00:00-03:15:00", "h 03:00:00 skipped behind 02:00", "h 04:00:00 runs 04:00:00-05:15:00"},
			nil,
		},
		{
			"the next slot waits", 2,
			[]slot{{queued, "02:00:00"}, {queued, "02:30:00"}, {queued, "03:00:00"}},
			[]string{"q 02:00:00 runs 02:00:00-03:15:00", "q 02:30:00 superseded behind 02:00", "q 03:00:00 waits behind 02:00 03:15:00-04:30:00"},
			nil,
		},
		{"it reads first", 1, []slot{{reader, "02:00:00"}}, []string{"r 02:00:00 runs 02:00:00-02:11:40"}, nil},
		{"it waits for its window", 2, []slot{{windowed, "02:00:00"}}, []string{"w 02:00:00 runs 02:00:00-03:30:00"}, nil},
		// c has its 0.2; a and b share 1.8 at 0.9 each: 2400 are done after 44:26.667.
		{
			"three share", 2,
			[]slot{{three[0], "02:00:00"}, {three[1], "02:00:00"}, {three[2], "02:00:00"}},
			[]string{"a 02:00:00 runs 02:00:00-02:44:26", "b 02:00:00 runs 02:00:00-02:44:26", "c 02:00:00 runs 02:00:00-05:20:00"},
			[]string{"02:00:00-02:44:26 3 need 3.7"},
		},
		{
			"one with nothing to send asks for nothing", 1,
			[]slot{{mk("a", 0, fast), "02:00:00"}, {mk("b", 60, fast), "02:00:00"}},
			[]string{"a 02:00:00 runs 02:00:00-02:00:00", "b 02:00:00 runs 02:00:00-02:01:00"},
			nil,
		},
		{"one that cannot be done", 0.01, []slot{{hourly, "02:00:00"}}, []string{"h 02:00:00 unfinished 02:00:00-"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var flights []*flight
			for _, s := range tt.slots {
				flights = append(flights, &flight{load: s.load, slot: at(s.clock), begin: at(s.clock)})
			}
			peaks := simulate(slices.Clone(flights), tt.rate, at("00:00:00"), last)
			var got []string
			for _, f := range flights {
				line := fmt.Sprintf("%s %s %s", f.load.name, f.slot.Format(time.TimeOnly), f.state)
				if f.behind != "" {
					line += " behind " + f.behind[11:16]
				}
				if !f.started.IsZero() {
					line += " " + f.started.Format(time.TimeOnly) + "-"
				}
				if !f.finish.IsZero() {
					line += f.finish.Format(time.TimeOnly)
				}
				got = append(got, line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			var texts []string
			for _, p := range peaks {
				texts = append(texts, fmt.Sprintf("%s-%s %d need %.4g", p.from.Format(time.TimeOnly), p.until.Format(time.TimeOnly), len(p.names), p.need))
			}
			if !slices.Equal(texts, tt.peaks) {
				t.Errorf("peaks: got %q, want %q", texts, tt.peaks)
			}
		})
	}
}
