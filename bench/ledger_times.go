package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// benchLedger measures how long commands take beside a large history: each is a
// process of its own, from its start to its end (or to what is waited for).
func benchLedger(ctx context.Context, b *measuring, w io.Writer) error {
	d := &door{}
	s := httptest.NewServer(d)
	defer s.Close()
	b.sink = s.URL
	for _, mode := range []string{"chunks", "records"} {
		if !b.only.MatchString(mode) {
			continue
		}
		g := &largeLedger{measuring: b, door: d, mode: mode, chunks: b.ledger, dir: filepath.Join(b.dir, "ledger-"+mode)}
		if err := g.measure(ctx, w); err != nil {
			return fmt.Errorf("ledger, mode %s: %w", mode, err)
		}
		if err := os.RemoveAll(g.dir); err != nil {
			return err
		}
	}
	return nil
}

func (g *largeLedger) measure(ctx context.Context, w io.Writer) error {
	if err := errors.Join(os.RemoveAll(g.dir), os.MkdirAll(g.dir, 0o700)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.dir, "schedules.toml"), []byte(g.config()), 0o600); err != nil {
		return err
	}
	if err := g.fill(ctx); err != nil {
		return err
	}
	t := &times{tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.Debug)}
	if err := g.printSize(w, "a run of them delivered, one stopped half way"); err != nil {
		return err
	}
	err := errors.Join(
		g.time(ctx, t, "runs", "runs"),
		g.time(ctx, t, "show, delivered", "show", doneRun),
		g.time(ctx, t, "show, stopped", "show", halfRun),
		g.timeServe(ctx, t, "serve, to ready"),
		g.timeResume(ctx, t, "run, resumed, to the first trigger", 1),
		g.timeResume(ctx, t, "run, after kill -9, to the first trigger", rounds),
		t.Flush(),
	)
	if err != nil {
		return err
	}
	if err := g.multiply(ctx, 9); err != nil {
		return err
	}
	if err := g.printSize(w, "ten runs of them delivered"); err != nil {
		return err
	}
	return errors.Join(g.timeTrace(ctx, t), g.time(ctx, t, "runs", "runs"), g.time(ctx, t, "show, delivered", "show", doneRun), t.Flush())
}

func (g *largeLedger) printSize(w io.Writer, what string) error {
	info, err := os.Stat(g.ledger())
	if err == nil {
		_, err = fmt.Fprintf(w, "\n%s chunks a run, one record each, mode %s; %s: %s\n", humanize.Comma(int64(g.chunks)), g.mode, what, humanize.Bytes(uint64(info.Size())))
	}
	return err
}

// door is a WorqHat that accepts all triggers, until it is watched: then it says
// when the next one arrives, and answers none.
type door struct {
	mu      sync.Mutex
	arrived chan struct{} // nil: not watched
	ids     atomic.Int64
}

func (d *door) watch() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arrived = make(chan struct{})
	return d.arrived
}

func (d *door) unwatch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arrived = nil
}

// ServeHTTP answers a trigger. One that is watched waits until its client is gone.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, err := io.Copy(io.Discard, r.Body)
	d.mu.Lock()
	watched := d.arrived
	if watched != nil {
		select {
		case <-watched:
		default:
			close(watched)
		}
	}
	d.mu.Unlock()
	if watched != nil || err != nil {
		<-r.Context().Done()
		return
	}
	fmt.Fprintf(w, `{"success":true,"analytics_id":"bench-%d"}`, d.ids.Add(1))
}

// times is a table with a line a command.
type times struct{ *tabwriter.Writer }

// rounds is how often a command is measured; the middle one counts.
const rounds = 5

func (t *times) line(label string, all []time.Duration) {
	slices.Sort(all)
	fmt.Fprintf(t, "%s\t%.0f ms\t(%.0f to %.0f)\n", label, msOf(all[len(all)/2]), msOf(all[0]), msOf(all[len(all)-1]))
}

func msOf(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (g *largeLedger) time(ctx context.Context, t *times, label string, args ...string) error {
	var all []time.Duration
	for range rounds {
		got, _, err := runProcess(g.command(ctx, args...))
		if err != nil {
			return err
		}
		all = append(all, got.wall)
	}
	t.line(label, all)
	return nil
}

// timeServe waits for the line that says that the daemon is ready, and kills it.
func (g *largeLedger) timeServe(ctx context.Context, t *times, label string) error {
	var all []time.Duration
	for range rounds {
		cmd := g.command(ctx, "serve")
		out, err := cmd.StderrPipe()
		if err != nil {
			return err
		}
		began := time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		ready := false
		for s := bufio.NewScanner(out); !ready && s.Scan(); {
			ready = strings.Contains(s.Text(), "daemon started")
		}
		all = append(all, time.Since(began))
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		_, copyErr := io.Copy(io.Discard, out)
		if err := errors.Join(cmd.Wait(), copyErr); err != nil || !ready {
			return fmt.Errorf("serve: ready %t, %w", ready, err)
		}
	}
	t.line(label, all)
	return nil
}

// timeResume goes on with the stopped run until its first trigger arrives, and
// kills it then, so that the next one has to recover it first.
func (g *largeLedger) timeResume(ctx context.Context, t *times, label string, n int) error {
	var all []time.Duration
	for range n {
		arrived := g.door.watch()
		cmd := g.command(ctx, "run", "half", "--at", "2026-01-01T00:00")
		began := time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		select {
		case <-arrived:
			all = append(all, time.Since(began))
		case <-time.After(time.Minute):
			return errors.New("no trigger came")
		}
		err := cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		g.door.unwatch()
		if err != nil {
			return err
		}
	}
	t.line(label, all)
	return nil
}

// timeTrace looks for the middle chunk of the delivered run by all that it is
// known by, with the ledger out of the page cache and in it.
func (g *largeLedger) timeTrace(ctx context.Context, t *times) error {
	_, out, err := runProcess(g.command(ctx, "show", doneRun, "--chunk", fmt.Sprint(g.chunks/2), "--json"))
	if err != nil {
		return err
	}
	var c struct {
		AnalyticsID string `json:"analytics_id"`
		Key         string `json:"key"`
		Source      []struct {
			Path string `json:"path"`
			Line int64  `json:"first_line"`
		} `json:"source"`
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return err
	}
	for _, what := range []struct{ label, name string }{
		{"analytics_id", c.AnalyticsID}, {"key", c.Key}, {"FILE:LINE", fmt.Sprintf("%s:%d", c.Source[0].Path, c.Source[0].Line)},
	} {
		if err := dropFromCache(g.ledger()); err != nil {
			return err
		}
		got, _, err := runProcess(g.command(ctx, "trace", what.name))
		if err != nil {
			return err
		}
		t.line("trace "+what.label+", cold", []time.Duration{got.wall})
		if err := g.time(ctx, t, "trace "+what.label, "trace", what.name); err != nil {
			return err
		}
	}
	return nil
}

// dropFromCache makes the next reader fetch a file from the disk.
func dropFromCache(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
}
