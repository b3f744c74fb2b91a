package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// scanDocument scans a JSON document and checks what holds for each Scan of one.
func scanDocument(t testing.TB, o Options, plain []byte, h how) result {
	t.Helper()
	s, err := OpenSnapshot(o)
	if err != nil {
		return result{Err: err.Error()}
	}
	defer closeSnapshot(t, s)
	s.blockSize = h.block
	c := checker{t: t, plain: plain, file: s.Files[0]}
	err = s.Scan(t.Context(), 0, ScanOptions{Workers: h.workers, Encode: true}, c.block)
	if err != nil {
		c.found.Err = strings.TrimPrefix(err.Error(), o.Path)
		return c.found
	}
	at := s.Files[0].DataStart
	for _, r := range c.found.Records {
		if r.Start < at || r.End <= r.Start || strings.Contains(r.JSON, "\n") {
			c.fatalf("record %+v after byte %d", r, at)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, plain[r.Start:r.End]); err != nil || compact.String() != r.JSON {
			c.fatalf("record %q is made of %q: %v", r.JSON, plain[r.Start:r.End], err)
		}
		at = r.End
	}
	at = s.Files[0].DataStart
	for _, b := range c.found.Bad {
		if b.Start < at || b.End <= b.Start || b.Line < c.lineAt(b.Start) || b.Line > c.lineAt(b.End) || b.Column < 1 || b.Detail == "" {
			c.fatalf("bad record %+v after byte %d", b, at)
		}
		at = b.End
	}
	return c.found
}

// say prints what a Scan found, a line each.
func (r result) say() string {
	var b strings.Builder
	for _, it := range r.Records {
		fmt.Fprintf(&b, "%d-%d %s\n", it.Line, it.LastLine, it.JSON)
	}
	for _, bad := range r.Bad {
		fmt.Fprintf(&b, "%d:%d %s: %s\n", bad.Line, bad.Column, bad.Reason, bad.Detail)
	}
	if r.Err != "" {
		b.WriteString(r.Err + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestJSONDocuments(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, c := range []struct{ name, data, want string }{
		{"an empty file", "", ""},
		{"white space alone", " \n\t\r\n", ""},
		{"an empty array", "[ ]\n", ""},
		{"an array", `[{"a":1},{"b":2}]`, "1-1 {\"a\":1}\n1-1 {\"b\":2}"},
		{"a byte order mark", "\ufeff[{\"a\":1}]", `1-1 {"a":1}`},
		{"pretty-printed", "[\n  {\n    \"a\": [1, 2],\n    \"b\": \"x  y\"\n  },\r\n\t{ }\n]\n", "2-5 {\"a\":[1,2],\"b\":\"x  y\"}\n6-6 {}"},
		{"one after the other", `{"a":1}{"b":2}` + "\n\n" + `{"c":3}`, "1-1 {\"a\":1}\n1-1 {\"b\":2}\n3-3 {\"c\":3}"},
		{"pretty-printed, one after the other", "{\n \"a\": 1\n}\n{\n \"b\": 2\n}\n", "1-3 {\"a\":1}\n4-6 {\"b\":2}"},
		{"one object", `{"a":{"b":[{}]}}`, `1-1 {"a":{"b":[{}]}}`},
		{"bytes are kept", `[{"n":9007199254740993,"f":1.10,"e":1e400,"s":"\u0041\/é\"\\"} ]`, `1-1 {"n":9007199254740993,"f":1.10,"e":1e400,"s":"\u0041\/é\"\\"}`},
		{"brackets and quotes in strings", `[{"a":"]},[{\"\\"},{"b":"\\\""}]`, "1-1 {\"a\":\"]},[{\\\"\\\\\"}\n1-1 {\"b\":\"\\\\\\\"\"}"},
		{"no objects", "[1, null,\n\"x,]\", [ {} ], true, {}]", "2-2 {}\n1:2 not_an_object: a JSON number, not a JSON object\n1:5 not_an_object: null, not a JSON object\n2:1 not_an_object: a JSON string, not a JSON object\n2:8 not_an_object: a JSON array, not a JSON object\n2:16 not_an_object: true or false, not a JSON object"},
		{"no objects, one after the other", "{}\nnull {}\n[{}]", "1-1 {}\n2-2 {}\n2:1 not_an_object: null, not a JSON object\n3:1 not_an_object: a JSON array, not a JSON object"},
		{"a trailing comma", "[{\"a\":1,},\n{}]", "2-2 {}\n1:8 invalid_json: not valid JSON: invalid character ',' at start of value"},
		{"NaN", "[{\n\"a\":\n NaN},{}]", "3-3 {}\n3:2 invalid_json: not valid JSON: invalid character 'N' at start of value"},
		{"a comment", "[{\"a\":1 /* one */},{}]", "1-1 {}\n1:9 invalid_json: not valid JSON: invalid character '/' after object value (expecting ',' or '}')"},
		{"a duplicate key", "[{},\n {\"a\":1,\"a\":2}]", "1-1 {}\n2:9 duplicate_key: not valid JSON: duplicate object member name"},
		{"a lone surrogate", "[{\"a\":\"\\ud800\"},{}]", "1-1 {}\n1:8 invalid_json: not valid JSON: invalid surrogate pair `\\ud800\"}` in string"},
		{"invalid UTF-8", "[\n{\"a\":\n\"\xff\"},{}]", "3-3 {}\n3:2 invalid_utf8: byte 0xff is not UTF-8"},
		{"a NUL byte", "[{\"a\":\x00},{}]", "1-1 {}\n1:7 nul_byte: a NUL byte"},
		{"a line end in a string", "[{\"a\":\"x\ny\"},{}]", "2-2 {}\n1:9 invalid_json: not valid JSON: invalid character '\\n' in string (expecting non-control character)"},
		{"a word", "[nope, {}]", "1-1 {}\n1:3 invalid_json: not valid JSON: invalid character 'o' in literal null (expecting 'u')"},
		{"half a word", "[tru, {}]", "1-1 {}\n1:5 invalid_json: not valid JSON: it ends too early"},
		{"a word behind a number", "[1x, {}]", "1-1 {}\n1:3 invalid_json: not valid JSON: something follows the value"},
		{"nested 200 levels", `[{"a":` + deep[1:399] + `},{}]`, `1-1 {"a":` + deep[1:399] + "}\n1-1 {}"},
		{"nested 201 levels", `[{"a":` + deep + `},{}]`, "1-1 {}\n1:206 too_deep: nested over 200 levels"},

		{"cut off in the array", "[{},\n{}", "1-1 {}\n2-2 {}\n:2:3: the file ends within an array"},
		{"cut off behind a comma", "[{},\n", "1-1 {}\n:2:1: the file ends within an array"},
		{"cut off in an element", "[{},\n {\"a\":\n1", "1-1 {}\n:2:2: the file ends within the element that begins here"},
		{"cut off in a string", "{}\n{\"a\":\"}\n", "1-1 {}\n:2:1: the file ends within the element that begins here"},
		{"cut off in a document", "{\"a\":[", ":1:1: the file ends within the element that begins here"},
		{"brackets that do not balance", "[{},\n{\"a\":[1}]", "1-1 {}\n:2:8: the brackets do not balance: } where ] is due"},
		{"a bracket too many", "[{}]]", "1-1 {}\n:1:5: something follows the document's end"},
		{"another array", "[{}]\n[{}]", "1-1 {}\n:2:1: something follows the document's end"},
		{"no comma", "[{} {}]", "1-1 {}\n:1:5: text between two elements: a comma or ] is due"},
		{"text between elements", "[{}, {} x]", "1-1 {}\n1-1 {}\n:1:9: text between two elements: a comma or ] is due"},
		{"a comma at the end", "[{},]", "1-1 {}\n:1:5: an element is due before ]"},
		{"two commas", "[{},,{}]", "1-1 {}\n:1:5: an element is due before ,"},
		{"a comma at the start", "[,{}]", ":1:2: an element is due before ,"},
		{"text between documents", "{}\nhello {}", "1-1 {}\n:2:1: text where an object should be"},
		{"a comma between documents", "{},\n{}", "1-1 {}\n:1:3: a comma between two documents"},
		{"no JSON", "a,b\n1,2\n", ":1:1: text where an object should be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, h := range []how{sequential, {block: 1}, {block: 7}} {
				for name, data := range map[string][]byte{"f.json": []byte(c.data), "f.json.gz": gzipped(t, []byte(c.data))} {
					if got := scanDocument(t, Options{Path: overwrite(t, dir, name, data)}, []byte(c.data), h).say(); got != c.want {
						t.Errorf("%s, block %d:\n got %s\nwant %s", name, h.block, got, c.want)
					}
				}
			}
		})
	}
}

// TestNDJSONHint has what looks like NDJSON and is not.
func TestNDJSONHint(t *testing.T) {
	for data, want := range map[string]string{
		"{}{}\n":             `something follows the object; one object a line is wanted, format = "json" reads several`,
		"{\n  \"a\": 1\n}\n": `not valid JSON: the line ends within the object; it looks like pretty-printed JSON, which format = "json" reads`,
		"[\n":                `not valid JSON: the line ends within the object; it looks like pretty-printed JSON, which format = "json" reads`,
	} {
		got := checkedScan(t, Options{Path: write(t, "f.ndjson", []byte(data))}, []byte(data), sequential)
		if len(got.Bad) == 0 || got.Bad[0].Detail != want {
			t.Errorf("%q: %+v, want %q", data, got.Bad, want)
		}
	}
}

func TestLongElements(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x\\\"]", 20) + "\",\n\"b\":[1]}"
	for _, c := range []struct{ name, data, want string }{
		{"in an array", "[{},\n " + long + ",{}]", "1-1 {}\n3-3 {}\n2:2 too_large: the element is longer than 30 bytes"},
		{"one after the other", "{}\n" + long + "\n{}", "1-1 {}\n4-4 {}\n2:1 too_large: the element is longer than 30 bytes"},
		{"two of them", "[" + long + "," + long + "]", "1:1 too_large: the element is longer than 30 bytes\n2:10 too_large: the element is longer than 30 bytes"},
		{"just short enough", `[{"a":"` + strings.Repeat("x", 22) + `"}]`, `1-1 {"a":"` + strings.Repeat("x", 22) + `"}`},
		{"one byte too long", `[{"a":"` + strings.Repeat("x", 23) + `"}]`, "1:2 too_large: the element is longer than 30 bytes"},
		{"cut off", "[{},\n{\"a\":\"" + strings.Repeat("x", 50), "1-1 {}\n:2:1: the file ends within the element that begins here"},
		{"wrong within", "[{},\n{\"a\":\"" + strings.Repeat("x", 50) + "\"]", "1-1 {}\n:2:58: the brackets do not balance: ] where } is due"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.ReplaceAll(c.want, "1:1 too", "1:2 too")
			for _, h := range []how{sequential, {block: 1}, {block: 16}} {
				o := Options{Path: write(t, "f.json", []byte(c.data)), MaxRecordBytes: 30}
				if got := scanDocument(t, o, []byte(c.data), h).say(); got != want {
					t.Errorf("block %d:\n got %s\nwant %s", h.block, got, want)
				}
			}
		})
	}
}

func TestPointer(t *testing.T) {
	document := "{\"meta\": {\"data\": [0], \"x\": \"a\\\"]\"},\n \"data\": {\"n\": 1e3, \"items\": [\n  {\"a\": 1},\n 7,\n  {\"b\": 2}\n ], \"next\": null},\n \"end\": [[{}]]\n}\n"
	records := "3-3 {\"a\":1}\n5-5 {\"b\":2}\n4:2 not_an_object: a JSON number, not a JSON object"
	for _, c := range []struct{ name, pointer, data, want string }{
		{"in objects", "/data/items", document, records},
		{"a byte order mark", "/data/items", "\ufeff" + document, records},
		{"in an array", "/1/x/0", `[[1],{"y":2,"x":[[{"a":1}],[{}]]},3]`, `1-1 {"a":1}`},
		{"escaped", "/a~1b/~0c", `{"a/b":{"~c":[{"a":1}]}}`, `1-1 {"a":1}`},
		{"written in another way", "/é", `{"\u00e9":[{"a":1}]}`, `1-1 {"a":1}`},
		{"an empty name", "/", `{"":[{"a":1}]}`, `1-1 {"a":1}`},
		{"an empty array", "/a", `{"a":[]}`, ""},
		{"an empty file", "/a", "", ""},
		{"white space alone", "/a", " \n ", ""},
		{"duplicate names elsewhere", "/a", `{"b":1,"b":2,"a":[{}],"c":{"a":1},"c":[]}`, "1-1 {}"},
		{"leads nowhere", "/data/rows", document, `:6:17: pointer "/data/rows" leads nowhere: pointer "/data" has no "rows"`},
		{"leads nowhere in the document", "/rows", "{\"a\":1}", `:1:7: pointer "/rows" leads nowhere: the document has no "rows"`},
		{"no such index", "/2", `[1,2]`, `:1:5: pointer "/2" leads nowhere: the document has no "2"`},
		{"no index", "/01", `[1,2]`, `:1:1: pointer "/01" leads nowhere: the document is a JSON array`},
		{"through a number", "/a/b", "{\n\"a\": 12}", `:2:6: pointer "/a/b" leads nowhere: pointer "/a" is a JSON number`},
		{"to an object", "/data", document, `:2:10: pointer "/data" is a JSON object, not an array`},
		{"to a string", "/a", `{"a":"x"}`, `:1:6: pointer "/a" is a JSON string, not an array`},
		{"no JSON before it", "/a", "{\"b\":\n nope,\"a\":[]}", ":2:3: not valid JSON: invalid character 'o' in literal null (expecting 'u')"},
		{"cut off before it", "/a", "{\"b\":\n 1,", ":2:4: the file ends within the document"},
		{"cut off within it", "/a", "{\"a\":[{}", "1-1 {}\n:1:9: the file ends within an array"},
		{"cut off behind it", "/a", "{\"a\":[{}]\n", "1-1 {}\n:2:1: the file ends within the document"},
		{"brackets that do not balance behind it", "/a", "{\"a\":[{}],\n \"b\":{]}", "1-1 {}\n:2:7: not valid JSON: invalid character ']' at start of value"},
		{"another end behind it", "/a", "{\"a\":[{}]\n]", "1-1 {}\n:2:1: not valid JSON: invalid character ']' after object value (expecting ',' or '}')"},
		{"something behind the document", "/a", "{\"a\":[{}]}\n {}", "1-1 {}\n:2:2: something follows the document's end"},
		{"text behind the document", "/a", "{\"a\":[{}]}\n x", "1-1 {}\n:2:2: not valid JSON: invalid character 'x' at start of value"},
		{"twice", "/a", "{\"a\":[{}],\n \"a\":[{}]}", "1-1 {}\n:2:2: pointer \"/a\" is there twice"},
		{"twice, further out", "/a/b", "{\"a\":{\"b\":[{}],\"c\":{\"b\":1,\"a\":2}},\n \"x\":{\"a\":1}, \"a\":3}", "1-1 {}\n:2:15: pointer \"/a\" is there twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range []how{sequential, {block: 1}, {block: 7}} {
				o := Options{Path: write(t, "f.json", []byte(c.data)), Dialect: Dialect{Pointer: c.pointer}}
				if got := scanDocument(t, o, []byte(c.data), h).say(); got != c.want {
					t.Errorf("block %d:\n got %s\nwant %s", h.block, got, c.want)
				}
			}
		})
	}
	if _, err := OpenSnapshot(Options{Path: "/f.json", Dialect: Dialect{Pointer: "data"}}); err == nil || !strings.Contains(err.Error(), `pointer "data": write it like "/data/items"`) {
		t.Errorf("a pointer without its slash: %v", err)
	}
}

// TestPointerMemory has much text outside of the records, and a token of it that
// is too long.
func TestPointerMemory(t *testing.T) {
	much := `{"b":[` + strings.Repeat(`{"x":[1,2,3]},`+"\n", 200_000) + `0],"a":[{}],"c":[` + strings.Repeat(`{"x":[1,2,3]},`+"\n", 200_000) + "0]}"
	o := Options{Path: write(t, "f.json", []byte(much)), MaxRecordBytes: 100, Dialect: Dialect{Pointer: "/a"}}
	if got := scanDocument(t, o, []byte(much), sequential).say(); got != "200001-200001 {}" {
		t.Errorf("got %s", got)
	}
	long := `{"b":"` + strings.Repeat("x", 3<<20) + `","a":[{}]}`
	o.Path = write(t, "f.json", []byte(long))
	if got := scanDocument(t, o, []byte(long), sequential).say(); got != ":1:6: text outside of the records is longer than a record may be" {
		t.Errorf("got %s", got)
	}
}

// TestJSONSuite reads each text of the suite as a document.
func TestJSONSuite(t *testing.T) {
	t.Parallel()
	texts, dir := 0, t.TempDir()
	for name, data := range shared(t, "json-test-suite/test_parsing/*.json") {
		texts++
		if mark := markOf(data); mark != "" && mark != encodingUTF8 {
			continue // decoded: TestEncodings
		}
		o := Options{Path: overwrite(t, dir, "f.json", data)}
		got := scanDocument(t, o, data, sequential)
		if again := scanDocument(t, o, data, how{block: 1}); !reflect.DeepEqual(again, got) {
			t.Errorf("%s:\n%+v in pieces\n%+v", name, again, got)
		}
		var elements []json.RawMessage
		valid := name[0] == 'y' && bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) && json.Unmarshal(data, &elements) == nil
		switch {
		case strings.HasPrefix(name, "y_object_duplicated_key"):
			if len(got.Bad) != 1 || got.Bad[0].Reason != ReasonDuplicateKey {
				t.Errorf("%s: %+v, want a duplicate key", name, got)
			}
		case valid:
			if got.Err != "" || len(got.Records)+len(got.Bad) != len(elements) {
				t.Errorf("%s: %+v, want %d elements", name, got, len(elements))
			}
			for _, b := range got.Bad {
				if b.Reason != ReasonNotAnObject {
					t.Errorf("%s: %+v", name, b)
				}
			}
		case name[0] == 'y' && bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
			if got.Err != "" || len(got.Records) != 1 {
				t.Errorf("%s: %+v, want a record", name, got)
			}
		case name[0] == 'y':
			if got.Err != "" || len(got.Records) > 0 || len(got.Bad) != 1 {
				t.Errorf("%s: %+v, want not_an_object", name, got)
			}
		case name[0] == 'n' && len(bytes.TrimSpace(bytes.TrimPrefix(data, bom))) > 0:
			if got.Err == "" && len(got.Bad) == 0 {
				t.Errorf("%s: %+v, want an error or a bad record", name, got)
			}
		}
	}
	if texts < 95+188+35 {
		t.Errorf("%d texts: the suite is not complete", texts)
	}
}

// objectsOf is what jsontext reads out of a document of objects; false if it is
// none, or if it has bounds that are passed.
func objectsOf(data []byte, most int) (objects []string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	inArray := d.PeekKind() == '['
	if inArray {
		if _, err := d.ReadToken(); err != nil {
			return nil, false
		}
	}
	for {
		kind := d.PeekKind()
		if kind == ']' || kind == 0 || kind == jsontext.KindInvalid {
			break
		}
		v, err := d.ReadValue()
		if err != nil || kind != '{' || len(v) > most || tooDeep(v) {
			return nil, false
		}
		v = v.Clone()
		if v.Compact() != nil {
			return nil, false
		}
		objects = append(objects, string(v))
	}
	if inArray {
		if _, err := d.ReadToken(); err != nil {
			return nil, false
		}
	}
	_, err := d.ReadToken()
	return objects, err != nil && err.Error() == "EOF"
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		"", "[]", "[{}]", "{}{}", `[{"a":1},{"b":[1,{"c":"]\"\\"}]}]`, "{\n\"a\": [ 1 , 2 ]\n}\n{}", "\ufeff[1,null,{}]", "[{},]", "[{\"a\":\"\xff\"}]",
		`[{"a":1,"a":2},{}]`, "[{}", "[{}] x", "{\"d\":[{\"a\":1}, 2 ],\"e\":{}}", "{\"d\":[],\"d\":1}", "[[]]", `[{"a":NaN},tru,{}]`, "{} true 1x", "[{]}",
	} {
		for _, limit := range []uint8{0, 3, 64} {
			f.Add([]byte(s), uint8(1), limit, false)
			f.Add([]byte(s), uint8(16), limit, true)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, block, limit uint8, pointer bool) {
		head := data[:min(len(data), firstBytes)]
		if probe := (&File{}); probe.checkText(head) != nil || probe.charset.name != encodingUTF8 {
			t.Skip("refused or decoded by its first bytes")
		}
		o := Options{Path: filepath.Join(dir, "f.json"), MaxRecordBytes: int(limit)}
		if pointer {
			o.Pointer = "/d"
		}
		if err := os.WriteFile(o.Path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got := scanDocument(t, o, data, sequential)
		if again := scanDocument(t, o, data, how{block: 1 + int(block)}); !reflect.DeepEqual(again, got) {
			t.Fatalf("in pieces of %d:\n got %+v\nwant %+v\n%q", 1+block, again, got, data)
		}
		most := int(limit)
		if most == 0 {
			most = DefaultMaxRecordBytes
		}
		text := bytes.TrimPrefix(data, bom)
		if pointer {
			if got.Err == "" && len(bytes.TrimSpace(text)) > 0 && !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) && len(got.Bad) == 0 {
				t.Fatalf("accepted: %q", data)
			}
			return
		}
		want, ok := objectsOf(text, most)
		if !ok {
			return
		}
		var have []string
		for _, r := range got.Records {
			have = append(have, r.JSON)
		}
		if got.Err != "" || len(got.Bad) > 0 || !reflect.DeepEqual(have, want) {
			t.Fatalf("got %+v\nwant %q\n%q", got, want, data)
		}
	})
}

// TestJSONRewind does each parse twice.
func TestJSONRewind(t *testing.T) {
	data := []byte("[{\"a\": [1, {\"b\":\n\"]\"}]}, 7, {\"long\":\"" + strings.Repeat("x", 60) + "\"},\n{\"c\":1}, {\"d\": 2]")
	for _, size := range []int{1, 3, 10, len(data)} {
		o := Options{Path: write(t, "f.json", data), MaxRecordBytes: 40}
		p := newJSONParser(open(t, o).Files[0])
		var have []byte
		var bad []Bad
		for held, at := 0, 0; at < len(data) && p.broken == nil; {
			end := min(len(data), at+held+size)
			var once, again found
			j := job{list: true, encode: true, sep: '\n', last: end == len(data)}
			p.parse(data[at:end], j, &once)
			place := p.jsonPlace
			p.rewind()
			p.parse(data[at:end], j, &again)
			if !reflect.DeepEqual(again, once) || p.closed != place.closed || p.state != place.state || !bytes.Equal(p.frame.open, place.frame.open) || p.walked != place.walked {
				t.Fatalf("in pieces of %d, at byte %d:\n%+v at %+v\n%+v at %+v", size, at, again, p.jsonPlace, once, place)
			}
			have, bad = append(have, again.json...), append(bad, again.bad...)
			at, held = at+again.consumed, end-at-again.consumed
		}
		if string(have) != "{\"a\":[1,{\"b\":\"]\"}]}\n{\"c\":1}\n" || len(bad) != 2 || p.broken == nil || p.broken.Column != 17 {
			t.Errorf("in pieces of %d: %s %+v %v", size, have, bad, p.broken)
		}
	}
}
