package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep a record may be nested.
const maxDepth = 200

// ndjsonParser takes each line as a record, byte for byte but for white space
// around it.
type ndjsonParser struct {
	max     int
	replace bool // what is not UTF-8 becomes U+FFFD
	quick   accepter
	utf8    utf8Window
}

func newNDJSONParser(f *File) *ndjsonParser {
	return &ndjsonParser{max: f.maxRecord, replace: f.dialect.InvalidUTF8 == invalidReplace}
}

func (p *ndjsonParser) parse(raw []byte, j job, f *found) {
	lines := raw[:bytes.LastIndexByte(raw, '\n')+1]
	p.quick.strings.reset()
	p.utf8 = utf8Window{}
	for f.consumed < len(raw) {
		if !j.known || p.replace {
			p.run(lines, j, f)
		}
		if j.list && f.full() {
			f.stop = stopFull
			return
		}
		rest := raw[f.consumed:]
		if len(rest) == 0 {
			return
		}
		nl := bytes.IndexByte(rest, '\n')
		line, ended := rest, nl >= 0
		if ended {
			line = rest[:nl]
		}
		switch {
		case len(line) > p.max:
			p.tooLarge(len(line)+btoi(ended), j, f)
			if !ended && !j.last {
				f.consumed = len(raw)
				f.stop = stopSkip
				return
			}
		case !ended && !j.last:
			f.stop = stopTail
			return
		default:
			p.line(line, len(line)+btoi(ended), j, f)
		}
		f.consumed += len(line)
		if ended {
			f.consumed++
			f.lines++
		}
	}
}

// run takes the ordinary lines from f.consumed on: an object without white space
// around it that the quick look accepts.
func (p *ndjsonParser) run(lines []byte, j job, f *found) {
	p.quick.mapped = haveKernel
	for !j.list || !f.full() {
		start := f.consumed
		end := p.quick.next(lines, start)
		if end < 0 {
			return
		}
		next := end
		if lines[next] == '\r' {
			next++
		}
		if lines[next] != '\n' || next-start > p.max || haveKernel && !p.utf8.valid(lines, start, end) {
			return
		}
		next++
		f.count++
		if j.list {
			f.records = append(f.records, Record{
				Start: uint32(start), End: uint32(next), Size: uint32(end - start), Line: f.lines, LastLine: f.lines,
			})
		}
		if j.encode {
			f.json = append(append(f.json, lines[start:end]...), j.sep)
		}
		f.lines++
		f.consumed = next
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *ndjsonParser) tooLarge(length int, j job, f *found) {
	p.bad(Bad{Column: 1, Reason: ReasonTooLarge, Detail: fmt.Sprintf("the line is longer than %d bytes", p.max)}, length, j, f)
}

func (p *ndjsonParser) bad(b Bad, length int, j job, f *found) {
	if j.list {
		b.Start, b.End, b.Line = int64(f.consumed), int64(f.consumed+length), int64(f.lines)
		f.bad = append(f.bad, b)
	}
}

// line judges one line; length is its bytes with its line end.
func (p *ndjsonParser) line(line []byte, length int, j job, f *found) {
	value := trimSpace(line)
	if len(value) == 0 {
		f.blank++
		return
	}
	value, bent := p.repaired(value)
	if !j.known && !p.valid(value) {
		indent := bytes.Index(line, value[:1])
		b := judgeJSON(value)
		b.Column += int64(indent)
		p.bad(b, length, j, f)
		return
	}
	f.replaced += int64(btoi(bent))
	p.keep(value, Record{Start: uint32(f.consumed), End: uint32(f.consumed + length), Line: f.lines, LastLine: f.lines}, j, f)
}

// repaired is value with what is not UTF-8 replaced, if that is wanted.
func (p *ndjsonParser) repaired(value []byte) (_ []byte, bent bool) {
	if !p.replace {
		return value, false
	}
	return repairUTF8(value)
}

// keep takes a valid object without white space around it as a record; r is its
// place.
func (p *ndjsonParser) keep(value []byte, r Record, j job, f *found) {
	f.count++
	if j.list {
		r.Size = uint32(len(value))
		f.records = append(f.records, r)
	}
	if j.encode {
		f.json = append(f.json, value...)
		f.json = append(f.json, j.sep)
	}
}

// trimSpace is line without JSON's white space around it.
func trimSpace(line []byte) []byte {
	for len(line) > 0 && isSpace(line[0]) {
		line = line[1:]
	}
	for len(line) > 0 && isSpace(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	return line
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// valid reports whether value is a record.
func (p *ndjsonParser) valid(value []byte) bool {
	if p.quick.accepts(value) {
		return true
	}
	if value[0] != '{' || !jsontext.Value(value).IsValid() || tooDeep(value) {
		return false
	}
	p.quick.learn(value)
	return true
}

// tooDeep says whether a valid value is nested over maxDepth.
func tooDeep(value []byte) bool {
	if bytes.Count(value, []byte{'{'})+bytes.Count(value, []byte{'['}) <= maxDepth {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		if _, err := d.ReadToken(); err != nil {
			return false
		}
		if d.StackDepth() > maxDepth {
			return true
		}
	}
}

// judgeJSON says why a line is no record.
func judgeJSON(value []byte) Bad {
	if i := bytes.IndexByte(value, 0); i >= 0 {
		return Bad{Column: int64(i) + 1, Reason: ReasonNulByte, Detail: "a NUL byte"}
	}
	if i := invalidUTF8(value); i >= 0 {
		return Bad{Column: int64(i) + 1, Reason: ReasonInvalidUTF8, Detail: fmt.Sprintf("byte %#x is not UTF-8", value[i])}
	}
	d := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		_, err := d.ReadToken()
		if err != nil {
			return judgeSyntax(value, err)
		}
		if d.StackDepth() > maxDepth {
			return Bad{Column: d.InputOffset(), Reason: ReasonTooDeep, Detail: fmt.Sprintf("nested over %d levels", maxDepth)}
		}
		if d.StackDepth() == 0 {
			break
		}
	}
	end := int(d.InputOffset())
	if rest := bytes.TrimLeft(value[end:], " \t\r"); len(rest) > 0 {
		return Bad{
			Column: int64(len(value)-len(rest)) + 1, Reason: ReasonTrailingData,
			Detail: `something follows the object; one object a line is wanted, format = "json" reads several`,
		}
	}
	return Bad{Column: 1, Reason: ReasonNotAnObject, Detail: fmt.Sprintf("%s, not a JSON object", kindName(value[0]))}
}

func kindName(first byte) string {
	switch first {
	case '{':
		return "a JSON object"
	case '[':
		return "a JSON array"
	case '"':
		return "a JSON string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a JSON number"
}

const detailLineEnds = "not valid JSON: the line ends within the object"

func judgeSyntax(value []byte, err error) Bad {
	b := Bad{Column: 1, Reason: ReasonInvalidJSON, Detail: "not valid JSON: " + err.Error()}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		b.Column = min(syntax.ByteOffset, int64(len(value))) + 1
		if syntax.Err != nil {
			b.Detail = "not valid JSON: " + syntax.Err.Error()
		}
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		b.Reason = ReasonDuplicateKey
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		b.Detail = detailLineEnds
		if len(value) <= 2 {
			b.Detail += `; it looks like pretty-printed JSON, which format = "json" reads`
		}
	}
	return b
}
