package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// isPlain says that b is valid UTF-8 without a byte that JSON escapes, other
// than quotes and line ends. What is known to be UTF-8 is not validated again. It
// takes eight bytes at a time where it can.
func isPlain(b []byte, known bool) bool {
	if bytes.IndexByte(b, '\\') >= 0 {
		return false
	}
	const top, space = 0x8080808080808080, 0x2020202020202020
	unseen := uint64(top) // the top bits that say "not ASCII, look at it"
	if known {
		unseen = 0
	}
	for i := 0; i < len(b); {
		if len(b)-i >= 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			// A byte that is not ASCII has its top bit set, one below a space
			// gets it here. Borrows go to higher bytes, so the lowest is right.
			odd := w&unseen | (w-space)&^w&top
			if odd == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(odd) / 8
		}
		switch c := b[i]; {
		case c >= utf8.RuneSelf && known, c >= ' ' && c < utf8.RuneSelf, c == '\n':
			i++
		case c >= utf8.RuneSelf:
			n := runeLength(b[i:])
			if n == 0 {
				return false
			}
			i += n
		case c != '\r' || i+1 < len(b) && b[i+1] != '\n':
			return false
		default:
			i++
		}
	}
	return true
}

// runeLength is the bytes of the rune at the start of b, which is not ASCII; 0
// if it is not valid.
func runeLength(b []byte) int {
	if b[0] >= 0xc2 && b[0] < 0xe0 && len(b) > 1 && b[1]&0xc0 == 0x80 {
		return 2 // most of Latin, Greek and Cyrillic
	}
	if c, n := utf8.DecodeRune(b); c != utf8.RuneError || n > 1 {
		return n
	}
	return 0
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
