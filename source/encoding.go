package source

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// Names of the encodings that are more than a table of 256 characters.
const (
	encodingUTF8    = "utf-8"
	encodingUTF16   = "utf-16" // the byte order mark says which
	encodingUTF16LE = "utf-16le"
	encodingUTF16BE = "utf-16be"
	encodingLatin1  = "iso-8859-1"
)

// charset is a text encoding. Without a table it is UTF-8 or UTF-16.
type charset struct {
	name  string
	table *charmap.Charmap
}

// EncodingName gives the one name of a text encoding that a person may call in
// several ways: "UTF8" is "utf-8". "" stays "". Names are those of the WHATWG
// (encoding.spec.whatwg.org), where "latin1" and "ascii" mean windows-1252, and
// "iso-8859-9" windows-1254; code pages it does not know (cp850) go by IANA's.
// Two differ from the WHATWG: "iso-8859-1" is just that, and "utf-16" is the
// one that the file's byte order mark names.
func EncodingName(label string) (string, error) {
	if label == "" {
		return "", nil
	}
	c, err := findCharset(label)
	return c.name, err
}

func findCharset(label string) (charset, error) {
	name := strings.ToLower(strings.TrimSpace(label))
	switch name {
	case encodingUTF16, "utf16":
		return charset{name: encodingUTF16}, nil
	case "utf16le", "utf16be":
		return charset{name: "utf-16" + name[len("utf16"):]}, nil
	case encodingLatin1, "iso8859-1", "iso_8859-1", "iso88591":
		return charset{name: encodingLatin1, table: charmap.ISO8859_1}, nil
	}
	e, err := htmlindex.Get(name)
	if err == nil {
		name, err = htmlindex.Name(e)
	} else if e, err = ianaindex.IANA.Encoding(name); err == nil && e != nil {
		name, err = ianaindex.IANA.Name(e)
	}
	if err != nil || e == nil {
		return charset{}, fmt.Errorf(`encoding %q: no such name; for example "utf-8", "utf-16le", "windows-1252", "iso-8859-15"`, label)
	}
	name = strings.ToLower(name)
	switch name {
	case encodingUTF8, encodingUTF16LE, encodingUTF16BE:
		return charset{name: name}, nil
	}
	table := singleByte(e)
	if table == nil {
		return charset{}, fmt.Errorf("encoding %q is not supported: only UTF-8, UTF-16 and those with one byte a character, ASCII among them, are", label)
	}
	return charset{name, table}, nil
}

// singleByte gives an encoding's table, nil if it has none or if its first half
// is not ASCII, as in EBCDIC.
func singleByte(e encoding.Encoding) *charmap.Charmap {
	table, ok := e.(*charmap.Charmap)
	if !ok {
		return nil
	}
	for b := range byte(utf8.RuneSelf) {
		if table.DecodeByte(b) != rune(b) {
			return nil
		}
	}
	return table
}

// decoder gives what turns text of this encoding into UTF-8; nil for UTF-8.
func (c charset) decoder(replace bool) textDecoder {
	switch {
	case c.table != nil:
		return newTableDecoder(c.table, replace)
	case c.name == encodingUTF16LE, c.name == encodingUTF16BE:
		return &utf16Decoder{big: c.name == encodingUTF16BE, replace: replace}
	}
	return nil
}

// charsetOf decides a text's encoding by its first bytes and by what the options
// say; want is canonical. An error is an *Error.
func (f *File) charsetOf(head []byte) (charset, error) {
	want, mark := f.encoding, markOf(head)
	order := ""
	if mark == "" {
		order = utf16WithoutMark(head)
	}
	switch {
	case mark == "utf-32":
		return want, &Error{Path: f.Path, Msg: "is UTF-32 text, which is not supported", Hint: "convert it to UTF-8: iconv -f UTF-32 -t UTF-8"}
	case want.name == encodingUTF16 && mark == "" && len(head) > 0:
		e := &Error{Path: f.Path, Msg: `encoding = "utf-16": there is no byte order mark that says which`, Hint: `set encoding = "utf-16le" or encoding = "utf-16be"`}
		if order != "" {
			e.Hint = fmt.Sprintf("set encoding = %q", order)
		}
		return want, e
	case want.name == encodingUTF16 && mark != encodingUTF8, want.name == "" && mark != "":
		return charset{name: mark}, nil
	case want.name == "" && order == "":
		return charset{name: encodingUTF8}, nil
	case mark != "" && mark != want.name:
		return want, &Error{
			Path: f.Path, Msg: fmt.Sprintf("begins with the byte order mark of %s, encoding says %q", strings.ToUpper(mark), want.name),
			Hint: "leave encoding out: the mark decides",
		}
	case order != "" && order != want.name:
		return want, &Error{
			Path: f.Path, Msg: fmt.Sprintf("looks like %s text without a byte order mark", strings.ToUpper(order)),
			Hint: fmt.Sprintf("set encoding = %q", order),
		}
	}
	return want, nil
}

// markOf names the encoding whose byte order mark a text begins with.
func markOf(head []byte) string {
	for _, m := range []struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "utf-32"}, // before the shorter mark that it begins with
		{"\x00\x00\xfe\xff", "utf-32"},
		{"\xef\xbb\xbf", encodingUTF8},
		{"\xff\xfe", encodingUTF16LE},
		{"\xfe\xff", encodingUTF16BE},
	} {
		if strings.HasPrefix(string(head[:min(len(head), 4)]), m.mark) {
			return m.name
		}
	}
	return ""
}

// utf16WithoutMark guesses by the NUL in every other byte that ASCII text has in
// UTF-16; "" is neither.
func utf16WithoutMark(head []byte) string {
	head = head[:min(len(head), 64)&^1]
	if len(head) < 4 {
		return ""
	}
	var even, odd int
	for i := 0; i < len(head); i += 2 {
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
	}
	pairs := len(head) / 2
	switch {
	case even == 0 && odd*4 >= pairs*3:
		return encodingUTF16LE
	case odd == 0 && even*4 >= pairs*3:
		return encodingUTF16BE
	}
	return ""
}
