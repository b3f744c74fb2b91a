package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

func TestEncodingName(t *testing.T) {
	for label, want := range map[string]string{
		"": "", "UTF8": "utf-8", "Utf-8": "utf-8", "utf-16": "utf-16", "UTF-16LE": "utf-16le", "utf16be": "utf-16be",
		"latin1": "windows-1252", "ascii": "windows-1252", "cp1252": "windows-1252", "ISO-8859-1": "iso-8859-1",
		"iso8859-15": "iso-8859-15", "ISO-8859-16": "iso-8859-16", "iso-8859-9": "windows-1254", "koi8-r": "koi8-r",
		"macintosh": "macintosh", "cp850": "ibm850", "IBM437": "ibm437",
	} {
		if got, err := EncodingName(label); got != want || err != nil {
			t.Errorf("EncodingName(%q) = %q, %v; want %q", label, got, err, want)
		}
	}
	for label, want := range map[string]string{
		"klingon": "no such name", "iso-8859-12": "no such name", "utf-7": "no such name",
		"gbk": "is not supported", "shift_jis": "is not supported", "IBM037": "is not supported", "replacement": "is not supported",
	} {
		if got, err := EncodingName(label); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("EncodingName(%q) = %q, %v; want an error with %q", label, got, err, want)
		}
	}
}

func utf16le(text string) string { return utf16Of(text, unicode.LittleEndian) }
func utf16be(text string) string { return utf16Of(text, unicode.BigEndian) }

func utf16Of(text string, order unicode.Endianness) string {
	out, err := unicode.UTF16(order, unicode.IgnoreBOM).NewEncoder().String(text)
	if err != nil {
		panic(err)
	}
	return out
}

// TestEncodings reads files in other encodings than UTF-8.
func TestEncodings(t *testing.T) {
	const mark = "\ufeff"
	table := "name,city\nZoë,\"São\nPaulo\"\n日本,𝄞\n"
	for _, c := range []struct {
		name, file, encoding, data string
		plain                      string // what it is decoded to
		first                      string // the first record's JSON
	}{
		{"little endian by its mark", "f.csv", "", utf16le(mark + table), mark + table, `{"name":"Zoë","city":"São\nPaulo"}`},
		{"big endian by its mark", "f.csv", "", utf16be(mark + table), mark + table, `{"name":"Zoë","city":"São\nPaulo"}`},
		{"utf-16 by its mark", "f.csv", "utf-16", utf16be(mark + table), mark + table, `{"name":"Zoë","city":"São\nPaulo"}`},
		{"named, with its mark", "f.csv", "utf-16le", utf16le(mark + table), mark + table, `{"name":"Zoë","city":"São\nPaulo"}`},
		{"named, without a mark", "f.csv", "utf-16be", utf16be(table), table, `{"name":"Zoë","city":"São\nPaulo"}`},
		{"a mark before a quoted header", "f.csv", "", utf16le(mark + "\"a\",b\r\n1,2\r\n"), mark + "\"a\",b\r\n1,2\r\n", `{"a":"1","b":"2"}`},
		{"CR only", "f.csv", "", utf16le(mark + "a,b\r1,2\r"), mark + "a,b\r1,2\r", `{"a":"1","b":"2"}`},
		{"no final newline", "f.csv", "", utf16le(mark + "a,b\n1,2"), mark + "a,b\n1,2", `{"a":"1","b":"2"}`},
		{"a second mark is data", "f.csv", "", utf16le(mark + mark + "a\n1\n"), mark + mark + "a\n1\n", `{"` + mark + `a":"1"}`},
		{"NDJSON", "f.ndjson", "", utf16le(mark + "{\"a\":\"ë\"}\r\n"), mark + "{\"a\":\"ë\"}\r\n", `{"a":"ë"}`},
		{"windows-1252", "f.csv", "windows-1252", "a,b\n\x80,\xe9\n", "a,b\n€,é\n", `{"a":"€","b":"é"}`},
		{"latin1 is windows-1252", "f.csv", "latin1", "a,b\n\x80,\xe9\n", "a,b\n€,é\n", `{"a":"€","b":"é"}`},
		{"iso-8859-1 is not", "f.csv", "iso-8859-1", "a,b\n\x80,\xe9\n", "a,b\n\u0080,é\n", "{\"a\":\"\u0080\",\"b\":\"é\"}"},
		{"iso-8859-15", "f.csv", "iso-8859-15", "a,b\n\xa4,x\n", "a,b\n€,x\n", `{"a":"€","b":"x"}`},
		{"cp437", "f.ndjson", "cp437", "{\"a\":\"\x81\"}\n", "{\"a\":\"ü\"}\n", `{"a":"ü"}`},
		{"utf-8 by name", "f.csv", "UTF8", mark + "a\né\n", mark + "a\né\n", `{"a":"é"}`},
		{"a bad record in it", "f.csv", "", utf16le(mark + "a,b\n1,2\n3\n"), mark + "a,b\n1,2\n3\n", `{"a":"1","b":"2"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range []how{sequential, {block: 16, workers: 2}, {block: 17, workers: 1}} {
				o := Options{Dialect: Dialect{Encoding: c.encoding}}
				for file, data := range map[string][]byte{c.file: []byte(c.data), c.file + ".gz": gzipped(t, []byte(c.data))} {
					o.Path = write(t, file, data)
					got := checkedScan(t, o, []byte(c.plain), h)
					if got.Err != "" || len(got.Records) == 0 || got.Records[0].JSON != c.first {
						t.Errorf("%s: %+v, want the first record %s", file, got, c.first)
					}
				}
			}
		})
	}
}

// TestRefusedEncodings has files that do not say what the options say.
func TestRefusedEncodings(t *testing.T) {
	for _, c := range []struct{ name, encoding, data, want, hint string }{
		{"utf-16 without a mark", "utf-16", utf16be("a,b\n"), `encoding = "utf-16": there is no byte order mark that says which`, `set encoding = "utf-16be"`},
		{"utf-16 without a hint", "utf-16", "日本", `encoding = "utf-16": there is no byte order mark that says which`, `set encoding = "utf-16le" or encoding = "utf-16be"`},
		{"no mark, no option", "", utf16le("a,b\n"), "looks like UTF-16LE text without a byte order mark", `set encoding = "utf-16le"`},
		{"utf-8 said, a UTF-16 mark", "utf-8", "\xff\xfea\x00", `begins with the byte order mark of UTF-16LE, encoding says "utf-8"`, "leave encoding out: the mark decides"},
		{"big endian said, a little endian mark", "utf-16be", "\xff\xfea\x00", `begins with the byte order mark of UTF-16LE, encoding says "utf-16be"`, "leave encoding out: the mark decides"},
		{"big endian said, little endian text", "utf-16be", utf16le("a,b\n"), "looks like UTF-16LE text without a byte order mark", `set encoding = "utf-16le"`},
		{"windows-1252 said, a UTF-8 mark", "windows-1252", "\ufeffa\n", `begins with the byte order mark of UTF-8, encoding says "windows-1252"`, "leave encoding out: the mark decides"},
		{"utf-16 said, a UTF-8 mark", "utf-16", "\ufeffa\n", `begins with the byte order mark of UTF-8, encoding says "utf-16"`, "leave encoding out: the mark decides"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenSnapshot(Options{Path: write(t, "f.csv", []byte(c.data)), Dialect: Dialect{Encoding: c.encoding}})
			var own *Error
			if !errors.As(err, &own) || own.Msg != c.want || own.Hint != c.hint {
				t.Errorf("%#v, want %q with the hint %q", err, c.want, c.hint)
			}
		})
	}
	if _, err := OpenSnapshot(Options{Path: "/f.csv", Dialect: Dialect{Encoding: "klingon"}}); err == nil || !strings.Contains(err.Error(), "no such name") {
		t.Errorf("an unknown encoding: %v", err)
	}
}

// TestUndecodable has text that its encoding does not have.
func TestUndecodable(t *testing.T) {
	const mark = "\xff\xfe"
	for _, c := range []struct {
		name, encoding, data, want string
		replaced                   string // the decoded text with invalid_utf8 = "replace"
		records                    int64  // with a replacement
	}{
		{"a low half alone", "", mark + utf16le("a,b\n1,2\nx,") + "\x00\xdc" + utf16le("y\n"), ":3:3: undecodable as utf-16le: half a surrogate pair (DC00) at byte 22", "\ufeffa,b\n1,2\nx,\ufffdy\n", 1},
		{"a high half alone", "", mark + utf16le("a,b\n1,") + "\x00\xd8" + utf16le("z\n3,4\n"), ":2:3: undecodable as utf-16le: half a surrogate pair (D800) at byte 14", "\ufeffa,b\n1,\ufffdz\n3,4\n", 1},
		{"two high halves", "", mark + utf16le("a,b\n1,") + "\x00\xd8\x00\xd8\x00\xdc\n\x00", ":2:3: undecodable as utf-16le: half a surrogate pair (D800) at byte 14", "\ufeffa,b\n1,\ufffd\U00010000\n", 1},
		{"a high half at the end", "", mark + utf16le("a\r1\r") + "\x00\xd8", ":3:1: undecodable as utf-16le: half a surrogate pair (D800) at byte 10", "\ufeffa\r1\r\ufffd", 1},
		{"an odd byte at the end", "", mark + utf16le("a\n1\n2") + "x", ":3:2: undecodable as utf-16le: half a character (one byte) at byte 12", "\ufeffa\n1\n2\ufffd", 1},
		{"in the first line", "", mark + utf16le("é,") + "\x00\xdc\n\x00", ":1:4: undecodable as utf-16le: half a surrogate pair (DC00) at byte 6", "\ufeffé,\ufffd\n", 0},
		{"big endian", "utf-16be", utf16be("a\n1\n") + "\xdc\x00", ":3:1: undecodable as utf-16be: half a surrogate pair (DC00) at byte 8", "a\n1\n\ufffd", 1},
		{"no such character", "windows-1252", "a,b\n1,\x812\x81\n3,4\n", ":2:3: undecodable as windows-1252: byte 0x81, which stands for no character, at byte 6", "a,b\n1,\ufffd2\ufffd\n3,4\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range []how{sequential, {block: 16, workers: 2}} {
				o := Options{Path: write(t, "f.csv", []byte(c.data)), Dialect: Dialect{Encoding: c.encoding}}
				if got := checkedScan(t, o, []byte(c.replaced), h); got.Err != o.Path+c.want {
					t.Errorf("error %q, want it to end with %q", got.Err, c.want)
				}
				o.InvalidUTF8 = "replace"
				s := open(t, o)
				s.blockSize = h.block
				check := checker{t: t, plain: []byte(c.replaced), file: s.Files[0]}
				if err := s.Scan(t.Context(), 0, ScanOptions{Encode: true}, check.block); err != nil {
					t.Fatal(err)
				}
				check.whole()
				if got := s.Files[0].Replaced; got != c.records || len(check.found.Bad) > 0 {
					t.Errorf("%d records with a replacement, want %d; bad: %v", got, c.records, check.found.Bad)
				}
			}
		})
	}
}

// decodedUTF16 is what the standard library makes of bytes: U+FFFD for each
// surrogate without its other half, and for half a unit at the end.
func decodedUTF16(data []byte, big bool) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	if big {
		order = binary.BigEndian
	}
	var units []uint16
	for ; len(data) > 1; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	text := []byte(string(utf16.Decode(units)))
	if len(data) > 0 {
		text = append(text, "\ufffd"...)
	}
	return text
}

// FuzzUTF16 encodes text by x/text and reads it back; other bytes are refused,
// or decoded as the standard library does. (x/text takes two low surrogates for
// one mistake.)
func FuzzUTF16(f *testing.F) {
	for _, s := range []string{"", "a", "{\"a\":\"ë日本𝄞\"}\n", "\x00\xd8", "\x00\xd8\x00\xdc\x00", strings.Repeat("abc\xd8\x00", 20), "\ufeffa,b\n", "\xdf0\xdf0"} {
		f.Add([]byte(s), uint8(3), false)
		f.Add([]byte(s), uint8(64), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint8, big bool) {
		order := unicode.LittleEndian
		if big {
			order = unicode.BigEndian
		}
		decode := func(src []byte, replace bool) (out []byte, err error) {
			d := &utf16Decoder{big: big, replace: replace}
			for at, end := 0, 0; ; {
				end = min(len(src), max(end+1, at+int(cut)))
				var taken int
				if out, taken, _, err = d.decode(out, src[at:end], end == len(src)); err != nil {
					return out, err
				}
				if at += taken; end == len(src) {
					return out, nil
				}
			}
		}
		codec := unicode.UTF16(order, unicode.IgnoreBOM)
		if utf8.Valid(data) {
			encoded, err := codec.NewEncoder().Bytes(data)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decode(encoded, false); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%q came back as %q, %v", data, got, err)
			}
		}
		want := decodedUTF16(data, big)
		got, err := decode(data, true)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x is %q, %v; want %q", data, got, err, want)
		}
		again, err := codec.NewEncoder().Bytes(want)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(data, false); (err == nil) != bytes.Equal(again, data) {
			t.Fatalf("%x: error %v, and it encodes to %x", data, err, again)
		}
	})
}

// TestTables holds each table against x/text.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"windows-1250", "windows-1252", "iso-8859-1", "iso-8859-2", "iso-8859-7", "iso-8859-15", "koi8-u", "cp850"} {
		set, err := findCharset(name)
		if err != nil {
			t.Fatal(err)
		}
		var encoded, plain bytes.Buffer
		for b := range 256 {
			r := set.table.DecodeByte(byte(b))
			if r == utf8.RuneError || b < ' ' || b == '"' || b == '\\' {
				continue
			}
			fmt.Fprintf(&encoded, "{\"%c\":\"%s\"}\n", 'a'+b%26, []byte{byte(b), byte(b)})
			fmt.Fprintf(&plain, "{\"%c\":\"%c%c\"}\n", 'a'+b%26, r, r)
		}
		path := filepath.Join(dir, name+".ndjson")
		if err := os.WriteFile(path, encoded.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		got := checkedScan(t, Options{Path: path, Dialect: Dialect{Encoding: name}}, plain.Bytes(), how{block: 64, workers: 1})
		var lines []string
		for _, r := range got.Records {
			lines = append(lines, r.JSON)
		}
		if want := strings.Split(strings.TrimSuffix(plain.String(), "\n"), "\n"); got.Err != "" || !reflect.DeepEqual(lines, want) {
			t.Errorf("%s: error %q\n got %q\nwant %q", name, got.Err, lines, want)
		}
	}
}
