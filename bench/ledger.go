package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver that is registered as "sqlite"

	"worqcron/sample"
)

// largeLedger is a ledger with a history that takes others years: a run of so many
// chunks that was delivered, and one of as many that was stopped half way. The
// plans are the program's own.
type largeLedger struct {
	*measuring
	door   *door
	mode   string // "chunks" (of one record each) or "records"
	chunks int    // of each run
	dir    string // state and sources
}

const (
	doneRun = "done@2026-01-01T00:00"
	halfRun = "half@2026-01-01T00:00"
)

func (g *largeLedger) ledger() string { return filepath.Join(g.dir, "worqcron.db") }

// fill makes the sources and the two runs.
func (g *largeLedger) fill(ctx context.Context) error {
	for seed, name := range []string{"done", "half"} {
		if err := g.source(name, uint64(seed)); err != nil {
			return err
		}
		if _, _, err := runProcess(g.command(ctx, "plan", name, "--at", "2026-01-01T00:00")); err != nil {
			return err
		}
	}
	if g.mode == "records" { // their rows come with their attempts
		if _, _, err := runProcess(g.command(ctx, "run", "half", "--at", "2026-01-01T00:00", "--limit", strconv.Itoa(g.chunks/2))); err != nil {
			return err
		}
		_, _, err := runProcess(g.command(ctx, "run", "done", "--at", "2026-01-01T00:00"))
		return err
	}
	if err := g.deliver(ctx); err != nil {
		return err
	}
	_, _, err := runProcess(g.command(ctx, "run", "done", "--at", "2026-01-01T00:00")) // the last chunk, and the receipt
	if err != nil {
		return err
	}
	_, _, err = runProcess(g.command(ctx, "run", "half", "--at", "2026-01-01T00:00", "--limit", "1"))
	return err
}

// source writes a file of as many records as a run has chunks.
func (g *largeLedger) source(name string, seed uint64) error {
	f, err := os.OpenFile(filepath.Join(g.dir, name+".ndjson"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cut := &lines{file: f, left: g.chunks}
	_, err = sample.NDJSON(cut, int64(g.chunks)*450, seed) // more than enough
	if err == nil && cut.left > 0 {
		err = fmt.Errorf("%s: %d records are missing", name, cut.left)
	}
	return errors.Join(err, f.Close())
}

// lines writes so many lines and drops the rest.
type lines struct {
	file *os.File
	left int
}

func (l *lines) Write(p []byte) (int, error) {
	end := 0
	for ; l.left > 0 && end < len(p); end++ {
		if p[end] == '\n' {
			l.left--
		}
	}
	if _, err := l.file.Write(p[:end]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// config is the configuration with both schedules.
func (g *largeLedger) config() string {
	text := fmt.Sprintf("[worqhat]\nbase_url = %q\nrate = \"off\"\nmax_in_flight = 64\n", g.sink)
	for _, name := range []string{"done", "half"} {
		chunk := "max_records = 1"
		if g.mode == "records" {
			chunk = `mode = "records"`
		}
		text += fmt.Sprintf("[schedules.%s]\ncron = \"0 0 1 1 *\"\ntimezone = \"UTC\"\ncatch_up_window = \"366d\"\nflow_id = %q\nsource = { path = \"%s.ndjson\" }\nchunk = { %s }\ndelivery = { max_in_flight = 64 }\n",
			name, benchFlow, name, chunk)
	}
	return text
}

// command is the program with the ledger's configuration.
func (g *largeLedger) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.program, append(args, "-c", filepath.Join(g.dir, "schedules.toml"))...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "WORQHAT_API_KEY="+benchKey)
	return cmd
}

func (g *largeLedger) open() (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+g.ledger()+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-400000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// What delivery does to a chunk: all but the last of done, the first half of half.
const (
	sendChunks = `
UPDATE chunks SET state = 'sending' WHERE state = 'planned'
  AND chunk < (SELECT CASE schedule WHEN 'done' THEN ?1 ELSE ?1 / 2 END FROM runs WHERE id = run)`
	makeAttempts = `
INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, finished_at, outcome, reason, detail, status_code, analytics_id, answer)
SELECT run, chunk, 1, 'xxh3-128:' || lower(hex(randomblob(16))), body_bytes, 1767225600000 + chunk, 1767225600050 + chunk, 'accepted',
       'analytics_id', '200 OK: Workflow triggered successfully', 200, lower(hex(randomblob(16))),
       CAST('{"success":true,"message":"Workflow triggered successfully","timestamp":"2026-01-01T00:00:00.000Z","data":{"workflow_status":"started"}}' AS BLOB)
FROM chunks WHERE state = 'sending' ORDER BY run, chunk`
	sumAttempts  = `INSERT INTO attempt_sums (run, attempts, bytes_sent) SELECT run, count(*), sum(body_bytes) FROM attempts GROUP BY run`
	acceptChunks = `UPDATE chunks SET state = 'accepted' WHERE state = 'sending'`
)

func (g *largeLedger) deliver(ctx context.Context) error {
	db, err := g.open()
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, sendChunks, g.chunks)
	for _, query := range []string{makeAttempts, sumAttempts, acceptChunks} {
		if err == nil {
			_, err = db.ExecContext(ctx, query)
		}
	}
	return errors.Join(err, db.Close())
}

const (
	runTables = `
SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'run') ORDER BY m.name = 'attempts', m.name`
	columnsOf = `SELECT name FROM pragma_table_info(?) WHERE name <> 'attempt_id' ORDER BY cid`
	setAside  = `
SELECT type || ' ' || name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND sql NOT LIKE '%UNIQUE%'
  AND tbl_name IN ('attempts', 'chunks', 'chunk_ranges') OR name = 'attempts_of_a_chunk'`
)

// multiply copies the delivered run so often, each with keys and ids of its own.
// Indexes are made anew at the end, in order, and so is the database trigger that
// would let in no attempt of a chunk that was accepted.
func (g *largeLedger) multiply(ctx context.Context, times int) (err error) {
	db, err := g.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	aside, err := texts(ctx, db, setAside)
	if err != nil {
		return err
	}
	for i := 0; i < len(aside); i += 2 {
		if _, err := db.ExecContext(ctx, "DROP "+aside[i]); err != nil {
			return err
		}
	}
	for n := range times {
		if err := copyOnce(ctx, db, n+2); err != nil {
			return err
		}
	}
	for i := 1; i < len(aside); i += 2 {
		if _, err := db.ExecContext(ctx, aside[i]); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// copyOnce copies all rows of the delivered run, whatever tables and columns there
// are, to a new one: the nth of its slot.
func copyOnce(ctx context.Context, db *sql.DB, n int) error {
	tables, err := texts(ctx, db, runTables)
	if err != nil {
		return err
	}
	for _, table := range append([]string{"runs"}, tables...) {
		columns, err := texts(ctx, db, columnsOf, table)
		if err != nil {
			return err
		}
		values := make([]string, len(columns))
		for i, c := range columns {
			switch c {
			case "id":
				values[i] = "(SELECT max(id) FROM runs) + 1"
			case "run":
				values[i] = "(SELECT max(id) FROM runs)"
			case "number":
				values[i] = "number"
				if table == "runs" {
					values[i] = strconv.Itoa(n)
				}
			case "run_id", "analytics_id":
				values[i] = "lower(hex(randomblob(16)))"
			case "key":
				values[i] = "CASE WHEN key = '' THEN '' ELSE lower(hex(randomblob(16))) END"
			case "key_prefix":
				values[i] = "lower(hex(randomblob(12)))"
			default:
				values[i] = c
			}
		}
		from := "run = (SELECT id FROM runs WHERE schedule = 'done' AND number = 1)"
		if table == "runs" {
			from = "schedule = 'done' AND number = 1"
		}
		query := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s", table, strings.Join(columns, ", "), strings.Join(values, ", "), table, from) //nolint:gosec // names of the ledger's own schema
		if _, err := db.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}

// texts reads all columns of all rows as one list.
func texts(ctx context.Context, db *sql.DB, query string, args ...any) (list []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row := make([]string, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, row...)
	}
	return list, rows.Err()
}
