package batch

import (
	"context"

	"worqcron/store"
)

// RedrivePreview is what a redrive would send, for a person and for programs.
type RedrivePreview struct {
	RedriveOf  string           `json:"redrive_of"` // run_id
	Name       string           `json:"name"`       // of that run
	Chunks     int64            `json:"chunks"`
	Records    int64            `json:"records"`
	Bytes      int64            `json:"bytes"` // of the bodies
	Reasons    map[string]int64 `json:"reasons"`
	MayHaveRun map[string]int64 `json:"may_have_run"` // chunks of which a flow may have run, by reason
	ChunkList  []PreviewChunk   `json:"chunk_list"`
	LeftOut    []LeftOut        `json:"left_out"`
	Lost       []LeftOut        `json:"lost"` // their records cannot be had any more
}

// PreviewChunk is a chunk as it would go out again.
type PreviewChunk struct {
	Chosen
	BodyBytes int64 `json:"body_bytes"`
}

// PreviewRedrive reads everything that a redrive of chunks would send, and sends
// nothing.
func PreviewRedrive(ctx context.Context, r *store.Reader, run *store.Run, s *Selection) (*RedrivePreview, error) {
	p := &RedrivePreview{
		RedriveOf: run.RunID, Name: run.Name(), Reasons: map[string]int64{}, MayHaveRun: s.MayHaveRun(),
		ChunkList: []PreviewChunk{}, LeftOut: append([]LeftOut{}, s.LeftOut...), Lost: []LeftOut{},
	}
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	maker, err := newChunkMaker(run, files) // all ids of runs have one length, so have the bodies
	if err != nil {
		return nil, err
	}
	chosen := map[int64]Chosen{}
	for _, c := range s.Chosen {
		chosen[c.Chunk] = c
	}
	lost, err := eachChosen(ctx, r, run, s.Chosen, func(_ *storedRun, of *store.Chunk, lines []byte) error {
		c := maker.again(of, lines, p.Chunks+1)
		p.Chunks++
		p.Records += c.Records
		p.Bytes += c.BodyBytes
		one := chosen[of.Chunk]
		p.Reasons[one.Reason]++
		p.ChunkList = append(p.ChunkList, PreviewChunk{one, c.BodyBytes})
		return nil
	})
	p.Lost = append(p.Lost, lost...)
	return p, err
}

// MayHaveRun counts the chunks of which a flow may have run, by reason.
func (s *Selection) MayHaveRun() map[string]int64 {
	n := map[string]int64{}
	for _, c := range s.Chosen {
		if c.MayHaveRun {
			n[c.Reason]++
		}
	}
	return n
}
