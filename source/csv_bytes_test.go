package source

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// slowIsPlain is isPlain byte by byte.
func slowIsPlain(b []byte) bool {
	for i, c := range b {
		switch {
		case c == '\r' && (i+1 == len(b) || b[i+1] == '\n'), c == '\n':
		case c < ' ', c == '\\':
			return false
		}
	}
	return utf8.Valid(b)
}

func FuzzIsPlain(f *testing.F) {
	for _, s := range []string{"", "plain ascii text\r\n", "a\rb", "ü日本語\U0001f600 and more", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "abcdefgh\x1f", "\\", "\xc3", "\ufffd\x7f", "1234567\r"} {
		for pad := range 8 {
			f.Add(append(bytes.Repeat([]byte("x"), pad), s...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := slowIsPlain(b)
		if got := isPlain(b, false); got != want {
			t.Errorf("isPlain(%q) = %v, want %v", b, got, want)
		}
		if got := isPlain(b, true); utf8.Valid(b) && got != want {
			t.Errorf("isPlain(%q), known = %v, want %v", b, got, want)
		}
	})
}

func TestInvalidUTF8(t *testing.T) {
	for text, want := range map[string]int{"": -1, "aü日\ufffd": -1, "a\xff": 1, "ü\xc3": 2, "\xed\xa0\x80": 0, "日本\xe6\x9c": 6} {
		if got := invalidUTF8([]byte(text)); got != want {
			t.Errorf("invalidUTF8(%q) = %d, want %d", text, got, want)
		}
	}
}
