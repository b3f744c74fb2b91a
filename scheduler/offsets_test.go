package scheduler

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// allZones lists the database that comes with Go's sources.
func allZones(t *testing.T) []string {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no list of zones: go env GOROOT: %v", err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skipf("no list of zones: %v", err)
	}
	defer archive.Close()
	var names []string
	for _, f := range archive.File {
		if !f.FileInfo().IsDir() {
			names = append(names, f.Name)
		}
	}
	return names
}

// The search takes for granted that no two changes of a zone lie within reach of
// each other and that no offset exceeds maxOffset. Since 1970 that is so, in all
// zones; and stretch and changeBefore find each of them.
func TestZonesChangeSlowly(t *testing.T) {
	from, until := instantOf(t, "1970-01-03").Unix(), instantOf(t, "2045-01-01").Unix()
	changes := 0
	for _, name := range allZones(t) {
		zone := zoneNamed(t, name)
		last := int64(minSecond)
		for s := from; ; {
			c, ok := changeAfter(zone, s, until)
			if !ok {
				break
			}
			changes++
			if c.at-last <= reach {
				t.Errorf("%s: changes at %s and %s", name, rfc3339(last), rfc3339(c.at))
			}
			if max(c.before, -c.before) > maxOffset || max(c.after, -c.after) > maxOffset {
				t.Errorf("%s: offset at %s is beyond %d", name, rfc3339(c.at), maxOffset)
			}
			for _, later := range []int64{0, 1, 3600, reach - 1} {
				if back, ok := changeBefore(zone, c.at+later); !ok || back != c {
					t.Errorf("%s: change before %s: got %v, %v, want %v", name, rfc3339(c.at+later), back, ok, c)
				}
			}
			if back, ok := changeBefore(zone, c.at+reach); ok {
				t.Errorf("%s: %s is beyond reach, got %v", name, rfc3339(c.at+reach), back)
			}
			last, s = c.at, c.at
		}
	}
	if changes < 10000 {
		t.Errorf("only %d changes seen", changes)
	}
}

// changeAfter must miss none: between two changes the offset is the same at each
// hour, for years on both sides of the last recorded change.
func TestStretchHoldsItsOffset(t *testing.T) {
	until := instantOf(t, "2062-01-01").Unix()
	for _, name := range oracleZones {
		zone := zoneNamed(t, name)
		s := instantOf(t, "1972-01-01").Unix()
		for s < until {
			off, end := stretch(zone, s)
			if end <= s {
				t.Fatalf("%s: a stretch at %s ends at %s", name, rfc3339(s), rfc3339(end))
			}
			for at := s; at < min(end, until); at += 3600 {
				if _, o := time.Unix(at, 0).In(zone).Zone(); int64(o) != off {
					t.Fatalf("%s: offset %d at %s inside the stretch from %s", name, o, rfc3339(at), rfc3339(s))
				}
			}
			s = end
		}
	}
}
