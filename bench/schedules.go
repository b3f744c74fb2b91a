package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// timetable is the measurement of a daemon with many schedules: how long it takes
// to load them, what it costs while nothing is due, and how late runs start when
// many are due at the same instant.
type timetable struct {
	*measuring
	entrance *entrance
	dir      string
}

// dueAtOnce is how many schedules are due at the same instant.
const dueAtOnce = 1000

const (
	settleTime = 10 * time.Second // after the start, until the daemon is idle
	idleTime   = 20 * time.Second
)

func benchSchedules(ctx context.Context, b *measuring, w io.Writer) error {
	e := &entrance{}
	s := httptest.NewServer(e)
	defer s.Close()
	b.sink = s.URL
	m := &timetable{measuring: b, entrance: e, dir: filepath.Join(b.dir, "schedules")}
	if err := errors.Join(os.RemoveAll(m.dir), os.MkdirAll(m.dir, 0o700)); err != nil {
		return err
	}
	t := &times{tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.Debug)}
	fmt.Fprintf(w, "\n%s schedules\n", humanize.Comma(int64(b.schedules)))
	if err := m.load(ctx, t); err != nil {
		return err
	}
	if err := errors.Join(m.atOnce(ctx, t, ""), m.atOnce(ctx, t, `rate = "200/s"`)); err != nil {
		return err
	}
	return errors.Join(t.Flush(), os.RemoveAll(m.dir))
}

// write makes the configuration: so many schedules, the cron of the ith by a function.
func (m *timetable) write(n int, worqhat string, cron func(i int) string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "[worqhat]\nbase_url = %q\nmax_in_flight = %d\n%s\n", m.sink, maxEntered, worqhat)
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"}
	for i := range n {
		fmt.Fprintf(&text, "[schedules.s%05d]\ncron = %q\ntimezone = %q\nflow_id = %q\npayload = { report = \"daily %d\" }\n",
			i, cron(i), zones[i%len(zones)], benchFlow, i)
	}
	return os.WriteFile(filepath.Join(m.dir, "schedules.toml"), []byte(text.String()), 0o600)
}

func (m *timetable) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.program, append(args, "-c", filepath.Join(m.dir, "schedules.toml"))...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "WORQHAT_API_KEY="+benchKey)
	return cmd
}

// load measures check and serve with schedules of which none is due soon, first
// without a ledger, then with one in which each of them has a past.
func (m *timetable) load(ctx context.Context, t *times) error {
	far := time.Now().AddDate(0, 6, 0)
	err := m.write(m.schedules, "", func(i int) string {
		return fmt.Sprintf("%d %d %d %d *", i%60, i/60%24, 1+i%28, far.Month())
	})
	if err != nil {
		return err
	}
	var all []time.Duration
	for range rounds {
		got, _, err := runProcess(m.command(ctx, "check"))
		if err != nil {
			return err
		}
		all = append(all, got.wall)
	}
	t.line("check", all)
	if err := m.serve(ctx, t, "new ledger"); err != nil {
		return err
	}
	if err := m.addPast(ctx); err != nil {
		return err
	}
	return m.serve(ctx, t, "ledger with a past")
}

// serve starts the daemon some times, and looks at the last one while it is idle.
func (m *timetable) serve(ctx context.Context, t *times, what string) error {
	var all []time.Duration
	for round := range rounds {
		d, err := m.start(ctx)
		if err != nil {
			return err
		}
		all = append(all, d.ready)
		if round == rounds-1 {
			err = d.idle(t, what)
		}
		if err := errors.Join(err, d.stop()); err != nil {
			return err
		}
		if what == "new ledger" && round < rounds-1 {
			if err := m.dropLedger(); err != nil {
				return err
			}
		}
	}
	t.line("serve, to ready, "+what, all)
	return nil
}

func (m *timetable) dropLedger() error {
	files, err := filepath.Glob(filepath.Join(m.dir, "worqcron.db*"))
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(f))
	}
	return err
}

// served is a daemon under way.
type served struct {
	cmd   *exec.Cmd
	ready time.Duration

	done    chan struct{} // its log came to an end
	mu      sync.Mutex
	started []time.Time // when each run started, by the log
}

func (m *timetable) start(ctx context.Context) (*served, error) {
	d := &served{cmd: m.command(ctx, "serve"), done: make(chan struct{})}
	out, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go d.read(out, ready)
	select {
	case <-ready:
		d.ready = time.Since(began)
		return d, nil
	case <-d.done:
		return nil, errors.Join(errors.New("the daemon did not start"), d.cmd.Wait())
	}
}

// read follows the log.
func (d *served) read(out io.Reader, ready chan<- struct{}) {
	defer close(d.done)
	for s := bufio.NewScanner(out); s.Scan(); {
		line := s.Text()
		switch {
		case strings.Contains(line, `msg="daemon started"`):
			close(ready)
		case strings.Contains(line, `msg="run started"`):
			text, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				d.mu.Lock()
				d.started = append(d.started, at)
				d.mu.Unlock()
			}
		}
	}
}

func (d *served) stop() error {
	err := d.cmd.Process.Signal(syscall.SIGTERM)
	<-d.done
	return errors.Join(err, d.cmd.Wait())
}

// idle prints what the daemon uses while nothing is due.
func (d *served) idle(t *times, what string) error {
	time.Sleep(settleTime)
	before, err := usageOf(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	time.Sleep(idleTime)
	after, err := usageOf(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	share := 100 * (after.cpu - before.cpu).Seconds() / idleTime.Seconds()
	fmt.Fprintf(t, "serve, idle, %s\t%.2f %% of a core\t%.0f MB (peak %.0f MB)\n", what, share, float64(after.rssBytes)/1e6, float64(after.peakBytes)/1e6)
	return nil
}

// maxEntered is how many triggers may be under way at once.
const maxEntered = 64

// entrance is a WorqHat that accepts all triggers and notes when they came.
type entrance struct {
	mu          sync.Mutex
	arrived     []time.Time
	inside, top int
}

// ServeHTTP answers a trigger.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.arrived = append(e.arrived, time.Now())
	e.inside++
	e.top = max(e.top, e.inside)
	n := len(e.arrived)
	e.mu.Unlock()
	_, err := io.Copy(io.Discard, r.Body)
	e.mu.Lock()
	e.inside--
	e.mu.Unlock()
	if err == nil {
		fmt.Fprintf(w, `{"success":true,"analytics_id":"bench-%d"}`, n)
	}
}

// atOnce measures how late runs start when many schedules are due at one instant.
func (m *timetable) atOnce(ctx context.Context, t *times, worqhat string) error {
	if err := m.dropLedger(); err != nil {
		return err
	}
	label := fmt.Sprintf("%d due at once", dueAtOnce)
	if worqhat == "" {
		worqhat = `rate = "off"`
	}
	label += ", " + worqhat
	due := time.Now().Add(settleTime).Truncate(time.Second).UTC()
	err := m.write(dueAtOnce, worqhat, func(int) string { // two minutes, for zones that are off by half an hour
		return fmt.Sprintf("%d %d,%d * * * *", due.Second(), due.Minute(), (due.Minute()+30)%60)
	})
	if err != nil {
		return err
	}
	m.entrance.mu.Lock()
	m.entrance.arrived, m.entrance.top = nil, 0
	m.entrance.mu.Unlock()
	d, err := m.start(ctx)
	if err != nil {
		return err
	}
	arrived, top := m.entrance.wait(ctx, due.Add(time.Minute))
	if err := d.stop(); err != nil {
		return err
	}
	late := func(all []time.Time) (list []time.Duration) {
		for _, at := range all {
			list = append(list, at.Sub(due))
		}
		slices.Sort(list)
		return list
	}
	starts, triggers := late(d.started), late(arrived)
	if len(starts) != dueAtOnce || len(triggers) != dueAtOnce || starts[0] < 0 {
		return fmt.Errorf("%s: %d runs started, %d triggers came", label, len(starts), len(triggers))
	}
	t.lateness(label+": run started", starts)
	t.lateness(label+": trigger came", triggers)
	fmt.Fprintf(t, "%s\t%d in flight at most\t(%d allowed)\n", label, top, maxEntered)
	return m.inOrder(ctx)
}

// wait returns when all triggers came, or at the end.
func (e *entrance) wait(ctx context.Context, end time.Time) (arrived []time.Time, top int) {
	for ctx.Err() == nil && time.Now().Before(end) {
		e.mu.Lock()
		n, inside := len(e.arrived), e.inside
		e.mu.Unlock()
		if n >= dueAtOnce && inside == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.arrived), e.top
}

func (t *times) lateness(label string, sorted []time.Duration) {
	fmt.Fprintf(t, "%s\tmedian %.0f ms\tlast %.0f ms\n", label, msOf(sorted[len(sorted)/2]), msOf(sorted[len(sorted)-1]))
}
