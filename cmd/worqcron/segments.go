package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"worqcron/store"
)

// segmentJSON is, with chunk.mode = "records", a run of records of which some have
// no chunk row yet: they are in no chunk_list and get there with the end of
// their first attempt. A chunk of it is the record at its place: first_chunk is that of the
// first record.
type segmentJSON struct {
	Segment    int64        `json:"segment"`
	FirstChunk int64        `json:"first_chunk"`
	LastChunk  int64        `json:"last_chunk"`
	Records    int64        `json:"records"`
	Begun      int64        `json:"begun"`  // chunks of it that are in chunk_list
	Status     string       `json:"status"` // of the others
	Reason     string       `json:"reason,omitempty"`
	SourceHash string       `json:"source_hash"`
	Source     []sourceJSON `json:"source"`
}

func segmentDetails(files []store.SnapshotFile, s store.Segment) segmentJSON {
	return segmentJSON{
		Segment: s.Segment, FirstChunk: s.FirstChunk, LastChunk: s.LastChunk(), Records: s.Records, Begun: s.Begun,
		Status: string(s.State), Reason: s.Reason, SourceHash: s.SourceHash, Source: sourcesOf(files, s.Ranges),
	}
}

// listSegments lists the segments of a run with chunks that have no row; none in
// other modes.
func listSegments(ctx context.Context, r *store.Reader, run *store.Run) (list []segmentJSON, err error) {
	files, err := r.Files(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	for after := int64(0); ; {
		page, err := r.OpenSegments(ctx, run.ID, after, 500)
		if err != nil || len(page) == 0 {
			return list, err
		}
		for _, s := range page {
			list = append(list, segmentDetails(files, s))
			after = s.Segment
		}
	}
}

func printSegments(w io.Writer, list []segmentJSON) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%21s  %-9s %10s  %s\n", "chunks, one a record", "status", "not begun", "source")
	for i, s := range list {
		if i == maxPrinted {
			fmt.Fprintf(w, "  … and %s more; --json lists all\n", count(int64(len(list)-i), "segment"))
			return
		}
		chunks := fmt.Sprintf("%d to %d", s.FirstChunk, s.LastChunk)
		fmt.Fprintf(w, "%21s  %-9s %10s  %s\n", chunks, s.Status, humanize.Comma(s.Records-s.Begun), placeText(s.Source))
	}
}
