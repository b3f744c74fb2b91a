package source

import "bytes"

// Walks over what an inner parser found good, so that nothing is checked again.

// jsonMember is where a member's name, with its quotes, and value are in an
// object.
type jsonMember struct{ nameStart, nameEnd, start, end int }

// nextMember goes over the member at or behind i, where i is behind the object's
// brace or behind the member before. ok is false at the object's end. There may
// be line feeds between tokens, as in a JSON document.
func nextMember(s []byte, i int) (m jsonMember, next int, ok bool) {
	i = skipWhite(s, i)
	if i < len(s) && s[i] == ',' {
		i = skipWhite(s, i+1)
	}
	if i >= len(s) || s[i] != '"' {
		return m, i, false
	}
	m.nameStart, m.nameEnd = i, quotedEnd(s, i)
	m.start = skipWhite(s, skipWhite(s, m.nameEnd)+1)
	m.end = valueEnd(s, m.start)
	return m, m.end, true
}

// valueEnd is behind the value at i.
func valueEnd(s []byte, i int) int {
	switch s[i] {
	case '"':
		return quotedEnd(s, i)
	case '{', '[':
		for depth := 0; ; {
			switch s[i] {
			case '"':
				i = quotedEnd(s, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if i++; depth == 0 {
				return i
			}
		}
	}
	for i < len(s) && s[i] > ' ' && s[i] != ',' && s[i] != '}' && s[i] != ']' {
		i++
	}
	return i
}

// quotedEnd is behind the string that opens at i.
func quotedEnd(s []byte, i int) int {
	for i = nextEscape(s, i+1); s[i] != '"'; i = nextEscape(s, i) {
		if s[i] == '\\' {
			i++
		}
		i++
	}
	return i + 1
}

// csvFields goes over the fields of a good CSV record, as they stand in the file.
type csvFields struct {
	raw          []byte // without its line terminator
	delim, quote byte
	hasQuote     bool
	at           int // where the next field begins; len(raw)+1 behind the last
}

// next is the next field, quotes included. A record that has fewer fields than
// wanted has empty ones at its end.
func (f *csvFields) next() (start, end int) {
	start = f.at
	if start >= len(f.raw) {
		f.at = len(f.raw) + 1
		return len(f.raw), len(f.raw)
	}
	end = start
	if f.hasQuote && f.raw[start] == f.quote {
		for end++; ; end += 2 { // over a doubled quote
			end += bytes.IndexByte(f.raw[end:], f.quote)
			if end+1 >= len(f.raw) || f.raw[end+1] != f.quote {
				break
			}
		}
		end++
	} else if end = bytes.IndexByte(f.raw[start:], f.delim); end < 0 {
		end = len(f.raw)
	} else {
		end += start
	}
	f.at = end + 1
	return start, end
}

// fields are those of a CSV record with its line terminator.
func (f *File) fields(record []byte) csvFields {
	if n := len(record); n > 0 && record[n-1] == f.newline {
		record = record[:n-1]
	}
	if n := len(record); f.newline == '\n' && n > 0 && record[n-1] == '\r' {
		record = record[:n-1]
	}
	c := csvFields{raw: record, delim: f.delimiter, quote: '"', hasQuote: f.dialect.Quote != QuoteNone}
	if c.hasQuote && f.dialect.Quote != "" {
		c.quote = f.dialect.Quote[0]
	}
	return c
}
