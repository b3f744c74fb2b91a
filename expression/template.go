package expression

import "strings"

// Piece is one stretch of a string with expressions.
type Piece struct {
	Text         string // literal text with $${ undone, or the expression between ${ and }
	Offset       int    // where Text begins in the string, in bytes
	IsExpression bool
}

const escapeHint = "a literal ${ is written $${"

// Split cuts a string into literal text and ${expressions}. Braces and quotes
// inside an expression are followed, so that ${ {"a": "}"}.a } is one. Its error
// is an *Error whose Offset is into the string.
func Split(s string) ([]Piece, error) {
	var pieces []Piece
	var literal strings.Builder
	literalStart := 0
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, Piece{Text: literal.String(), Offset: literalStart})
			literal.Reset()
		}
	}
	for i := 0; i < len(s); {
		if literal.Len() == 0 {
			literalStart = i
		}
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			literal.WriteString("${")
			i += len("$${")
		case strings.HasPrefix(s[i:], "${"):
			flush()
			start := i + len("${")
			length := expressionLength(s[start:])
			if length < 0 {
				return nil, &Error{Offset: i, Msg: "the expression has no closing }", Hint: escapeHint}
			}
			text := s[start : start+length]
			if strings.TrimSpace(text) == "" {
				return nil, &Error{Offset: i, Msg: "the expression is empty", Hint: escapeHint}
			}
			pieces = append(pieces, Piece{Text: text, Offset: start, IsExpression: true})
			i = start + length + 1
		default:
			literal.WriteByte(s[i])
			i++
		}
	}
	flush()
	return pieces, nil
}

// expressionLength returns how many bytes lie before the } that closes the
// expression at the start of s, or -1 if there is none.
func expressionLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		case '\'', '"', '`', '/':
			skip := skipQuoted(s[i:])
			if skip < 0 {
				return -1
			}
			i += skip - 1
		}
	}
	return -1
}

// skipQuoted returns the length of the string literal or comment at the start
// of s, 1 for a lone slash, or -1 if it does not end.
func skipQuoted(s string) int {
	switch {
	case strings.HasPrefix(s, "//"):
		end := strings.IndexByte(s, '\n')
		if end < 0 {
			return -1
		}
		return end + 1
	case strings.HasPrefix(s, "/*"):
		end := strings.Index(s[2:], "*/")
		if end < 0 {
			return -1
		}
		return end + 4
	case s[0] == '/':
		return 1
	case s[0] == '`':
		end := strings.IndexByte(s[1:], '`')
		if end < 0 {
			return -1
		}
		return end + 2
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return -1
}
