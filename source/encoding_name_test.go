package source

import "testing"

func TestKnownEncoding(t *testing.T) {
	for name, want := range map[string]string{
		"UTF-8": "", "utf8": "", "utf-16": "utf-16", "UTF-16LE": "utf-16le", "utf-16be": "utf-16be",
		"windows-1252": "windows-1252", "Windows-1251": "windows-1251", "cp1250": "windows-1250", "latin1": "windows-1252",
		"iso-8859-1": "windows-1252", "ISO-8859-15": "iso-8859-15", "shift_jis": "shift_jis", "gb18030": "gb18030",
	} {
		if got, known := KnownEncoding(name); got != want || !known {
			t.Errorf("%s: got %q, %v, want %q", name, got, known, want)
		}
	}
	for _, name := range []string{"", "latin-one", "ebcdic", "utf-7", "replacement", "iso-2022-kr", "x-user-defined"} {
		if got, known := KnownEncoding(name); known {
			t.Errorf("%q is known, as %q", name, got)
		}
	}
}
