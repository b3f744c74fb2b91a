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
