package worqhat

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// answerKind is what an answer's body is at first sight.
type answerKind int

const (
	kindEmpty answerKind = iota
	kindObject
	kindHTML
	kindOther // other JSON, or anything else
)

// flag is a boolean that may be missing or be something else.
type flag int

const (
	flagAbsent flag = iota
	flagTrue
	flagFalse
	flagOdd
)

// answer is what could be read of an answer's body, up to the first fault in it.
type answer struct {
	kind        answerKind
	broken      bool // the JSON ends early or is faulty
	cut         bool // broken, and only because it ends early
	contradicts bool // a field that decides is there twice
	success     flag
	failed      Reason // why the flow failed, "" if nothing says so
	id          string // analytics_id
	message     string
	code        string // error_code
	retryAfter  string
}

// maxIDBytes bounds an analytics_id; it is a UUID or an opaque word.
const maxIDBytes = 256

// parseAnswer reads a body leniently: each field is optional, numbers and
// booleans may be strings, bytes that are no UTF-8 are replaced. The fields come
// from WorqHat's documented shapes; see the error bodies of its API page, too:
// {"success","message","error_code","retry_after"} and {"error","message","code"}.
func parseAnswer(body []byte) answer {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\ufeff")), " \t\r\n")
	switch {
	case len(body) == 0:
		return answer{kind: kindEmpty}
	case body[0] == '<':
		return answer{kind: kindHTML, message: pageTitle(body)}
	case body[0] != '{':
		return answer{kind: kindOther}
	}
	a := answer{kind: kindObject}
	d := jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := a.readObject(d, a.readField); err != nil {
		a.broken, a.cut = true, errors.Is(err, io.ErrUnexpectedEOF)
		return a
	}
	if _, err := d.ReadToken(); err != io.EOF {
		a.broken = true // something follows the object
	}
	return a
}

// readObject calls field for each name of the object that comes next. field
// must consume the value.
func (a *answer) readObject(d *jsontext.Decoder, field func(*jsontext.Decoder, string) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := field(d, name.String()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// readField reads one field of the answer itself.
func (a *answer) readField(d *jsontext.Decoder, name string) error {
	if name == "data" && d.PeekKind() == '{' {
		return a.readObject(d, a.readDataField)
	}
	text, value, err := readText(d)
	if err != nil {
		return err
	}
	switch name {
	case "success":
		a.contradicts = a.contradicts || a.success != flagAbsent
		a.success = toFlag(text, value)
		if a.success == flagFalse {
			a.failed = ReasonSuccessFalse
		}
	case "analytics_id":
		a.contradicts = a.contradicts || a.id != ""
		a.id = toID(text)
	case "statusCode":
		a.readStatus(text)
	case "message":
		a.message = text
	case "error":
		if a.message == "" {
			a.message = text
		}
	case "error_code", "code":
		a.code = text
	case "retry_after":
		a.retryAfter = text
	}
	return nil
}

// readDataField reads one field of "data": a flow with a return node puts its
// own success and statusCode there.
func (a *answer) readDataField(d *jsontext.Decoder, name string) error {
	text, value, err := readText(d)
	if err != nil {
		return err
	}
	switch name {
	case "success":
		if toFlag(text, value) == flagFalse && a.failed == "" {
			a.failed = ReasonSuccessFalse
		}
	case "statusCode":
		a.readStatus(text)
	case "workflow_status":
		if strings.EqualFold(text, "failed") && a.failed == "" {
			a.failed = ReasonWorkflowFailed
		}
	}
	return nil
}

func (a *answer) readStatus(text string) {
	status, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err == nil && status >= 400 && !math.IsInf(status, 0) && a.failed == "" {
		a.failed = ReasonNestedStatus
	}
}

// readText consumes a value. text is what a string or a number says, "" for
// anything else.
func readText(d *jsontext.Decoder) (text string, value jsontext.Kind, err error) {
	raw, err := d.ReadValue()
	if err != nil {
		return "", 0, err
	}
	switch value = raw.Kind(); value {
	case '"':
		// The value was accepted above; an error can only mean bytes that are no
		// UTF-8, which are replaced in the text.
		unquoted, _ := jsontext.AppendUnquote(nil, raw)
		return string(unquoted), value, nil
	case '0':
		return string(raw), value, nil
	}
	return "", value, nil
}

func toFlag(text string, value jsontext.Kind) flag {
	switch {
	case value == 'n':
		return flagAbsent
	case value == 't', strings.EqualFold(text, "true"):
		return flagTrue
	case value == 'f', strings.EqualFold(text, "false"):
		return flagFalse
	}
	return flagOdd
}

// toID takes an id as it is, as long as it can be one.
func toID(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxIDBytes || strings.ContainsFunc(text, unicode.IsControl) {
		return ""
	}
	return text
}

// pageTitle is the title of an HTML page: gateways put their complaint there.
func pageTitle(page []byte) string {
	page = page[:min(len(page), 8<<10)]
	lower := bytes.ToLower(page)
	start := bytes.Index(lower, []byte("<title>"))
	if start < 0 || len(lower) != len(page) {
		return ""
	}
	title := page[start+len("<title>"):]
	end := bytes.IndexByte(title, '<')
	if end < 0 {
		return ""
	}
	return string(bytes.TrimSpace(title[:end]))
}
