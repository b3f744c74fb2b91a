package batch

import (
	"sync/atomic"

	"worqcron/store"
)

// Progress is where a run is, for somebody who watches. Its methods may be
// called at any time from any goroutine; a nil Progress counts nothing.
type Progress struct {
	bytesTotal, bytesRead, records  atomic.Int64
	chunks, chunksTotal, chunksDone atomic.Int64
	bytesSent, triggers, recordsOut atomic.Int64
	delivering                      atomic.Bool
	waiting                         atomic.Value // string
}

// ProgressNow is a Progress at one instant.
type ProgressNow struct {
	Waiting     string // the file that has yet to settle; "" if none has
	Delivering  bool
	BytesTotal  int64 // to be planned, as they lie on the disk; the standard input's are not known
	BytesRead   int64 // of them, so far
	RecordsRead int64
	Chunks      int64 // planned so far
	ChunksTotal int64 // to be delivered
	ChunksDone  int64 // delivered or given up
	BytesSent   int64
	Triggers    int64
	RecordsDone int64
}

// Now returns the counts.
func (p *Progress) Now() ProgressNow {
	waiting, _ := p.waiting.Load().(string)
	return ProgressNow{
		Waiting: waiting, Delivering: p.delivering.Load(), BytesTotal: p.bytesTotal.Load(), BytesRead: p.bytesRead.Load(),
		RecordsRead: p.records.Load(), Chunks: p.chunks.Load(), ChunksTotal: p.chunksTotal.Load(),
		ChunksDone: p.chunksDone.Load(), BytesSent: p.bytesSent.Load(), Triggers: p.triggers.Load(), RecordsDone: p.recordsOut.Load(),
	}
}

func (p *Progress) wait(path string) {
	if p != nil {
		p.waiting.Store(path)
	}
}

func (p *Progress) addTotal(bytes int64) {
	if p != nil {
		p.bytesTotal.Add(bytes)
	}
}

func (p *Progress) read(bytes, records, chunk int64) {
	if p != nil {
		p.bytesRead.Add(bytes)
		p.records.Add(records)
		p.chunks.Store(chunk)
	}
}

func (p *Progress) deliver(chunks int64) {
	if p != nil {
		p.chunksTotal.Store(chunks)
		p.delivering.Store(true)
	}
}

func (p *Progress) sent(bytes int64) {
	if p != nil {
		p.bytesSent.Add(bytes)
		p.triggers.Add(1)
	}
}

func (p *Progress) split() {
	if p != nil {
		p.chunksTotal.Add(1) // two in the place of one
	}
}

func (p *Progress) done(records int64) {
	if p != nil {
		p.chunksDone.Add(1)
		p.recordsOut.Add(records)
	}
}

// Follow sets the counts from a receipt, for a run that another process makes.
func (p *Progress) Follow(c *store.Receipt) {
	p.records.Store(c.Records.Read)
	if c.Status == store.Planning {
		return
	}
	p.deliver(c.Chunks.Planned)
	p.chunksDone.Store(c.Chunks.Planned - c.Chunks.Pending)
	p.recordsOut.Store(c.Records.Accepted + c.Records.Failed + c.Records.Unknown)
	p.bytesSent.Store(c.Bytes.Sent)
	p.triggers.Store(c.Attempts)
}
