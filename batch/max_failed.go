package batch

import (
	"fmt"
	"sync"

	"worqcron/store"
)

// maxFailedSample is how many triggers must have ended before a percentage of
// failed ones means something.
const maxFailedSample = 20

// tally counts how the chunks of one delivery ended, for max_failed.
type tally struct {
	mu     sync.Mutex
	ended  int64 // accepted, failed or unknown
	failed int64
}

// add counts a chunk's end and says why the run stops; "" if it goes on. A chunk
// that is planned again or split has not ended.
func (t *tally) add(n next, limit Share) (stop string) {
	if n.state != store.ChunkAccepted && n.state != store.ChunkFailed && n.state != store.ChunkUnknown {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended++
	if n.state != store.ChunkFailed {
		return ""
	}
	t.failed++
	share := 100 * float64(t.failed) / float64(t.ended)
	switch {
	case limit.IsPercent && t.ended >= maxFailedSample && share > limit.Percent:
	case !limit.IsPercent && t.failed > limit.Count:
	default:
		return ""
	}
	return fmt.Sprintf("max_failed: %d of %s failed (%d %%), the last one: %s", t.failed, counted(t.ended, "trigger"), int(share), n.reason)
}
