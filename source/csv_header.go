package source

import (
	"bytes"
	"fmt"
	"strconv"
)

// bom is the byte order mark of UTF-8.
var bom = []byte("\xef\xbb\xbf")

// maxHead bounds what stands before a header, in bytes.
const maxHead = 1 << 20

// head is what stands before a file's first record.
type head struct {
	names []string
	end   int // bytes, byte order mark included
	lines int
	blank int64
}

// readHead reads the byte order mark and, for CSV, what stands before the first
// record: lines to skip, blank ones, comments, the header. ok is false if more
// bytes are needed.
func (f *File) readHead(raw []byte, last bool) (h head, ok bool, err error) {
	if len(raw) < len(bom) && !last {
		return h, false, nil
	}
	if bytes.HasPrefix(raw, bom) {
		h.end = len(bom)
	}
	if f.Format != FormatCSV {
		return h, true, nil
	}
	lines := f.linesToSkip(raw)
	if err := f.checkDelimiter(); err != nil {
		return h, false, err
	}
	if !h.skip(lines, raw, f.newline) {
		return h, last, f.tooLong(len(raw))
	}
	p := newHeaderParser(f)
	if f.dialect.Header == headerNone && h.end < len(raw) {
		return f.nameColumns(h, p, raw, last)
	}
	for h.end < len(raw) {
		if err := f.tooLong(h.end); err != nil {
			return h, false, err
		}
		v := p.exact(raw, h.end, last)
		if v.kind == verdictMore {
			return h, false, nil
		}
		if v.kind == verdictBlank {
			h.end += v.length
			h.lines += int(v.lines)
			h.blank++
			continue
		}
		at, line := h.end, h.lines
		wrong := f.takeNames(&h, p, raw[at:at+v.length], v)
		if v.kind != verdictGood || len(h.names) == 1 {
			if more, other := f.doubtDelimiter(raw, at, last, line); more || other != nil {
				return h, false, other
			}
		}
		return h, wrong == nil, wrong
	}
	return h, last, nil
}

// nameColumns names the columns of a file without a header, as the options say
// or by the number of fields that its first good record has. It goes over
// nothing: whether a blank line is a record depends on how many columns there are.
func (f *File) nameColumns(h head, p *csvParser, raw []byte, last bool) (head, bool, error) {
	if h.names = f.dialect.Columns; len(h.names) > 0 {
		return h, true, nil
	}
	blank, bad := h, false // blank goes over what is no record
	for blank.end < len(raw) && blank.end < maxHead {
		v := p.exact(raw, blank.end, last)
		switch v.kind {
		case verdictMore:
			return h, false, nil
		case verdictGood:
			for i := range p.split(raw[blank.end : blank.end+v.length]) {
				h.names = append(h.names, columnName(i))
			}
			return h, true, nil
		case verdictBlank:
			blank.blank++
		default:
			bad = true
		}
		blank.end += v.length
		blank.lines += int(v.lines)
	}
	switch {
	case bad: // and each will be told as bad
		h.names = []string{columnName(0)}
		return h, true, nil
	case blank.end >= maxHead:
		return h, false, &Error{Path: f.Path, Line: 1, Column: 1, Msg: fmt.Sprintf("no record in the first %d bytes", maxHead), Hint: `name the columns: header = ["a", "b"] in [source]`}
	}
	return blank, last, nil
}

// linesToSkip is how many physical lines stand before the header.
func (f *File) linesToSkip(raw []byte) int {
	if f.takeSeparatorLine(raw) {
		return max(f.dialect.SkipLines, 1)
	}
	return f.dialect.SkipLines
}

// skip goes over n lines; false if there are not so many.
func (h *head) skip(n int, raw []byte, newline byte) bool {
	for range n {
		i := bytes.IndexByte(raw[h.end:], newline)
		if i < 0 {
			h.end = len(raw)
			return false
		}
		h.end += i + 1
		h.lines++
	}
	return true
}

func (f *File) tooLong(end int) error {
	if end <= maxHead {
		return nil
	}
	return &Error{Path: f.Path, Line: 1, Column: 1, Msg: fmt.Sprintf("header: none in the first %d bytes", maxHead), Hint: "have it written without what stands before the header"}
}

// takeNames takes the columns' names from the header, which text is, and goes
// over it.
func (f *File) takeNames(h *head, p *csvParser, text []byte, v verdict) error {
	if v.kind != verdictGood {
		fault := f.headerFault(h, v.flaw.bad(p, 0, 0))
		if bytes.HasPrefix(text, []byte{'{'}) || bytes.HasPrefix(text, []byte{'['}) {
			fault.Hint = `this looks like JSON: set format = "ndjson" or "json"`
		}
		return fault
	}
	if i := p.strayCR(text); i >= 0 {
		return f.headerFault(h, Bad{Column: int64(i) + 1, Detail: "a carriage return without a line feed, which ends other lines"})
	}
	for _, name := range p.split(text) {
		h.names = append(h.names, string(p.valid(name)))
	}
	if f.dialect.HeaderDuplicates == suffixed {
		h.names = withSuffixes(h.names)
	}
	err := f.checkNames(h)
	h.end += v.length
	h.lines += int(v.lines)
	return err
}

// columnName names a column that has no name; i counts from 0.
func columnName(i int) string { return "column_" + strconv.Itoa(i+1) }

// withSuffixes makes names unique: the second "a" becomes a_2, or the next
// number that no other column has; an empty name becomes column_N.
func withSuffixes(names []string) []string {
	taken := map[string]bool{}
	for _, name := range names {
		taken[name] = true
	}
	seen := map[string]bool{}
	unique := make([]string, len(names))
	for i, name := range names {
		if name == "" {
			name = columnName(i)
		}
		unique[i] = name
		for n := 2; seen[unique[i]] || unique[i] != name && taken[unique[i]]; n++ {
			unique[i] = name + "_" + strconv.Itoa(n)
		}
		seen[unique[i]] = true
	}
	return unique
}

// strayCR is where an unquoted header has a carriage return that is not part of
// its line's end, or -1: it would make records of a file with mixed line ends
// part of the header.
func (p *csvParser) strayCR(text []byte) int {
	if bytes.IndexByte(text, p.quote) >= 0 {
		return -1
	}
	return bytes.IndexByte(p.trimEnd(text), '\r')
}

func (f *File) headerFault(h *head, b Bad) *Error {
	return &Error{Path: f.Path, Line: int64(h.lines) + b.Line + 1, Column: b.Column, Msg: "header: " + b.Detail, Hint: f.Advice(b.Reason)}
}

// checkNames refuses names that no object can have. h.lines are the lines before
// the header.
func (f *File) checkNames(h *head) error {
	seen := map[string]int{}
	for i, name := range h.names {
		first, twice := seen[name]
		var err *Error
		switch {
		case name == "":
			err = f.headerError(h, fmt.Sprintf("column %d has no name", i+1))
		case twice:
			err = f.headerError(h, fmt.Sprintf("columns %d and %d are both named %q", first+1, i+1, name))
		}
		if err != nil {
			return err
		}
		seen[name] = i
	}
	return nil
}

func (f *File) headerError(h *head, msg string) *Error {
	return &Error{
		Path: f.Path, Line: int64(h.lines) + 1, Column: 1, Msg: "header: " + msg,
		Hint: `header_duplicates = "suffix" gives such columns names; skip_lines goes over lines before the header`,
	}
}
