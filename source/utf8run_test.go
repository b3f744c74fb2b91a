package source

import (
	"testing"
	"unicode/utf8"
)

// FuzzUTF8Runs compares with the standard library.
func FuzzUTF8Runs(f *testing.F) {
	for _, s := range []string{"", "plain", "aü日本語\U0001f600", "\xed\xa0\x80", "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xc3", "日\xe6\x9c", "\ufffd", "\xed\x9f\xbf\xee\x80\x80\xe1\x80\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		valid := true
		for i := 0; i < len(b) && valid; {
			if b[i] < utf8.RuneSelf {
				i++
				continue
			}
			end := utf8Run(b, i)
			valid = end > i
			i = end
		}
		if valid != utf8.Valid(b) {
			t.Errorf("%q: got %v", b, valid)
		}
		if at := invalidUTF8(b); (at < 0) != valid || at >= 0 && !utf8.Valid(b[:at]) {
			t.Errorf("%q: said to be wrong at %d", b, at)
		}
	})
}
