package batch

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// reasonNameClash is why a record is dead that has a member of the same name as
// the payload or _batch, beside which its members go out (mode = "records").
const reasonNameClash = "name_clash"

// takenNames are the names that a record of mode "records" must not have.
type takenNames struct {
	names  map[string]bool
	quoted [][]byte // the same as they usually stand in JSON
}

// newTakenNames takes names; "" is none.
func newTakenNames(names []string) (*takenNames, error) {
	t := &takenNames{names: map[string]bool{}}
	for _, name := range names {
		if name == "" {
			continue
		}
		q, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return nil, err
		}
		t.names[name] = true
		t.quoted = append(t.quoted, q)
	}
	return t, nil
}

// among returns a taken name among names; "" if there is none.
func (t *takenNames) among(names []string) string {
	for _, name := range names {
		if t.names[name] {
			return name
		}
	}
	return ""
}

// in returns a taken name among the members of a valid object; "" if there is
// none. Most objects are clear at a glance: no such text, and no escape that
// could spell it in another way.
func (t *takenNames) in(object []byte) string {
	suspect := bytes.IndexByte(object, '\\') >= 0
	for i := 0; i < len(t.quoted) && !suspect; i++ {
		suspect = bytes.Contains(object, t.quoted[i])
	}
	if !suspect || len(t.names) == 0 {
		return ""
	}
	d := jsontext.NewDecoder(bytes.NewReader(object))
	_, err := d.ReadToken() // {
	for err == nil && d.PeekKind() == '"' {
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		if text := name.String(); t.names[text] {
			return text
		}
		err = d.SkipValue()
	}
	return ""
}
