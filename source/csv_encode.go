package source

import "bytes"

// encode appends a good record as a JSON object. clean says that isPlain holds
// for it, so that all but quotes and line ends can be copied as it is.
func (p *csvParser) encode(dst, raw []byte, clean bool) []byte {
	raw = bytes.TrimSuffix(raw, []byte{p.newline})
	raw = p.trimCR(raw)
	for n := 0; ; n++ {
		dst = append(dst, p.keys[n]...)
		if len(raw) > 0 && raw[0] == '"' {
			dst, raw = appendQuoted(dst, raw[1:], clean)
		} else {
			end := bytes.IndexByte(raw, p.delimiter)
			if end < 0 {
				end = len(raw)
			}
			if clean && p.newline == '\n' {
				dst = append(dst, raw[:end]...)
			} else {
				dst = appendEscaped(dst, raw[:end])
			}
			raw = raw[end:]
		}
		if len(raw) == 0 {
			return append(dst, `"}`...)
		}
		raw = raw[1:] // the delimiter
	}
}

// appendQuoted appends the field whose content begins at raw, and returns what
// is behind its closing quote.
func appendQuoted(dst, raw []byte, clean bool) ([]byte, []byte) {
	for {
		q := bytes.IndexByte(raw, '"')
		if clean && bytes.IndexByte(raw[:q], '\n') < 0 && bytes.IndexByte(raw[:q], '\r') < 0 {
			dst = append(dst, raw[:q]...)
		} else {
			dst = appendEscaped(dst, raw[:q])
		}
		raw = raw[q+1:]
		if len(raw) == 0 || raw[0] != '"' {
			return dst, raw
		}
		dst = append(dst, '\\', '"')
		raw = raw[1:]
	}
}

// needsEscape are the bytes that JSON does not take as they are.
var needsEscape = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

const hexDigits = "0123456789abcdef"

// appendEscaped appends text without quotes in it as the inside of a JSON
// string. It escapes only what RFC 8259 asks for.
func appendEscaped(dst, text []byte) []byte {
	from := 0
	for i, c := range text {
		if !needsEscape[c] {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, text[from:]...)
}
