package batch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"worqcron/store"
)

func TestColumnsGainedAndLost(t *testing.T) {
	known, err := headersOf([]store.SnapshotFile{
		{Path: "a.csv", Header: `["id","vat"]`}, {Path: "b.ndjson"}, {Path: "c.csv", Header: `["id","name"]`},
	})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 25)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	for _, c := range []struct {
		path string
		now  []string
		want string
	}{
		{"a.csv", []string{"vat", "id"}, ""},
		{"new.csv", []string{"id", "vat"}, ""},
		{"a.csv", []string{"id", "discount"}, "columns gained: discount; lost: vat"},
		{"new.csv", []string{"id", "discount"}, "columns gained: discount; lost: name"},
		{"a.csv", []string{"id"}, "columns lost: vat"},
		{"a.csv", append([]string{"id", "vat"}, many...), "columns gained: " + strings.Join(many[:20], ", ") + " and 5 more"},
	} {
		if got := known.difference(c.path, c.now); got != c.want {
			t.Errorf("%s %v: got %q, want %q", c.path, c.now, got, c.want)
		}
	}
	if _, err := headersOf([]store.SnapshotFile{{Path: "a.csv", Header: "id"}}); err == nil {
		t.Error("a header that is no JSON was taken")
	}
}

// planFiles plans a job of these CSV files and returns the receipt.
func planFiles(t *testing.T, r *Runner, job *Job, files map[string]string) *store.Receipt {
	t.Helper()
	dir := filepath.Dir(job.Source.Path)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := r.Run(t.Context(), job, Order{Origin: "manual", New: true, PlanOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlanNotesColumns(t *testing.T) {
	r := testRunner(t, &wire{})
	job := testJob(t, 0)
	job.Source.Path = filepath.Join(t.TempDir(), "*.csv")
	first := planFiles(t, r, job, map[string]string{"a.csv": "id,vat\n1,2\n", "b.csv": "id,vat\n3,4\n"})
	if len(first.Notes) > 0 {
		t.Errorf("the first run has notes: %q", first.Notes)
	}
	second := planFiles(t, r, job, map[string]string{"b.csv": "id,sum\n3,4\n", "c.csv": "id,sum\n3,4\n"})
	if want := []string{"b.csv and 1 more: columns gained: sum; lost: vat (since run " + first.Name + ")"}; !slices.Equal(second.Notes, want) {
		t.Errorf("got %q, want %q", second.Notes, want)
	}
	third := planFiles(t, r, job, map[string]string{"b.csv": "id,sum\n5,6\n"})
	if len(third.Notes) > 0 {
		t.Errorf("nothing changed, but %q", third.Notes)
	}
}

// TestFailedPlanKeepsNotes holds that a note explains the plan that it failed with.
func TestFailedPlanKeepsNotes(t *testing.T) {
	r := testRunner(t, &wire{})
	job := testJob(t, 1)
	dir := filepath.Dir(job.Source.Path)
	job.Source.Path = filepath.Join(dir, "in.csv")
	first := planFiles(t, r, job, map[string]string{"in.csv": "a,b\n1,2\n"})
	c := planFiles(t, r, job, map[string]string{"in.csv": "a\n1,2\n"})
	want := []string{
		"columns lost: b (since run " + first.Name + ")",
		`1 record bad for ragged: if lines before the header are to be left out, set skip_lines; ragged = "pad" takes records that are short of fields`,
	}
	if c.Status != store.Failed || !slices.Equal(c.Notes, want) {
		t.Errorf("got %s with %q, want failed with %q", c.Status, c.Notes, want)
	}
}
