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
)

// highMark is a small file beside the ledger (its name and .high) that holds the
// highest attempt that was ever committed. A ledger below it is an older copy
// that somebody put back: it does not know what was sent since.
//
// The file is one line: the ledger's id, so that another ledger's file is not
// taken for ours, and the number. It is overwritten in place after each commit
// that made attempts, which costs microseconds and which a kill cannot lose; it is
// forced to the disk each thousand attempts. It may lag behind the ledger and is
// never ahead of it.
type highMark struct {
	mu     sync.Mutex
	file   *os.File // nil: the ledger is not open for sending
	id     string
	stored int64 // in the file
	synced int64 // in the file, and on the disk
	err    error // why it lags behind; nil once it was written again
}

// syncEvery is after how many attempts the file is forced to the disk.
const syncEvery = 1000

func highPath(ledger string) string { return realPath(ledger) + ".high" }

// mark is what a ledger, or the file beside it, says of itself.
type mark struct {
	id   string // "" for a ledger that was never set up
	high int64
}

// readHigh reads the file beside a ledger. One that is missing, empty or no such
// file is not found.
func readHigh(path string) (m mark, found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, err
	}
	n, err := fmt.Sscanf(string(text), "%32s %d\n", &m.id, &m.high)
	if n != 2 || err != nil || string(text) != m.line() {
		return mark{}, false, nil
	}
	return m, true, nil
}

// line always has the same length, so that it can be overwritten in place.
func (m mark) line() string { return fmt.Sprintf("%32s %019d\n", m.id, m.high) }

const hasIdentity = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'identity')`

// AUTOINCREMENT remembers the highest id although its row is gone.
const ownMark = `
SELECT ledger_id, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'attempts'), 0) FROM identity`

func readMark(ctx context.Context, db *sql.DB) (m mark, err error) {
	var is bool
	if err := db.QueryRowContext(ctx, hasIdentity).Scan(&is); err != nil || !is {
		return m, err
	}
	err = db.QueryRowContext(ctx, ownMark).Scan(&m.id, &m.high)
	return m, err
}

// RestoredError says that the ledger is an older copy, or that it is gone: less
// was ever sent by its account than the file beside it says.
type RestoredError struct {
	Path string // the ledger
	Own  int64  // the highest attempt that the ledger knows; 0: it is new or empty
	Made int64  // the highest that was made
}

// Error says what happened and what to do.
func (e *RestoredError) Error() string {
	what := fmt.Sprintf("an older copy was put back: it knows attempts up to %d, and %d were made", e.Own, e.Made)
	if e.Own == 0 {
		what = fmt.Sprintf("it is gone or empty, and %d attempts were made with it", e.Made)
	}
	return fmt.Sprintf("ledger %s: %s (%s); what was sent since is not known\n"+
		"  hint: put the newest copy back; or start 'worqcron serve --accept-restore' (or 'run'): what may have been sent since\n"+
		"  is held as unknown, slots since then do not run", e.Path, what, filepath.Base(highPath(e.Path)))
}

// compareMarks compares the ledger with the file beside it, before anything is
// written. made is the highest attempt that either knows. older: it is an older
// copy, or a new file where one was. warning is what a person should know.
func compareMarks(ctx context.Context, db *sql.DB, path string) (own mark, made int64, older bool, warning string, err error) {
	if own, err = readMark(ctx, db); err != nil {
		return own, 0, false, "", err
	}
	file, found, err := readHigh(highPath(path))
	if err != nil {
		return own, 0, false, "", err
	}
	switch {
	case !found && own.high > 0:
		warning = fmt.Sprintf("%s is missing or unreadable and is made anew: whether the ledger is an older copy cannot be told (if it is, stop, delete the file, and start with --accept-restore)", highPath(path))
	case found && own.id != "" && file.id != own.id:
		warning = fmt.Sprintf("%s belongs to another ledger and is made anew: whether this one is an older copy cannot be told", highPath(path))
	case found && own.high < file.high:
		return own, file.high, true, "", nil
	}
	return own, own.high, false, warning, nil
}

// openHigh opens the file for a ledger that may be sent from, in place of what it
// said before.
func openHigh(path string, m mark) (*highMark, error) {
	f, err := os.OpenFile(highPath(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	h := &highMark{file: f, id: m.id, stored: -1}
	h.raise(m.high)
	err = h.err
	if err == nil {
		err = f.Truncate(int64(len(m.line())))
	}
	if err == nil {
		err = syncAll(f, filepath.Dir(highPath(path)))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	h.synced = m.high
	return h, nil
}

// syncAll forces a file, and its name in its folder, to the disk.
func syncAll(f *os.File, dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), d.Sync(), d.Close())
}

// raise notes that attempts up to this one are committed. What was committed
// stays so although the file cannot be written: the error comes with close,
// unless a later call succeeds.
func (h *highMark) raise(attemptID int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if attemptID <= h.stored {
		return
	}
	if _, h.err = h.file.WriteAt([]byte(mark{h.id, attemptID}.line()), 0); h.err != nil {
		return
	}
	h.stored = attemptID
	if h.stored-h.synced >= syncEvery {
		if h.err = h.file.Sync(); h.err == nil {
			h.synced = h.stored
		}
	}
}

func (h *highMark) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		h.err = fmt.Errorf("%s could not be kept up: %w", h.file.Name(), h.err)
	}
	return errors.Join(h.err, h.file.Sync(), h.file.Close())
}
