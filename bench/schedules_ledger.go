package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (m *timetable) open() (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(m.dir, "worqcron.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// pastSlots is how many slots each schedule has behind it.
const pastSlots = 30

// addPast gives each schedule so many slots, each with a run that came to its end.
const (
	addSlots = `
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO slots (schedule, scheduled_for, state, reason, decided_at)
SELECT schedule, 1700000000000 + i * 3600000, 'ran', '', 1700000000000 + i * 3600000 FROM schedule_state, n`
	addRuns = `
INSERT INTO runs (run_id, schedule, scheduled_for, interval_start, number, generation, origin, state, reason, zone, flow_id, base_url,
                  shape, job, payload, source_path, started_at, planned_at, finished_at, records_read, records_filtered, records_unchanged,
                  records_elsewhere, bytes_read)
SELECT lower(hex(randomblob(16))), schedule, scheduled_for, scheduled_for, 1, 0, 'slot', 'succeeded', '', 'UTC', ?1, 'http://127.0.0.1',
       '', '', '', '', decided_at, decided_at, decided_at, 0, 0, 0, 0, 0 FROM slots`
)

func (m *timetable) addPast(ctx context.Context) error {
	db, err := m.open()
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, addSlots, pastSlots)
	if err == nil {
		_, err = db.ExecContext(ctx, addRuns, benchFlow)
	}
	return errors.Join(err, db.Close())
}

const runsInOrder = `SELECT schedule FROM runs ORDER BY id`

// inOrder holds that runs that were due at once began in the order of their names.
func (m *timetable) inOrder(ctx context.Context) error {
	db, err := m.open()
	if err != nil {
		return err
	}
	names, err := texts(ctx, db, runsInOrder)
	if err == nil && !slices.IsSorted(names) {
		err = errors.New("runs did not begin in the order of their names")
	}
	return errors.Join(err, db.Close())
}

// usage is what a process under way has used.
type usage struct {
	cpu                 time.Duration
	rssBytes, peakBytes int64
}

// tick is the unit of /proc/PID/stat (USER_HZ, 100 on Linux).
const tick = 10 * time.Millisecond

func usageOf(pid int) (u usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the name may have spaces
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return u, fmt.Errorf("%sstat has %d fields", dir, len(fields))
	}
	for _, text := range fields[11:13] { // utime and stime, proc(5)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return u, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.rssBytes = kb << 10
		case "VmHWM":
			u.peakBytes = kb << 10
		}
	}
	return u, nil
}
