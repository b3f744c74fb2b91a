package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"worqcron/store"
)

// divide makes what takes a chunk's place. Chunks are split one at a time: each
// takes the next numbers, and a spool has one writer.
func (d *delivery) divide(ctx context.Context, b *bodyBuilder, c *store.Chunk) (*store.Split, error) {
	d.splitting.Lock()
	defer d.splitting.Unlock()
	if d.lastChunk == 0 {
		var err error
		if d.lastChunk, err = d.runner.Ledger.LastChunk(ctx, d.run.ID); err != nil {
			return nil, err
		}
	}
	parts, err := b.halves(d.run, c, d.lastChunk+1)
	if err != nil {
		return nil, err
	}
	d.lastChunk += int64(len(parts))
	return &store.Split{Run: d.run, Children: parts}, nil
}

// splitRefused splits a chunk that the flow refused as too large. If that cannot
// be, the chunk fails with its source, and stays planned without room for it.
func (d *delivery) splitRefused(ctx context.Context, b *bodyBuilder, c *store.Chunk, n next) next {
	s, err := d.divide(ctx, b, c)
	var changed *SourceChangedError
	switch {
	case errors.As(err, &changed), errors.Is(err, errNoPlaces):
		n.state, n.reason = store.ChunkFailed, fmt.Sprintf("%s; it cannot be split: %v", n.reason, err)
	case err != nil:
		n.state, n.stop = store.ChunkPlanned, fmt.Sprintf("chunk %d is too large for the flow and cannot be split: %v", c.Chunk, err)
	default:
		s.Limit = learntFrom(c.BodyBytes, max(s.Children[0].BodyBytes, s.Children[1].BodyBytes))
		n.split, n.reason = s, splitReason(s, n.reason)
	}
	return n
}

// learntFrom is how long bodies may be since one was refused of which the longer part
// has so many bytes. A little more than that: the parts of the next chunk are hardly
// ever as long as those of this one, and would be split once more.
func learntFrom(refused, part int64) int64 { return min(part+part/8, refused-1) }

func splitReason(s *store.Split, why string) string {
	return fmt.Sprintf("split into %d and %d: %s", s.Children[0].Chunk, s.Children[1].Chunk, why)
}

// tooLong says whether a chunk is to be split before it is sent: it is longer than
// what the flow may get. One that may have been accepted once goes out as it is, with
// its key, and so does one that cannot be split.
func (d *delivery) tooLong(t *task, before *tries) (limit int64, yes bool) {
	c, limit := t.chunk, d.runner.underway.limitOf(destinationOf(d.run))
	return limit, limit > 0 && c.BodyBytes > limit && c.Records >= 2 && before.unknown == 0 && !t.whole
}

// splitPlanned splits a chunk that is too long before it is sent.
func (d *delivery) splitPlanned(ctx context.Context, b *bodyBuilder, t *task, before *tries) (done bool, err error) {
	c := t.chunk
	limit, yes := d.tooLong(t, before)
	if !yes {
		return false, nil
	}
	s, err := d.divide(ctx, b, c)
	if errors.Is(err, errNoPlaces) {
		t.whole = true
		return false, nil // the flow may take it by now
	}
	if d.sourceChanged(err) {
		return true, nil
	}
	if err != nil {
		if ctx.Err() == nil {
			d.stop(fmt.Sprintf("chunk %d is too large for the flow and cannot be split: %v", c.Chunk, err))
		}
		return true, nil
	}
	reason := splitReason(s, fmt.Sprintf("the flow gets %d bytes at most, since it refused a longer body before", limit))
	for {
		err := d.runner.Ledger.SplitChunk(context.WithoutCancel(ctx), c.Chunk, reason, s)
		if err == nil {
			d.log.Info("chunk split", "chunk", c.Chunk, "records", c.Records, "bytes", c.BodyBytes, "reason", reason)
			d.splitDone(t, s)
			return true, nil
		}
		if !errors.Is(err, store.ErrFull) {
			return true, err
		}
		d.log.Error("ledger full, nothing is sent until there is room", "err", err)
		if sleepUntil(ctx, time.Now().Add(fullWait)) != nil {
			return true, nil
		}
	}
}

// splitDone hands the parts of a chunk out in its place.
func (d *delivery) splitDone(t *task, s *store.Split) {
	t.chunk.State = store.ChunkSplit
	d.order.Progress.split()
	d.queue.push(s.Children)
	d.hire()
}
