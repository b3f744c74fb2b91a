package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"worqcron/source"
	"worqcron/store"
)

// note keeps a line about the plan for whoever reads the receipt. It stands with
// the run, also if the plan fails; a new plan of the run begins without any.
func (p *planning) note(text string) {
	p.part.Notes = append(p.part.Notes, text)
	p.runner.Log.Info("note", "schedule", p.run.Schedule, "run_id", p.run.RunID, "text", text)
}

// keepNotes commits the notes that no other part of the plan took along. It
// works although ctx has ended.
func (p *planning) keepNotes(ctx context.Context) error {
	notes := p.part.Notes
	if len(notes) == 0 {
		return nil
	}
	p.part.Notes = nil
	return p.runner.Ledger.AddToPlan(context.WithoutCancel(ctx), p.run, store.PlanPart{Notes: notes})
}

// learntLimit is how long bodies may be because the flow refused longer ones, with
// a note; 0 if no limit is known that matters.
func (p *planning) learntLimit(ctx context.Context) (int64, error) {
	if p.job.Chunk.Mode == ModeRecords {
		return 0, nil
	}
	limit, err := p.runner.Ledger.FlowLimit(ctx, destinationOf(p.run))
	if err != nil || limit.MaxBytes == 0 || limit.MaxBytes >= p.job.Chunk.MaxBytes {
		return 0, err
	}
	const day = "2006-01-02"
	p.note(fmt.Sprintf("bodies are cut at %d bytes instead of max_bytes: on %s the flow refused longer ones (413); from %s on they are tried again",
		limit.MaxBytes, limit.LearntAt.In(p.job.Zone).Format(day), limit.LearntAt.Add(store.LimitHolds).In(p.job.Zone).Format(day)))
	return limit.MaxBytes, nil
}

// manyBad is the share of bad records from which they look like a wrong option.
const manyBad = 0.01

// noteRecords says what was changed in records, and what may be wrong with the
// options where many records are bad for one reason.
func (p *planning) noteRecords() {
	var replaced int64
	advised := map[string]bool{}
	for _, f := range p.snapshot.Files {
		replaced += f.Replaced
		for _, reason := range slices.Sorted(maps.Keys(p.badBecause)) {
			text := f.Advice(reason)
			if text == "" || advised[text] || float64(p.badBecause[reason]) < manyBad*float64(p.packer.totals.records) {
				continue
			}
			advised[text] = true
			p.note(fmt.Sprintf("%s: %s", counted(p.badBecause[reason], "record")+" bad for "+reason, text))
		}
	}
	if replaced > 0 {
		p.note(counted(replaced, "record") + " had bytes that are not UTF-8 and were replaced")
	}
}

// noteColumns says which columns the files gained or lost since the schedule's
// last run.
func (p *planning) noteColumns(ctx context.Context, h *history) error {
	var read []*source.File
	for i, f := range p.snapshot.Files {
		if h.unchanged[i] == "" && len(f.Header) > 0 {
			read = append(read, f)
		}
	}
	if len(read) == 0 {
		return nil
	}
	before, err := p.runner.Ledger.LastWithHeader(ctx, p.run)
	if err != nil || before == nil {
		return err
	}
	then, err := p.runner.Ledger.Files(ctx, before.ID)
	if err != nil {
		return err
	}
	known, err := headersOf(then)
	if err != nil {
		return err
	}
	var texts []string
	where := map[string][]string{} // by text: the files that it is true of
	for _, f := range read {
		text := known.difference(f.Path, f.Header)
		if text == "" {
			continue
		}
		if where[text] == nil {
			texts = append(texts, text)
		}
		where[text] = append(where[text], filepath.Base(f.Path))
	}
	for _, text := range texts {
		p.note(inFiles(where[text], len(read)) + text + " (since run " + before.Name() + ")")
	}
	return nil
}

// inFiles names the files that a note is about, if the run has others.
func inFiles(names []string, of int) string {
	switch {
	case of == 1:
		return ""
	case len(names) == 1:
		return names[0] + ": "
	}
	return fmt.Sprintf("%s and %d more: ", names[0], len(names)-1)
}

// headers is the columns of an earlier run's files.
type headers struct {
	sets   map[string]bool // columnSet of each
	byPath map[string][]string
	last   []string // of the last file
}

func headersOf(files []store.SnapshotFile) (headers, error) {
	h := headers{sets: map[string]bool{}, byPath: map[string][]string{}}
	for _, f := range files {
		if f.Header == "" {
			continue
		}
		var names []string
		if err := json.Unmarshal([]byte(f.Header), &names); err != nil {
			return h, fmt.Errorf("header of %s as it was stored: %w", f.Path, err)
		}
		h.sets[columnSet(names)], h.byPath[f.Path], h.last = true, names, names
	}
	return h, nil
}

// columnSet is equal for the same columns in whatever order.
func columnSet(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), "\x00")
}

// difference compares a file's columns with those of the same file, else of the
// last one; "" if any file had the same columns.
func (h headers) difference(path string, now []string) string {
	if h.sets[columnSet(now)] {
		return ""
	}
	then, same := h.byPath[path]
	if !same {
		then = h.last
	}
	var parts []string
	for _, change := range []struct {
		word  string
		names []string
	}{{"gained", missing(now, then)}, {"lost", missing(then, now)}} {
		if len(change.names) > 0 {
			parts = append(parts, change.word+": "+listed(change.names))
		}
	}
	return "columns " + strings.Join(parts, "; ")
}

// missing returns the names that are not among others, in order.
func missing(names, others []string) []string {
	var out []string
	for _, name := range names {
		if !slices.Contains(others, name) {
			out = append(out, name)
		}
	}
	return out
}

// listed writes names on one line, the first twenty of them.
func listed(names []string) string {
	const most = 20
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
