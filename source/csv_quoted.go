package source

import "bytes"

// quotedRecord judges a record that has a quote in its first line, field by
// field.
func (p *csvParser) quotedRecord(in *csvInput) (r csvRecord) {
	r.quoted = true
	w := in.window
	lineStart, i := 0, 0 // of the physical line; of the field
	for {
		r.fields++
		if i < len(w) && w[i] == '"' {
			i, lineStart = p.quotedField(in, i, lineStart, &r)
		} else {
			i = p.unquotedField(in, i, lineStart, &r)
		}
		// i stands at what ended the field.
		switch {
		case r.bad != nil || r.tail:
			return r
		case i >= len(w) && p.overlong(in):
			p.tooLarge(in, lineStart, &r)
			return r
		case i >= len(w):
			r.tail, r.open, r.end = !in.last, true, len(w)
			return r
		case w[i] == p.delimiter:
			i++
		default:
			r.end = i + 1
			if w[i] != p.newline { // CR LF
				r.end = i + 2
			}
			r.lines++
			return r
		}
	}
}

// lineEnds says whether a line ends at the byte i of w: 1 yes, 0 no, -1 not
// known, because it is a CR and the last byte.
func (p *csvParser) lineEnds(w []byte, i int) int {
	switch {
	case w[i] == p.newline:
		return 1
	case w[i] != '\r' || p.newline != '\n':
		return 0
	case i+1 == len(w):
		return -1
	case w[i+1] == '\n':
		return 1
	}
	return 0
}

// quotedField goes over the field whose quote opens at i. It returns where the
// field ended and where the physical line of that place begins, or sets r.bad or
// r.tail.
func (p *csvParser) quotedField(in *csvInput, i, lineStart int, r *csvRecord) (end, line int) {
	open, openLine, w := i, lineStart, in.window
	i++
	for {
		q := bytes.IndexByte(w[i:], '"')
		part := w[i:]
		if q >= 0 {
			part = w[i : i+q]
		}
		n := bytes.Count(part, []byte{p.newline})
		switch {
		case r.lines+n >= maxQuotedLines, q < 0 && (in.last || p.overlong(in)):
			p.unclosed(in, openLine, open, r)
			return 0, 0
		case q < 0:
			r.tail = true
			return 0, 0
		}
		if n > 0 {
			r.lines += n
			lineStart = i + bytes.LastIndexByte(part, p.newline) + 1
		}
		r.size += len(part) + p.escapesOfLines(part, n)
		i += q + 1
		if i == len(w) || w[i] == p.delimiter {
			return i, lineStart
		}
		if w[i] == '"' {
			r.size += 2 // "" becomes \"
			i++
			continue
		}
		switch p.lineEnds(w, i) {
		case 1:
			return i, lineStart
		case -1:
			return len(w), lineStart
		}
		p.badLine(in, i, r, Bad{
			Line: int64(r.lines), Column: int64(i-lineStart) + 1, Reason: ReasonTextAfterQuote, Detail: p.column(r.fields) + ": text after the closing quote",
		})
		return 0, 0
	}
}

// escapesOfLines counts what JSON adds for the line feeds and carriage returns
// of a quoted part that has n line ends.
func (p *csvParser) escapesOfLines(part []byte, n int) int {
	if p.newline == '\r' {
		return n + bytes.Count(part, []byte{'\n'})
	}
	return n + bytes.Count(part, []byte{'\r'})
}

// unquotedField goes over the field at i and returns where it ended, or sets
// r.bad or r.tail.
func (p *csvParser) unquotedField(in *csvInput, i, lineStart int, r *csvRecord) int {
	start, w := i, in.window
	for ; i < len(w); i++ {
		c := w[i]
		if !p.special[c] {
			continue
		}
		if c == p.delimiter {
			break
		}
		if c == '"' {
			p.badLine(in, i, r, Bad{
				Line: int64(r.lines), Column: int64(i-lineStart) + 1, Reason: ReasonBareQuote, Detail: p.column(r.fields) + ": a quote inside an unquoted field",
			})
			return i
		}
		ends := p.lineEnds(w, i)
		if ends == 1 {
			break
		}
		if ends < 0 {
			r.size += i - start
			return len(w)
		}
		if c == '\n' {
			p.badLine(in, i, r, Bad{Line: int64(r.lines), Column: int64(i-lineStart) + 1, Reason: ReasonMixedNewlines, Detail: mixedNewlines})
			return i
		}
		r.size++ // a carriage return becomes \r
	}
	r.size += i - start
	return i
}
