package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// isPlain says that b is valid UTF-8 without a byte that JSON escapes, other
// than quotes and line ends.
func isPlain(b []byte) bool {
	if bytes.IndexByte(b, '\\') >= 0 || !utf8.Valid(b) {
		return false
	}
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		// A byte below 0x20 sets its top bit here: the words below borrow from it.
		if (w-0x2020202020202020)&^w&0x8080808080808080 != 0 && !plainBytes(b[:8], b[8:]) {
			return false
		}
		b = b[8:]
	}
	return plainBytes(b, nil)
}

// plainBytes is isPlain for the control bytes of a few bytes; next follows them.
func plainBytes(b, next []byte) bool {
	for i, c := range b {
		if c >= 0x20 || c == '\n' {
			continue
		}
		if c != '\r' {
			return false
		}
		if i+1 < len(b) {
			if b[i+1] != '\n' {
				return false
			}
		} else if len(next) > 0 && next[0] != '\n' {
			return false
		}
	}
	return true
}

// faultInBytes finds what no text may have: nil if raw is fine.
func (p *csvParser) faultInBytes(raw []byte) *Bad {
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		return p.byteFault(raw, i, ReasonNulByte, "a NUL byte")
	}
	if i := invalidUTF8(raw); i >= 0 {
		return p.byteFault(raw, i, ReasonInvalidUTF8, fmt.Sprintf("byte %#x is not UTF-8", raw[i]))
	}
	return nil
}

// invalidUTF8 is the place of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	i := 0
	for {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
}

// checkBytes finds what a record must not have, and counts what JSON escapes.
func (p *csvParser) checkBytes(raw []byte, r *csvRecord) {
	if r.bad = p.faultInBytes(raw); r.bad != nil {
		return
	}
	if needsEscape[p.delimiter] && r.quoted { // a delimiter inside quotes is escaped, others are not
		r.size = len(p.encode(nil, raw, false)) - p.overhead
		return
	}
	if !r.quoted {
		raw = p.trimCR(bytes.TrimSuffix(raw, []byte{p.newline}))
	}
	for _, c := range raw {
		switch {
		case c >= 0x20 && c != '\\', c == p.delimiter, c == '\n':
		case c == '\r':
			if !r.quoted { // of quoted records they are counted already
				r.size++
			}
		case c == '\\', c == '\t', c == '\b', c == '\f':
			r.size++
		default:
			r.size += len(`\u0000`) - 1
		}
	}
}

func (p *csvParser) byteFault(raw []byte, i int, reason, detail string) *Bad {
	lines := bytes.Count(raw[:i], []byte{p.newline})
	lineStart := bytes.LastIndexByte(raw[:i], p.newline) + 1
	return &Bad{Line: int64(lines), Column: int64(i-lineStart) + 1, Reason: reason, Detail: detail}
}
