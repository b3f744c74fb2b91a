package source

import "unicode/utf8"

// utf8Run checks the bytes that are not ASCII from raw[i] on and returns the
// index of the first ASCII byte after them, or -1 where they are not UTF-8.
// ASCII ends every sequence, so each run can be judged by itself.
func utf8Run(raw []byte, i int) int {
	for i < len(raw) && raw[i] >= 0x80 {
		c := raw[i]
		switch {
		case c >= 0xc2 && c < 0xe0 && i+1 < len(raw) && raw[i+1]&0xc0 == 0x80:
			i += 2
		case c > 0xe0 && c < 0xf0 && c != 0xed && i+2 < len(raw) && raw[i+1]&0xc0 == 0x80 && raw[i+2]&0xc0 == 0x80:
			i += 3
		default: // the rare lead bytes, and what is wrong
			r, size := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && size <= 1 {
				return -1
			}
			i += size
		}
	}
	return i
}

// repairUTF8 replaces each byte that is not UTF-8 by U+FFFD.
func repairUTF8(b []byte) (_ []byte, bent bool) {
	if utf8.Valid(b) {
		return b, false
	}
	return []byte(string([]rune(string(b)))), true
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

// cleanUTF8 looks for wrong UTF-8 in raw[from:till] by the kernel and returns a
// part of it, in steps of 64 bytes from from on, that has none and does not end
// within a sequence; an empty one if it is not sure. The sequence that reaches
// into its start, if any, is right if its first byte's run is.
func cleanUTF8(raw []byte, from, till int) (cleanFrom, cleanTill int) {
	if from < 3 { // the kernel looks at the three bytes before
		from += 64
	}
	words := (till - from) / 64
	if words <= 0 || utf8AVX2(&raw[from], words) {
		return 0, 0
	}
	till = from + 64*words
	if raw[till-1] >= 0xc0 || raw[till-2] >= 0xe0 || raw[till-3] >= 0xf0 {
		till -= 64
	}
	return from, till
}

// utf8Window remembers what part of a text is known to be UTF-8, so that lines
// are checked many at once.
type utf8Window struct {
	clean int // what is before it, from the last asked-for line on, is UTF-8
	dirty int // what is before it is checked line by line
}

// valid reports whether text[start:end], an ASCII byte behind it, is UTF-8. Each
// start is not less than the end before.
func (w *utf8Window) valid(text []byte, start, end int) bool {
	if end <= w.clean {
		return true
	}
	if end > w.dirty {
		till := min(max(start+64*windowWords, end), len(text))
		for till < len(text) && text[till]&0xc0 == 0x80 { // ends at end
			till--
		}
		if validUTF8(text[start:till]) {
			w.clean = till
			return true
		}
		w.dirty = till
	}
	return utf8.Valid(text[start:end])
}

// validUTF8 is utf8.Valid by the kernel.
func validUTF8(b []byte) bool {
	if !haveKernel || len(b) < 256 {
		return utf8.Valid(b)
	}
	head := 3 // the kernel looks at the three bytes before
	for head < 6 && b[head]&0xc0 == 0x80 {
		head++
	}
	words := (len(b) - head) / 64
	if !utf8.Valid(b[:head]) || utf8AVX2(&b[head], words) {
		return false
	}
	tail := head + 64*words
	for n := 1; n <= 3; n++ {
		if b[tail-n] >= 0xc0 { // its sequence may go on in the tail
			return utf8.Valid(b[tail-n:])
		}
	}
	return utf8.Valid(b[tail:])
}
