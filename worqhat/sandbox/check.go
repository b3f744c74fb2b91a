package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// batchName is the field that a client may put its own data about a chunk into.
const batchName = "_batch"

// batchTail is how far from the end CheckFast looks for it.
const batchTail = 4 << 10

// found is what is worth knowing of a body.
type found struct {
	key     string
	chunk   int64
	records int64
}

// checkBody says whether a body is an acceptable JSON object, and what is in it;
// with CheckFast that is looked for only if somebody is told.
func checkBody(body []byte, how Check, told bool) (found, error) {
	if how == CheckFast {
		return checkEnds(body, told)
	}
	return checkWhole(body)
}

// checkEnds looks at both ends alone.
func checkEnds(body []byte, told bool) (found, error) {
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) < len(`{"":0}`) || trimmed[0] != '{' || trimmed[len(trimmed)-1] != '}' {
		return found{}, errors.New("it must be a JSON object with at least one key")
	}
	if !told {
		return found{}, nil
	}
	tail := trimmed[max(0, len(trimmed)-batchTail):]
	at := bytes.LastIndex(tail, []byte(`"`+batchName+`":`))
	if at < 0 {
		return found{}, nil
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(tail[at+len(batchName)+3:]))
	value, err := d.ReadValue()
	if err != nil {
		return found{}, nil // not ours, or not at the end: CheckFast need not know
	}
	return readBatch(value), nil
}

// checkWhole reads all of it. Names may be doubled, as most parsers let pass.
func checkWhole(body []byte) (found, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	if d.PeekKind() != '{' {
		return found{}, notObject(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return found{}, err
	}
	var f found
	keys, counted := 0, int64(-1)
	for ; d.PeekKind() != '}'; keys++ {
		token, err := d.ReadToken()
		if err != nil {
			return found{}, err
		}
		switch name := token.String(); {
		case name == batchName:
			value, err := d.ReadValue()
			if err != nil {
				return found{}, err
			}
			f = readBatch(value)
		case (name == "records" || name == "rows") && d.PeekKind() != '{':
			if counted, err = countRecords(d); err != nil {
				return found{}, err
			}
		default:
			if _, err := d.ReadValue(); err != nil {
				return found{}, err
			}
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return found{}, err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return found{}, errors.New("something follows the object")
	}
	if keys == 0 {
		return found{}, errors.New("the object is empty, it needs at least one key")
	}
	if counted >= 0 {
		f.records = counted
	}
	return f, nil
}

// notObject says what there is instead of an object.
func notObject(d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("it must be a JSON object, not %s", token.Kind())
}

// countRecords reads an array, or a string that holds one; -1 for other values.
func countRecords(d *jsontext.Decoder) (int64, error) {
	if d.PeekKind() == '"' {
		value, err := d.ReadValue()
		if err != nil {
			return 0, err
		}
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return 0, err
		}
		inner := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true))
		if inner.PeekKind() != '[' {
			return -1, nil
		}
		count, err := countRecords(inner)
		if err != nil {
			return -1, nil // a string may hold anything
		}
		return count, nil
	}
	if d.PeekKind() != '[' {
		return -1, d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return 0, err
	}
	count := int64(0)
	for ; d.PeekKind() != ']'; count++ {
		if _, err := d.ReadValue(); err != nil {
			return 0, err
		}
	}
	_, err := d.ReadToken()
	return count, err
}

// readBatch reads key, chunk and records of a _batch object, or of a string that
// holds one. What is missing or of another type stays empty: it is the client's.
func readBatch(value jsontext.Value) (f found) {
	if value.Kind() == '"' {
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return f
		}
		value = text
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(value), jsontext.AllowDuplicateNames(true))
	if d.PeekKind() != '{' {
		return f
	}
	if _, err := d.ReadToken(); err != nil {
		return f
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return f
		}
		field := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return f
		}
		f.set(field, value)
	}
	return f
}

func (f *found) set(field string, value jsontext.Value) {
	text := string(value)
	if value.Kind() == '"' {
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return
		}
		text = string(unquoted)
	}
	number, err := strconv.ParseInt(text, 10, 64)
	switch {
	case field == "key" && value.Kind() == '"':
		f.key = text
	case field == "chunk" && err == nil:
		f.chunk = number
	case field == "records" && err == nil:
		f.records = number
	}
}
