package source

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Strings, numbers and words of JSON (RFC 8259), for accepter.

// stringEnd goes over the string whose content begins at i and returns what is
// behind its closing quote, or -1.
func stringEnd(s []byte, i int) int {
	for {
		// Find a quote, a backslash, a control or a non-ASCII byte.
		for len(s)-i >= 8 {
			if hit := stringStops(binary.LittleEndian.Uint64(s[i:])); hit != 0 {
				i += bits.TrailingZeros64(hit) / 8
				break
			}
			i += 8
		}
		if i >= len(s) {
			return -1
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c >= 0x80:
			i = utf8Run(s, i)
		case c == '\\':
			i = escapeEnd(s, i)
		case c < 0x20:
			return -1
		default: // one of the last seven bytes of s
			i++
		}
		if i < 0 {
			return -1
		}
	}
}

// stringStops sets the high bits of the bytes of x that stringEnd looks at. See
// csvBytes.word for how it compares.
func stringStops(x uint64) uint64 {
	y := x & lows
	return ((highs - (y ^ quotes8)) | (highs - (y ^ backslashes8)) | (0x9f*ones - y) | x) & highs
}

// stringMap finds the ends of strings in a window of a text by masks of its
// quotes, backslashes and controls, which the kernel makes. It does not look at
// bytes that are not ASCII. The kernel knows this layout.
type stringMap struct {
	from  int                 // where the window begins, a multiple of 64
	stops [windowWords]uint64 // those behind the text are all ones
}

// reset forgets the text.
func (m *stringMap) reset() { m.from = math.MinInt >> 1 }

// stringEnd is stringEnd for content that begins at i.
func (m *stringMap) stringEnd(s []byte, i int) int {
	for {
		w := uint(i-m.from) / 64
		if w >= windowWords-1 {
			m.fill(s, i)
			w = 0
		}
		// the 64 bytes from i on
		x := m.stops[w]>>(i&63) | m.stops[w+1]<<1<<(^i&63)
		if x == 0 {
			i += 64
			continue
		}
		if i += bits.TrailingZeros64(x); i >= len(s) {
			return -1
		}
		if s[i] == '"' {
			return i + 1
		}
		if s[i] != '\\' {
			return -1
		}
		if i = escapeEnd(s, i); i < 0 {
			return -1
		}
	}
}

// fill makes the masks from i on, which may be behind the text.
func (m *stringMap) fill(s []byte, i int) {
	m.from = i &^ 63
	rest := s[min(m.from, len(s)):]
	words := min(len(rest)/64, windowWords)
	if words > 0 {
		stopsAVX2(&rest[0], &m.stops[0], words)
	}
	if words == windowWords {
		return
	}
	var tail [64]byte // NUL is a stop as well
	copy(tail[:], rest[64*words:])
	stopsAVX2(&tail[0], &m.stops[words], 1)
	for k := words + 1; k < windowWords; k++ {
		m.stops[k] = ^uint64(0)
	}
}

// escapeEnd goes over the escape sequence at i, or returns -1. Surrogates are
// left to the slow look.
func escapeEnd(s []byte, i int) int {
	if i+1 >= len(s) {
		return -1
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(s) || s[i+2]|0x20 == 'd' && s[i+3] >= '8' {
			return -1
		}
		for _, c := range s[i+2 : i+6] {
			if l := c | 0x20; (c < '0' || c > '9') && (l < 'a' || l > 'f') {
				return -1
			}
		}
		return i + 6
	}
	return -1
}

// scalarEnd goes over the number, true, false or null at i, or returns -1.
func scalarEnd(s []byte, i int) int {
	var word string
	switch s[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return numberEnd(s, i)
	}
	if len(s)-i < len(word) || string(s[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// numberEnd goes over the number at i, or returns -1.
func numberEnd(s []byte, i int) int {
	if s[i] == '-' {
		i++
	}
	switch {
	case i < len(s) && s[i] == '0':
		i++
	default:
		if i = digitsEnd(s, i); i < 0 {
			return -1
		}
	}
	if i < len(s) && s[i] == '.' {
		if i = digitsEnd(s, i+1); i < 0 {
			return -1
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		return digitsEnd(s, i)
	}
	return i
}

// digitsEnd goes over at least one digit, or returns -1.
func digitsEnd(s []byte, i int) int {
	from := i
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return -1
	}
	return i
}
