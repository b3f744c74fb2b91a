// Package store is the ledger: what was due, what ran, which chunks were
// planned, and each attempt to send one with its outcome. It is the only place
// with SQL.
//
// Its methods are transitions, and each is one transaction that is on the disk
// when the method returns (WAL with synchronous=FULL). What it guarantees:
//
//   - an attempt's intent is committed before BeginAttempt returns, so a caller
//     that sends only after it can never send what the ledger does not know;
//   - a chunk has at most one attempt that is open or accepted, nothing leaves
//     the state accepted, and no attempt is ever dropped while its run is known
//     (an index and database triggers hold this, whoever writes);
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
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver that is registered as "sqlite"

	"worqcron/failpoint"
)

// Ledger is the ledger opened for writing, under the sender's lock.
type Ledger struct {
	Reader
	rw   *sql.DB // one connection: SQLite has one writer, and a queue here beats a busy database there
	lock *senderLock
	file *os.File // the ledger's file; never read. See openLocked
	kept []keptFile
	pin  *sql.Conn // used for nothing; see pinLog

	prepared attemptStatements
	group    group

	high    *highMark
	begun   int64 // highest attempt of the transaction under way; who has the connection has it
	warning string

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
// An older copy of the ledger than the one that was sent from last is a
// *RestoredError, and nothing was changed.
func Open(ctx context.Context, path, role string) (*Ledger, error) {
	return openLedger(ctx, path, role, nil)
}

func openLedger(ctx context.Context, path, role string, restore *Restore) (*Ledger, error) {
	if err := enoughDescriptors(); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	if err := refuseNetworkFileSystem(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	lock, err := lockSender(path, role)
	if err != nil {
		return nil, err
	}
	l, err := openLocked(ctx, path, lock, restore)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return l, nil
}

func openLocked(ctx context.Context, path string, lock *senderLock, restore *Restore) (*Ledger, error) {
	// The file is created here, not by SQLite, so that it is private from its
	// first byte. It stays open until SQLite is done with it: closing any
	// descriptor of a file drops all locks that the process has on it (POSIX).
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger %s is not writable: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, f.Close()))
	}
	to := toWrite
	if info.Size() == 0 {
		to = toCreate
	}
	rw, err := sql.Open("sqlite", dsn(path, to))
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, f.Close()))
	}
	rw.SetMaxOpenConns(1)
	l := &Ledger{rw: rw, lock: lock, file: f, halted: make(chan struct{})}
	l.group = group{enough: make(chan struct{}, 1), open: map[int64]Intent{}}
	if err := l.prepare(ctx, path, restore); err != nil {
		return nil, errors.Join(err, rw.Close(), f.Close())
	}
	return l, nil
}

// prepare proves that the writer is durable, the file whole and no older copy,
// migrates, and opens the readers.
func (l *Ledger) prepare(ctx context.Context, path string, restore *Restore) error {
	for _, step := range []func(context.Context, *sql.DB) error{assertDurable, assertWhole} {
		if err := step(ctx, l.rw); err != nil {
			return fmt.Errorf("ledger %s: %w", path, hintDamage(err))
		}
	}
	own, made, older, warning, err := compareMarks(ctx, l.rw, path)
	switch {
	case err != nil:
		return fmt.Errorf("ledger %s: %w", path, hintDamage(err))
	case restore != nil && !older && warning == "":
		return fmt.Errorf("ledger %s: %w", path, ErrNotRestored)
	case restore == nil && older:
		return &RestoredError{Path: path, Own: own.high, Made: made}
	}
	l.warning = warning
	if err := migrate(ctx, l.rw); err != nil {
		return fmt.Errorf("ledger %s: %w", path, hintDamage(err))
	}
	if err := l.keepFiles(path); err != nil {
		return fmt.Errorf("ledger %s: %w", path, err)
	}
	if restore != nil {
		if err := l.acceptRestore(ctx, restore, own.high, made); err != nil {
			return fmt.Errorf("ledger %s: %w", path, err)
		}
	}
	return l.openParts(ctx, path)
}

// openParts opens what a ledger that may be written needs beside its writer.
func (l *Ledger) openParts(ctx context.Context, path string) (err error) {
	if l.prepared, err = prepareAttempts(ctx, l.rw); err != nil {
		return fmt.Errorf("ledger %s: %w", path, hintDamage(err))
	}
	own, err := readMark(ctx, l.rw)
	if err != nil {
		return fmt.Errorf("ledger %s: %w", path, hintDamage(err))
	}
	if l.high, err = openHigh(path, own); err != nil {
		return fmt.Errorf("ledger %s: %w", path, err)
	}
	r, err := OpenReader(ctx, path)
	if err != nil {
		return errors.Join(err, l.high.close())
	}
	l.Reader = *r
	if err := l.pinLog(ctx); err != nil {
		return fmt.Errorf("ledger %s: %w", path, errors.Join(err, r.Close(), l.high.close()))
	}
	return nil
}

// Warning is what a person should know of how the ledger was found; "" if there
// is nothing.
func (l *Ledger) Warning() string { return l.warning }

// pinLog holds one connection open. A query that is cancelled costs its
// connection, and with the last one SQLite removes the write-ahead log, which
// would look as if somebody had taken it away.
func (l *Ledger) pinLog(ctx context.Context) (err error) {
	if l.pin, err = l.ro.Conn(ctx); err != nil {
		return err
	}
	var tables int
	if err := l.pin.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return errors.Join(err, l.pin.Close())
	}
	return nil
}

// Close ends the writer and the readers and gives the lock back.
func (l *Ledger) Close() error {
	return errors.Join(l.pin.Close(), l.Reader.Close(), l.rw.Close(), l.high.close(), l.file.Close(), l.lock.release())
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
	ro, err := sql.Open("sqlite", dsn(path, toRead))
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	ro.SetMaxOpenConns(5)
	if err := assertVersion(ctx, ro); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, ro.Close()))
	}
	return &Reader{path: path, ro: ro}, nil
}

// Close ends the readers; of a nil Reader there are none.
func (r *Reader) Close() error {
	if r == nil {
		return nil
	}
	return r.ro.Close()
}

// Path is the ledger's file.
func (r *Reader) Path() string { return r.path }

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
	l.begun = 0
	if err := fn(tx); err != nil {
		return errors.Join(l.judge(err), rollback(tx))
	}
	if err := l.sameFiles(); err != nil {
		return errors.Join(l.halt(err), rollback(tx))
	}
	begun := l.begun // the connection is another's after the commit
	failpoint.Hit("commit")
	if err := tx.Commit(); err != nil {
		return l.judge(err)
	}
	failpoint.Hit("committed")
	if begun > 0 {
		l.high.raise(begun)
	}
	return nil
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
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
