package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// appendCell appends text as a CSV cell that no spreadsheet takes for a formula:
// one that could be one gets an apostrophe in front, as OWASP advises.
func appendCell(b []byte, text string) []byte {
	formula := isFormula(text)
	if !formula && !strings.ContainsAny(text, "\",\r\n") {
		return append(b, text...)
	}
	b = append(b, '"')
	if formula {
		b = append(b, '\'')
	}
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}

// isFormula says whether a spreadsheet could take a cell for a formula: by its
// first character, also in full width, and behind what some programs leave out.
func isFormula(text string) bool {
	if text == "" {
		return false
	}
	if strings.IndexByte("\t\r\n\x00", text[0]) >= 0 {
		return true
	}
	text = strings.TrimLeftFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) // Cf: byte order mark, zero width
	})
	first, _ := utf8.DecodeRuneInString(text)
	return strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫−", first)
}
