package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver that is registered as "sqlite"
)

// ledger is what the program's database says, read by SQL of our own from a copy
// of its files: so the program itself, not this reader, recovers its log.
type ledger struct {
	runs     []runRow
	slots    int
	chunks   map[int64]*chunkRow
	byKey    map[string]*chunkRow
	segments []segmentRow
	files    map[int]string // path by snapshots.file
	dead     map[place]bool
}

type place struct {
	path string
	line int
}

type runRow struct {
	runID, state, reason string
	planned              bool
}

type chunkRow struct {
	chunk                     int64
	row                       bool // false: a record of a segment that has no row yet
	state, reason, key        string
	records, bytes            int
	ranges                    []lines
	attempts                  []attemptRow
	resends, acceptedByPerson int // decisions by hand
}

// lines are physical lines of a file, both inclusive.
type lines struct {
	path        string
	first, last int
	records     int
}

type attemptRow struct {
	outcome, reason, id, hash string // outcome "": open
	status, bytes             int
}

type segmentRow struct {
	records, begun int
	first          int64
	prefix         string // of its records' keys
	places         []byte
	path           string
	rows           int // chunks of it that have a row
}

// readLedger reads the ledger in a folder; nil without an error if the program was
// killed before it had one.
func readLedger(ctx context.Context, folder string) (l *ledger, problems []string, err error) {
	scratch, err := os.MkdirTemp("", "worqcron-crash-ledger-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(filepath.Join(folder, ledgerName+end))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(filepath.Join(scratch, ledgerName+end), data, 0o600); err != nil {
			return nil, nil, err
		}
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(scratch, ledgerName))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	q := &reader{ask: func(query string) (*sql.Rows, error) { return db.QueryContext(ctx, query) }}
	if q.integer(`SELECT count(*) FROM sqlite_master WHERE name = 'attempts'`) == 0 {
		return nil, nil, q.err
	}
	problems = q.health()
	l = q.ledger()
	return l, problems, q.err
}

// reader asks one question after another and keeps the first error.
type reader struct {
	ask func(query string) (*sql.Rows, error)
	err error
}

// rows calls scan for each row of a query.
func (q *reader) rows(query string, scan func(*sql.Rows) error) {
	if q.err != nil {
		return
	}
	q.err = func() error {
		rows, err := q.ask(query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}()
	if q.err != nil {
		q.err = fmt.Errorf("%s: %w", strings.TrimSpace(query), q.err)
	}
}

func (q *reader) integer(query string) (n int) {
	q.rows(query, func(r *sql.Rows) error { return r.Scan(&n) })
	return n
}

// health is I5.
func (q *reader) health() (problems []string) {
	q.rows(`PRAGMA integrity_check`, func(r *sql.Rows) error {
		var verdict string
		err := r.Scan(&verdict)
		if verdict != "ok" {
			problems = append(problems, "I5: integrity_check: "+verdict)
		}
		return err
	})
	q.rows(`SELECT "table" FROM pragma_foreign_key_check`, func(r *sql.Rows) error {
		var table string
		err := r.Scan(&table)
		problems = append(problems, "I5: foreign_key_check: "+table)
		return err
	})
	return problems
}

func (q *reader) ledger() *ledger {
	l := &ledger{chunks: map[int64]*chunkRow{}, byKey: map[string]*chunkRow{}, files: map[int]string{}, dead: map[place]bool{}}
	l.slots = q.integer(`SELECT count(*) FROM slots`)
	q.rows(`SELECT run_id, state, reason, planned_at IS NOT NULL FROM runs`, func(r *sql.Rows) error {
		var x runRow
		err := r.Scan(&x.runID, &x.state, &x.reason, &x.planned)
		l.runs = append(l.runs, x)
		return err
	})
	q.rows(`SELECT file, path FROM snapshots`, func(r *sql.Rows) error {
		var file int
		var path string
		err := r.Scan(&file, &path)
		l.files[file] = filepath.Base(path)
		return err
	})
	q.rows(`SELECT file, line FROM dead_letters`, func(r *sql.Rows) error {
		var file, line int
		err := r.Scan(&file, &line)
		l.dead[place{l.files[file], line}] = true
		return err
	})
	q.segments(l)
	q.chunks(l)
	q.attempts(l)
	return l
}

func (q *reader) chunks(l *ledger) {
	q.rows(`SELECT chunk, state, reason, records, body_bytes, key FROM chunks ORDER BY chunk`, func(r *sql.Rows) error {
		n := &chunkRow{row: true}
		if err := r.Scan(&n.chunk, &n.state, &n.reason, &n.records, &n.bytes, &n.key); err != nil {
			return err
		}
		if c := l.chunks[n.chunk]; c != nil { // of a segment, which has its key and place
			if n.key != "" {
				return fmt.Errorf("chunk %d of a segment has a key of its own", n.chunk)
			}
			n.key, n.ranges = c.key, c.ranges
		}
		l.chunks[n.chunk], l.byKey[n.key] = n, n
		return nil
	})
	q.rows(`SELECT chunk, file, first_line, last_line, records FROM chunk_ranges ORDER BY chunk, part`, func(r *sql.Rows) error {
		var chunk int64
		g, err := scanLines(l, r, &chunk)
		l.chunks[chunk].ranges = append(l.chunks[chunk].ranges, g)
		return err
	})
}

func (q *reader) attempts(l *ledger) {
	q.rows(`SELECT chunk, coalesce(outcome, ''), reason, status_code, coalesce(analytics_id, ''), body_hash, body_bytes
		FROM attempts ORDER BY attempt_id`, func(r *sql.Rows) error {
		var chunk int64
		var a attemptRow
		if err := r.Scan(&chunk, &a.outcome, &a.reason, &a.status, &a.id, &a.hash, &a.bytes); err != nil {
			return err
		}
		c := l.chunks[chunk]
		if c == nil {
			return fmt.Errorf("an attempt of chunk %d, which has no row and no segment", chunk)
		}
		if !c.row && a.outcome != "" {
			return fmt.Errorf("an attempt of chunk %d has ended, and the chunk has no row", chunk)
		}
		if !c.row {
			c.state = "sending"
		}
		c.attempts = append(c.attempts, a)
		return nil
	})
	q.rows(`SELECT coalesce(chunk, 0), action FROM audit`, func(r *sql.Rows) error {
		var chunk int64
		var action string
		err := r.Scan(&chunk, &action)
		switch c := l.chunks[chunk]; {
		case c != nil && action == "resolved: to be sent again":
			c.resends++
		case c != nil && strings.HasSuffix(action, "accepted"):
			c.acceptedByPerson++
		}
		return err
	})
}

// segments makes a chunk of each record of a segment, as if it had no row.
func (q *reader) segments(l *ledger) {
	q.rows(`SELECT s.first_chunk, s.records, s.begun, s.key_prefix, p.places, (SELECT min(file) FROM segment_ranges g WHERE g.run = s.run AND g.segment = s.segment),
		(SELECT count(*) FROM chunks c WHERE c.run = s.run AND c.chunk BETWEEN s.first_chunk AND s.first_chunk + s.records - 1)
		FROM segments s JOIN segment_places p USING (run, segment) ORDER BY segment`, func(r *sql.Rows) error {
		var s segmentRow
		var file int
		if err := r.Scan(&s.first, &s.records, &s.begun, &s.prefix, &s.places, &file, &s.rows); err != nil {
			return err
		}
		s.path = l.files[file]
		l.segments = append(l.segments, s)
		return s.eachRecord(func(chunk int64, place lines) {
			c := &chunkRow{chunk: chunk, state: "planned", key: fmt.Sprintf("%s%08x", s.prefix, chunk), records: 1, ranges: []lines{place}}
			l.chunks[chunk], l.byKey[c.key] = c, c
		})
	})
}

// eachRecord reads the packed places: for each record a varint with its length
// times two and, if that is odd, three more: how far it lies behind the one before,
// how many lines behind that one's last it begins, and how many more it has.
func (s *segmentRow) eachRecord(fn func(chunk int64, place lines)) error {
	packed, last := s.places, 0
	next := func() int {
		v, n := binary.Varint(packed)
		packed = packed[max(n, 0):]
		return int(v)
	}
	for i := range s.records {
		if len(packed) == 0 {
			return fmt.Errorf("the segment from chunk %d on has places of %d records, not of %d", s.first, i, s.records)
		}
		first, more := last+1, 0
		if next()&1 != 0 {
			next()
			first, more = last+next(), next()
		}
		last = first + more
		fn(s.first+int64(i), lines{path: s.path, first: first, last: last, records: 1})
	}
	if len(packed) > 0 {
		return fmt.Errorf("the segment from chunk %d on has places of more than %d records", s.first, s.records)
	}
	return nil
}

func scanLines(l *ledger, r *sql.Rows, owner *int64) (g lines, err error) {
	var file int
	err = r.Scan(owner, &file, &g.first, &g.last, &g.records)
	g.path = l.files[file]
	return g, err
}

// open says whether the run goes on by itself at a start of the daemon.
func (l *ledger) open() bool {
	if l == nil || len(l.runs) == 0 {
		return false
	}
	r := l.runs[0]
	return r.state == "planning" || r.state == "delivering" || r.state == "stopped"
}

// unknown are the chunks that wait for a decision, in order.
func (l *ledger) unknown() (list []*chunkRow) {
	if l == nil {
		return nil
	}
	for _, c := range l.chunks {
		if c.state == "unknown" {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *chunkRow) int { return cmp.Compare(a.chunk, b.chunk) })
	return list
}

// openAttempts counts those that have no outcome.
func (l *ledger) openAttempts() (n int) {
	if l == nil {
		return 0
	}
	for _, c := range l.chunks {
		for _, a := range c.attempts {
			if a.outcome == "" {
				n++
			}
		}
	}
	return n
}
