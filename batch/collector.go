package batch

import (
	"runtime/debug"
	"sync"
)

// recordsGCPercent is how far the heap may grow between two collections while each
// record is a trigger of its own: that leaves tens of thousands of small things a
// second behind in a heap of a few megabytes.
const recordsGCPercent = 400

// collector lets the garbage collector run less often while runs with mode
// "records" deliver. The setting is the process's, so they are counted.
type collector struct {
	mu     sync.Mutex
	runs   int
	before int // the setting to come back to
}

func (c *collector) relax() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs++; c.runs == 1 {
		c.before = debug.SetGCPercent(recordsGCPercent)
	}
}

func (c *collector) restore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs--; c.runs == 0 {
		debug.SetGCPercent(c.before)
	}
}
