package source

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

const hexDigits = "0123456789abcdef"

// appendEscaped appends text as the inside of a JSON string. It escapes only
// what RFC 8259 asks for.
func appendEscaped(dst, text []byte) []byte {
	from := 0
	for i := 0; i < len(text); {
		if i = nextEscape(text, i); i == len(text) {
			break
		}
		dst = appendEscape(append(dst, text[from:i]...), text[i])
		i++
		from = i
	}
	return append(dst, text[from:]...)
}

// appendValue is appendEscaped for a CSV field without its outer quotes, if it
// has any: two quotes, which only such a field has, become one.
func appendValue(dst, text []byte, quote byte) []byte {
	if quote != '"' {
		if i := bytes.IndexByte(text, quote); i >= 0 {
			text = bytes.ReplaceAll(text, []byte{quote, quote}, []byte{quote})
		}
		return appendEscaped(dst, text)
	}
	from := 0
	for i := 0; i < len(text); {
		if i = nextEscape(text, i); i == len(text) {
			break
		}
		dst = appendEscape(append(dst, text[from:i]...), text[i])
		if text[i] == '"' {
			i++
		}
		i++
		from = i
	}
	return append(dst, text[from:]...)
}

// nextEscape is the index of the first byte from i on that needs escaping, or
// len(text).
func nextEscape(text []byte, i int) int {
	for ; len(text)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		ctl := ^((x&lows + 0x60*ones) | x) & highs
		if hit := ctl | equal8(x, quotes8) | equal8(x, backslashes8); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(text); i++ {
		if escapeCost[text[i]] != 0 || text[i] == 0 {
			return i
		}
	}
	return i
}

// appendEscape appends one escaped byte.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
