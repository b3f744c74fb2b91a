package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// printTable prints medians, a program a line.
func printTable(w io.Writer, o options, rows []*row) error {
	fmt.Fprintf(w, "%s a source (%s without a yardstick), medians of %d interleaved rounds, %d cores, %s;\n1 MB is 10^6 bytes of records as plain text\n\n",
		humanize.Bytes(uint64(o.size)), humanize.Bytes(uint64(o.slowSize)), o.runs, runtime.NumCPU(), runtime.Version())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	wide := 0 // of the first column, which stands to the left
	for _, r := range rows {
		wide = max(wide, len(r.label))
	}
	fmt.Fprintln(t, "\tMB/s\t× yardstick\tCPU s/GB\tpeak RSS MB\ttriggers/s\tCPU µs/trigger\tbody fill\t")
	for _, r := range rows {
		mb := float64(r.source.bytes) / 1e6
		speed := median(r, func(i int) float64 { return mb / r.samples[i].wall.Seconds() })
		cpu := median(r, func(i int) float64 { return r.samples[i].cpu.Seconds() / (mb / 1e3) })
		rss := median(r, func(i int) float64 { return float64(r.samples[i].rssBytes) / 1e6 })
		rate := median(r, func(i int) float64 { return float64(r.samples[i].Triggers) / r.samples[i].wall.Seconds() })
		each := median(r, func(i int) float64 {
			if !r.source.perRecord || r.samples[i].Triggers == 0 {
				return 0
			}
			return float64(r.samples[i].cpu.Microseconds()) / float64(r.samples[i].Triggers)
		})
		fill := median(r, func(i int) float64 { return 100 * r.samples[i].fill })
		ratio := 0.0
		if r.against != nil {
			ratio = median(r, func(i int) float64 { return r.against.samples[i].wall.Seconds() / r.samples[i].wall.Seconds() })
		}
		fmt.Fprintf(t, "%-*s\t%.1f\t%s\t%.2f\t%.0f\t%s\t%s\t%s\t\n", wide, r.label, speed, known(ratio, "%.2f"), cpu, rss,
			known(rate, "%.0f"), known(each, "%.0f"), known(fill, "%.2f %%"))
	}
	return t.Flush()
}

// known formats a figure; 0 is one that there is not.
func known(v float64, format string) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// median is the middle figure of a row's samples; of two, the mean.
func median(r *row, figure func(i int) float64) float64 {
	var v []float64
	for i := range r.samples {
		v = append(v, figure(i))
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
