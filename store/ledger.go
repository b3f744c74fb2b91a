// Package store is the ledger: what was due, what ran, which chunks were
// planned, and each attempt to send one with its outcome. It is the only place
// with SQL.
//
// Its methods are transitions, and each is one transaction that is on the disk
// when the method returns (WAL with synchronous=FULL). What it guarantees:
//
//   - an attempt's intent is committed before BeginAttempt returns, so a caller
//     that sends only after it can never send what the ledger does not know;
//   - a chunk has at most one attempt that is open or accepted, and nothing
//     leaves the state accepted (an index and two database triggers hold this);
//   - a slot has one row;
//   - one process writes: Open takes the sender's lock and keeps it.
//
// What to send, when, and what an answer means is decided elsewhere.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver that is registered as "sqlite"
)

// Ledger is the ledger opened for writing, under the sender's lock.
type Ledger struct {
	Reader
	rw   *sql.DB // one connection: SQLite has one writer, and a queue here beats a busy database there
	lock *senderLock

	once   sync.Once // guards halted
	halted chan struct{}
	why    error
}

// Reader reads the ledger beside its writer. Its methods see what is committed.
type Reader struct {
	path string
	ro   *sql.DB
}

// ErrHalted means that the ledger can no longer be trusted to keep what it is
// told; nothing may be sent from then on.
var ErrHalted = errors.New("the ledger is halted")

// Open opens the ledger at path for writing, creates it if it is missing,
// brings it to the program's version and takes the sender's lock. role is shown
// to others who want it ("serve", "run"). Another holder is a *BusyError.
// Files are created with mode 0600 less the umask.
func Open(ctx context.Context, path, role string) (*Ledger, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	if err := refuseNetworkFileSystem(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	lock, err := lockSender(path, role)
	if err != nil {
		return nil, err
	}
	l, err := openLocked(ctx, path, lock)
	if err != nil {
		lock.release()
		return nil, err
	}
	return l, nil
}

func openLocked(ctx context.Context, path string, lock *senderLock) (*Ledger, error) {
	// The file is created here, not by SQLite, so that it is private from its first byte.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger %s is not writable: %w", path, err)
	}
	lock.ledger, err = f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	rw, err := sql.Open("sqlite", dsn(path, false))
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	rw.SetMaxOpenConns(1)
	l := &Ledger{rw: rw, lock: lock, halted: make(chan struct{})}
	if err := l.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, rw.Close())
	}
	return l, nil
}

// prepare proves that the writer is durable, migrates, and opens the readers.
func (l *Ledger) prepare(ctx context.Context, path string) error {
	if err := assertDurable(ctx, l.rw); err != nil {
		return fmt.Errorf("ledger %s: %w", path, err)
	}
	if err := migrate(ctx, l.rw); err != nil {
		return fmt.Errorf("ledger %s: %w", path, err)
	}
	r, err := OpenReader(ctx, path)
	if err != nil {
		return err
	}
	l.Reader = *r
	return nil
}

// Close ends the writer and the readers and gives the lock back.
func (l *Ledger) Close() error {
	err := errors.Join(l.Reader.Close(), l.rw.Close())
	l.lock.release()
	return err
}

// OpenReader opens the ledger at path for reading only. A missing ledger wraps
// fs.ErrNotExist; one of another version says which program to start.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no ledger at %s yet, nothing has run: %w", path, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	ro, err := sql.Open("sqlite", dsn(path, true))
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	ro.SetMaxOpenConns(4)
	if err := assertVersion(ctx, ro); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, ro.Close()))
	}
	return &Reader{path: path, ro: ro}, nil
}

// Close ends the readers.
func (r *Reader) Close() error { return r.ro.Close() }

// Path is the ledger's file.
func (r *Reader) Path() string { return r.path }

// dsn names the file and the settings of each connection. Unknown keys are
// ignored by the driver in silence, so assertDurable asks for what matters.
func dsn(path string, readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(10000)",
		"foreign_keys(1)",
		"synchronous(FULL)", // NORMAL would lose commits in a power cut, and with them triggers
		"cache_size(-4000)",
	}}
	if readOnly {
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Set("_txlock", "immediate") // a transaction that reads first must not fail to upgrade
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "wal_autocheckpoint(2000)")
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	if !filepath.IsAbs(path) {
		u = url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}
	}
	return u.String()
}

func assertDurable(ctx context.Context, db *sql.DB) error {
	for _, want := range []struct{ pragma, value string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"},
	} {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return err
		}
		if got != want.value {
			return fmt.Errorf("%s is %q, not %q: this file system or build cannot keep the ledger safe", want.pragma, got, want.value)
		}
	}
	return nil
}

// write runs fn in one durable transaction.
func (l *Ledger) write(ctx context.Context, fn func(*sql.Tx) error) error {
	select {
	case <-l.halted:
		return fmt.Errorf("%w: %w", ErrHalted, l.why)
	default:
	}
	tx, err := l.rw.BeginTx(ctx, nil)
	if err != nil {
		return l.judge(err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(l.judge(err), rollback(tx))
	}
	if err := l.sameFile(); err != nil {
		return errors.Join(l.halt(err), rollback(tx))
	}
	return l.judge(tx.Commit())
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// sameFile checks that the path still names the file that is open: a commit to
// a deleted ledger would be durable for nobody.
func (l *Ledger) sameFile() error {
	now, err := os.Stat(l.path)
	if err != nil {
		return fmt.Errorf("ledger %s was taken away while it was in use: %w", l.path, err)
	}
	if !os.SameFile(now, l.lock.ledger) {
		return fmt.Errorf("ledger %s was replaced while it was in use", l.path)
	}
	return nil
}

// halt makes every later write fail.
func (l *Ledger) halt(why error) error {
	l.once.Do(func() {
		l.why = why
		close(l.halted)
	})
	return fmt.Errorf("%w: %w", ErrHalted, why)
}

// Halted is closed when the ledger cannot be written safely any more.
func (l *Ledger) Halted() <-chan struct{} { return l.halted }

func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(v int64) time.Time { return time.UnixMilli(v).UTC() }

func timeOrNil(v sql.NullInt64) *time.Time {
	if !v.Valid {
		return nil
	}
	t := fromMS(v.Int64)
	return &t
}
