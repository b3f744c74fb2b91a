package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// BusyError says that another process sends from this ledger.
type BusyError struct {
	Path string // the ledger
	Role string // what the other process is: "serve", "run", …; "" when it did not say yet
	PID  int    // 0 when it did not say yet
}

// Error names the holder.
func (e *BusyError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("ledger %s: another sender holds it", e.Path)
	}
	return fmt.Sprintf("ledger %s: another sender holds it ('worqcron %s', process %d)", e.Path, e.Role, e.PID)
}

// senderLock is the right to write the ledger and to send from it. The kernel
// frees it when its process ends, however that happens.
type senderLock struct{ file *flock.Flock }

func lockPath(ledger string) string { return realPath(ledger) + ".lock" }

func lockSender(path, role string) (*senderLock, error) {
	f := flock.New(lockPath(path), flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	got, err := f.TryLock()
	if err != nil {
		return nil, fmt.Errorf("ledger %s is not writable: %w", path, err)
	}
	if !got {
		return nil, Holder(path)
	}
	// The name is for messages alone; the lock is what counts.
	if err := os.WriteFile(lockPath(path), fmt.Appendf(nil, "%s %d\n", role, os.Getpid()), 0o600); err != nil {
		return nil, fmt.Errorf("ledger %s is not writable: %w", path, errors.Join(err, f.Close()))
	}
	return &senderLock{file: f}, nil
}

// Holder says who wrote its name into the ledger's lock last; it does not say
// whether that process still lives.
func Holder(path string) *BusyError {
	e := &BusyError{Path: path}
	text, err := os.ReadFile(lockPath(path))
	if err != nil {
		return e
	}
	role, pid, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if n, err := strconv.Atoi(pid); err == nil {
		e.Role, e.PID = role, n
	}
	return e
}

// release gives the lock back. The file stays: removing it would let a third
// process lock a file that nobody sees.
func (s *senderLock) release() error { return s.file.Close() }
