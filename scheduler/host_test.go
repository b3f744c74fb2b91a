package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a ledger of slots: one row each, which survives a restart of the loop.
type memory struct {
	mu       sync.Mutex
	marks    map[string]Mark
	rows     map[string]Due   // by schedule and instant
	order    map[string][]Due // each schedule's rows as they were first claimed
	claims   int              // calls, repeated ones too
	advances int
	broken   error // what every call returns
	breakAt  int   // if > 0: the claim with this number finds the disk full
}

func newMemory() *memory {
	return &memory{marks: map[string]Mark{}, rows: map[string]Due{}, order: map[string][]Due{}}
}

var errDisk = errors.New("disk full")

func (m *memory) Mark(_ context.Context, schedule string) (Mark, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark, ok := m.marks[schedule]
	return mark, ok, m.broken
}

func (m *memory) Claim(_ context.Context, due Due) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims++
	if m.claims == m.breakAt {
		return errDisk
	}
	if m.broken != nil {
		return m.broken
	}
	key := due.Schedule + due.At.Format(time.RFC3339)
	if row, ok := m.rows[key]; ok && (row.Missed == "" || !due.Runs()) {
		return nil
	}
	m.rows[key] = due
	m.order[due.Schedule] = append(m.order[due.Schedule], due)
	return nil
}

func (m *memory) Advance(_ context.Context, schedule string, mark Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advances++
	if m.broken == nil {
		m.marks[schedule] = mark
	}
	return m.broken
}

func (m *memory) breakWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// claimed writes a schedule's rows in claiming order: "10:00!" on time, "10:00"
// late, "10:00 reason" missed; in UTC.
func (m *memory) claimed(schedule string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, due := range m.order[schedule] {
		text := due.At.Format("15:04")
		switch {
		case !due.Runs():
			text += " " + due.Skipped + due.Missed
		case !due.CatchUp:
			text += "!"
		}
		out = append(out, text)
	}
	return out
}

func (m *memory) check(t *testing.T, schedule string, want ...string) {
	t.Helper()
	if got := m.claimed(schedule); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", schedule, got, want)
	}
}

// driven is a loop whose looks the test makes itself, so that the clock can step.
type driven struct {
	*Scheduler
	t    *testing.T
	host *memory
	log  *bytes.Buffer
}

func drive(t *testing.T, host *memory) *driven {
	log := &bytes.Buffer{}
	return &driven{New(host, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))), t, host, log}
}

// lookAt makes one look at "2026-11-24T…".
func (d *driven) lookAt(clock string) {
	d.t.Helper()
	d.look(d.t.Context(), instantOf(d.t, "2026-11-24T"+clock))
}

func (d *driven) wantLog(part string) {
	d.t.Helper()
	if !strings.Contains(d.log.String(), part) {
		d.t.Errorf("log has no %q:\n%s", part, d.log)
	}
}

func schedule(t *testing.T, name, expr string) Schedule {
	t.Helper()
	return Schedule{Name: name, Spec: mustParse(t, expr, "UTC", SpecOptions{}), CatchUp: CatchUpAll, CatchUpWindow: 24 * time.Hour}
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	return out
}
