package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// verdict is what exact makes of the bytes at a record's start.
type verdict struct {
	kind     verdictKind
	length   int    // bytes, line terminator included
	lines    uint32 // line terminators in them
	lastLine uint32 // the line of the last byte before the terminator, from 0
	size     int    // of a good record's JSON
	replaced bool   // a good record has bytes that are replaced
	flaw     flaw   // of a bad one
}

type verdictKind uint8

const (
	verdictMore  verdictKind = iota // the bytes do not suffice
	verdictGood                     // a record
	verdictBlank                    // a blank line, or a comment
	verdictBad                      // a bad record, whole
	verdictSkip                     // a bad record that goes on after the bytes, up to the next line terminator
)

// flaw is what is wrong with a record. Places are relative to its start.
type flaw struct {
	reason string
	line   int // from 0
	column int // from 1
	field  int // from 0
	fields int // ragged only: how many there are
}

// bad makes the Bad of a flaw in a record at start, which is on the given line;
// its End is left to the caller.
func (x flaw) bad(p *csvParser, start int, line uint32) Bad {
	return Bad{Start: int64(start), Line: int64(line) + int64(x.line), Column: int64(x.column), Reason: x.reason, Detail: x.detail(p)}
}

func (x flaw) detail(p *csvParser) string {
	var text string
	switch x.reason {
	case ReasonRagged:
		if x.fields == 1 {
			return fmt.Sprintf("1 field instead of %d", len(p.names))
		}
		return fmt.Sprintf("%d fields instead of %d", x.fields, len(p.names))
	case ReasonTooLarge:
		return fmt.Sprintf("the record is longer than %d bytes", p.max)
	case ReasonMixedNewlines:
		text = "a line feed in a file whose lines end in carriage returns"
	case ReasonBareQuote:
		text = "a quote inside an unquoted field"
	case ReasonTextAfterQuote:
		text = "text after the closing quote"
	case ReasonUnclosedQuote:
		text = "missing closing quote"
	case ReasonNulByte:
		text = "a NUL byte"
	case ReasonInvalidUTF8:
		text = "bytes that are not UTF-8"
	}
	if x.field < len(p.names) {
		return fmt.Sprintf("column %q: %s", p.names[x.field], text)
	}
	return fmt.Sprintf("field %d: %s", x.field+1, text)
}

// walk goes through one record byte by byte.
type walk struct {
	p     *csvParser
	raw   []byte // from the record's start
	view  int    // how much of raw the record may take: its bound and one byte for a line terminator
	over  bool   // raw goes on after the view: who comes to its end is too long
	last  bool   // the file ends with raw
	at    int
	line  int // physical line of at, from 0
	begin int // where that line begins
	field int
	size  int  // what the values' content takes in JSON
	bent  bool // bytes are replaced
	soft  flaw // the first wrong byte; it counts if the record is whole otherwise
}

// exact judges the record at start. It alone defines what is right.
func (p *csvParser) exact(raw []byte, start int, last bool) verdict {
	w := walk{p: p, raw: raw[start:], last: last}
	w.view = len(w.raw)
	if w.view > p.max+1 {
		w.view, w.over = p.max+1, true
	}
	if v, ok := w.blank(); ok {
		return v
	}
	if v, ok := w.comment(); ok {
		return v
	}
	for {
		var v verdict
		var done bool
		if w.at < w.view && p.opens(w.raw[w.at]) {
			v, done = w.quoted()
		} else {
			v, done = w.unquoted()
		}
		if done {
			return v
		}
		// w.at is where the field ended: the view's end, a delimiter or a line end.
		if w.at == w.view {
			return w.viewEnd()
		}
		if w.raw[w.at] != p.delim {
			return w.finish(w.at, w.terminator())
		}
		w.at++
		w.field++
	}
}

// viewEnd judges a record whose last field reached the end of the view outside
// quotes.
func (w *walk) viewEnd() verdict {
	switch {
	case w.at > w.p.max: // no terminator comes in bounds
		return w.broken(ReasonTooLarge, 0)
	case !w.last:
		return verdict{kind: verdictMore}
	}
	return w.finish(w.at, 0)
}

// blank takes an empty line, which is a record where there is only one column.
func (w *walk) blank() (verdict, bool) {
	n := w.terminator()
	if n == 0 || len(w.p.names) == 1 {
		return verdict{}, false
	}
	if n < 0 {
		return verdict{kind: verdictMore}, true
	}
	return verdict{kind: verdictBlank, length: n, lines: w.lineOf(n)}, true
}

// comment takes a line that starts with the comment's text. A longer one than a
// record may be is left to the field's rules, and so is bad.
func (w *walk) comment() (verdict, bool) {
	text := w.p.comment
	switch {
	case len(text) == 0 || !bytes.HasPrefix(text, w.raw[:min(len(text), len(w.raw))]):
		return verdict{}, false
	case len(w.raw) < len(text):
		return verdict{kind: verdictMore}, !w.last
	}
	nl := bytes.IndexByte(w.raw[:w.view], w.p.nl)
	switch {
	case nl >= 0:
		return verdict{kind: verdictBlank, length: nl + 1, lines: 1}, true
	case w.view > w.p.max:
		return w.broken(ReasonTooLarge, 0), true
	case w.last:
		return verdict{kind: verdictBlank, length: w.view}, true
	}
	return verdict{kind: verdictMore}, true
}

// terminator is how long the line terminator at w.at is: 0 if there is none, -1
// if the bytes do not suffice to tell. A CR as the file's last byte is one.
func (w *walk) terminator() int {
	rest := w.raw[w.at:w.view]
	switch {
	case len(rest) == 0:
		return 0
	case rest[0] == w.p.nl:
		return 1
	case rest[0] != '\r' || w.p.nl != '\n':
		return 0
	case len(rest) > 1 && rest[1] == '\n':
		return 2
	case len(rest) > 1:
		return 0
	case w.last && !w.over:
		return 1
	}
	return -1
}

// lineOf is how many line terminators the n bytes at w.at are: a lone CR at the
// end of a file whose lines end in LF is none.
func (w *walk) lineOf(n int) uint32 {
	if n > 0 && w.raw[w.at+n-1] == w.p.nl {
		return 1
	}
	return 0
}

// finish ends the record with a terminator of n bytes at w.at.
func (w *walk) finish(at, n int) verdict {
	fields := w.field + 1
	v := verdict{kind: verdictGood, length: at + n, lines: uint32(w.line) + w.lineOf(n), lastLine: uint32(w.line)}
	switch {
	case w.soft.reason != "":
		v.kind, v.flaw = verdictBad, w.soft
	case len(w.p.names) > 0 && fields != len(w.p.names) && (fields > len(w.p.names) || !w.p.pad):
		v.kind, v.flaw = verdictBad, flaw{reason: ReasonRagged, line: 0, column: 1, fields: fields}
	}
	v.size, v.replaced = w.p.base+len(w.p.names)-1+w.size, w.bent
	return v
}

// broken ends a bad record at the end of the line that holds w.at.
func (w *walk) broken(reason string, column int) verdict {
	x := flaw{reason: reason, line: w.line, column: column, field: w.field}
	if column == 0 {
		x.line, x.column = 0, 1
	}
	return w.lineEnd(w.at, verdict{kind: verdictBad, lines: uint32(w.line), flaw: x})
}

// lineEnd completes v with the first line terminator from at on.
func (w *walk) lineEnd(at int, v verdict) verdict {
	nl := bytes.IndexByte(w.raw[at:], w.p.nl)
	switch {
	case nl >= 0:
		v.length = at + nl + 1
		v.lines++
	case w.last:
		v.length = len(w.raw)
	default:
		v.kind, v.length = verdictSkip, len(w.raw)
	}
	return v
}

// unquoted goes over a field that does not start with a quote.
func (w *walk) unquoted() (verdict, bool) {
	for w.at < w.view {
		c := w.raw[w.at]
		switch {
		case c == w.p.delim:
			return verdict{}, false
		case w.p.opens(c):
			return w.broken(ReasonBareQuote, w.column()), true
		case c == '\r' || c == '\n':
			switch n := w.terminator(); {
			case n > 0:
				return verdict{}, false
			case n < 0 && w.at < w.p.max:
				return verdict{kind: verdictMore}, true
			case c == '\n':
				return w.broken(ReasonMixedNewlines, w.column()), true
			}
		}
		w.content(c)
	}
	return verdict{}, false
}

// quoted goes over a field that starts with a quote.
func (w *walk) quoted() (verdict, bool) {
	open, line, begin := w.at, w.line, w.begin
	w.at++
	for w.at < w.view {
		c := w.raw[w.at]
		if c == w.p.quote {
			if w.at+1 == w.view {
				break // the next byte decides
			}
			if w.raw[w.at+1] != c {
				w.at++
				return w.afterQuote()
			}
			w.size += 1 + int(escapeCost[c])
			w.at += 2
			continue
		}
		w.content(c)
		if c == w.p.nl {
			w.line++
			w.begin = w.at
			if w.line >= maxQuotedLines {
				return w.unclosed(open, line, begin), true
			}
		}
	}
	switch {
	case w.over || len(w.raw) > w.p.max:
		return w.unclosed(open, line, begin), true
	case !w.last:
		return verdict{kind: verdictMore}, true
	case w.at < w.view: // the file ends with the closing quote
		w.at++
		return verdict{}, false
	}
	return w.unclosed(open, line, begin), true
}

// unclosed ends a bad record at the end of the line where its quote opened.
func (w *walk) unclosed(open, line, begin int) verdict {
	x := flaw{reason: ReasonUnclosedQuote, line: line, column: open - begin + 1, field: w.field}
	return w.lineEnd(open, verdict{kind: verdictBad, lines: uint32(line), flaw: x})
}

// afterQuote looks at what follows a closing quote; at least one byte does.
func (w *walk) afterQuote() (verdict, bool) {
	if w.raw[w.at] == w.p.delim {
		return verdict{}, false
	}
	switch n := w.terminator(); {
	case n > 0:
		return verdict{}, false
	case n < 0 && w.at < w.p.max:
		return verdict{kind: verdictMore}, true
	case n < 0:
		return w.broken(ReasonTooLarge, 0), true
	}
	return w.broken(ReasonTextAfterQuote, w.column()), true
}

// content counts one character of a value and goes on behind it.
func (w *walk) content(c byte) {
	switch {
	case c >= utf8.RuneSelf:
		r, size := utf8.DecodeRune(w.raw[w.at:])
		if r == utf8.RuneError && size == 1 {
			w.invalid()
			return
		}
		size = min(size, w.view-w.at)
		w.size += size
		w.at += size
		return
	case c == 0:
		w.wrong(ReasonNulByte)
	}
	w.size += 1 + int(escapeCost[c])
	w.at++
}

// invalid goes over a byte that is not UTF-8.
func (w *walk) invalid() {
	if w.p.replace {
		w.bent = true
		w.size += len("\uFFFD") - 1
	} else {
		w.wrong(ReasonInvalidUTF8)
	}
	w.size++
	w.at++
}

// wrong notes a wrong byte at w.at.
func (w *walk) wrong(reason string) {
	if w.soft.reason == "" {
		w.soft = flaw{reason: reason, line: w.line, column: w.column(), field: w.field}
	}
}

func (w *walk) column() int { return w.at - w.begin + 1 }
