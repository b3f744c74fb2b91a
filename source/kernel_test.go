package source

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzKernel holds the functions in assembly against the portable code: any
// bytes, at any alignment, whatever is looked for.
func FuzzKernel(f *testing.F) {
	f.Add([]byte("id,name\n1,\"Zoë \"\"x\"\"\"\r\n2,日本語\\\t\n"), uint8(0), byte('"'), byte(','), byte('\n'), byte('\\'))
	f.Add(bytes.Repeat([]byte("'a';\xf0\x9f\x98\x80\"\r"), 40), uint8(13), byte('\''), byte(';'), byte('\r'), byte('"'))
	f.Add(bytes.Repeat([]byte{0, 0x1f, 0x20, 0x7f, 0x80, 0xff}, 50), uint8(63), byte(0), byte(0xff), byte(0x80), byte(0x1f))
	f.Add(bytes.Repeat([]byte("{\"a\":\"é\",\"b\":[1,{}]}\n{\"a\":\"\\\"\",\"b\":{}}\n"), 40), uint8(5), byte('"'), byte(','), byte('\n'), byte('\\'))
	f.Fuzz(func(t *testing.T, data []byte, shift uint8, quote, delim, nl, extra byte) {
		if !haveKernel {
			t.Skip("the processor has no AVX2, or the build no kernel")
		}
		pad := int(shift) % 64
		data = append(make([]byte, pad), data...)[pad:] // at any alignment
		c := csvBytes{quote, delim, nl & 0x1f, extra}
		raw := data[:min(len(data), 64*windowWords)]
		var kernel, portable [windowWords]wordMasks
		high := c.classify(raw, &kernel)
		withoutKernel(func() {
			if want := c.classify(raw, &portable); kernel != portable || high != want {
				t.Errorf("classify %+v of %q: the kernel differs", c, raw)
			}
		})
		if got, want := validUTF8(data), utf8.Valid(data); got != want {
			t.Errorf("validUTF8(%q): got %v", data, got)
		}
		sameFound(t, &File{Format: FormatNDJSON, newline: '\n', maxRecord: 200}, data)
		if delim != '"' && delim != '\n' && delim < utf8.RuneSelf {
			sameFound(t, &File{Format: FormatCSV, Header: []string{"a", "b"}, delimiter: delim, newline: '\n', maxRecord: 200}, data)
		}
	})
}

// sameFound parses data as the end of f, in one piece, with and without the
// kernel.
func sameFound(t *testing.T, f *File, data []byte) {
	t.Helper()
	for _, j := range []job{{last: true, list: true}, {last: true, list: true, encode: true, sep: '\n'}} {
		with := parsed(t, f, data, j, nil)
		withoutKernel(func() {
			if got := parsed(t, f, data, j, nil); !equalFound(got, with) {
				t.Fatalf("%+v %s: with the kernel %s, without %s\n%.2000q", j, f.Format, inShort(with), inShort(got), data)
			}
		})
	}
}

// equalFound compares what parsed puts together.
func equalFound(a, b found) bool {
	return slices.Equal(a.records, b.records) && slices.Equal(a.bad, b.bad) && bytes.Equal(a.json, b.json) && a.blank == b.blank && a.lines == b.lines
}

func inShort(f found) string {
	return fmt.Sprintf("%d records, %d bytes of JSON, %d bad, first %+v", len(f.records), len(f.json), len(f.bad), f.bad[:min(1, len(f.bad))])
}

// TestKernelUTF8 puts each sequence that is on the edge of being wrong at each
// place of a text.
func TestKernelUTF8(t *testing.T) {
	text := bytes.Repeat([]byte("aé日\U0001f600"), 40)
	for _, edge := range []string{
		"\x80", "\xc1\xbf", "\xc2\x80", "\xc2", "\xdf\xbf\x80", "\xe0\x9f\xbf", "\xe0\xa0\x80", "\xe0\xa0", "\xed\x9f\xbf", "\xed\xa0\x80", "\xef\xbf\xbf",
		"\xef\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\xf0\x90\x80", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
	} {
		for at := range text {
			b := slices.Insert(slices.Clone(text), at, []byte(edge)...)
			for _, b := range [][]byte{b, b[:at+len(edge)]} {
				if got, want := validUTF8(b), utf8.Valid(b); got != want {
					t.Fatalf("%q at %d of %d: got %v", edge, at, len(b), got)
				}
				var w utf8Window
				line := append(slices.Clone(b), '\n')
				if got, want := w.valid(line, 0, len(b)), utf8.Valid(b); got != want {
					t.Fatalf("line with %q at %d of %d: got %v", edge, at, len(b), got)
				}
			}
		}
	}
}

// TestKernelRuns compares whole parses of texts that are longer than a window,
// with what is wrong near the windows' edges.
func TestKernelRuns(t *testing.T) {
	row := []byte("1,\"é\"\"日\nx\"\n\\,2\r\n")
	line := []byte("{\"id\":1,\"name\":\"Zoë \\\"x\\\"\",\"list\":[{\"a\":\"日本語\"},{}]}\n")
	sameFound(t, &File{Format: FormatNDJSON, newline: '\n', maxRecord: 9}, []byte("{\"\xff\":1} \n{\"\xff\":1}\n {\"\xff\":1}\n{\"\xff\":123}\n {\"\xff\":1}"))
	for _, wrong := range []string{"\xff", "\xc3", "\x00", "\"", "\n", "\xe6\x97"} {
		for _, edge := range []int{64 * windowWords, 2 * 64 * windowWords} {
			for at := edge - 70; at < edge+70; at += 7 {
				insert := func(text []byte) []byte {
					return slices.Insert(bytes.Repeat(text, (edge+2000)/len(text)), at, []byte(wrong)...)
				}
				sameFound(t, &File{Format: FormatCSV, Header: []string{"a", "b"}, delimiter: ',', newline: '\n', maxRecord: 1000}, insert(row))
				sameFound(t, &File{Format: FormatNDJSON, newline: '\n', maxRecord: 1000}, insert(line))
			}
		}
	}
}
