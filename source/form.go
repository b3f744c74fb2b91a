package source

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// form turns the JSON objects of another parser into what Dialect.RecordsAs asks
// for. Records keep their place and get another size. (A CSV file whose values go
// out as they are makes its rows by itself, which is much faster.)
type form struct {
	inner parser
	// one appends the form of one object to dst. The inner parser found the
	// object good; where a piece is only said to be known and is not, what comes
	// out does not matter, since its hash is compared.
	one   func(dst, object []byte) []byte
	lines []byte // the objects of one parse, a line each
	sized []byte // a record that is only measured
}

// newForm puts a form around p, if the records of f need one.
func newForm(p parser, f *File) (parser, error) {
	switch f.dialect.RecordsAs {
	case "":
		return p, nil
	case RecordsAsColumns:
		if f.Columns == nil {
			return nil, noColumns(f)
		}
		return &form{inner: p, one: newRow(f.Columns).append}, nil
	case RecordsAsString:
		return &form{inner: p, one: appendEscaped}, nil
	}
	return nil, fmt.Errorf("records as %q: no such form", f.dialect.RecordsAs)
}

func noColumns(f *File) error {
	return &Error{
		Path: f.Path, Msg: fmt.Sprintf(`records_as = "columns" needs records that all have the same members, and those of %s files may differ`, f.Format),
		Hint: `name the members with keep in [source], or set records_as = "array" in [chunk]`,
	}
}

// parse implements parser.
func (p *form) parse(raw []byte, j job, f *found) {
	out, first := f.json, len(f.records)
	inner := j
	inner.encode, inner.sep = true, '\n'
	f.json = p.lines[:0]
	p.inner.parse(raw, inner, f)
	p.lines = f.json
	lines := p.lines
	for i := first; len(lines) > 0; i++ {
		end := bytes.IndexByte(lines, '\n')
		before := len(out)
		if j.encode {
			out = p.one(out, lines[:end])
		} else {
			p.sized = p.one(p.sized[:0], lines[:end])
		}
		if j.list {
			f.records[i].Size = uint32(len(out) - before)
			if !j.encode {
				f.records[i].Size = uint32(len(p.sized))
			}
		}
		if j.encode {
			out = append(out, j.sep)
		}
		lines = lines[end+1:]
	}
	f.json = out
}

// row makes arrays of objects.
type row struct {
	at     map[string]int // a name's place in the array
	values [][]byte       // of the object under way, each a part of it
	reader *bytes.Reader
	tokens *jsontext.Decoder
}

func newRow(names []string) *row {
	r := &row{at: map[string]int{}, values: make([][]byte, len(names)), reader: bytes.NewReader(nil)}
	for i, name := range names {
		r.at[name] = i
	}
	r.tokens = jsontext.NewDecoder(r.reader)
	return r
}

// append appends the array of an object's values in the order of the names; a
// member that the object lacks is null.
func (r *row) append(dst, object []byte) []byte {
	clear(r.values)
	r.reader.Reset(object)
	r.tokens.Reset(r.reader)
	_, err := r.tokens.ReadToken() // {
	for err == nil && r.tokens.PeekKind() == '"' {
		err = r.member(object)
	}
	for i, value := range r.values {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		if value == nil {
			value = []byte("null")
		}
		dst = append(append(dst, sep), value...)
	}
	return append(dst, ']')
}

func (r *row) member(object []byte) error {
	name, err := r.tokens.ReadToken()
	if err != nil {
		return err
	}
	at, known := r.at[name.String()]
	value, err := r.tokens.ReadValue()
	if err == nil && known {
		end := r.tokens.InputOffset()
		r.values[at] = object[end-int64(len(value)) : end]
	}
	return err
}
