package main

import (
	"context"
	"fmt"
	"time"

	"worqcron/store"
)

// attemptJSON is an attempt for programs.
type attemptJSON struct {
	AttemptID   int64       `json:"attempt_id"`
	Number      int         `json:"number"`
	StartedAt   time.Time   `json:"started_at"`
	FinishedAt  *time.Time  `json:"finished_at"`
	Outcome     string      `json:"outcome"` // "" while open
	Reason      string      `json:"reason"`
	Detail      string      `json:"detail"`
	StatusCode  int         `json:"status_code,omitempty"`
	AnalyticsID string      `json:"analytics_id,omitempty"`
	BodyHash    string      `json:"body_hash"`
	Answer      string      `json:"answer,omitempty"`
	Remote      *remoteJSON `json:"remote,omitempty"` // its execution, once 'reconcile' looked
	Hints       []hintJSON  `json:"hints,omitempty"`  // executions that may be its own
}

// remoteJSON is what WorqHat says of an attempt's execution.
type remoteJSON struct {
	Status      string     `json:"status"`
	ExecutionID string     `json:"execution_id,omitempty"` // found for an attempt that was accepted without an id
	StartedAt   *time.Time `json:"started_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	LookedUpAt  time.Time  `json:"looked_up_at"`
}

func (j *remoteJSON) text(zone string) string {
	s := j.Status
	if j.ExecutionID != "" {
		s += ", execution " + j.ExecutionID
	}
	if j.EndedAt != nil {
		s += ", ended " + localTime(*j.EndedAt, zone)
	}
	return s
}

// chunkWithAttempts is a chunk with its attempts and what is known of their
// executions.
func chunkWithAttempts(ctx context.Context, r *store.Reader, run *store.Run, files []store.SnapshotFile, c store.Chunk) (chunkJSON, []attemptJSON, error) {
	j, attempts, err := chunkDetails(ctx, r, run, files, c)
	if err != nil {
		return j, nil, err
	}
	list := []attemptJSON{}
	for _, a := range attempts {
		one, err := attemptAsJSON(ctx, r, a)
		if err != nil {
			return j, nil, err
		}
		list = append(list, one)
	}
	return j, list, nil
}

func attemptAsJSON(ctx context.Context, r *store.Reader, a store.Attempt) (attemptJSON, error) {
	j := attemptJSON{
		AttemptID: a.AttemptID, Number: a.Number, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt, Outcome: a.Outcome, Reason: a.Reason,
		Detail: a.Detail, StatusCode: a.StatusCode, AnalyticsID: a.AnalyticsID, BodyHash: a.BodyHash, Answer: string(a.Answer),
	}
	remote, err := r.RemoteOf(ctx, a.AttemptID)
	if err != nil {
		return j, err
	}
	if remote != nil {
		j.Remote = &remoteJSON{
			Status: string(remote.Status), ExecutionID: remote.ExecutionID,
			StartedAt: timeOrNil(remote.StartedAt), EndedAt: timeOrNil(remote.EndedAt), LookedUpAt: remote.LookedUpAt,
		}
	}
	j.Hints, err = hintsJSON(ctx, r, a.AttemptID)
	return j, err
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// printChunkDetails prints one chunk with its attempts for a person.
func (p *program) printChunkDetails(j chunkJSON, attempts []attemptJSON, zone string) {
	status := j.Status
	switch {
	case status == string(store.ChunkSplit):
		status = j.Reason // "split into …"
	case j.Reason != "":
		status += ": " + j.Reason
	}
	if j.Parent != 0 {
		status = fmt.Sprintf("part of %d, %s", j.Parent, status)
	}
	fmt.Fprintf(p.out, "chunk     %d, %s\n", j.Chunk, status)
	fmt.Fprintf(p.out, "key       %s\n", j.Key)
	if j.AnalyticsID != "" {
		fmt.Fprintf(p.out, "id        %s\n", j.AnalyticsID)
	}
	if j.BodyBytes > 0 { // 0: of a record that is only in its segment, and its source has changed
		fmt.Fprintf(p.out, "body      %d bytes, %s\n", j.BodyBytes, count(j.Records, "record"))
	}
	if j.BodyHash != "" {
		fmt.Fprintf(p.out, "hash      %s\n", j.BodyHash)
	}
	for _, s := range j.Source {
		lines := fmt.Sprintf("lines %d-%d", s.FirstLine, s.LastLine)
		if s.FirstLine == s.LastLine {
			lines = fmt.Sprintf("line %d", s.FirstLine)
		}
		fmt.Fprintf(p.out, "source    %s, %s, bytes %d-%d\n", s.Path, lines, s.ByteStart, s.ByteEnd)
	}
	p.printAgain(j)
	for _, a := range attempts {
		outcome := a.Outcome
		if outcome == "" {
			outcome = "open"
		}
		fmt.Fprintf(p.out, "attempt   %d at %s: %s (%s)", a.Number, localTime(a.StartedAt, zone), outcome, a.Reason)
		if a.Detail != "" {
			fmt.Fprintf(p.out, " %s", a.Detail)
		}
		fmt.Fprintln(p.out)
		if a.Answer != "" {
			fmt.Fprintf(p.out, "answer    %s\n", a.Answer)
		}
		if a.Remote != nil {
			fmt.Fprintf(p.out, "remote    %s, looked up %s\n", a.Remote.text(zone), localTime(a.Remote.LookedUpAt, zone))
		}
		for _, h := range a.Hints {
			fmt.Fprintf(p.out, "hint      it may be %s, started %s, %s\n", h.ExecutionID, localTime(h.StartedAt, zone), h.Status)
		}
	}
}
