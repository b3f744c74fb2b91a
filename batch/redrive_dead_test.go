package batch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"worqcron/store"
)

// deadJob has the lines of two files, so that chunks may reach over both. A line
// "N" is dead, a line "N,x" is a record.
func deadJob(t *testing.T, mode string, perChunk int, one, two []string) *Job {
	t.Helper()
	job := recordsJob(t, map[string]string{"in1.csv": deadText(one), "in2.csv": deadText(two)})
	job.Chunk.Mode, job.Chunk.MaxRecords = mode, perChunk
	job.Records.MaxBad = Share{Percent: 100, IsPercent: true}
	return job
}

func deadText(lines []string) string { return "a,b\n" + strings.Join(lines, "\n") + "\n" }

func rewrite(t *testing.T, job *Job, name string, lines []string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(job.Source.Path), name)
	if err := os.WriteFile(path, []byte(deadText(lines)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// accepts counts how often each record was accepted, by its first member.
func accepts(j *judge) map[string]int {
	n := map[string]int{}
	for _, body := range j.accepted {
		for _, part := range strings.Split(body, `"a":"`)[1:] {
			id, _, _ := strings.Cut(part, `"`)
			n[id]++
		}
	}
	return n
}

// Whatever is dead, mended, refused, redriven and run again, in whatever order:
// each record is accepted once at most, and in the end once.
func TestDeadLettersGoOutOnce(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		mode := bothModes[seed%2]
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { deadLettersOnce(t, r, mode) })
		})
	}
}

func deadLettersOnce(t *testing.T, r *rand.Rand, mode string) {
	names, lines := []string{"in1.csv", "in2.csv"}, make([][]string, 2)
	for i := range 16 {
		text := fmt.Sprintf("r%d,x", i)
		if r.IntN(3) == 0 {
			text = fmt.Sprintf("r%d", i)
		}
		lines[i/8] = append(lines[i/8], text)
	}
	lines[0][0], lines[0][1], lines[1][7] = "r0,x", "r1", "r15"
	runner, j := judgedRunner(t)
	job := deadJob(t, mode, 1+r.IntN(4), lines[0], lines[1])
	if r.IntN(2) == 0 {
		j.refuse = fmt.Sprintf(`"r%d"`, r.IntN(16))
	}
	runs := []*store.Receipt{runJob(t, runner, job, Order{})}
	j.refuse = ""
	for range 15 {
		of := runs[r.IntN(len(runs))]
		switch r.IntN(4) {
		case 0:
			f := r.IntN(2)
			mendSome(r, lines[f])
			rewrite(t, job, names[f], lines[f])
		case 1:
			if c := tryRedrive(t, runner, job, of, Redrive{}); c != nil {
				runs = append(runs, c)
			}
		default:
			if c := tryRedrive(t, runner, job, of, Redrive{Dead: true}); c != nil {
				runs = append(runs, c)
			}
		}
		once(t, j, 0)
	}
	for f := range lines { // at last all is mended, and all that is left is sent
		for i, line := range lines[f] {
			if !strings.Contains(line, ",") {
				lines[f][i] = line + ",z"
			}
		}
		rewrite(t, job, names[f], lines[f])
	}
	for i := 0; i < len(runs); i++ {
		for _, what := range []Redrive{{Dead: true}, {}, {Dead: true}} {
			if c := tryRedrive(t, runner, job, runs[i], what); c != nil {
				runs = append(runs, c)
			}
		}
	}
	once(t, j, 16)
	n := len(j.accepted)
	if c := runJob(t, runner, job, Order{New: true}); c.Records.Accepted != 0 || c.Records.Unchanged != c.Records.Read || len(j.accepted) != n {
		t.Errorf("a run after it is %s (%s) with %+v", c.Status, c.Reason, c.Records)
	}
}

// mendSome makes records of some dead lines.
func mendSome(r *rand.Rand, lines []string) {
	for i, line := range lines {
		if !strings.Contains(line, ",") && r.IntN(2) == 0 {
			lines[i] = line + "," + strings.Repeat("y", r.IntN(5))
		}
	}
}

// tryRedrive returns nil where there is nothing to send again.
func tryRedrive(t *testing.T, r *Runner, job *Job, of *store.Receipt, what Redrive) *store.Receipt {
	t.Helper()
	run, err := r.StartRedrive(t.Context(), job, findRun(t, r, of.RunID), what, "ann")
	var nothing *NothingToRedriveError
	if errors.As(err, &nothing) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Execute(t.Context(), job, run, Order{})
	if err != nil || !c.Balanced || run.PlannedAt == nil {
		t.Fatalf("%s is %s (%s), %v", c.Name, c.Status, c.Reason, err)
	}
	return c
}

// once asserts that nothing was accepted twice, and so much in all; 0: whatever.
func once(t *testing.T, j *judge, total int) {
	t.Helper()
	n := accepts(j)
	for id, n := range n {
		if n > 1 {
			t.Fatalf("%s was accepted %d times", id, n)
		}
	}
	if total > 0 && len(n) != total {
		t.Errorf("%d of %d records were accepted: %v", len(n), total, n)
	}
}

// What a run of the mended file sent already, a redrive of its dead letters leaves.
func TestMendedFileThatWasRunAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := judgedRunner(t)
		job := deadJob(t, ModeChunks, 2, []string{"r1,x", "r2", "r3,x"}, []string{"r4,x"})
		of := runJob(t, r, job, Order{})
		rewrite(t, job, "in1.csv", []string{"r1,x", "r2,x", "r3,x"})
		runJob(t, r, job, Order{New: true})
		j.take()
		c := redrive(t, r, job, of, Redrive{Dead: true})
		wantBalance(t, c, store.Succeeded, store.RecordBalance{Read: 3, Unchanged: 3})
		if sent := j.take(); len(sent) != 0 {
			t.Errorf("sent again: %q", sent)
		}
	})
}

// What stands beside dead letters must be what it was.
func TestMendedFileWithOtherChanges(t *testing.T) {
	for name, lines := range map[string][]string{
		"another value":    {"r1,y", "r2,x", "r3,x"},
		"a record more":    {"r1,x", "r2,x", "r9,x", "r3,x"},
		"one at the end":   {"r1,x", "r2,x", "r3,x", "r9,x"},
		"one in front":     {"r0,x", "r1,x", "r2,x", "r3,x"},
		"a record less":    {"r1,x", "r2,x"},
		"the dead one out": {"r1,x", "r3,x"},
		"the order":        {"r3,x", "r2,x", "r1,x"},
		"nothing left":     {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, mode := range bothModes {
					r, j := judgedRunner(t)
					job := deadJob(t, mode, 2, []string{"r1,x", "r2", "r3,x"}, []string{"r4,x"})
					of := runJob(t, r, job, Order{})
					j.take()
					rewrite(t, job, "in1.csv", lines)
					run, err := r.StartRedrive(t.Context(), job, findRun(t, r, of.RunID), Redrive{Dead: true}, "ann")
					if err == nil {
						var c *store.Receipt
						if c, err = r.Execute(t.Context(), job, run, Order{}); err != nil {
							t.Fatal(err)
						}
						err = errors.New(c.Reason)
						if c.Status != store.Failed {
							t.Errorf("got %s with %+v", c.Status, c.Records)
						}
					}
					if !strings.Contains(err.Error(), "in1.csv:") || !strings.Contains(err.Error(), "--dead' writes them to a file") {
						t.Errorf("got %v", err)
					}
					if sent := j.take(); len(sent) != 0 {
						t.Errorf("sent %q", sent)
					}
				}
			})
		})
	}
}
