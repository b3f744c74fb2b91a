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

// ErrLocked means that another program (a backup, a person at a SQL prompt)
// kept the ledger locked for longer than ten seconds. Like ErrFull it passes by
// itself, so errors.Is says yes to that too: who waits for room waits for this.
var ErrLocked error = lockedError{}

type lockedError struct{}

func (lockedError) Error() string { return "another program keeps the ledger locked" }

func (lockedError) Is(target error) bool { return target == ErrFull }

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
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE: // the latter: no room for the index of the log
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_IOERR_NOMEM:
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case sqlite3.SQLITE_IOERR:
		// After a failed fsync the kernel may have dropped the pages: a retry
		// that succeeds would prove nothing. Of the others, none is a sound disk.
		return l.halt(fmt.Errorf("the ledger's disk is failing: %w", err))
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return l.halt(hintDamage(err))
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return err
}

// hintDamage says what to do about a damaged file; other errors stay as they are.
func hintDamage(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is damaged or no ledger, restore a backup: %w", err)
	}
	return err
}
