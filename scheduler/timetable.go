package scheduler

import (
	"container/heap"
	"time"
)

// entry is one schedule on the timetable.
type entry struct {
	name string

	// terms is normally one. After an edit the ones before it still owe slots that
	// could not be claimed yet.
	terms []term

	waiting Waiting // a slot at or before the mark that starts later

	fresh  bool      // it came by a reload: whatever mark is stored, nothing before its term counts
	loaded bool      // mark is known
	mark   time.Time // everything up to here is decided
	stored bool      // the Host has mark
	due    time.Time // when to look at it again
	place  int       // in the queue; -1 outside
}

// term is the time an expression is in force: slots after from, up to where its
// Spec ends. A zero Spec means that the schedule was taken off.
type term struct {
	Schedule
	fingerprint string // of the Spec as it was given, without the end that an edit puts to it
	from        time.Time
}

func newTerm(s Schedule, from time.Time) term {
	return term{Schedule: s, fingerprint: s.Spec.Fingerprint(), from: from}
}

func (e *entry) current() *term { return &e.terms[len(e.terms)-1] }

// toStore is the mark that the Host is to keep.
func (e *entry) toStore() Mark {
	return Mark{At: e.mark, Spec: e.terms[0].fingerprint, Waiting: e.waiting}
}

// gone says that nothing is left to do for a schedule that was taken off.
func (e *entry) gone() bool {
	return e.loaded && e.stored && e.waiting.At.IsZero() && len(e.terms) == 1 && e.current().fingerprint == ""
}

// clockBack brings everything that lies ahead of now down to it.
func (e *entry) clockBack(now time.Time) {
	if e.loaded && e.mark.After(now) {
		e.mark, e.stored = now, false
	}
	if e.waiting.At.After(now) {
		e.waiting, e.stored = Waiting{}, false
	}
	for i := range e.terms {
		e.terms[i].Pauses = clockBack(e.terms[i].Pauses, now)
		e.terms[i].from = earlier(e.terms[i].from, now)
		if i < len(e.terms)-1 {
			e.terms[i].Spec = e.terms[i].Spec.endingAfter(now)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// timetable holds the entries, the next one due on top.
type timetable struct {
	entries map[string]*entry
	queue   queue
}

func newTimetable() *timetable { return &timetable{entries: map[string]*entry{}} }

// add puts a new schedule on the timetable, to be looked at at once.
func (t *timetable) add(s Schedule, now time.Time, fresh bool) *entry {
	e := &entry{name: s.Name, terms: []term{newTerm(s, now)}, fresh: fresh, place: -1}
	t.entries[s.Name] = e
	t.lookAt(e, now)
	return e
}

// replace lets another expression take over: the old one keeps its slots up to
// now, the new one begins after now.
func (t *timetable) replace(e *entry, s Schedule, now time.Time) {
	old := e.current()
	old.Spec = old.Spec.endingAfter(now)
	e.terms = append(e.terms, newTerm(s, now))
	t.lookAt(e, now)
}

// rename gives an entry another name, and all that it still owes. False if there is
// none.
func (t *timetable) rename(from, to string) (*entry, bool) {
	e, ok := t.entries[from]
	if !ok {
		return nil, false
	}
	delete(t.entries, from)
	t.entries[to] = e
	e.name = to
	for i := range e.terms {
		e.terms[i].Name = to
	}
	if e.place >= 0 {
		heap.Fix(&t.queue, e.place) // names are part of the order
	}
	return e, true
}

// lookAt queues an entry for an instant, or moves it there.
func (t *timetable) lookAt(e *entry, at time.Time) {
	e.due = at
	if e.place < 0 {
		heap.Push(&t.queue, e)
		return
	}
	heap.Fix(&t.queue, e.place)
}

// lookAtNext queues an entry for its next slot, or the start of the one that
// waits. Without either it leaves the queue.
func (t *timetable) lookAtNext(e *entry) {
	if e.gone() {
		t.remove(e)
		delete(t.entries, e.name)
		return
	}
	next, ok := e.current().Spec.Next(e.mark)
	waits := !e.waiting.At.IsZero()
	switch {
	case waits && ok:
		t.lookAt(e, earlier(next, e.waiting.Start))
	case waits:
		t.lookAt(e, e.waiting.Start)
	case ok:
		t.lookAt(e, next)
	default:
		t.remove(e)
	}
}

func (t *timetable) remove(e *entry) {
	if e.place >= 0 {
		heap.Remove(&t.queue, e.place)
	}
}

// due gives the first entry if its time has come.
func (t *timetable) due(now time.Time) (*entry, bool) {
	if len(t.queue) == 0 || t.queue[0].due.After(now) {
		return nil, false
	}
	return t.queue[0], true
}

// next gives when the first entry wants to be looked at.
func (t *timetable) next() (time.Time, bool) {
	if len(t.queue) == 0 {
		return time.Time{}, false
	}
	return t.queue[0].due, true
}

// queue is a heap by due time (container/heap), then by name so that the order
// does not depend on chance.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].name < q[j].name
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.place = -1
	return e
}
