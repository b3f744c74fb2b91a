package source

import "bytes"

// maxQuotedLines is how many physical lines a record may have; a quoted field
// that makes it longer counts as unclosed.
const maxQuotedLines = 1000

// csvParser finds CSV records (RFC 4180). Two fast loops over bit masks, one
// that measures and one that encodes, take the ordinary ones; whatever they meet
// that is not ordinary they leave to exact, which alone defines what is right.
type csvParser struct {
	names     []string
	keys      []csvKey // what stands before each value, the first with '{' or '['
	end       byte     // what ends a record: '}' or ']'
	base      int      // a record's JSON without its values' content, minus its delimiters
	delim, nl byte
	quote     byte   // noQuote where fields have none
	comment   []byte // begins a line that is no record
	pad       bool   // a record with too few fields is good
	replace   bool   // what is not UTF-8 becomes U+FFFD
	max       int
	look      csvBytes
	masks     csvMasks
}

// newCSVParser makes a parser for f, whose header must be known.
func newCSVParser(f *File) (*csvParser, error) {
	if len(f.Header) == 0 {
		return nil, &Error{Path: f.Path, Msg: "its header is not known yet"}
	}
	p := newHeaderParser(f)
	p.names, p.end = f.Header, '}'
	for i, name := range f.Header {
		key := `","`
		if i == 0 {
			key = `{"`
		}
		p.keys = append(p.keys, newCSVKey(append(appendEscaped([]byte(key), []byte(name)), `":"`...)))
	}
	p.setBase()
	return p, nil
}

// newCSVRows makes a parser for f, whose header must be known, that encodes a
// record as the array of its values.
func newCSVRows(f *File) (*csvParser, error) {
	p, err := newCSVParser(f)
	if err != nil {
		return nil, err
	}
	p.end = ']'
	for i := range p.keys {
		p.keys[i] = newCSVKey([]byte(`","`))
	}
	p.keys[0] = newCSVKey([]byte(`["`))
	p.setBase()
	return p, nil
}

func (p *csvParser) setBase() {
	p.base = csvEndLen - (len(p.names) - 1)
	for _, k := range p.keys {
		p.base += len(k.text)
	}
}

// newHeaderParser makes a parser that takes records of any number of fields.
func newHeaderParser(f *File) *csvParser {
	p := &csvParser{
		delim: f.delimiter, nl: f.newline, quote: f.quote, max: f.maxRecord,
		comment: []byte(f.dialect.Comment), pad: f.dialect.Ragged == raggedPad, replace: f.dialect.InvalidUTF8 == invalidReplace,
	}
	extra := byte('\\') // one that is looked for anyway
	if p.quote != '"' {
		extra = '"'
	}
	p.look = csvBytes{quote: p.quote, delim: p.delim, nl: p.nl, extra: extra}
	return p
}

// isComment reports whether a line that starts with b is no record.
func (p *csvParser) isComment(b []byte) bool {
	return len(p.comment) > 0 && bytes.HasPrefix(b, p.comment)
}

// parse implements parser.
func (p *csvParser) parse(raw []byte, j job, f *found) {
	p.masks.reset(j.known && !p.replace)
	for at := f.consumed; ; {
		if j.encode {
			at = p.encodeRun(raw, at, j, f)
		} else {
			at = p.measureRun(raw, at, j, f)
		}
		f.consumed = at
		if at == len(raw) {
			f.stop = stopEnd
			return
		}
		if j.list && f.full() {
			f.stop = stopFull
			return
		}
		v := p.exact(raw, at, j.last)
		if v.kind == verdictMore {
			f.stop = stopTail
			return
		}
		p.add(raw, at, v, j, f)
		at += v.length
		f.consumed = at
		if v.kind == verdictSkip {
			f.stop = stopSkip
			return
		}
	}
}

// add books what exact found at start.
func (p *csvParser) add(raw []byte, start int, v verdict, j job, f *found) {
	switch v.kind {
	case verdictBlank:
		f.blank++
	case verdictGood:
		f.count++
		if v.replaced {
			f.replaced++
		}
		if j.list {
			f.records = append(f.records, Record{
				Start: uint32(start), End: uint32(start + v.length), Size: uint32(v.size),
				Line: f.lines, LastLine: f.lines + v.lastLine,
			})
		}
		if j.encode {
			f.json = append(p.appendRecord(f.json, raw[start:start+v.length]), j.sep)
		}
	case verdictBad, verdictSkip:
		if j.list {
			b := v.flaw.bad(p, start, f.lines)
			b.End = int64(start + v.length)
			f.bad = append(f.bad, b)
		}
	}
	f.lines += v.lines
}

// lineEndAfterCR reports whether each CR named by mask, from base on, is the
// first half of a CRLF; false as well if one is no CR or the piece ends with it.
func (p *csvParser) lineEndAfterCR(raw []byte, base int, mask uint64) bool {
	if p.nl != '\n' {
		return false
	}
	for i := range 64 {
		if mask>>i&1 == 0 {
			continue
		}
		if at := base + i; at+1 >= len(raw) || raw[at] != '\r' || raw[at+1] != '\n' {
			return false
		}
	}
	return true
}
