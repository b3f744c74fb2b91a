package source

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// maxQuotedLines is how many physical lines a quoted record may span before its
// quote counts as never closed.
const maxQuotedLines = 1000

// csvParser reads records by RFC 4180, with a line's end as f.newline says. A
// fault ends at its line's end, so that one bad quote costs one line.
type csvParser struct {
	names     []string
	keys      [][]byte // `{"first":"` and `","next":"`
	overhead  int      // bytes of an object whose values are all empty
	delimiter byte
	newline   byte
	max       int

	special [256]bool // what ends the quick look at an unquoted field
}

func newCSVParser(f *File) (*csvParser, error) {
	p := &csvParser{names: f.Header, delimiter: f.delimiter, newline: f.newline, max: f.maxRecord}
	for i, name := range f.Header {
		key := []byte(`","`)
		if i == 0 {
			key = []byte(`{"`)
		}
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return nil, &Error{Path: f.Path, Line: 1, Msg: fmt.Sprintf("column %q: %v", name, err)}
		}
		key = append(key[:len(key)-1], quoted...)
		key = append(key, `:"`...)
		p.keys = append(p.keys, key)
		p.overhead += len(key)
	}
	p.overhead += len(`"}`)
	for _, c := range []byte{'"', '\r', '\n', p.delimiter} {
		p.special[c] = true
	}
	return p, nil
}

// csvRecord is one record under judgement.
type csvRecord struct {
	end    int // behind its line's end
	lines  int // line ends inside it and behind it
	fields int
	size   int // bytes of its values in JSON
	quoted bool
	open   bool // it has no line end behind it
	tail   bool // more bytes are needed
	skip   bool // it is bad and goes on up to the next line end
	bad    *Bad
}

func (p *csvParser) parse(raw []byte, j job, f *found) {
	checked, plain := 0, false
	for f.consumed < len(raw) {
		if j.list && f.full() {
			f.stop = stopFull
			return
		}
		if p.blank(raw, j.last, f) {
			continue
		}
		start := f.consumed
		if start >= checked {
			checked = start + p.stretch(raw[start:])
			plain = isPlain(raw[start:checked], j.known)
		}
		r := p.record(raw[start:], j.last)
		if r.tail {
			f.stop = stopTail
			return
		}
		if r.bad == nil && r.fields != len(p.keys) {
			r.bad = &Bad{Column: 1, Reason: ReasonRagged, Detail: fmt.Sprintf("%d fields instead of %d", r.fields, len(p.keys))}
		}
		clean := plain && start+r.end <= checked
		if r.bad == nil && !clean {
			p.checkBytes(raw[start:start+r.end], &r)
		}
		p.take(raw, j, f, r, clean)
		if r.skip {
			f.stop = stopSkip
			return
		}
	}
}

// plainStretch is how much is looked at together to see whether it is plain, so
// that one backslash does not make a whole piece slow.
const plainStretch = 32 << 10

// stretch is how many bytes of raw to look at: up to a line's end, so that no
// character is cut.
func (p *csvParser) stretch(raw []byte) int {
	if len(raw) <= plainStretch {
		return len(raw)
	}
	if nl := bytes.LastIndexByte(raw[:plainStretch], p.newline); nl >= 0 {
		return nl + 1
	}
	return plainStretch
}

// blank takes an empty line, which is a record only where there is one column.
func (p *csvParser) blank(raw []byte, last bool, f *found) bool {
	rest := raw[f.consumed:]
	n, ends := 0, uint32(1)
	switch {
	case rest[0] == p.newline:
		n = 1
	case rest[0] != '\r' || p.newline != '\n':
	case len(rest) > 1 && rest[1] == '\n':
		n = 2
	case len(rest) == 1 && last: // the first half of a line's end, cut off
		n, ends = 1, 0
	}
	if n == 0 || len(p.keys) == 1 {
		return false
	}
	f.consumed += n
	f.lines += ends
	f.blank++
	return true
}

// take adds a judged record to what was found.
func (p *csvParser) take(raw []byte, j job, f *found, r csvRecord, clean bool) {
	start := f.consumed
	f.consumed += r.end
	line := f.lines
	f.lines += uint32(r.lines)
	if r.bad != nil {
		b := *r.bad
		b.Start, b.End, b.Line = int64(start), int64(f.consumed), b.Line+int64(line)
		if j.list {
			f.bad = append(f.bad, b)
		}
		return
	}
	f.count++
	if j.list {
		last := line + uint32(r.lines)
		if !r.open {
			last--
		}
		f.records = append(f.records, Record{
			Start: uint32(start), End: uint32(f.consumed), Size: uint32(p.overhead + r.size), Line: line, LastLine: last,
		})
	}
	if j.encode {
		f.json = p.encode(f.json, raw[start:f.consumed], clean)
		f.json = append(f.json, j.sep)
	}
}

// csvInput is what a record is judged by.
type csvInput struct {
	all []byte // from the record's start to the end of what was read
	// window is the part of all that decides: one byte more than a record may
	// have. So the verdict is the same however much was read behind it.
	window []byte
	last   bool // the file ends with all
}

// overlong says that a record which is not complete in the window is too long.
func (p *csvParser) overlong(in *csvInput) bool { return len(in.window) > p.max }

// record judges the record at the start of b, which is not empty.
func (p *csvParser) record(b []byte, last bool) (r csvRecord) {
	in := csvInput{all: b, window: b[:min(len(b), p.max+1)], last: last}
	nl := bytes.IndexByte(in.window, p.newline)
	line := in.window
	if nl >= 0 {
		line = line[:nl]
	}
	if bytes.IndexByte(line, '"') >= 0 {
		return p.quotedRecord(&in)
	}
	if nl >= 0 {
		r.end, r.lines = nl+1, 1
	} else {
		switch {
		case p.overlong(&in):
			p.tooLarge(&in, 0, &r)
			return r
		case !last:
			r.tail = true
			return r
		}
		r.end, r.open = len(line), true
	}
	return p.plainRecord(line, r)
}

// plainRecord judges a record without a quote; line is all of it but its line
// feed.
func (p *csvParser) plainRecord(line []byte, r csvRecord) csvRecord {
	line = p.trimCR(line)
	delimiters := bytes.Count(line, []byte{p.delimiter})
	r.fields = delimiters + 1
	r.size = len(line) - delimiters
	if p.newline == '\r' {
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			r.bad = &Bad{Column: int64(i) + 1, Reason: ReasonMixedNewlines, Detail: mixedNewlines}
		}
	}
	return r
}

// trimCR takes the carriage return off that stands before a line feed.
func (p *csvParser) trimCR(line []byte) []byte {
	if p.newline == '\n' && len(line) > 0 && line[len(line)-1] == '\r' {
		return line[:len(line)-1]
	}
	return line
}
