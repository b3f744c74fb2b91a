package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// textDecoder turns text into UTF-8.
type textDecoder interface {
	// decode appends what src says to dst and returns how many bytes of src it
	// took: all, or all but the beginning of a character that goes on; with last
	// the text ends with src. An undecodable text is an *undecodable, unless it
	// is to be replaced: then replaced says how often it was.
	decode(dst, src []byte, last bool) (out []byte, taken, replaced int, err error)
}

// undecodable says what is wrong with the bytes behind those that were taken.
type undecodable struct{ what string }

func (u *undecodable) Error() string { return u.what }

// transcoder reads UTF-8 out of a text in another encoding. Its errors are
// those of the reader below it, or an *Error. One goroutine uses it; only
// replaced may be read from another.
type transcoder struct {
	path     string
	charset  string
	src      io.Reader
	decoder  textDecoder
	in       []byte
	held     int   // bytes of in that begin a character
	off      int64 // of in[0] in the text
	text     []byte
	out      []byte // of text, not handed out yet
	lf, cr   int64  // in what was decoded
	column   int64  // bytes of what was decoded behind the last of them
	err      error
	replaced atomic.Int64
}

func newTranscoder(f *File, src io.Reader, d textDecoder) *transcoder {
	return &transcoder{path: f.Path, charset: f.charset.name, src: src, decoder: d, in: make([]byte, 64<<10)}
}

// Read gives UTF-8.
func (t *transcoder) Read(p []byte) (int, error) {
	for len(t.out) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		t.err = t.fill()
	}
	n := copy(p, t.out)
	t.out = t.out[n:]
	return n, nil
}

// fill decodes the next bytes of the text.
func (t *transcoder) fill() error {
	n, readErr := t.src.Read(t.in[t.held:])
	if readErr != nil && readErr != io.EOF {
		return readErr
	}
	src := t.in[:t.held+n]
	text, taken, replaced, err := t.decoder.decode(t.text[:0], src, readErr != nil)
	t.text, t.out = text, text
	t.replaced.Add(int64(replaced))
	t.lf += int64(bytes.Count(text, []byte{'\n'}))
	t.cr += int64(bytes.Count(text, []byte{'\r'}))
	t.column += int64(len(text))
	if t.off == 0 && bytes.HasPrefix(text, bom) {
		t.column -= int64(len(bom)) // it is no character of the first line
	}
	t.off += int64(taken)
	if i := bytes.LastIndexAny(text, "\r\n"); i >= 0 {
		t.column = int64(len(text) - 1 - i)
	}
	if err != nil {
		lines := t.lf
		if lines == 0 {
			lines = t.cr
		}
		return &Error{
			Path: t.path, Line: lines + 1, Column: t.column + 1, Msg: fmt.Sprintf("undecodable as %s: %v at byte %d", t.charset, err, t.off),
			Hint: `check encoding, or set invalid_utf8 = "replace" to have U+FFFD instead`,
		}
	}
	t.held = copy(t.in, src[taken:])
	return readErr
}

// utf16Decoder decodes UTF-16. Unlike the one of x/text it does not replace half
// surrogate pairs and an odd last byte in silence.
type utf16Decoder struct{ big, replace bool }

func (d *utf16Decoder) unit(src []byte) uint16 {
	if d.big {
		return binary.BigEndian.Uint16(src)
	}
	return binary.LittleEndian.Uint16(src)
}

func (d *utf16Decoder) decode(dst, src []byte, last bool) (out []byte, taken, replaced int, err error) {
	i := 0
	for len(src)-i >= 2 {
		if n := d.ascii(src[i:]); n > 0 {
			for end := i + n; i < end; i += 2 {
				dst = append(dst, src[i]|src[i+1]) // one of them is zero
			}
			continue
		}
		u := rune(d.unit(src[i:]))
		size := 2
		if utf16.IsSurrogate(u) {
			if len(src)-i < 4 && !last {
				return dst, i, replaced, nil
			}
			r := rune(utf8.RuneError)
			if len(src)-i >= 4 {
				r = utf16.DecodeRune(u, rune(d.unit(src[i+2:])))
			}
			if r == utf8.RuneError {
				if !d.replace {
					return dst, i, replaced, &undecodable{fmt.Sprintf("half a surrogate pair (%04X)", u)}
				}
				replaced++
			} else {
				size = 4
			}
			u = r
		}
		dst = utf8.AppendRune(dst, u)
		i += size
	}
	if last && i < len(src) {
		if !d.replace {
			return dst, i, replaced, &undecodable{"half a character (one byte)"}
		}
		return utf8.AppendRune(dst, utf8.RuneError), len(src), replaced + 1, nil
	}
	return dst, i, replaced, nil
}

// ascii is how many of the first eight bytes are ASCII: all or none.
func (d *utf16Decoder) ascii(src []byte) int {
	if len(src) < 8 {
		return 0
	}
	mask := uint64(0xff80ff80ff80ff80)
	if d.big {
		mask = 0x80ff80ff80ff80ff
	}
	if binary.LittleEndian.Uint64(src)&mask != 0 {
		return 0
	}
	return 8
}

// tableDecoder decodes an encoding with one byte a character.
type tableDecoder struct {
	runes   [256]rune // utf8.RuneError where there is no character
	replace bool
}

func newTableDecoder(m *charmap.Charmap, replace bool) *tableDecoder {
	d := &tableDecoder{replace: replace}
	for b := range d.runes {
		d.runes[b] = m.DecodeByte(byte(b))
	}
	return d
}

func (d *tableDecoder) decode(dst, src []byte, _ bool) (out []byte, taken, replaced int, err error) {
	for i := 0; i < len(src); {
		if len(src)-i >= 8 && binary.LittleEndian.Uint64(src[i:])&highs == 0 {
			dst = append(dst, src[i:i+8]...)
			i += 8
			continue
		}
		r := d.runes[src[i]]
		if r == utf8.RuneError {
			if !d.replace {
				return dst, i, replaced, &undecodable{fmt.Sprintf("byte %#02x, which stands for no character,", src[i])}
			}
			replaced++
		}
		dst = utf8.AppendRune(dst, r)
		i++
	}
	return dst, len(src), replaced, nil
}
