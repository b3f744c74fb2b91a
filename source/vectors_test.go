package source

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// vector is a file's content and what must be found in it. Bad records are
// written line:column reason.
type vector struct {
	name    string
	data    string
	options Options
	records []string
	bad     []string
	blank   int64
	err     string // part of the message
}

func (v vector) run(t *testing.T, file string) {
	t.Helper()
	small := how{block: 16, workers: 3}
	if len(v.data) > 1<<16 {
		small.block = 1 << 14
	}
	o := v.options
	o.Path = write(t, file, []byte(v.data))
	for _, h := range []how{sequential, small} {
		got := checkedScan(t, o, []byte(v.data), h)
		if v.err == "" && got.Err != "" || v.err != "" && !strings.Contains(got.Err, v.err) {
			t.Fatalf("error %q, want one with %q", got.Err, v.err)
		}
		var records, bad []string
		for _, r := range got.Records {
			records = append(records, r.JSON)
		}
		for _, b := range got.Bad {
			bad = append(bad, place(b))
		}
		if !reflect.DeepEqual(records, v.records) {
			t.Errorf("blocks of %d: records\n got %q\nwant %q", h.block, records, v.records)
		}
		if !reflect.DeepEqual(bad, v.bad) {
			t.Errorf("blocks of %d: bad records\n got %q\nwant %q", h.block, bad, v.bad)
		}
		if got.Blank != v.blank {
			t.Errorf("blocks of %d: %d blank lines, want %d", h.block, got.Blank, v.blank)
		}
	}
}

func place(b Bad) string { return fmt.Sprintf("%d:%d %s", b.Line, b.Column, b.Reason) }

func TestCSV(t *testing.T) {
	t.Parallel()
	lines := func(n int) string { return strings.Repeat("x\n", n) }
	escaped := func(n int) string { return strings.Repeat(`x\n`, n) }
	for _, v := range []vector{
		{name: "empty file"},
		{name: "byte order mark alone", data: "\xef\xbb\xbf"},
		{name: "header only", data: "a,b\n"},
		{name: "header without a newline", data: "a,b"},
		{name: "byte order mark before a quoted header", data: "\xef\xbb\xbf\"a\",\"b\"\n1,2\n", records: []string{`{"a":"1","b":"2"}`}},
		{name: "no final newline", data: "a,b\n1,2", records: []string{`{"a":"1","b":"2"}`}},
		{name: "final CR without LF", data: "a,b\n1,2\r", records: []string{`{"a":"1","b":"2"}`}},
		{name: "blank line of half a line end", data: "a,b\n1,2\n\r", records: []string{`{"a":"1","b":"2"}`}, blank: 1},
		{name: "CRLF, kept inside quotes", data: "a,b\r\n1,\"x\r\ny\"\r\n3,4\r\n", records: []string{`{"a":"1","b":"x\r\ny"}`, `{"a":"3","b":"4"}`}},
		{name: "CR only", data: "a,b\r1,2\r\r\"x\ry\",4\r", records: []string{`{"a":"1","b":"2"}`, `{"a":"x\ry","b":"4"}`}, blank: 1},
		{name: "CR only, LF inside quotes", data: "a,b\r1,\"2\n3\"\r", records: []string{`{"a":"1","b":"2\n3"}`}},
		{name: "CR inside an LF file", data: "a,b\n1\r2,3\n\"4\",5\r6\r\n", records: []string{`{"a":"1\r2","b":"3"}`, `{"a":"4","b":"5\r6"}`}},
		{name: "comma, newline and quote in quotes", data: "a,b\n\"1,2\",\"x\n\"\"y\"\"\"\n", records: []string{`{"a":"1,2","b":"x\n\"y\""}`}},
		{name: "empty values", data: "a,b\n,\n\"\",\"\"\n", records: []string{`{"a":"","b":""}`, `{"a":"","b":""}`}},
		{name: "blank lines", data: "\n\na,b\n\n1,2\r\n\r\n", records: []string{`{"a":"1","b":"2"}`}, blank: 2},
		{name: "blank line in one column is a value", data: "a\n\n1\n\r\n", records: []string{`{"a":""}`, `{"a":"1"}`, `{"a":""}`}},
		{name: "spaces are a value", data: "a,b\n , x \n", records: []string{`{"a":" ","b":" x "}`}},
		{name: "numbers and NULL stay strings", data: "a,b,c,d\n007,12345678901234567890,1e5,+5\nNULL,\\N,NaN,1.10\n", records: []string{
			`{"a":"007","b":"12345678901234567890","c":"1e5","d":"+5"}`, `{"a":"NULL","b":"\\N","c":"NaN","d":"1.10"}`,
		}},
		{name: "control characters and backslash", data: "a,b\n\x01\x1f,\"\t\b\f\\\"\n", records: []string{`{"a":"\u0001\u001f","b":"\t\b\f\\"}`}},
		{name: "tab as delimiter", data: "a\tb\n1\t\"x\ty\"\n", options: Options{Dialect: Dialect{Delimiter: "\t"}}, records: []string{`{"a":"1","b":"x\ty"}`}},
		{name: "backslash as delimiter", data: "a\\b\n1\\\"x\\y\"\n", options: Options{Dialect: Dialect{Delimiter: `\`}}, records: []string{`{"a":"1","b":"x\\y"}`}},
		{name: "quotes in a name", data: "\"a \"\"x\"\"\",\"b\nc\"\n1,2\n", records: []string{`{"a \"x\"":"1","b\nc":"2"}`}},

		{name: "ragged", data: "a,b\n1,2,3\n4\n5,6\n", records: []string{`{"a":"5","b":"6"}`}, bad: []string{"2:1 ragged", "3:1 ragged"}},
		{name: "bare quote", data: "a,b\n1,x\"y\n3,4\n", records: []string{`{"a":"3","b":"4"}`}, bad: []string{"2:4 bare_quote"}},
		{name: "text after a closing quote", data: "a,b\n\"1\n\"x,2\n3,4\n", records: []string{`{"a":"3","b":"4"}`}, bad: []string{"3:2 text_after_quote"}},
		{name: "unclosed quote up to the end", data: "a,b\n1,\"2\n3,4\n", records: []string{`{"a":"3","b":"4"}`}, bad: []string{"2:3 unclosed_quote"}},
		{name: "unclosed quote after a quoted line end", data: "a,b\n\"1\n\",\"2\n3,4\n", records: []string{`{"a":"3","b":"4"}`}, bad: []string{"3:3 unclosed_quote"}},
		{
			name: "quoted record of 1,000 lines", data: "a,b\n1,\"" + lines(999) + "\"\n",
			records: []string{`{"a":"1","b":"` + escaped(999) + `"}`},
		},
		{
			name: "quoted record of 1,001 lines", data: "a\n\"" + lines(1000) + "z\"\n",
			records: slices.Repeat([]string{`{"a":"x"}`}, 999), bad: []string{"2:1 unclosed_quote", "1002:2 bare_quote"},
		},
		{name: "NUL", data: "a,b\n1,2\n3,\x004\n5,6\n", records: []string{`{"a":"1","b":"2"}`, `{"a":"5","b":"6"}`}, bad: []string{"3:3 nul_byte"}},
		{name: "invalid UTF-8", data: "a,b\n\"x\ny\xff\",1\n5,\xc3\n\xed\xa0\x80,1\n", bad: []string{"3:2 invalid_utf8", "4:3 invalid_utf8", "5:1 invalid_utf8"}},
		{
			name: "LF behind the first mebibyte of a CR file", data: "a,b\r" + strings.Repeat("\r", newlineWindow) + "1,2\n\r\"3\"\n,4\r5,6\n7\r\"8\",9\n0\r10,11\r",
			blank: newlineWindow, records: []string{`{"a":"10","b":"11"}`},
			bad: []string{"1048578:4 mixed_newlines", "1048579:4 text_after_quote", "1048580:4 mixed_newlines", "1048581:6 mixed_newlines"},
		},
		{
			name: "too large", data: "a,b\n1234567890,1234567890\n1,2\n\"12345678901\n3\",1\n", options: Options{MaxRecordBytes: 10},
			records: []string{`{"a":"1","b":"2"}`}, bad: []string{"2:1 too_large", "4:1 unclosed_quote", "5:2 bare_quote"},
		},
		{name: "just not too large", data: "a,b\n12345678,1\n\"123456\",1\n", options: Options{MaxRecordBytes: 10}, records: []string{`{"a":"12345678","b":"1"}`, `{"a":"123456","b":"1"}`}},
		{name: "too large at the end", data: "a,b\n123456789012345678901234567890", options: Options{MaxRecordBytes: 10}, bad: []string{"2:1 too_large"}},

		{name: "equal names", data: "\na,b,a\n1,2,3\n", err: `f.csv:2:1: header: columns 1 and 3 are both named "a"`},
		{name: "no name, no newline", data: "a,", err: "f.csv:1:1: header: column 2 has no name"},
		{name: "bare quote in the header", data: "a,b\"c\n", err: "f.csv:1:4: header: "},
		{name: "unclosed quote in the header", data: "a,\"b\n1,2\n", err: "f.csv:1:3: header: "},
		{name: "rows in the header, because their lines end in CR", data: "a,b\r1,2\r3,4\n", err: "f.csv:1:4: header: a carriage return"},
		{name: "header over the bound", data: strings.Repeat("a", 40) + ",b\n1,2\n", options: Options{MaxRecordBytes: 20}, err: "f.csv:1:1: header: the record is longer than 20 bytes"},
		{name: "header not UTF-8", data: "a,\xff\n1,2\n", err: "f.csv:1:3: header: "},
		{name: "blank lines without end before the header", data: strings.Repeat("\n", 2<<20) + "a,b\n", err: "header: none in the first"},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(t, "f.csv") })
	}
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, v := range []vector{
		{name: "empty file"},
		{name: "numbers keep their bytes", data: "{\"a\":9007199254740993,\"b\":12345678901234567890,\"c\":1.0,\"d\":1e400}\n", records: []string{`{"a":9007199254740993,"b":12345678901234567890,"c":1.0,"d":1e400}`}},
		{name: "white space and escapes keep their bytes", data: "{ \"a\" : \"\\u00fc\\/\" }\n", records: []string{`{ "a" : "\u00fc\/" }`}},
		{name: "CRLF, blank lines, byte order mark, no final newline", data: "\xef\xbb\xbf{\"a\":1}\r\n\r\n \t\n{}", records: []string{`{"a":1}`, `{}`}, blank: 2},
		{name: "duplicate keys", data: "{\"a\":1,\"a\":2}\n{}\n", records: []string{`{}`}, bad: []string{"1:8 duplicate_key"}},
		{name: "duplicate keys inside, one escaped", data: "{\"x\":{\"a\":1,\"\\u0061\":2}}\n", bad: []string{"1:13 duplicate_key"}},
		{name: "lone surrogate", data: "{\"a\":\"\\ud800\"}\n", bad: []string{"1:7 invalid_json"}},
		{name: "invalid UTF-8", data: "{}\n  {\"a\":\"\xff\"}\n", records: []string{`{}`}, bad: []string{"2:9 invalid_utf8"}},
		{
			name: "invalid UTF-8 replaced", data: "{}\n \t{\"a\":\"\xff\xe2\x82\"}\r\n{\"b\":\xff}\n", options: Options{Dialect: Dialect{InvalidUTF8: invalidReplace}},
			records: []string{"{}", "{\"a\":\"\ufffd\ufffd\ufffd\"}"}, bad: []string{"3:6 invalid_json"},
		},
		{name: "NUL", data: "{\"a\":\"\x00\"}\n", bad: []string{"1:7 nul_byte"}},
		{name: "trailing comma, NaN, comment", data: "{\"a\":1,}\n{\"a\":NaN}\n{}//x\n/*x*/{}\n", bad: []string{"1:7 invalid_json", "2:6 invalid_json", "3:3 trailing_data", "4:1 invalid_json"}},
		{name: "scalar, null and array", data: "1\nnull\n[{}]\n\"x\"\ntrue\n", bad: []string{"1:1 not_an_object", "2:1 not_an_object", "3:1 not_an_object", "4:1 not_an_object", "5:1 not_an_object"}},
		{name: "two objects on a line", data: "{\"a\":1} {\"b\":2}\n{}\n", records: []string{`{}`}, bad: []string{"1:9 trailing_data"}},
		{name: "pretty-printed object", data: "{\n  \"a\": 1\n}\n", bad: []string{"1:2 invalid_json", "2:6 trailing_data", "3:1 invalid_json"}},
		{name: "truncated last line", data: "{\"a\":1}\n{\"a\":\"x", records: []string{`{"a":1}`}, bad: []string{"2:8 invalid_json"}},
		{name: "nested 200 deep", data: deep(200) + "\n", records: []string{deep(200)}},
		{name: "nested 201 deep", data: deep(201) + "\n{}\n", records: []string{`{}`}, bad: []string{"1:1001 too_deep"}},
		{name: "braces in text are no depth", data: "{\"a\":\"" + strings.Repeat("{", 300) + "\"}\n", records: []string{"{\"a\":\"" + strings.Repeat("{", 300) + "\"}"}},
		{name: "a line of 5 MB", data: "{\"a\":\"" + strings.Repeat("x", 5<<20) + "\"}\n{}\n", options: Options{MaxRecordBytes: 1 << 20}, records: []string{`{}`}, bad: []string{"1:1 too_large"}},
		{name: "too large at the end", data: "{}\n" + strings.Repeat("x", 100), options: Options{MaxRecordBytes: 10}, records: []string{`{}`}, bad: []string{"2:1 too_large"}},
		{name: "just not too large", data: "{\"a\":1234}\n", options: Options{MaxRecordBytes: 10}, records: []string{`{"a":1234}`}},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(t, "f.ndjson") })
	}
}

// TestFullLists goes over the bounds of what one parse may list.
func TestFullLists(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("1\n", maxListedRecords+5)
	bad := strings.Repeat("1,2\n", maxListedBad+5)
	data := "a\n" + good + bad + good
	got := checkedScan(t, Options{Path: write(t, "f.csv", []byte(data))}, []byte(data), sequential)
	if len(got.Records) != 2*(maxListedRecords+5) || len(got.Bad) != maxListedBad+5 {
		t.Errorf("%d records and %d bad ones", len(got.Records), len(got.Bad))
	}
}
