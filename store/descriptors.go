package store

import (
	"fmt"
	"syscall"
)

// leastDescriptors is what the program's start, the ledger's writer and readers,
// one source and one connection take together.
const leastDescriptors = 24

// enoughDescriptors refuses to begin where the middle of a run would find none
// left; SQLite would only say that it cannot open its file.
func enoughDescriptors() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("how many files may be open: %w", err)
	}
	if limit.Cur < leastDescriptors {
		return fmt.Errorf("too many open files: only %d are allowed at once, and it takes %d\n  hint: raise ulimit -n, or LimitNOFILE of the unit", limit.Cur, leastDescriptors)
	}
	return nil
}
