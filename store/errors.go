package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrFull means that the disk has no room. It passes by itself when there is
// room again, so the caller keeps what it has and tries again.
var ErrFull = errors.New("no room on the ledger's disk")

// ErrState means that a transition was asked for that the row's state does not
// allow, such as a second attempt of an accepted chunk.
var ErrState = errors.New("not possible in this state")

// judge sorts the driver's errors into those a caller acts on: no room (tried
// again), lost trust (halts the ledger), and all others as they are.
func (l *Ledger) judge(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_WRITE:
		// After a failed fsync the kernel may have dropped the pages: a retry
		// that succeeds would prove nothing.
		return l.halt(err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return l.halt(fmt.Errorf("the ledger's file is damaged, restore a backup: %w", err))
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return err
}
