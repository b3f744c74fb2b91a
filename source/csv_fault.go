package source

import (
	"bytes"
	"fmt"
)

const mixedNewlines = "a line feed in a file whose lines end in carriage returns"

// tooLarge judges a record that is longer than one may be; it ends with the
// line that begins at lineStart.
func (p *csvParser) tooLarge(in *csvInput, lineStart int, r *csvRecord) {
	p.badLine(in, lineStart, r, Bad{
		Line: int64(r.lines), Column: 1, Reason: ReasonTooLarge, Detail: fmt.Sprintf("the record is longer than %d bytes", p.max),
	})
}

// unclosed ends a bad record at the end of the line where its quote opened.
func (p *csvParser) unclosed(in *csvInput, openLine, open int, r *csvRecord) {
	lines := bytes.Count(in.all[:openLine], []byte{p.newline})
	*r = csvRecord{fields: r.fields, lines: lines, quoted: true}
	p.badLine(in, openLine, r, Bad{
		Line: int64(lines), Column: int64(open-openLine) + 1, Reason: ReasonUnclosedQuote, Detail: p.column(r.fields) + ": missing closing quote",
	})
}

// badLine ends a bad record at the end of the line that the byte i is in.
// r.lines counts the line ends before it.
func (p *csvParser) badLine(in *csvInput, i int, r *csvRecord, bad Bad) {
	nl := bytes.IndexByte(in.all[i:], p.newline)
	switch {
	case nl >= 0:
		r.end = i + nl + 1
		r.lines++
	case in.last || p.overlong(in):
		r.end, r.open, r.skip = len(in.all), true, !in.last
	default:
		r.tail = true
		return
	}
	r.bad = &bad
}

func (p *csvParser) column(n int) string {
	if n <= len(p.names) {
		return fmt.Sprintf("column %q", p.names[n-1])
	}
	return fmt.Sprintf("field %d", n)
}
