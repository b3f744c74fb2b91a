package config

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// position turns a byte offset into line and column, both from 1. Columns count
// characters, as editors do.
func (d *document) position(offset int) (line, column int) {
	before := d.data[:min(max(offset, 0), len(d.data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// line is where a key was first set.
func (d *document) line(n *node) int {
	line, _ := d.position(n.keyOffset)
	return line
}

// offsetInside finds the byte of the file that holds byte at of a string's
// value, past the quotes and escapes.
func (n *node) offsetInside(at int) int {
	raw, quote := n.raw, 1
	if strings.HasPrefix(raw, `"""`) || strings.HasPrefix(raw, `'''`) {
		quote = 3
	}
	if len(raw) < 2*quote {
		return n.offset // a default, not from the file
	}
	escapes := raw[0] == '"'
	i := quote
	if quote == 3 { // a newline right after the opening is not part of the value
		i += len(raw[3:]) - len(strings.TrimPrefix(strings.TrimPrefix(raw[3:], "\r"), "\n"))
	}
	for end := len(raw) - quote; i < end; {
		inFile, inValue := 1, 1
		if escapes && raw[i] == '\\' {
			inFile, inValue = escapeLengths(raw[i:])
		}
		if inValue > at {
			break
		}
		i += inFile
		at -= inValue
	}
	return n.offset + i
}

// escapeLengths measures the escape at the start of raw: its bytes in the file
// and in the value. TOML 1.1, section "String".
func escapeLengths(raw string) (inFile, inValue int) {
	var digits int
	switch raw[1] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case ' ', '\t', '\r', '\n': // the end of the line and all white space after it
		return 1 + len(raw[1:]) - len(strings.TrimLeft(raw[1:], " \t\r\n")), 0
	default:
		return 2, 1
	}
	code, err := strconv.ParseUint(raw[2:2+digits], 16, 32)
	if err != nil {
		return 2 + digits, 1 // cannot be: the parser accepted it
	}
	return 2 + digits, utf8.RuneLen(rune(code))
}
