package config

import (
	"errors"
	"fmt"

	"worqcron/batch"
	"worqcron/scheduler"
)

// finish checks what several keys of a schedule decide together, and fills in
// what one key takes from another.
func (r *reader) finish(table *node, s *settings) {
	r.finishTime(table, s)
	if n := table.child("renamed_from"); n != nil {
		s.schedule.renamedAt = r.problem(n.offset, "", "")
	}
	r.finishPayload(s)
	r.finishBody(table, s)
	job := &s.schedule.Job
	s.schedule.Due, job.Slots = s.schedule.Spec, s.schedule.Spec
	job.BaseURL = r.config.WorqHat.BaseURL
	if job.Delivery.MaxInFlight == 0 {
		job.Delivery.MaxInFlight = r.config.WorqHat.MaxInFlight
	}
	if job.Delivery.Timeout == 0 {
		job.Delivery.Timeout = r.config.WorqHat.Timeout
	}
	if job.Source != nil {
		job.Source.MaxRecordBytes = int(job.Chunk.MaxBytes) // at most maxBodyBytes
		r.finishSource(table.child("source"), s)
	}
	r.finishChunk(table, s)
	r.finishExpect(table, s)
	if inFlight := table.child("delivery").child("max_in_flight"); job.Delivery.Ordered && inFlight != nil && job.Delivery.MaxInFlight > 1 {
		r.blame(inFlight, &fault{msg: "ordered = true sends one trigger at a time", hint: "leave max_in_flight out, or ordered"})
	}
}

// finishChunk looks at how records lie in a body, which only makes sense where
// there are any.
func (r *reader) finishChunk(table *node, s *settings) {
	job, chunk := &s.schedule.Job, table.child("chunk")
	mode, as := chunk.child("mode"), chunk.child("records_as")
	if job.Source == nil {
		for _, n := range []*node{mode, as} {
			if n != nil {
				r.blame(n, &fault{msg: "this schedule has no records", hint: "add a source table, or leave it out"})
			}
		}
		job.Chunk.Mode = ""
		return
	}
	job.Source.RecordsAs = s.recordsAs
	if job.Chunk.Mode == "records" && s.recordsAs != "" {
		r.reject(firstOf(as, mode, table).offset, fmt.Sprintf("records_as = %q needs mode = %q", s.recordsAs, "chunks"),
			"a trigger with one record has its fields beside the payload: leave out one of the two")
	}
}

// firstOf is the first node that is there.
func firstOf(nodes ...*node) *node {
	for _, n := range nodes {
		if n != nil {
			return n
		}
	}
	return nil
}

// cronFault points into the expression.
func cronFault(err error) *fault {
	var wrong *scheduler.ExprError
	if !errors.As(err, &wrong) {
		return &fault{msg: err.Error()}
	}
	msg := wrong.Msg
	if wrong.Field != "" {
		msg = wrong.Field + ": " + msg
	}
	return &fault{msg: msg, hint: wrong.Hint, inside: true, at: wrong.Offset}
}

// finishPayload compiles the payload and places its mistakes.
func (r *reader) finishPayload(s *settings) {
	var members map[string]any
	if s.payload != nil {
		members, _ = plain(s.payload).(map[string]any)
	}
	payload, err := batch.CompilePayload(members)
	if err != nil {
		r.blameExpressions(s.payload, err)
		return
	}
	s.schedule.Job.Payload = payload
}

// plain is a node's value without its place.
func plain(n *node) any {
	switch n.kind {
	case kindTable:
		members := make(map[string]any, len(n.children))
		for _, child := range n.children {
			members[child.key] = plain(child)
		}
		return members
	case kindList:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = plain(item)
		}
		return items
	default:
		return n.value
	}
}

// blameExpressions takes apart what CompilePayload joined.
func (r *reader) blameExpressions(payload *node, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			r.blameExpressions(payload, each)
		}
		return
	}
	var wrong *batch.ExpressionError
	if !errors.As(err, &wrong) {
		r.blame(payload, &fault{msg: err.Error()})
		return
	}
	n := payload.below(wrong.Steps)
	f := &fault{msg: wrong.Msg, hint: wrong.Hint, inside: n.kind == kindString, at: wrong.Offset}
	r.reject(r.placeOf(n, f), wrong.Path+": "+f.msg, f.hint)
}

// finishBody refuses two members of the body with one name.
func (r *reader) finishBody(table *node, s *settings) {
	chunk := s.schedule.Job.Chunk
	hasSource := s.schedule.Job.Source != nil
	if hasSource && chunk.RecordsKey != "" && chunk.RecordsKey == chunk.BatchKey {
		at := r.writtenBy(table, "batch_key", "records_key")
		r.reject(at.offset, fmt.Sprintf("records_key and batch_key are both %q", chunk.BatchKey), "two members of a body need two names")
	}
	if s.payload == nil {
		return
	}
	for _, member := range s.payload.children {
		switch {
		case hasSource && member.key == chunk.RecordsKey:
			r.reject(member.keyOffset, fmt.Sprintf("payload.%s: the body's records have this name", member.key), "give it another name, or set records_key in the schedule's chunk table")
		case chunk.BatchKey != "" && member.key == chunk.BatchKey:
			r.reject(member.keyOffset, fmt.Sprintf("payload.%s: the description of the chunk has this name", member.key), "give it another name, or set batch_key in the schedule's chunk table")
		}
	}
}

// writtenBy finds which of two keys of the chunk table the file sets, in the
// schedule or in [defaults]. One of them it does: their defaults differ.
func (r *reader) writtenBy(table *node, keys ...string) *node {
	for _, parent := range []*node{table, r.doc.root.child(defaultsSection)} {
		for _, key := range keys {
			if n := parent.child("chunk").child(key); n != nil {
				return n
			}
		}
	}
	return table
}
