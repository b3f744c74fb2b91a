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
	clean := isPlain(raw)
	for f.consumed < len(raw) {
		if j.list && f.full() {
			f.stop = stopFull
			return
		}
		if p.blank(raw, f) {
			continue
		}
		start := f.consumed
		r := p.record(raw[start:], j.last)
		if r.tail {
			f.stop = stopTail
			return
		}
		if r.bad == nil && r.fields != len(p.keys) {
			r.bad = &Bad{Column: 1, Reason: ReasonRagged, Detail: fmt.Sprintf("%d fields instead of %d", r.fields, len(p.keys))}
		}
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

// blank takes an empty line, which is a record only where there is one column.
func (p *csvParser) blank(raw []byte, f *found) bool {
	rest := raw[f.consumed:]
	n := 0
	switch {
	case rest[0] == p.newline:
		n = 1
	case p.newline == '\n' && len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
		n = 2
	}
	if n == 0 || len(p.keys) == 1 {
		return false
	}
	f.consumed += n
	f.lines++
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

// record judges the record at the start of b, which is not empty.
func (p *csvParser) record(b []byte, last bool) (r csvRecord) {
	nl := bytes.IndexByte(b, p.newline)
	line := b
	if nl >= 0 {
		line = b[:nl]
	}
	if bytes.IndexByte(line, '"') < 0 {
		return p.plainRecord(b, line, nl, last)
	}
	return p.quotedRecord(b, last)
}

// plainRecord judges a record without a quote.
func (p *csvParser) plainRecord(b, line []byte, nl int, last bool) (r csvRecord) {
	if len(line) > p.max {
		return p.tooLarge(b, 0, last, r)
	}
	if nl < 0 && !last {
		r.tail = true
		return r
	}
	r.end, r.open = len(line), true
	if nl >= 0 {
		r.end, r.lines, r.open = nl+1, 1, false
	}
	line = p.trimCR(line)
	commas := bytes.Count(line, []byte{p.delimiter})
	r.fields = commas + 1
	r.size = len(line) - commas
	if p.newline == '\r' && bytes.IndexByte(line, '\n') >= 0 {
		r.bad = &Bad{Column: 1 + int64(bytes.IndexByte(line, '\n')), Reason: ReasonMixedNewlines, Detail: "a line feed in a file whose lines end in carriage returns"}
	}
	return r
}

// tooLarge judges a line that is longer than a record may be.
func (p *csvParser) tooLarge(b []byte, at int, last bool, r csvRecord) csvRecord {
	return p.badLine(b, at, last, r, Bad{
		Line: int64(r.lines), Column: 1, Reason: ReasonTooLarge, Detail: fmt.Sprintf("the record is longer than %d bytes", p.max),
	})
}

func (p *csvParser) trimCR(line []byte) []byte {
	if p.newline == '\n' && len(line) > 0 && line[len(line)-1] == '\r' {
		return line[:len(line)-1]
	}
	return line
}

// quotedRecord judges a record field by field.
func (p *csvParser) quotedRecord(b []byte, last bool) (r csvRecord) {
	r.quoted = true
	lineStart, i := 0, 0 // of the physical line; of the field
	for {
		r.fields++
		if i < len(b) && b[i] == '"' {
			var done bool
			if i, lineStart, done = p.quotedField(b, i, lineStart, last, &r); done {
				return r
			}
		} else if i = p.unquotedField(b, i, lineStart, last, &r); r.bad != nil || r.tail {
			return r
		}
		// i stands at what ended the field.
		switch {
		case i > p.max:
			return p.tooLarge(b, lineStart, last, r)
		case i >= len(b):
			r.tail, r.open, r.end = !last, true, len(b)
			return r
		case b[i] == p.delimiter:
			i++
		default:
			r.end = min(p.behindLine(b, i), len(b))
			r.lines++
			return r
		}
	}
}

// behindLine is the place behind the line end at i.
func (p *csvParser) behindLine(b []byte, i int) int {
	if b[i] == '\r' && p.newline == '\n' {
		return i + 2
	}
	return i + 1
}

// lineEnds says whether a line ends at i: 1 yes, 0 no, -1 not known yet.
func (p *csvParser) lineEnds(b []byte, i int, last bool) int {
	switch {
	case b[i] == p.newline:
		return 1
	case b[i] == '\r' && p.newline == '\n':
		if i+1 < len(b) {
			if b[i+1] == '\n' {
				return 1
			}
			return 0
		}
		if !last {
			return -1
		}
		return 1 // the file's last byte
	}
	return 0
}

// quotedField goes over the field whose quote opens at i. It returns where the
// field ended and where the physical line of that place begins; done says that
// the record is judged.
func (p *csvParser) quotedField(b []byte, i, lineStart int, last bool, r *csvRecord) (end, line int, done bool) {
	open, openLine := i, lineStart
	i++
	for {
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			if !last && len(b) <= p.max && r.lines+bytes.Count(b[i:], []byte{p.newline}) <= maxQuotedLines {
				r.tail = true
			} else {
				*r = p.unclosed(b, openLine, open, last, *r)
			}
			return 0, 0, true
		}
		part := b[i : i+q]
		n := bytes.Count(part, []byte{p.newline})
		if i+q > p.max || r.lines+n > maxQuotedLines {
			*r = p.unclosed(b, openLine, open, last, *r)
			return 0, 0, true
		}
		if n > 0 {
			r.lines += n
			lineStart = i + bytes.LastIndexByte(part, p.newline) + 1
		}
		r.size += len(part) + escapesOfLines(part, n)
		i += q + 1
		switch {
		case i >= len(b) && !last:
			r.tail = true
			return 0, 0, true
		case i < len(b) && b[i] == '"':
			r.size += 2 // "" becomes \"
			i++
			continue
		case i >= len(b) || b[i] == p.delimiter:
			return i, lineStart, false
		}
		switch p.lineEnds(b, i, last) {
		case 1:
			return i, lineStart, false
		case -1:
			r.tail = true
			return 0, 0, true
		}
		*r = p.badLine(b, i, last, *r, Bad{
			Line: int64(r.lines), Column: int64(i-lineStart) + 1, Reason: ReasonTextAfterQuote, Detail: p.column(r.fields) + ": text after the closing quote",
		})
		return 0, 0, true
	}
}

// escapesOfLines counts what the n line feeds and all carriage returns of a
// quoted part add.
func escapesOfLines(part []byte, n int) int {
	if n == 0 && bytes.IndexByte(part, '\r') < 0 && bytes.IndexByte(part, '\n') < 0 {
		return 0
	}
	return bytes.Count(part, []byte{'\n'}) + bytes.Count(part, []byte{'\r'})
}

// unquotedField goes over the field at i and returns where it ended.
func (p *csvParser) unquotedField(b []byte, i, lineStart int, last bool, r *csvRecord) int {
	start := i
	for ; i < len(b); i++ {
		c := b[i]
		if !p.special[c] {
			continue
		}
		if c == p.delimiter {
			break
		}
		if c == '"' {
			*r = p.badLine(b, i, last, *r, Bad{
				Line: int64(r.lines), Column: int64(i-lineStart) + 1, Reason: ReasonBareQuote, Detail: p.column(r.fields) + ": a quote inside an unquoted field",
			})
			return i
		}
		ends := p.lineEnds(b, i, last)
		if ends == 1 {
			break
		}
		if ends < 0 {
			r.tail = true
			return i
		}
		if c == '\r' {
			r.size++
		}
		if c == '\n' {
			*r = p.badLine(b, i, last, *r, Bad{
				Line: int64(r.lines), Column: int64(i-lineStart) + 1, Reason: ReasonMixedNewlines, Detail: "a line feed in a file whose lines end in carriage returns",
			})
			return i
		}
	}
	r.size += i - start
	return i
}

func (p *csvParser) column(n int) string {
	if n <= len(p.names) {
		return fmt.Sprintf("column %q", p.names[n-1])
	}
	return fmt.Sprintf("field %d", n)
}

// badLine ends a bad record at the end of the line that i is in.
func (p *csvParser) badLine(b []byte, i int, last bool, r csvRecord, bad Bad) csvRecord {
	nl := bytes.IndexByte(b[i:], p.newline)
	switch {
	case nl >= 0:
		r.end = i + nl + 1
		r.lines++
	case last || len(b) > p.max:
		r.end, r.open, r.skip = len(b), true, !last
	default:
		r.tail = true
		return r
	}
	r.bad = &bad
	return r
}

// unclosed ends a bad record at the end of the line where its quote opened.
func (p *csvParser) unclosed(b []byte, openLine, open int, last bool, r csvRecord) csvRecord {
	lines := bytes.Count(b[:openLine], []byte{p.newline})
	r = csvRecord{fields: r.fields, lines: lines, quoted: true}
	return p.badLine(b, openLine, last, r, Bad{
		Line: int64(lines), Column: int64(open-openLine) + 1, Reason: ReasonUnclosedQuote, Detail: p.column(r.fields) + ": missing closing quote",
	})
}
