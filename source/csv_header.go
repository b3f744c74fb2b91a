package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// bom is the byte order mark of UTF-8.
var bom = []byte("\xef\xbb\xbf")

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
		rest := raw[h.end:]
		if trimmed := p.trimCR(rest[:max(0, bytes.IndexByte(rest, p.newline))]); len(trimmed) == 0 && bytes.IndexByte(rest, p.newline) >= 0 {
			h.end += bytes.IndexByte(rest, p.newline) + 1
			h.lines++
			h.blank++
			continue
		}
		r := p.record(rest, last)
		if r.tail {
			return h, false, nil
		}
		if r.bad != nil {
			return h, false, f.headerFault(h, r.bad.Column, r.bad.Detail)
		}
		text := rest[:r.end]
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			return h, false, f.headerFault(h, 1, "the header is not UTF-8 text")
		}
		h.names = p.split(text)
		h.end += r.end
		h.lines += r.lines
		return h, true, f.checkNames(h)
	}
	return h, last, nil
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

func (f *File) headerFault(h head, column int64, msg string) error {
	return &Error{Path: f.Path, Line: int64(h.lines) + 1, Column: column, Msg: "header: " + msg}
}

func (f *File) checkNames(h head) error {
	seen := map[string]int{}
	line := head{lines: h.lines - 1}
	for i, name := range h.names {
		if name == "" {
			return f.headerFault(line, 1, fmt.Sprintf("column %d has no name", i+1))
		}
		if first, ok := seen[name]; ok {
			return f.headerFault(line, 1, fmt.Sprintf("columns %d and %d are both named %q", first+1, i+1, name))
		}
		seen[name] = i
	}
	return nil
}
