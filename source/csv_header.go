package source

import (
	"bytes"
	"fmt"
)

// bom is the byte order mark of UTF-8.
var bom = []byte("\xef\xbb\xbf")

// maxBlankHead bounds the blank lines before a header, in bytes.
const maxBlankHead = 1 << 20

// head is what stands before a file's first record.
type head struct {
	names []string
	end   int // bytes, byte order mark included
	lines int
	blank int64
}

// readHead reads the byte order mark and, for CSV, the header from the start of
// a file. ok is false if more bytes are needed.
func (f *File) readHead(raw []byte, last bool) (h head, ok bool, err error) {
	if len(raw) < len(bom) && !last {
		return h, false, nil
	}
	if bytes.HasPrefix(raw, bom) {
		h.end = len(bom)
	}
	if f.Format == FormatNDJSON {
		return h, true, nil
	}
	p := newHeaderParser(f)
	for h.end < len(raw) {
		if h.end > maxBlankHead {
			return h, false, &Error{Path: f.Path, Line: 1, Msg: fmt.Sprintf("header: none in the first %d bytes", maxBlankHead)}
		}
		v := p.exact(raw, h.end, last)
		switch v.kind {
		case verdictMore:
			return h, false, nil
		case verdictBlank:
			h.end += v.length
			h.lines += int(v.lines)
			h.blank++
			continue
		case verdictBad, verdictSkip:
			return h, false, f.headerFault(h, v.flaw.bad(p, 0, 0))
		}
		text := raw[h.end : h.end+v.length]
		if i := p.strayCR(text); i >= 0 {
			return h, false, f.headerFault(h, Bad{Column: int64(i) + 1, Detail: "a carriage return without a line feed, which ends other lines"})
		}
		for _, name := range p.split(text) {
			h.names = append(h.names, string(name))
		}
		err = f.checkNames(h)
		h.end += v.length
		h.lines += int(v.lines)
		return h, true, err
	}
	return h, last, nil
}

// strayCR is where an unquoted header has a carriage return that is not part of
// its line's end, or -1: it would make records of a file with mixed line ends
// part of the header.
func (p *csvParser) strayCR(text []byte) int {
	if bytes.IndexByte(text, '"') >= 0 {
		return -1
	}
	return bytes.IndexByte(p.trimEnd(text), '\r')
}

func (f *File) headerFault(h head, b Bad) error {
	return &Error{Path: f.Path, Line: int64(h.lines) + b.Line + 1, Column: b.Column, Msg: "header: " + b.Detail}
}

// checkNames refuses names that no object can have. h.lines are the lines before
// the header.
func (f *File) checkNames(h head) error {
	seen := map[string]int{}
	for i, name := range h.names {
		if name == "" {
			return f.headerFault(h, Bad{Column: 1, Detail: fmt.Sprintf("column %d has no name", i+1)})
		}
		if first, ok := seen[name]; ok {
			return f.headerFault(h, Bad{Column: 1, Detail: fmt.Sprintf("columns %d and %d are both named %q", first+1, i+1, name)})
		}
		seen[name] = i
	}
	return nil
}
