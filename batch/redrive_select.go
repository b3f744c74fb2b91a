package batch

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"worqcron/store"
)

// Redrive says what of a run is to be sent again. It is stored with the redrive,
// as JSON, so that one that was interrupted in its plan can go on.
type Redrive struct {
	Chunk          int64  `json:"chunk,omitempty"`           // only this one; 0: all
	Reason         string `json:"reason,omitempty"`          // only those that failed for it; "": whatever it was
	Limit          int64  `json:"limit,omitempty"`           // the first so many; 0: all
	FailedRemotely bool   `json:"failed_remotely,omitempty"` // accepted ones whose execution failed at WorqHat, not failed ones
	Dead           bool   `json:"dead,omitempty"`            // the dead letters, after their file was mended
}

// Chosen is a chunk that is to be sent again.
type Chosen struct {
	Chunk      int64  `json:"chunk"` // its number in the run where it failed
	Records    int64  `json:"records"`
	Reason     string `json:"reason"` // fixed word
	Detail     string `json:"detail,omitempty"`
	MayHaveRun bool   `json:"may_have_run"` // a flow may have run with its records
}

// LeftOut is a chunk that is not sent again, and why.
type LeftOut struct {
	Chunk int64  `json:"chunk"`
	Why   string `json:"why"`
}

// Selection is what a redrive is about.
type Selection struct {
	Chosen  []Chosen
	LeftOut []LeftOut // what went out since, or waits to, with another run
}

// Reasons of chunks that a person or another run gave up, beside those of their
// last attempt.
const (
	reasonAbandoned      = "abandoned"
	reasonTakenOver      = "taken_over"
	reasonCancelled      = "cancelled"
	reasonFailedRemotely = "failed_remotely"
)

// SelectRedrive finds the chunks of a run that a redrive sends again. Left out are
// those whose records went out since, or are about to: with an earlier redrive,
// or with a later run of the same content, unless the job's policy is that all of
// it goes out each time. It reads the ledger alone.
func SelectRedrive(ctx context.Context, r *store.Reader, job *Job, run *store.Run, what Redrive) (*Selection, error) {
	s := &selecting{reader: r, run: run, what: what}
	var err error
	if s.elsewhere, err = newElsewhere(ctx, r, job, run); err != nil {
		return nil, err
	}
	if what.FailedRemotely {
		err = s.failedRemotely(ctx)
	} else {
		err = s.failed(ctx)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(s.Chosen, func(a, b Chosen) int { return cmp.Compare(a.Chunk, b.Chunk) })
	slices.SortFunc(s.LeftOut, func(a, b LeftOut) int { return cmp.Compare(a.Chunk, b.Chunk) })
	if what.Limit > 0 && int64(len(s.Chosen)) > what.Limit {
		s.Chosen = s.Chosen[:what.Limit]
	}
	if what.Chunk != 0 && len(s.Chosen)+len(s.LeftOut) == 0 {
		return nil, s.notFailed(ctx)
	}
	return &s.Selection, nil
}

// selecting is a selection under way.
type selecting struct {
	Selection
	reader    *store.Reader
	run       *store.Run
	what      Redrive
	elsewhere *elsewhere
}

func (s *selecting) failed(ctx context.Context) error {
	after := max(s.what.Chunk-1, 0)
	for {
		page, err := s.reader.ChunksInState(ctx, s.run.ID, store.ChunkFailed, after, queuePage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		if after, err = s.rows(ctx, page, Chosen{}); err != nil {
			return err
		}
		if s.what.Chunk != 0 && after >= s.what.Chunk {
			break
		}
	}
	return s.failedSegments(ctx)
}

func (s *selecting) failedRemotely(ctx context.Context) error {
	known, err := s.reader.LookedUp(ctx, s.run.ID)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("nothing is known yet of what became of run %s at WorqHat\n  hint: run 'worqcron reconcile %s' first", s.run.Name(), s.run.Name())
	}
	for after := int64(0); ; {
		page, err := s.reader.FailedRemotely(ctx, s.run.ID, after, queuePage)
		if err != nil || len(page) == 0 {
			return err
		}
		like := Chosen{Reason: reasonFailedRemotely, Detail: "accepted, and its execution failed at WorqHat", MayHaveRun: true}
		if after, err = s.rows(ctx, page, like); err != nil {
			return err
		}
	}
}

// rows takes chunks that have a row, and returns the number of the last one. like
// is what is known of all of them; without it their last attempts tell.
func (s *selecting) rows(ctx context.Context, page []store.Chunk, like Chosen) (last int64, err error) {
	last = page[len(page)-1].Chunk
	attempts, err := s.reader.LastAttempts(ctx, s.run.ID, page[0].Chunk, last)
	if err != nil {
		return last, err
	}
	for i := range page {
		c := &page[i]
		one, attempt := like, attempts[c.Chunk]
		one.Chunk, one.Records = c.Chunk, c.Records
		if one.Reason == "" {
			one.Reason, one.Detail, one.MayHaveRun = reasonOf(c.Reason, attempt), c.Reason, mayHaveRun(attempt)
		}
		if s.wanted(one, attempt.Reason) {
			s.take(one, c.Ranges)
		}
	}
	return last, nil
}

// wanted says whether a chunk is one of those that were asked for.
func (s *selecting) wanted(c Chosen, attempt string) bool {
	if s.what.Chunk != 0 && s.what.Chunk != c.Chunk {
		return false
	}
	want := s.what.Reason
	return want == "" || want == c.Reason || want == attempt || strings.Contains(strings.ToLower(c.Detail), strings.ToLower(want))
}

func (s *selecting) take(c Chosen, ranges []store.ChunkRange) {
	if why := s.elsewhere.of(c.Chunk, ranges); why != "" {
		s.LeftOut = append(s.LeftOut, LeftOut{c.Chunk, why})
		return
	}
	s.Chosen = append(s.Chosen, c)
}

// failedSegments takes chunks that were given up before they had a row.
func (s *selecting) failedSegments(ctx context.Context) error {
	for after := int64(0); ; {
		page, err := s.reader.OpenSegments(ctx, s.run.ID, after, queuePage)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			seg := &page[i]
			after = seg.Segment
			like := Chosen{Records: 1, Reason: reasonOf(seg.Reason, store.LastAttempt{}), Detail: seg.Reason}
			if seg.State != store.ChunkFailed || !s.wanted(like.in(seg, s.what.Chunk), "") {
				continue
			}
			if err := s.segment(ctx, seg, like); err != nil {
				return err
			}
		}
	}
}

// in is a chunk of a segment: the one that is asked for, if the segment has it.
func (c Chosen) in(seg *store.Segment, asked int64) Chosen {
	if c.Chunk = seg.FirstChunk; asked > seg.FirstChunk && asked <= seg.LastChunk() {
		c.Chunk = asked
	}
	return c
}

// segment takes the chunks of a failed segment that have no row.
func (s *selecting) segment(ctx context.Context, seg *store.Segment, like Chosen) error {
	begun, err := s.reader.BegunChunks(ctx, s.run.ID, seg)
	if err != nil {
		return err
	}
	places, err := s.reader.RecordPlaces(ctx, s.run.ID, seg)
	if err != nil {
		return err
	}
	for n := seg.FirstChunk; n <= seg.LastChunk(); n++ {
		if len(begun) > 0 && begun[0] == n {
			begun = begun[1:]
			continue
		}
		like.Chunk = n
		if s.wanted(like, "") {
			s.take(like, places[n-seg.FirstChunk:][:1])
		}
	}
	return nil
}

// notFailed says why the chunk that was asked for is not to be had.
func (s *selecting) notFailed(ctx context.Context) error {
	c, err := FindChunk(ctx, s.reader, s.run, s.what.Chunk)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("run %s has no chunk %d", s.run.Name(), s.what.Chunk)
	case err != nil:
		return err
	case s.what.FailedRemotely:
		return fmt.Errorf("chunk %d of run %s did not fail at WorqHat, as far as was looked up: it is %s here", c.Chunk, s.run.Name(), c.State)
	case c.State == store.ChunkFailed:
		return fmt.Errorf("chunk %d of run %s did not fail for %q: %s", c.Chunk, s.run.Name(), s.what.Reason, c.Reason)
	case c.State == store.ChunkSplit:
		return s.notThisOne(ctx, c)
	case c.State == store.ChunkUnknown:
		return fmt.Errorf("chunk %d of run %s is unknown: 'worqcron resolve %s --chunk %d --resend' sends it again", c.Chunk, s.run.Name(), s.run.Name(), c.Chunk)
	}
	return fmt.Errorf("chunk %d of run %s is %s: only failed ones are sent again", c.Chunk, s.run.Name(), c.State)
}

// notThisOne says which parts a split chunk has.
func (s *selecting) notThisOne(ctx context.Context, c *store.Chunk) error {
	parts, err := s.reader.Children(ctx, s.run.ID, c.Chunk)
	if err != nil {
		return err
	}
	return fmt.Errorf("chunk %d of run %s was split, and its parts count for themselves\n  hint: they are the chunks %s", c.Chunk, s.run.Name(), listOf(parts))
}

func listOf(numbers []int64) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(texts, " and ")
}

// reasonOf is the fixed word for why a chunk failed.
func reasonOf(reason string, last store.LastAttempt) string {
	switch {
	case strings.HasPrefix(reason, DecideAbandon.action()):
		return reasonAbandoned
	case strings.HasPrefix(reason, "taken over "):
		return reasonTakenOver
	case strings.HasPrefix(reason, "cancel"):
		return reasonCancelled
	case last.Reason != "":
		return last.Reason
	}
	return reason
}

// mayHaveRun says whether a flow may have run although the chunk failed. An author
// can make a flow answer 400, and a person who abandoned an unknown chunk may err.
func mayHaveRun(last store.LastAttempt) bool {
	if last.Unknown {
		return true
	}
	switch last.Outcome {
	case "flow_failed", "unknown":
		return true
	case "refused":
		return last.StatusCode >= 400 && last.StatusCode < 500 && last.StatusCode != http.StatusRequestEntityTooLarge
	}
	return false
}
