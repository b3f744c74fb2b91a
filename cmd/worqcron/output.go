package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"worqcron/store"
)

// printJSON writes one value as JSON, for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// runJSON is a receipt with its chunks. With chunk.mode = "records" those that
// were never tried are in segments instead.
type runJSON struct {
	*store.Receipt
	ChunkList []chunkJSON   `json:"chunk_list"`
	Segments  []segmentJSON `json:"segments,omitempty"`
}

// chunkJSON is a chunk as other programs may rely on it.
type chunkJSON struct {
	Chunk       int64        `json:"chunk"`
	Records     int64        `json:"records"`
	BodyBytes   int64        `json:"body_bytes"`
	SourceHash  string       `json:"source_hash"`
	BodyHash    string       `json:"body_hash,omitempty"`
	Key         string       `json:"key"`
	Status      string       `json:"status"`
	Reason      string       `json:"reason,omitempty"`
	Parent      int64        `json:"parent,omitempty"` // the chunk that was split into this one and another
	AnalyticsID string       `json:"analytics_id,omitempty"`
	Source      []sourceJSON `json:"source"`
	RedriveOf   *againJSON   `json:"redrive_of,omitempty"`  // what it sends again
	RedrivenAs  []againJSON  `json:"redriven_as,omitempty"` // what sends it again; only where one chunk is shown
}

// sourceJSON is where records come from.
type sourceJSON struct {
	Path      string `json:"path"`
	FirstLine int64  `json:"first_line"`
	LastLine  int64  `json:"last_line"`
	ByteStart int64  `json:"byte_start"`
	ByteEnd   int64  `json:"byte_end"`
}

// chunkDetails turns a stored chunk into its JSON, and returns its attempts.
func chunkDetails(ctx context.Context, r *store.Reader, run *store.Run, files []store.SnapshotFile, c store.Chunk) (chunkJSON, []store.Attempt, error) {
	attempts, err := r.Attempts(ctx, run.ID, c.Chunk)
	if err != nil {
		return chunkJSON{}, nil, err
	}
	sent, err := r.Sent(ctx, run.ID, c.Chunk, c.Chunk)
	if err != nil {
		return chunkJSON{}, nil, err
	}
	j := chunkAsJSON(run, files, c, sent[c.Chunk])
	err = j.addAgain(ctx, r, run)
	return j, attempts, err
}

func chunkAsJSON(run *store.Run, files []store.SnapshotFile, c store.Chunk, sent store.Sent) chunkJSON {
	j := chunkJSON{
		Chunk: c.Chunk, Records: c.Records, BodyBytes: c.BodyBytes, SourceHash: c.SourceHash, Key: c.Key, Status: string(c.State),
		Reason: c.Reason, Source: sourcesOf(files, c.Ranges), BodyHash: sent.BodyHash, AnalyticsID: sent.AnalyticsID,
		Parent: c.Parent,
	}
	if c.RedriveOf != 0 {
		j.RedriveOf = &againJSON{RunID: run.RedriveOf, Chunk: c.RedriveOf}
	}
	return j
}

func sourcesOf(files []store.SnapshotFile, ranges []store.ChunkRange) []sourceJSON {
	list := []sourceJSON{}
	for _, g := range ranges {
		list = append(list, sourceJSON{files[g.File].Path, g.FirstLine, g.LastLine, g.ByteStart, g.ByteEnd})
	}
	return list
}

// listChunks lists the chunks and the open segments of a run; for a person not
// more chunks than are printed.
func (p *program) listChunks(ctx context.Context, r *store.Reader, run *store.Run) ([]chunkJSON, []segmentJSON, error) {
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return nil, nil, err
	}
	list, size := []chunkJSON{}, 500
	if !p.json {
		size = maxPrinted
	}
	for after := int64(0); p.json || after == 0; {
		page, err := r.Chunks(ctx, run.ID, after, size)
		if err != nil {
			return nil, nil, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].Chunk
		sent, err := r.Sent(ctx, run.ID, page[0].Chunk, after)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range page {
			list = append(list, chunkAsJSON(run, files, c, sent[c.Chunk]))
		}
	}
	segments, err := listSegments(ctx, r, run)
	return list, segments, err
}

// printRun prints what 'run' or 'plan' came to. It works although ctx ended.
func (p *program) printRun(ctx context.Context, r *store.Reader, c *store.Receipt, q runRequest) error {
	if c == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	run, err := r.FindRun(ctx, c.RunID)
	if err != nil {
		return err
	}
	if !q.PlanOnly {
		if p.json {
			return printJSON(p.out, c)
		}
		printReceipt(p.out, run, c)
		return p.printTrouble(ctx, r, run, c)
	}
	chunks, segments, err := p.listChunks(ctx, r, run)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.out, runJSON{c, chunks, segments})
	}
	printReceipt(p.out, run, c)
	printChunks(p.out, c, chunks, segments)
	return p.printTrouble(ctx, r, run, c)
}

// printTrouble lists what of a run was not accepted, with its reasons and places,
// and how to go on: failed chunks, those that wait for a decision, dead records,
// and what a stopped run has left.
func (p *program) printTrouble(ctx context.Context, r *store.Reader, run *store.Run, c *store.Receipt) error {
	if c.Chunks.Failed > 0 {
		fmt.Fprintf(p.out, "\nfailed: not accepted, and not sent again by itself\n")
		mended, err := p.printInState(ctx, r, run, store.ChunkFailed, c.Chunks.Failed)
		if err != nil {
			return err
		}
		if mended < c.Chunks.Failed {
			fmt.Fprintf(p.out, "  worqcron redrive %s\n", run.Name())
		}
	}
	if c.Chunks.Unknown > 0 {
		fmt.Fprintf(p.out, "\nheld: sent, but the answer is unknown\n")
		if _, err := p.printInState(ctx, r, run, store.ChunkUnknown, c.Chunks.Unknown); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "  worqcron resolve %s --accepted | --resend | --abandon --reason TEXT\n", run.Name())
	}
	if err := p.printDead(ctx, r, run, c.Records.Dead); err != nil {
		return err
	}
	if run.State == store.Stopped && c.Chunks.Pending > 0 {
		fmt.Fprintf(p.out, "\nstopped: %s not sent yet\n  worqcron run %s\n", count(c.Chunks.Pending, "chunk"), run.Schedule)
	}
	return nil
}

// printInState lists the chunks in a state, of which there are total. mended are
// those listed that went out since, as chunks of another run.
func (p *program) printInState(ctx context.Context, r *store.Reader, run *store.Run, state store.ChunkState, total int64) (mended int64, err error) {
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return 0, err
	}
	list, err := r.ChunksInState(ctx, run.ID, state, 0, maxPrinted)
	if err != nil {
		return 0, err
	}
	for _, chunk := range list {
		j, _, err := chunkDetails(ctx, r, run, files, chunk)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(p.out, "  chunk %d, %s, key %s, from %s: %s\n", chunk.Chunk, count(chunk.Records, "record"), chunk.Key, placeText(j.Source), chunk.Reason)
		for _, a := range j.RedrivenAs {
			fmt.Fprintf(p.out, "    sent again as chunk %d of %s: %s\n", a.Chunk, a.Run, a.Status)
		}
		if slices.ContainsFunc(j.RedrivenAs, func(a againJSON) bool { return a.Status == string(store.ChunkAccepted) }) {
			mended++
		}
	}
	if more := total - int64(len(list)); more > 0 {
		fmt.Fprintf(p.out, "  … and %s more\n", count(more, "chunk"))
	}
	return mended, nil
}

// printReceipt prints a run's balance for a person.
func printReceipt(w io.Writer, run *store.Run, c *store.Receipt) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", label, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	line("run", "%s  (%s)", c.Name, c.RunID)
	status := string(c.Status)
	if c.Reason != "" {
		status += ": " + c.Reason
	}
	line("status", "%s", status)
	line("flow", "%s", c.FlowID)
	line("for", "%s  (%s)", localTime(c.ScheduledFor, run.Zone), c.Origin)
	if c.SourcePath != "" {
		line("source", "%s", c.SourcePath)
	}
	if c.FinishedAt != nil {
		line("time", "%s, from %s", c.FinishedAt.Sub(c.StartedAt).Round(time.Millisecond), localTime(c.StartedAt, run.Zone))
	}
	n := humanize.Comma
	if c.Status == store.Failed && run.PlannedAt == nil && c.Records.Dead > 0 {
		line("records", "%s dead, the others are not counted: the plan failed", n(c.Records.Dead))
	} else {
		printRecords(line, c)
	}
	assumed := ""
	if c.Chunks.Assumed > 0 {
		assumed = fmt.Sprintf(" (%s of them assumed)", n(c.Chunks.Assumed))
	}
	split := ""
	if c.Chunks.Split > 0 {
		split = fmt.Sprintf(", %s split in two", n(c.Chunks.Split))
	}
	line("chunks", "%s planned: %s accepted%s, %s failed, %s unknown, %s pending%s", n(c.Chunks.Planned), n(c.Chunks.Accepted), assumed,
		n(c.Chunks.Failed), n(c.Chunks.Unknown), n(c.Chunks.Pending), split)
	line("sent", "%s in %s, %s read", humanize.Bytes(uint64(c.Bytes.Sent)), count(c.Attempts, "trigger"), humanize.Bytes(uint64(c.Bytes.Read)))
	for _, text := range c.Notes {
		line("note", "%s", text)
	}
}

func printRecords(line func(label, format string, args ...any), c *store.Receipt) {
	rec, n := c.Records, humanize.Comma
	if rec == (store.RecordBalance{}) {
		line("records", "none")
		return
	}
	line("records", "%s read = %s accepted + %s failed + %s dead + %s filtered + %s unchanged + %s unknown + %s pending",
		n(rec.Read), n(rec.Accepted), n(rec.Failed), n(rec.Dead), n(rec.Filtered), n(rec.Unchanged), n(rec.Unknown), n(rec.Pending))
	balance := "balances"
	if !c.Balanced {
		balance = "DOES NOT BALANCE"
	}
	line("", "%s", balance)
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(n) + " " + what + "s"
}

func localTime(t time.Time, zone string) string {
	if z, err := time.LoadLocation(zone); err == nil {
		t = t.In(z)
	}
	return t.Format("2006-01-02T15:04:05Z07:00")
}

// maxPrinted bounds what is listed for a person; --json lists all.
const maxPrinted = 40

// printChunks prints the first chunks of a run, and its open segments.
func printChunks(w io.Writer, c *store.Receipt, chunks []chunkJSON, segments []segmentJSON) {
	more := c.Chunks.Planned - int64(len(chunks))
	for _, s := range segments {
		more -= s.Records - s.Begun
	}
	if len(chunks) > 0 {
		fmt.Fprintf(w, "\n%6s  %-9s %10s %12s  %-32s  %s\n", "chunk", "status", "records", "body bytes", "key", "source")
	}
	for _, c := range chunks {
		fmt.Fprintf(w, "%6d  %-9s %10s %12s  %-32s  %s\n", c.Chunk, c.Status, humanize.Comma(c.Records), humanize.Comma(c.BodyBytes), c.Key, placeText(c.Source))
	}
	if more > 0 {
		fmt.Fprintf(w, "  … and %s more; --json lists all\n", count(more, "chunk"))
	}
	printSegments(w, segments)
}

// placeText is where a chunk's records come from, in short.
func placeText(list []sourceJSON) string {
	if len(list) == 0 {
		return "-"
	}
	first, last := list[0], list[len(list)-1]
	if first.Path == last.Path && first.FirstLine == last.LastLine {
		return fmt.Sprintf("%s:%d", first.Path, first.FirstLine)
	}
	if first.Path == last.Path {
		return fmt.Sprintf("%s:%d-%d", first.Path, first.FirstLine, last.LastLine)
	}
	return fmt.Sprintf("%s:%d … %s:%d", first.Path, first.FirstLine, last.Path, last.LastLine)
}

// printDead lists the dead letters of a run, of which there are total.
func (p *program) printDead(ctx context.Context, r *store.Reader, run *store.Run, total int64) error {
	dead, err := r.DeadLetters(ctx, run.ID, 0, maxPrinted)
	if err != nil || len(dead) == 0 {
		return err
	}
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\ndead: bad or too large, and not sent\n")
	for _, d := range dead {
		fmt.Fprintf(p.out, "  %s:%d:%d: %s (%s)\n", files[d.File].Path, d.Line, d.Column, d.Detail, d.Reason)
	}
	if more := total - int64(len(dead)); more > 0 {
		fmt.Fprintf(p.out, "  … and %s more\n", count(more, "record"))
	}
	return nil
}
