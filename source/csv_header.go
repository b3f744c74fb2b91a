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
	p := &csvParser{delimiter: f.delimiter, newline: f.newline, max: f.maxRecord}
	for _, c := range []byte{'"', '\r', '\n', p.delimiter} {
		p.special[c] = true
	}
	for h.end < len(raw) {
		if h.end > maxBlankHead {
			return h, false, &Error{Path: f.Path, Line: 1, Msg: fmt.Sprintf("header: none in the first %d bytes", maxBlankHead)}
		}
		var before found
		if p.blank(raw[h.end:], last, &before) {
			h.end += before.consumed
			h.lines += int(before.lines)
			h.blank++
			continue
		}
		r := p.record(raw[h.end:], last)
		if r.tail {
			return h, false, nil
		}
		text := raw[h.end : h.end+r.end]
		if r.bad == nil {
			r.bad = p.faultInHeader(text, r)
		}
		if r.bad != nil {
			return h, false, f.headerFault(h, *r.bad)
		}
		h.names = p.split(text)
		err = f.checkNames(h)
		h.end += r.end
		h.lines += r.lines
		return h, true, err
	}
	return h, last, nil
}

// faultInHeader finds in a header that is a record why it is none. A carriage
// return alone would make records of a file with mixed line ends part of it.
func (p *csvParser) faultInHeader(text []byte, r csvRecord) *Bad {
	if bad := p.faultInBytes(text); bad != nil || r.quoted {
		return bad
	}
	text = p.trimCR(bytes.TrimSuffix(text, []byte{p.newline}))
	if i := bytes.IndexByte(text, '\r'); i >= 0 {
		return &Bad{Column: int64(i) + 1, Detail: "a carriage return without a line feed, which ends other lines"}
	}
	return nil
}

// split gives the values of a good record.
func (p *csvParser) split(raw []byte) (values []string) {
	raw = p.trimCR(bytes.TrimSuffix(raw, []byte{p.newline}))
	for {
		var value []byte
		if len(raw) > 0 && raw[0] == '"' {
			raw = raw[1:]
			for {
				q := bytes.IndexByte(raw, '"')
				value = append(value, raw[:q]...)
				raw = raw[q+1:]
				if len(raw) == 0 || raw[0] != '"' {
					break
				}
				value = append(value, '"')
				raw = raw[1:]
			}
		} else {
			end := bytes.IndexByte(raw, p.delimiter)
			if end < 0 {
				end = len(raw)
			}
			value, raw = raw[:end], raw[end:]
		}
		values = append(values, string(value))
		if len(raw) == 0 {
			return values
		}
		raw = raw[1:]
	}
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
