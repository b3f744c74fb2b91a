package config

import (
	"fmt"
	"strings"
	"testing"
)

// manySchedules is a file with so many schedules, in a few zones.
func manySchedules(n int) []byte {
	var b strings.Builder
	b.WriteString("[worqhat]\nrate = \"off\"\n")
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"}
	for i := range n {
		fmt.Fprintf(&b, "[schedules.s%05d]\ncron = \"%d %d %d * *\"\ntimezone = %q\nflow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\npayload = { report = \"r%d\" }\n",
			i, i%60, 3+i%5, 1+i%28, zones[i%len(zones)], i)
	}
	return []byte(b.String())
}

func BenchmarkParseManySchedules(b *testing.B) {
	data := manySchedules(10_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse("schedules.toml", data); err != nil {
			b.Fatal(err)
		}
	}
}
