//go:build failpoint

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// point is the one that is armed; "" if none is.
var point, nth = armed(os.Getenv("WORQCRON_FAILPOINT"))

var hits atomic.Int64

func armed(setting string) (name string, nth int64) {
	name, count, _ := strings.Cut(setting, ":")
	nth, err := strconv.ParseInt(count, 10, 64)
	if name != "" && (err != nil || nth < 1) {
		panic("WORQCRON_FAILPOINT=" + setting + ": want NAME:N, N from 1")
	}
	return name, nth
}

// Hit kills the process if the point of this name is armed and this is the hit
// that was asked for.
func Hit(name string) {
	if name != point || hits.Add(1) != nth {
		return
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}

// Piece is how much of n bytes may go before the next Hit: all of them, unless
// the point of this name is armed.
func Piece(name string, n int64) int64 {
	if name != point {
		return n
	}
	return min(n, 50)
}
