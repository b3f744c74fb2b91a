package batch

import (
	"context"
	"fmt"
	"log/slog"

	"worqcron/store"
	"worqcron/worqhat"
)

// keep stores the body of a chunk that a person may decide to send again.
func (d *delivery) keep(c *store.Chunk, n next, body []byte) {
	if n.state != store.ChunkUnknown && n.state != store.ChunkFailed {
		return
	}
	if err := d.records.kept.save(d.run.RunID, c.Chunk, body); err != nil {
		d.log.Warn("body not kept, a later decision needs the source as it is", "chunk", c.Chunk, "err", err)
	}
}

// forget drops what was kept of a chunk before it was accepted.
func (d *delivery) forget(c *store.Chunk) {
	if !d.resumed {
		return // nobody decided about it yet
	}
	if err := d.records.kept.remove(d.run.RunID, c.Chunk); err != nil {
		d.log.Warn("kept body not removed", "chunk", c.Chunk, "err", err)
	}
}

// after acts on what an outcome means beyond its chunk.
func (d *delivery) after(c *store.Chunk, r worqhat.Result, n next, before *tries) {
	log := d.log
	if r.Outcome != worqhat.Accepted || log.Enabled(context.Background(), slog.LevelDebug) {
		log = log.With("chunk", c.Chunk, "records", c.Records, "bytes", c.BodyBytes, "outcome", r.Outcome, "elapsed", r.Finished.Sub(r.Started))
	}
	switch r.Outcome {
	case worqhat.Accepted, worqhat.AcceptedNoID:
		log.Debug("chunk accepted", "analytics_id", r.AnalyticsID)
	case worqhat.Throttled:
		log.Warn("throttled, the key waits", "retry_in", n.pauseKey)
	case worqhat.NotSent:
		before.notSent++
		log.Warn("chunk not sent", "reason", r.Reason, "detail", r.Detail)
	default:
		log.Warn("chunk "+string(n.state), "reason", r.Reason, "detail", r.Detail)
	}
	d.countUnknown(r, before)
	options := d.options.Load()
	if why := d.tally.add(n, options.MaxFailed); why != "" {
		d.stop(why)
	}
	if options.Ordered && n.state == store.ChunkUnknown {
		d.stop(orderedReason(d.run, c.Chunk))
	}
	switch {
	case n.stop != "":
		d.runner.refused(d, r.Stop, n.stop)
	case r.StatusCode > 0 && r.Outcome != worqhat.Throttled:
		d.runner.gates.prove(d.run.FlowID, before.closed)
	}
}

// orderedReason is why an ordered run stops with an unknown chunk.
func orderedReason(run *store.Run, chunk int64) string {
	return fmt.Sprintf("chunk %d may or may not have been accepted, and with ordered = true nothing overtakes it: worqcron resolve %s decides, then worqcron run %s goes on",
		chunk, run.Name(), run.Schedule)
}

func (d *delivery) countUnknown(r worqhat.Result, before *tries) {
	if r.Outcome != worqhat.Unknown {
		if r.Outcome != worqhat.NotSent && r.Outcome != worqhat.Throttled {
			d.unknownInRow.Store(0)
		}
		return
	}
	before.unknown++
	if n := d.unknownInRow.Add(1); n >= maxUnknownInRow && d.options.Load().OnUnknown != "accept" {
		d.runner.gates.doubt(d.run.FlowID)
		d.stop(fmt.Sprintf("%d triggers in a row ended unknown; the last one: %s", n, r.Detail))
	}
}
