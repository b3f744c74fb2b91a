package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// convert turns a JSON value into one of a kind, exactly, or says in words why
// that cannot be. arena is where new bytes go; the result may lie in it or in
// value. A null stays null.
func (k valueKind) convert(arena *[]byte, value []byte) (out []byte, wrong string) {
	isText := value[0] == '"'
	switch {
	case k == kindAny || value[0] == 'n':
		return value, ""
	case k == kindText && isText, k == kindJSON && !isText:
		return value, ""
	case k == kindText:
		if value[0] == '{' || value[0] == '[' {
			return nil, notA(value, "a string, a number or true or false")
		}
		from := len(*arena)
		*arena = append(append(append(*arena, '"'), value...), '"')
		return (*arena)[from:], ""
	}
	text := value
	if isText {
		text = plainText(arena, value)
	}
	switch k {
	case kindInteger:
		if !isInteger(text) {
			return nil, notA(value, "an integer")
		}
	case kindNumber:
		if !isNumber(text) {
			return nil, notA(value, "a number")
		}
	case kindBoolean:
		if text = boolean(text); text == nil {
			return nil, notA(value, "true or false")
		}
	case kindJSON:
		return embedded(arena, text)
	}
	return text, ""
}

// isInteger takes digits with an optional minus sign, as JSON writes them; there
// is no negative zero.
func isInteger(text []byte) bool {
	digits := bytes.TrimPrefix(text, []byte{'-'})
	if len(digits) == 0 || digits[0] == '0' && len(text) > 1 {
		return false
	}
	return digitsEnd(digits, 0) == len(digits)
}

// isNumber takes what RFC 8259 calls a number.
func isNumber(text []byte) bool { return len(text) > 0 && numberEnd(text, 0) == len(text) }

// boolean is true or false for the ways in which spreadsheets write them.
func boolean(text []byte) []byte {
	switch string(text) {
	case "true", "True", "TRUE":
		return []byte("true")
	case "false", "False", "FALSE":
		return []byte("false")
	}
	return nil
}

// embedded checks a text that is to be one JSON value, as NDJSON is checked. A
// record has no line end of its own, so white space goes where there is one.
func embedded(arena *[]byte, text []byte) (out []byte, wrong string) {
	if len(text) == 0 || isSpace(text[0]) || isSpace(text[len(text)-1]) || text[0] == '\n' || text[len(text)-1] == '\n' {
		return nil, notA(strconv.AppendQuote(nil, string(text)), "one JSON value")
	}
	if !jsontext.Value(text).IsValid() {
		return nil, "not valid JSON: " + whyInvalid(text)
	}
	if tooDeep(append(append([]byte{'['}, text...), ']')) {
		return nil, fmt.Sprintf("nested over %d levels", maxDepth)
	}
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return text, ""
	}
	compact := jsontext.Value(text).Clone()
	if err := compact.Compact(); err != nil {
		return nil, "not valid JSON: " + err.Error()
	}
	from := len(*arena)
	*arena = append(*arena, compact...)
	return (*arena)[from:], ""
}

func whyInvalid(text []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		_, err := d.ReadToken()
		switch {
		case err == nil && d.StackDepth() == 0:
			return "something follows the value"
		case err == nil:
			continue
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return "it ends within the value"
		}
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) && syntax.Err != nil {
			return fmt.Sprintf("%s at byte %d", syntax.Err, syntax.ByteOffset+1)
		}
		return err.Error()
	}
}

// plainText is what a JSON string says.
func plainText(arena *[]byte, value []byte) []byte {
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	from := len(*arena)
	// It cannot fail: the value was found valid, or was written here.
	*arena, _ = jsontext.AppendUnquote(*arena, value)
	return (*arena)[from:]
}

// maxShown bounds how much of a value a sentence shows.
const maxShown = 40

// notA says what a value is not.
func notA(value []byte, what string) string { return shortened(value) + " is not " + what }

func shortened(value []byte) string {
	if len(value) <= maxShown {
		return string(value)
	}
	shown := value[:maxShown]
	for !utf8.Valid(shown) {
		shown = shown[:len(shown)-1]
	}
	return string(shown) + "…"
}
