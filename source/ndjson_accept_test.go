package source

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"worqcron/sample"
)

// asJSONText is the verdict of a parser that was written by others.
func asJSONText(value []byte) bool {
	return len(value) > 0 && value[0] == '{' && jsontext.Value(value).IsValid()
}

// TestAccepter mutates good lines and compares with jsontext. The quick look may
// refuse what is right, but only for a reason that is rare.
func TestAccepter(t *testing.T) {
	var orders bytes.Buffer
	if _, err := sample.NDJSON(&orders, 20_000, 1); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(orders.Bytes()), []byte("\n"))
	lines = append(lines, []byte(`{"a":{"b":[1,-2.5e+3,{"c":null}],"d":"\u00e9\\\"\n"},"e":true,"f":[],"g":{},"h":false}`),
		[]byte(`{"ä":"日本","x":[[],[{}],{"x":{"x":0}}],"y":"\u0041"}`))
	bytesToUse := []byte(`{}[],:"\u0a1-+.eEtfn` + " \t\x00\x1f\x7f\xc3\xa9\xff\xed\xa0\x80")
	r := rand.New(rand.NewPCG(3, 5))
	var a accepter
	p := newNDJSONParser(&File{maxRecord: 1 << 20})
	refused := 0
	for range 40_000 {
		line := slices.Clone(lines[r.IntN(len(lines))])
		for range r.IntN(3) {
			at := r.IntN(len(line))
			switch c := bytesToUse[r.IntN(len(bytesToUse))]; r.IntN(4) {
			case 0:
				line[at] = c
			case 1:
				line = slices.Insert(line, at, c)
			case 2:
				line = slices.Delete(line, at, at+1)
			default:
				to := min(len(line), at+r.IntN(30))
				line = slices.Insert(line, r.IntN(len(line)), slices.Clone(line[at:to])...)
			}
		}
		quick, want := a.accepts(line), asJSONText(line)
		if quick && !want {
			t.Fatalf("accepted %q", line)
		}
		if want && !quick {
			refused++
		}
		// The same as lines of a file, which the kernel looks at.
		if got := goodLines(p, line); got != btoi(asJSONText(trimSpace(line))) {
			t.Fatalf("%d records in %q", got, line)
		}
	}
	if refused > 200 {
		t.Errorf("the quick look refused %d good lines", refused)
	}
}

// goodLines counts the records among lines.
func goodLines(p *ndjsonParser, lines ...[]byte) int {
	var f found
	p.parse(append(bytes.Join(lines, []byte("\n")), '\n'), job{last: true}, &f)
	return f.count
}

// TestAccepterNames is what the memory of the last record's names must not let
// pass.
func TestAccepterNames(t *testing.T) {
	wide := func(last string) string {
		var b strings.Builder
		for i := range 300 {
			b.WriteString(`"n` + strings.Repeat("x", i) + `":1,`)
		}
		return "{" + b.String() + `"` + last + `":0}`
	}
	for _, tt := range []struct {
		name  string
		lines []string // all but the last are good
		want  bool
	}{
		{"the same names", []string{`{"a":1,"b":2}`, `{"a":1,"b":2}`}, true},
		{"white space around a known name's colon", []string{`{"a":1,"b":2}`, `{ "a" : 1 , "b" : 2 }`}, true},
		{"fewer names", []string{`{"a":1,"b":2}`, `{"a":1}`}, true},
		{"more names", []string{`{"a":1}`, `{"a":1,"b":2}`}, true},
		{"one more name, known already", []string{`{"a":1}`, `{"a":1,"a":2}`}, false},
		{"a name moves out of its object", []string{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1},"c":2}`}, true},
		{"a name moves into another's place", []string{`{"a":{"b":1,"a":2}}`, `{"a":{"b":1},"a":2}`}, false},
		{"objects in an array", []string{`{"a":[{"b":1},{"c":2}]}`, `{"a":[{"b":1},{"b":2}]}`}, true},
		{"objects of an array become one", []string{`{"a":[{"b":1},{"b":2}]}`, `{"a":[{"b":1,"b":2}]}`}, false},
		{"a name that is the beginning of a known one", []string{`{"abcdefghijklmnopq":1}`, `{"abcdefghijklmno":1}`}, true},
		{"more names than are compared", []string{wide("z"), wide("z")}, true},
		{"more names than are compared, one twice", []string{wide("z"), wide("nxx")}, false},
		{"an escaped name", []string{`{"a":1}`, `{"a":1,"\u0061":2}`}, false},
		{"no name", []string{`{"a":1}`, `{}`}, true},
		{"a name of an object in place of another's first", []string{`{"a":1,"b":{"c":2}}`, `{"a":1{"c":2}}`}, false},
		{"a name before a comma that was behind one", []string{`{"a":{"b":"1","c":"2"}}`, `{"a":{"c":"2","b":"1"}}`}, true},
		{"white space as in the last record", []string{`{"a": "1", "b": [ {"c" : 2} ] }`, `{"a": "1", "b": [ {"c" : 3} ] }`}, true},
		{"a comma too many", []string{`{"a":"1","b":"2"}`, `{"a":"1","b":"2",}`}, false},
		{"two commas", []string{`{"a":"1","b":"2"}`, `{"a":"1",,"b":"2"}`}, false},
		{"no comma", []string{`{"a":"1","b":"2"}`, `{"a":"1""b":"2"}`}, false},
		{"names longer than the kernel compares", []string{`{"` + strings.Repeat("a", 40) + `":"1","b":"2"}`, `{"` + strings.Repeat("a", 40) + `":"3","b":"4"}`}, true},
		{"a name that differs behind what the kernel compares", []string{`{"` + strings.Repeat("a", 40) + `":"1"}`, `{"` + strings.Repeat("a", 39) + `"":"1"}`}, false},
		{"an empty object with a comma", []string{`{"a":{}}`, `{"a":{,}}`}, false},
		{"containers closed crosswise", []string{`{"a":[{"b":1}]}`, `{"a":[{"b":1]}}`}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newNDJSONParser(&File{maxRecord: 1 << 20})
			last := len(tt.lines) - 1
			for _, line := range tt.lines[:last] {
				if !p.valid([]byte(line)) {
					t.Fatalf("refused %s", line)
				}
			}
			if got := p.valid([]byte(tt.lines[last])); got != tt.want || asJSONText([]byte(tt.lines[last])) != tt.want {
				t.Errorf("%s: got %v, want %v", tt.lines[last], got, tt.want)
			}
			var lines [][]byte
			for _, line := range tt.lines {
				lines = append(lines, []byte(line))
			}
			if got := goodLines(newNDJSONParser(&File{maxRecord: 1 << 20}), lines...); got != last+btoi(tt.want) {
				t.Errorf("%d records in %q", got, lines)
			}
		})
	}
}

// TestAccepterLearns makes sure that wide records are known after the first.
func TestAccepterLearns(t *testing.T) {
	line := []byte("{")
	for i := range 500 {
		line = append(append(append(line, `"n`...), strings.Repeat("x", i)...), `":1,`...)
	}
	line = append(line, `"z":1}`...)
	p := newNDJSONParser(&File{maxRecord: 1 << 20})
	if p.quick.accepts(line) || !p.valid(line) || !p.quick.accepts(line) {
		t.Error("the names of a wide record were not learnt")
	}
}
