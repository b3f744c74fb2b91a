package source

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonParser finds the elements of a JSON document: those of its outermost
// array, or objects one after the other. An element that is an object is a
// record. The pieces of a document come to one parser, in order: it remembers
// where in the document it is.
type jsonParser struct {
	records *ndjsonParser // judges elements
	max     int
	inner   bool // the array is part of a document: stop behind it
	compact []byte

	jsonPlace
	before jsonPlace // where the last parse began
}

// jsonPlace is where in a document a parser is.
type jsonPlace struct {
	state  jsonState
	closed bool // behind the array's end
	frame  jsonFrame
	inside bool  // an element has begun
	walked int   // bytes of it in the frame that are not consumed
	gone   int64 // bytes of it that are consumed: it is too long
	began  int64 // how many lines ago it began, at what is consumed
	at     int64 // the column where it began
	column int64 // bytes before what is consumed in its line
	// broken ends the Scan; its line counts from that of what is consumed.
	broken *Error
}

// jsonState says what may come next.
type jsonState uint8

const (
	jsonStart     jsonState = iota // a document
	jsonDocuments                  // another one: they are no array
	jsonFirst                      // an element, or the array's end
	jsonElement                    // an element
	jsonComma                      // a comma, or the array's end
	jsonEnd                        // nothing
)

func newJSONParser(f *File) *jsonParser {
	return &jsonParser{records: newNDJSONParser(f), max: f.maxRecord}
}

// copy makes p what q is, in memory of its own.
func (p *jsonPlace) copy(q *jsonPlace) {
	open := p.frame.open[:0]
	*p = *q
	p.frame.open = open
	p.frame.open = append(p.frame.open, q.frame.open...)
}

// rewind goes back to where the last parse began, which can then be done again.
func (p *jsonParser) rewind() {
	p.jsonPlace.copy(&p.before)
}

func (p *jsonParser) parse(raw []byte, j job, f *found) {
	p.before.copy(&p.jsonPlace)
	for !p.closed && p.broken == nil {
		if j.list && f.full() {
			f.stop = stopFull
			return
		}
		if !p.inside && !p.between(raw, j, f) {
			return
		}
		if !p.closed && !p.element(raw, j, f) {
			return
		}
	}
}

// between goes up to the next element; false: there is none in raw.
func (p *jsonParser) between(raw []byte, j job, f *found) bool {
	for !p.closed {
		p.move(raw, skipWhite(raw, f.consumed)-f.consumed, f)
		if f.consumed == len(raw) {
			if j.last && (p.state == jsonFirst || p.state == jsonElement || p.state == jsonComma) {
				p.fault("the file ends within an array", "copy the file again")
			}
			return false
		}
		c := raw[f.consumed]
		if p.separator(c) {
			p.move(raw, 1, f)
			continue
		}
		if msg, hint := p.misplaced(c); msg != "" {
			p.fault(msg, hint)
			return false
		}
		p.inside, p.walked, p.gone, p.began, p.at = true, 0, 0, 0, p.column+1
		p.frame.begin(c)
		return true
	}
	return false
}

// separator takes a byte that belongs to the outermost array itself.
func (p *jsonParser) separator(c byte) bool {
	switch {
	case p.state == jsonStart && c == '[':
		p.state = jsonFirst
	case p.state == jsonStart:
		p.state = jsonDocuments
		return false
	case c == ',' && p.state == jsonComma:
		p.state = jsonElement
	case c == ']' && (p.state == jsonFirst || p.state == jsonComma):
		p.state, p.closed = jsonEnd, p.inner
	default:
		return false
	}
	return true
}

// misplaced says why no element can begin with c here, or "".
func (p *jsonParser) misplaced(c byte) (msg, hint string) {
	switch {
	case p.state == jsonEnd:
		return "something follows the document's end", "one array, or objects one after the other, are wanted"
	case p.state == jsonComma:
		return "text between two elements: a comma or ] is due", jsonHint
	case c == ',' && p.state == jsonDocuments:
		return "a comma between two documents", "put [ before the first and ] behind the last"
	case c == ',', c == ':', c == ']', c == '}':
		return "an element is due before " + string(c), jsonHint
	}
	return "", ""
}

const jsonHint = "the document is damaged here; have it written again"

// fault ends the parse, and the Scan, at what is consumed.
func (p *jsonParser) fault(msg, hint string) {
	p.broken = &Error{Column: p.column + 1, Msg: msg, Hint: hint}
}

// elementFault is a fault at the beginning of the element under way.
func (p *jsonParser) elementFault(msg, hint string) {
	p.broken = &Error{Line: -p.began, Column: p.at, Msg: msg, Hint: hint}
}

// move consumes n bytes.
func (p *jsonParser) move(raw []byte, n int, f *found) {
	part := raw[f.consumed : f.consumed+n]
	p.column += int64(n)
	if lines := bytes.Count(part, []byte{'\n'}); lines > 0 {
		f.lines += uint32(lines)
		p.began += int64(lines)
		p.column = int64(n - 1 - bytes.LastIndexByte(part, '\n'))
	}
	f.consumed += n
}

// element goes over the element under way; false: raw ends within it.
func (p *jsonParser) element(raw []byte, j job, f *found) bool {
	rest := raw[f.consumed:]
	n, end, wrong := p.frame.walk(rest[p.walked:])
	p.walked += n
	switch {
	case wrong != "":
		p.move(raw, p.walked, f)
		p.fault(wrong, jsonHint)
		return false
	case end, j.last && p.frame.scalar:
		return p.whole(raw, j, f)
	case j.last:
		p.elementFault("the file ends within the element that begins here", "copy the file again; or a bracket or a quote is missing")
		return false
	case p.gone+int64(p.walked) > int64(p.max):
		p.gone += int64(p.walked)
		p.move(raw, p.walked, f)
		p.walked = 0
	default:
		f.stop = stopTail
	}
	return false
}

// whole takes an element whose end is known.
func (p *jsonParser) whole(raw []byte, j job, f *found) bool {
	value := raw[f.consumed : f.consumed+p.walked]
	long := p.gone+int64(len(value)) > int64(p.max)
	if p.state == jsonDocuments && p.frame.scalar && (long || !jsontext.Value(value).IsValid()) {
		p.elementFault("text where an object should be", jsonHint)
		return false
	}
	text, _ := p.records.repaired(value)
	switch {
	case long:
		p.bad(Bad{Column: 1, Reason: ReasonTooLarge, Detail: fmt.Sprintf("the element is longer than %d bytes", p.max)}, value, j, f)
	case !p.records.valid(text):
		p.bad(judgeElement(text), value, j, f)
	default:
		p.record(value, j, f)
	}
	p.move(raw, p.walked, f)
	p.inside = false
	if p.state != jsonDocuments {
		p.state = jsonComma
	}
	return true
}

func (p *jsonParser) record(value []byte, j job, f *found) {
	line := f.lines
	r := Record{
		Start: uint32(f.consumed), End: uint32(f.consumed + len(value)),
		Line: line, LastLine: line + uint32(bytes.Count(value, []byte{'\n'})),
	}
	if p.frame.spaced {
		p.compact = appendCompact(p.compact[:0], value)
		value = p.compact
	}
	value, bent := p.records.repaired(value)
	f.replaced += int64(btoi(bent))
	p.records.keep(value, r, j, f)
}

// bad notes an element that is no record; b.Column counts from its first byte.
func (p *jsonParser) bad(b Bad, value []byte, j job, f *found) {
	if !j.list {
		return
	}
	before := value[:min(int(b.Column-1), len(value))]
	b.Line = int64(f.lines) - p.began
	if p.gone > 0 { // too long: it is its beginning that counts
		before = nil
	}
	if lines := bytes.Count(before, []byte{'\n'}); lines > 0 {
		b.Line += int64(lines)
		b.Column -= int64(bytes.LastIndexByte(before, '\n')) + 1
	} else {
		b.Column += p.at - 1
	}
	b.Start, b.End = int64(f.consumed)-p.gone, int64(f.consumed+len(value))
	f.bad = append(f.bad, b)
}

// judgeElement says why a framed element is no record.
func judgeElement(value []byte) Bad {
	b := judgeJSON(value)
	switch {
	case b.Reason == ReasonTrailingData: // behind a number or a word
		b.Reason, b.Detail = ReasonInvalidJSON, "not valid JSON: something follows the value"
	case strings.HasPrefix(b.Detail, detailLineEnds):
		b.Detail = "not valid JSON: it ends too early"
	}
	return b
}
