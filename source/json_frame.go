package source

import (
	"encoding/binary"
	"math/bits"
)

// jsonFrame finds the end of one JSON value by its brackets and strings alone,
// whatever else may be wrong with it. The value may come in pieces.
type jsonFrame struct {
	open    []byte // the closing brackets that are due, the innermost last
	string  bool   // within a string
	escaped bool   // behind a backslash in it
	scalar  bool   // the value is a number or a word
	spaced  bool   // there is white space between tokens
}

// maxFrameDepth bounds the brackets that are remembered.
const maxFrameDepth = 1 << 20

// begin starts a value whose first byte is c.
func (w *jsonFrame) begin(c byte) {
	*w = jsonFrame{open: w.open[:0], scalar: c != '{' && c != '[' && c != '"'}
}

// walk goes on over b. n bytes of it belong to the value, which ends behind them
// if end is set; else it goes on. If wrong is set, it says what is wrong with the
// byte behind them.
func (w *jsonFrame) walk(b []byte) (n int, end bool, wrong string) {
	i := 0
	for i < len(b) {
		if w.string {
			if i = w.text(b, i); !w.string && len(w.open) == 0 {
				return i, true, ""
			}
			continue
		}
		switch c := b[i]; c {
		case '"':
			if w.scalar {
				return i, true, ""
			}
			w.string = true
		case '{', '[':
			if w.scalar {
				return i, true, ""
			}
			if len(w.open) == maxFrameDepth {
				return i, false, "nested too deep to be read"
			}
			w.open = append(w.open, c+2) // '}' and ']' are two after their opening ones
		case '}', ']':
			if w.scalar {
				return i, true, ""
			}
			last := len(w.open) - 1
			if w.open[last] != c {
				return i, false, "the brackets do not balance: " + string(c) + " where " + string(w.open[last]) + " is due"
			}
			if w.open = w.open[:last]; last == 0 {
				return i + 1, true, ""
			}
		case ' ', '\t', '\r', '\n':
			if w.scalar {
				return i, true, ""
			}
			w.spaced = true
		case ',', ':':
			if w.scalar {
				return i, true, ""
			}
		}
		i++
	}
	return i, false, ""
}

// text goes on over a string from b[i] on, up to behind its closing quote or to
// the end of b.
func (w *jsonFrame) text(b []byte, i int) int {
	if w.escaped && i < len(b) {
		w.escaped = false
		i++
	}
	for i < len(b) {
		i = quoteOrBackslash(b, i)
		switch {
		case i == len(b):
		case b[i] == '"':
			w.string = false
			return i + 1
		case i+1 == len(b):
			w.escaped = true
			return i + 1
		default:
			i += 2
		}
	}
	return i
}

// quoteOrBackslash is the place of the first one from b[i] on, or len(b).
func quoteOrBackslash(b []byte, i int) int {
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		q, s := x^quotes8, x^backslashes8
		if hit := ((q-ones)&^q | (s-ones)&^s) & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// appendCompact appends a valid JSON value without the white space between its
// tokens, which keep their bytes.
func appendCompact(dst, value []byte) []byte {
	var w jsonFrame
	from := 0
	for i := 0; i < len(value); {
		switch value[i] {
		case '"':
			w.string = true
			i = w.text(value, i+1)
		case ' ', '\t', '\r', '\n':
			dst = append(dst, value[from:i]...)
			i = skipWhite(value, i)
			from = i
		default:
			i++
		}
	}
	return append(dst, value[from:]...)
}

// skipWhite goes over white space, line feeds included.
func skipWhite(s []byte, i int) int {
	for i < len(s) && (isSpace(s[i]) || s[i] == '\n') {
		i++
	}
	return i
}
