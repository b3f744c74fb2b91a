package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCrash is a short campaign of each kind; 'make crash' is the long one.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the program dozens of times")
	}
	dir := t.TempDir()
	p, err := build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"-dir", dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []campaign{
		{policy: "hold", kills: 20},
		{policy: "resend", kills: 20},
		{policy: "hold", kills: 6, power: true},
	} {
		name := c.policy
		if c.power {
			name = "power cuts"
		}
		t.Run(name, func(t *testing.T) {
			c.seed, c.lanes, c.program, c.dir, c.tally = o.seed, 4, p, filepath.Join(dir, name), newTally()
			err := c.run(t.Context())
			if errors.Is(err, errNoDisk) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.tally.kills < c.kills || c.tally.requests == 0 {
				t.Errorf("%d kills, %d requests", c.tally.kills, c.tally.requests)
			}
		})
	}
}

// TestMutants holds that each mutant can still be made; 'go run ./crash -mutants'
// hunts them.
func TestMutants(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		changed, err := m.apply(root)
		if err != nil || len(changed) == 0 {
			t.Errorf("%s: %d files changed, %v", m.name, len(changed), err)
		}
	}
	moved := mutant{name: "moved", edits: []edit{{"go.mod", "no such text", ""}}}
	if _, err := moved.apply(root); err == nil || !strings.Contains(err.Error(), "0 times, not once") {
		t.Errorf("a text that is not there: got %v", err)
	}
}

// TestFailpoints holds the table against the program and docs/reliability.md.
func TestFailpoints(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inTable := map[string]bool{}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range failpoints {
		inTable[p.name] = true
		if row := "| `" + p.name + "` | " + string(p.when) + " | " + p.what + " |"; !strings.Contains(string(doc), row) {
			t.Errorf("docs/reliability.md lacks the row\n%s", row)
		}
	}
	for name, n := range hitsInCode(t, root) {
		if !inTable[name] {
			t.Errorf("the failpoint %s is in the program and not in the table", name)
		}
		if n > 1 {
			t.Errorf("the failpoint %s is in %d places", name, n)
		}
		delete(inTable, name)
	}
	if len(inTable) > 0 {
		t.Errorf("the failpoints %v are in the table and not in the program", inTable)
	}
}

var hitCall = regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)

func hitsInCode(t *testing.T, root string) map[string]int {
	t.Helper()
	hits := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == filepath.Join(root, "crash") || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		data, err := os.ReadFile(path)
		for _, m := range hitCall.FindAllSubmatch(data, -1) {
			hits[string(m[1])]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// TestDraw holds that a seed means the same round each time, and that the mix of
// answers is whole.
func TestDraw(t *testing.T) {
	sum := 0
	for _, a := range answers {
		sum += a.weight
	}
	if sum != 1000 {
		t.Errorf("the weights of the answers are %d", sum)
	}
	c := crashCase{policy: "hold", mode: "chunks", format: "csv", files: 2, records: 6, bad: 4}
	in, err := c.input()
	if err != nil {
		t.Fatal(err)
	}
	for id, rec := range in.records {
		f := in.files[rec.file]
		line := strings.Split(string(f.data), "\n")[rec.line-1]
		if want := text(id); !strings.HasSuffix(line, strings.Split(want, "\n")[0]) {
			t.Errorf("record %d is at %s:%d: %q", id, f.name, rec.line, line)
		}
	}
	bad := 0
	for _, f := range in.files {
		bad += f.bad
		if n := strings.Count(string(f.data), "bad\n"); n != f.bad {
			t.Errorf("%s has %d bad records, not %d", f.name, n, f.bad)
		}
	}
	if bad != c.bad {
		t.Errorf("%d bad records, want %d", bad, c.bad)
	}
}

// TestChecksSee holds that the checks are not blind where no mutant leads them.
func TestChecksSee(t *testing.T) {
	good := func() (*checking, *chunkRow) {
		row := &chunkRow{chunk: 1, state: "accepted", key: "k", records: 1, attempts: []attemptRow{{outcome: "accepted", status: 200, id: "id-0"}}}
		l := &ledger{runs: []runRow{{runID: "r", state: "succeeded"}}, slots: 1, chunks: map[int64]*chunkRow{1: row}, byKey: map[string]*chunkRow{"k": row}}
		c := &checking{round: &round{crashCase: crashCase{policy: "hold"}, ends: map[int]bool{1: true}}, ledger: l}
		c.seen = []trigger{{Key: "k", ID: "id-0", Start: 1, given: plain, answered: true}}
		return c, row
	}
	for _, test := range []struct {
		name, want string
		spoil      func(*checking, *chunkRow)
	}{
		{"as it should be", "", func(*checking, *chunkRow) {}},
		{"two slots", "I6", func(c *checking, _ *chunkRow) { c.ledger.slots = 2 }},
		{"no attempt", "I3", func(_ *checking, row *chunkRow) { row.attempts = nil }},
		{"said to be unsent", "I3", func(_ *checking, row *chunkRow) { row.attempts[0].outcome = "not_sent" }},
		{"twice", "I2", func(c *checking, row *chunkRow) {
			c.seen, row.attempts = append(c.seen, c.seen[0]), append(row.attempts, row.attempts[0])
		}},
		{"unknown chunk of the server", "I3", func(c *checking, _ *chunkRow) { c.ledger.byKey = nil }},
		{"another id", "I4", func(_ *checking, row *chunkRow) { row.attempts[0].id = "id-7" }},
		{"an answer that was never given", "I4", func(_ *checking, row *chunkRow) { row.attempts[0].status = 400 }},
		{"planned and accepted", "I4", func(_ *checking, row *chunkRow) { row.state = "planned" }},
		{"accepted and never seen", "I1", func(c *checking, _ *chunkRow) { c.seen = nil }},
		{"failed without a refusal", "I1", func(_ *checking, row *chunkRow) { row.state = "failed" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, row := good()
			test.spoil(c, row)
			c.group()
			c.slots()
			c.accepts()
			c.attempts()
			c.answers()
			found := slices.ContainsFunc(c.problems, func(p string) bool { return strings.HasPrefix(p, test.want+":") })
			if test.want == "" && len(c.problems) > 0 || test.want != "" && !found {
				t.Errorf("got %q, want %q", c.problems, test.want)
			}
		})
	}
}
