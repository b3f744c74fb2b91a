package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// measuring is what all cases share.
type measuring struct {
	options
	program string // path of the built worqcron
	sink    string // base URL of the sandbox
}

// sampled is one measured process.
type sampled struct {
	wall, cpu time.Duration
	rssBytes  int64
	summary
	fill float64 // share of the largest body that bodies have, without the last one; 0 is not known
}

// row is a line of the table: a program over a source, a sample a round.
type row struct {
	label   string
	source  source
	run     func(context.Context, source) (sampled, error)
	samples []sampled
	against *row // the yardstick of the same source; nil for itself and where a ratio says nothing
}

// rows are those of a source that -only wants.
func (b *measuring) rows(s source) (list []*row) {
	yard := &row{label: s.label + ", yardstick", source: s, run: b.yardstick}
	whole := &row{label: s.label + ", end to end", source: s, run: b.whole}
	if s.format != "" && b.only.MatchString(yard.label) {
		list, whole.against = append(list, yard), yard
	}
	for _, r := range []*row{{label: s.label + ", plan alone", source: s, run: b.plan}, whole} {
		if b.only.MatchString(r.label) {
			list = append(list, r)
		}
	}
	return list
}

// pick leaves the sources of which a row is wanted.
func (b *measuring) pick(list []source) []source {
	return slices.DeleteFunc(list, func(s source) bool { return len(b.rows(s)) == 0 })
}

// measure runs the programs over the sources, round by round.
func (b *measuring) measure(ctx context.Context, sources []source) ([]*row, error) {
	var all []*row
	for _, s := range sources {
		rows := b.rows(s)
		for round := range b.runs {
			for _, r := range rows {
				got, err := r.run(ctx, s)
				if err != nil {
					return nil, fmt.Errorf("%s, round %d: %w", r.label, round+1, err)
				}
				if got.Records != s.records {
					return nil, fmt.Errorf("%s: %d records, want %d", r.label, got.Records, s.records)
				}
				r.samples = append(r.samples, got)
			}
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (b *measuring) yardstick(ctx context.Context, s source) (sampled, error) {
	self, err := os.Executable()
	if err != nil {
		return sampled{}, err
	}
	args := []string{yardstickRole, "-format", s.format}
	if s.perRecord {
		args = []string{eachRole, "-in-flight", strconv.Itoa(s.inFlight)}
	}
	cmd := exec.CommandContext(ctx, self, append(args, "-url", b.sink+"/flows/trigger/"+benchFlow, s.path)...)
	got, out, err := runProcess(cmd)
	if err != nil {
		return got, err
	}
	err = json.Unmarshal(out, &got.summary)
	return got, err
}

// receipt is what is read of worqcron's --json.
type receipt struct {
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Balanced bool   `json:"balanced"`
	Chunks   struct {
		Planned  int64 `json:"planned"`
		Accepted int64 `json:"accepted"`
	} `json:"chunks"`
	Records struct {
		Read     int64 `json:"read"`
		Accepted int64 `json:"accepted"`
		Filtered int64 `json:"filtered"`
	} `json:"records"`
	Bytes struct {
		Sent int64 `json:"sent"`
	} `json:"bytes"`
	ChunkList []struct {
		BodyBytes int64 `json:"body_bytes"`
	} `json:"chunk_list"`
}

func (b *measuring) plan(ctx context.Context, s source) (sampled, error) {
	got, r, err := b.worqcron(ctx, s, "plan")
	got.summary = summary{Records: r.Records.Read}
	if whole := len(r.ChunkList) - 1; whole > 0 && !s.perRecord {
		for _, c := range r.ChunkList[:whole] {
			got.fill += float64(c.BodyBytes) / float64(maxBodyBytes) / float64(whole)
		}
	}
	return got, err
}

func (b *measuring) whole(ctx context.Context, s source) (sampled, error) {
	got, r, err := b.worqcron(ctx, s, "run")
	got.summary = summary{Records: r.Records.Accepted + r.Records.Filtered, Triggers: r.Chunks.Accepted, Sent: r.Bytes.Sent}
	if err == nil && (r.Status != "succeeded" || !r.Balanced || r.Chunks.Accepted != r.Chunks.Planned) {
		err = fmt.Errorf("run %s (%s), balanced %t, %d of %d chunks", r.Status, r.Reason, r.Balanced, r.Chunks.Accepted, r.Chunks.Planned)
	}
	return got, err
}

// worqcron runs one command over the source, with a new ledger.
func (b *measuring) worqcron(ctx context.Context, s source, command string) (sampled, receipt, error) {
	var r receipt
	dir, err := os.MkdirTemp(b.dir, "state-")
	if err != nil {
		return sampled{}, r, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it lies in the folder of the benchmark
	config := filepath.Join(dir, "schedules.toml")
	if err := os.WriteFile(config, []byte(s.config(b.sink)), 0o600); err != nil {
		return sampled{}, r, err
	}
	cmd := exec.CommandContext(ctx, b.program, command, "bench", "--json", "-c", config)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WORQHAT_API_KEY="+benchKey)
	got, out, err := runProcess(cmd)
	if err != nil {
		return got, r, err
	}
	err = json.Unmarshal(out, &r)
	return got, r, err
}

// runProcess runs a program to its end and says what it used (getrusage(2)).
func runProcess(cmd *exec.Cmd) (sampled, []byte, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return sampled{}, nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, complaint.Bytes(), out.Bytes())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sampled{}, nil, fmt.Errorf("%s: this system does not say what a process used", filepath.Base(cmd.Path))
	}
	return sampled{
		wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		rssBytes: int64(usage.Maxrss) << 10, // KiB on Linux
	}, out.Bytes(), nil
}
