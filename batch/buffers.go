package batch

import (
	"runtime"
	"sync"
)

// bodyBuffers lends memory for bodies to the workers of all runs. One is lent
// only to who has a place of the budget, so there are as many as triggers may be
// under way, however many runs there are. The zero value is ready to use.
type bodyBuffers struct {
	mu    sync.Mutex
	free  [][]byte
	users int   // runs that deliver
	bytes int64 // of bodies since the last collection
}

// collectAfter is how many bytes of bodies go out between two collections. A heap
// that is mostly bodies would else let as much garbage pile up beside them before
// the collector ran.
const collectAfter = 256 << 20

// begin says that a run starts to deliver, end that it has ended. With the last
// one gone the memory is given up.
func (b *bodyBuffers) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users++
}

func (b *bodyBuffers) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users--; b.users == 0 {
		b.free = nil
	}
}

// take lends the buffer that was used last; nil if none is free.
func (b *bodyBuffers) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.free)
	if n == 0 {
		return nil
	}
	buf := b.free[n-1]
	b.free = b.free[:n-1]
	return buf
}

// giveBack takes a buffer back, with the body that went out of it.
func (b *bodyBuffers) giveBack(buf []byte) {
	b.mu.Lock()
	b.free = append(b.free, buf)
	b.bytes += int64(len(buf))
	collect := b.bytes >= collectAfter
	if collect {
		b.bytes = 0
	}
	b.mu.Unlock()
	if collect {
		runtime.GC()
	}
}
