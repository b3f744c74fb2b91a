package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// mutant is the program with one mistake that the harness must find.
type mutant struct {
	name  string
	finds string // the invariants that it breaks, as a regular expression
	edits []edit
	power bool // only a power cut shows it
	kills int  // at most, until it must be found
}

// edit replaces a text that a file of the repository has exactly once.
type edit struct{ file, old, with string }

var mutants = []mutant{
	{
		name: "outcome committed before the POST", finds: "I[14]:", kills: 300,
		edits: []edit{
			{
				"batch/attempt.go", "result := d.runner.client().Trigger(",
				`if err := d.commit(send, id, c, worqhat.Result{Outcome: worqhat.AcceptedNoID, Reason: "early", StatusCode: 200}, next{state: store.ChunkAccepted}); err != nil {
					return nil, err
				}
				failpoint.Hit("after-intent")
				result := d.runner.client().Trigger(`,
			},
			{"batch/attempt.go", "d.commit(send, id, c, result, n)", "error(nil)"},
		},
	},
	{
		name: "intent not synced", finds: "I3:", kills: 60, power: true,
		edits: []edit{
			{"store/connection.go", `"synchronous(FULL)"`, `"synchronous(NORMAL)"`},
			{"store/connection.go", `{"synchronous", "2"}`, `{"synchronous", "1"}`},
		},
	},
	{
		name: "unknown re-sent under hold", finds: "I2:", kills: 300,
		edits: []edit{{"batch/follow.go", `policy == "resend" && unknown == 0`, `unknown == 0`}},
	},
	{
		name: "chunk boundaries changed on resume", finds: "I[13]:", kills: 600,
		edits: []edit{
			{
				"store/chunks.go", "return r.chunks(ctx, run, plannedChunks, run, after, limit)",
				`list, err := r.chunks(ctx, run, plannedChunks, run, after, limit)
				if after == 0 && len(list) > 1 && list[0].Chunk > 1 && list[0].Spool == nil {
					next := list[1]
					list[0].Ranges, list[0].Records = append(list[0].Ranges, next.Ranges...), list[0].Records+next.Records
					list[0].SourceHash = ""
				}
				return list, err`,
			},
			{"batch/body.go", "err == nil && int64(len(b.buf)) != c.BodyBytes", "false"},
		},
	},
}

// apply makes the changed files of a mutant. A text that is not there exactly once
// is an error: the program has moved on, and the mutant must follow.
func (m mutant) apply(root string) (map[string][]byte, error) {
	changed := map[string][]byte{}
	for _, e := range m.edits {
		path := filepath.Join(root, e.file)
		data := changed[path]
		if data == nil {
			var err error
			if data, err = os.ReadFile(path); err != nil {
				return nil, fmt.Errorf("mutant %q: %w", m.name, err)
			}
		}
		if n := bytes.Count(data, []byte(e.old)); n != 1 {
			return nil, fmt.Errorf("mutant %q: %s has the text %q %d times, not once: write the mutant anew in crash/mutants.go", m.name, e.file, e.old, n)
		}
		changed[path] = bytes.Replace(data, []byte(e.old), []byte(e.with), 1)
	}
	return changed, nil
}

// hunt proves that the harness finds each mutant.
func hunt(ctx context.Context, o options, w io.Writer) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	for i, m := range mutants {
		dir := filepath.Join(o.dir, fmt.Sprintf("mutant-%d", i+1))
		if err := m.hunt(ctx, huntIn{root, dir, o}, w); err != nil {
			return err
		}
	}
	return nil
}

type huntIn struct {
	root, dir string
	options   options
}

func (m mutant) hunt(ctx context.Context, in huntIn, w io.Writer) error {
	changed, err := m.apply(in.root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(in.dir, 0o700); err != nil {
		return err
	}
	overlay, err := writeOverlay(in.dir, changed)
	if err != nil {
		return err
	}
	p, err := build(ctx, in.dir, overlay)
	if err != nil {
		return fmt.Errorf("mutant %q: %w", m.name, err)
	}
	c := &campaign{
		policy: "hold", seed: in.options.seed, kills: m.kills, lanes: in.options.lanes, power: m.power, program: p, dir: in.dir, tally: newTally(),
	}
	err = c.run(ctx)
	var found *failedRound
	switch {
	case errors.Is(err, errNoDisk):
		fmt.Fprintf(w, "mutant %q: skipped: %v\n", m.name, err)
		return nil
	case err == nil:
		return fmt.Errorf("mutant %q lived through %d kills: the harness is blind (seed %d)", m.name, c.tally.kills, c.seed)
	case !errors.As(err, &found):
		return err
	}
	if ok, err := regexp.MatchString(m.finds, found.err.Error()); err != nil || !ok {
		return fmt.Errorf("mutant %q should be found by %s, it was by %w", m.name, m.finds, errors.Join(found, err))
	}
	fmt.Fprintf(w, "mutant %q: found after %d kills:\n  %s\n", m.name, c.tally.kills, firstLine(found.err))
	return nil
}

func firstLine(err error) string {
	line, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return string(line)
}
