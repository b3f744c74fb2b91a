package source

import (
	"bytes"
	"fmt"
)

// form makes JSON strings of the objects of another parser, without their quotes.
// Records keep their place and get another size.
type form struct {
	inner parser
	lines []byte // the objects of one parse, a line each
	sized []byte // a record that is only measured
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
			out = appendEscaped(out, lines[:end])
		} else {
			p.sized = appendEscaped(p.sized[:0], lines[:end])
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
