package source

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"worqcron/expression"
)

// mapVector is a file, a mapping and what must become of the records. Bad
// records are written line:column reason: detail.
type mapVector struct {
	name     string
	data     string
	dialect  Dialect
	records  []string
	bad      []string
	filtered int64
	columns  []string
	err      string // the whole message but for the path; hint behind a |
}

var moment = expression.Moment{
	Schedule: "orders", RunID: "0193a7c2", Origin: "slot",
	ScheduledFor:  time.Date(2026, 11, 24, 2, 30, 0, 0, time.FixedZone("EST", -5*3600)),
	IntervalStart: time.Date(2026, 11, 23, 2, 30, 0, 0, time.FixedZone("EST", -5*3600)),
}

func (v mapVector) run(t *testing.T, file string) {
	t.Helper()
	for _, h := range []how{sequential, {block: 16, workers: 3}} {
		o := Options{Path: write(t, file, []byte(v.data)), Moment: moment, Dialect: v.dialect}
		got := mappedScan(t, o, []byte(v.data), h)
		want := v.err
		if want != "" {
			want = o.Path + ": " + want
		}
		if got.Err != want {
			t.Fatalf("error\n got %q\nwant %q", got.Err, want)
		}
		if v.err != "" {
			continue
		}
		var records, bad []string
		for _, r := range got.Records {
			records = append(records, r.JSON)
		}
		for _, b := range got.Bad {
			bad = append(bad, place(b)+": "+b.Detail)
		}
		if !reflect.DeepEqual(records, v.records) {
			t.Errorf("blocks of %d: records\n got %q\nwant %q", h.block, records, v.records)
		}
		if !reflect.DeepEqual(bad, v.bad) {
			t.Errorf("blocks of %d: bad records\n got %q\nwant %q", h.block, bad, v.bad)
		}
		if got.Filtered != v.filtered || !slices.Equal(got.Columns, v.columns) {
			t.Errorf("blocks of %d: %d filtered, columns %q, want %d, %q", h.block, got.Filtered, got.Columns, v.filtered, v.columns)
		}
	}
}

// mappedScan is checkedScan and a comparison with the file without its mapping:
// the same records, each mapped, bad or filtered, in the same places.
func mappedScan(t testing.TB, o Options, data []byte, h how) result {
	t.Helper()
	got := checkedScan(t, o, data, h)
	if got.Err != "" {
		return got
	}
	o.Mapping, o.RecordsAs = Mapping{}, ""
	plain := checkedScan(t, o, data, h)
	records, bad, filtered := got.Records, got.Bad, int64(0)
	plainBad := plain.Bad
	for _, r := range plain.Records {
		for len(plainBad) > 0 && plainBad[0].Start < r.Start {
			if len(bad) == 0 || bad[0] != plainBad[0] {
				t.Fatalf("bad record %+v is lost or changed\nfile: %q", plainBad[0], data)
			}
			bad, plainBad = bad[1:], plainBad[1:]
		}
		switch {
		case len(records) > 0 && records[0].Start == r.Start:
			m := records[0]
			if m.JSON = r.JSON; m != r {
				t.Fatalf("record %+v is now at %+v\nfile: %q", r, m, data)
			}
			records = records[1:]
		case len(bad) > 0 && bad[0].Start == r.Start:
			if bad[0].End != r.End {
				t.Fatalf("record %+v is now bad: %+v\nfile: %q", r, bad[0], data)
			}
			bad = bad[1:]
		default:
			filtered++
		}
	}
	if len(records) > 0 || !slices.Equal(bad, plainBad) || filtered != got.Filtered || got.Blank != plain.Blank {
		t.Fatalf("%d records and bad %+v out of nothing, %d filtered, want %d; %d blank lines, want %d\nfile: %q",
			len(records), bad, got.Filtered, filtered, got.Blank, plain.Blank, data)
	}
	return got
}

func mapping(m Mapping) Dialect { return Dialect{Mapping: m} }

func types(pairs ...string) Dialect {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return mapping(Mapping{Types: m})
}

func TestMapCSV(t *testing.T) {
	ab := []string{"a", "b"}
	for _, v := range []mapVector{
		{
			name: "null values, as they stand", data: "a,b\n,\"\"\nNULL,\"NULL\"\n\\N,x\n\"\"\"\",NULL \n", dialect: mapping(Mapping{NullValues: []string{"", "NULL", `\N`, `""""`}}),
			records: []string{`{"a":null,"b":""}`, `{"a":null,"b":"NULL"}`, `{"a":null,"b":"x"}`, `{"a":null,"b":"NULL "}`}, columns: ab,
		},
		{name: "quoted empty field as null", data: "a,b\n,\"\"\n", dialect: mapping(Mapping{NullValues: []string{`""`}}), records: []string{`{"a":"","b":null}`}, columns: ab},
		{name: "null in the last column of CRLF", data: "a,b\r\n1,NULL\r\nNULL,2", dialect: mapping(Mapping{NullValues: []string{"NULL"}}), records: []string{`{"a":"1","b":null}`, `{"a":null,"b":"2"}`}, columns: ab},
		{
			name: "null before types", data: "a,b\n,1\n2,\n", dialect: mapping(Mapping{NullValues: []string{""}, Types: map[string]string{"a": "integer", "b": "number"}}),
			records: []string{`{"a":null,"b":1}`, `{"a":2,"b":null}`}, columns: ab,
		},
		{
			name: "integers", data: "a,b\n0,-12345678901234567890123\n\"7\",10\n", dialect: types("a", "integer", "b", "integer"),
			records: []string{`{"a":0,"b":-12345678901234567890123}`, `{"a":7,"b":10}`}, columns: ab,
		},
		{name: "no integers", data: "a,b\n007,x\n-0,x\n+5,x\n1_000,x\n1.0,x\n,x\n 1,x\n1 ,x\n-,x\n1e3,x\n٣,x\n", dialect: types("a", "integer"), columns: ab, bad: []string{
			`2:1 wrong_type: column "a": "007" is not an integer`, `3:1 wrong_type: column "a": "-0" is not an integer`,
			`4:1 wrong_type: column "a": "+5" is not an integer`, `5:1 wrong_type: column "a": "1_000" is not an integer`,
			`6:1 wrong_type: column "a": "1.0" is not an integer`, `7:1 wrong_type: column "a": "" is not an integer`,
			`8:1 wrong_type: column "a": " 1" is not an integer`, `9:1 wrong_type: column "a": "1 " is not an integer`,
			`10:1 wrong_type: column "a": "-" is not an integer`, `11:1 wrong_type: column "a": "1e3" is not an integer`,
			`12:1 wrong_type: column "a": "٣" is not an integer`,
		}},
		{
			name: "numbers keep their bytes", data: "a,b\n1.10,12345678901234567890\n-0,1E+400\n0.1e-7,-1.5\n", dialect: types("a", "number", "b", "number"),
			records: []string{`{"a":1.10,"b":12345678901234567890}`, `{"a":-0,"b":1E+400}`, `{"a":0.1e-7,"b":-1.5}`}, columns: ab,
		},
		{name: "no numbers", data: "a,b\nx,NaN\nx,\"1,234\"\nx,Inf\nx,+5\nx,1.\nx,.5\nx,01\nx,\nx,-\nx,0x1\n", dialect: types("b", "number"), columns: ab, bad: []string{
			`2:3 wrong_type: column "b": "NaN" is not a number`, `3:3 wrong_type: column "b": "1,234" is not a number`,
			`4:3 wrong_type: column "b": "Inf" is not a number`, `5:3 wrong_type: column "b": "+5" is not a number`,
			`6:3 wrong_type: column "b": "1." is not a number`, `7:3 wrong_type: column "b": ".5" is not a number`,
			`8:3 wrong_type: column "b": "01" is not a number`, `9:3 wrong_type: column "b": "" is not a number`,
			`10:3 wrong_type: column "b": "-" is not a number`, `11:3 wrong_type: column "b": "0x1" is not a number`,
		}},
		{
			name: "booleans", data: "a\ntrue\nTrue\nTRUE\nfalse\nFalse\nFALSE\n", dialect: types("a", "boolean"),
			records: []string{`{"a":true}`, `{"a":true}`, `{"a":true}`, `{"a":false}`, `{"a":false}`, `{"a":false}`}, columns: []string{"a"},
		},
		{name: "no booleans", data: "a,b\ntRUE,\n1,\nyes,\n", dialect: types("a", "boolean"), columns: ab, bad: []string{
			`2:1 wrong_type: column "a": "tRUE" is not true or false`, `3:1 wrong_type: column "a": "1" is not true or false`, `4:1 wrong_type: column "a": "yes" is not true or false`,
		}},
		{
			name: "json", data: "a,b\n\"{\"\"x\"\": [1.10, \"\"é\\n\"\"]}\",1\n\"[1,\n 2]\",\"\"\"s\"\"\"\nnull,\"{}\"\n", dialect: types("a", "json", "b", "json"),
			records: []string{`{"a":{"x": [1.10, "é\n"]},"b":1}`, `{"a":[1,2],"b":"s"}`, `{"a":null,"b":{}}`}, columns: ab,
		},
		{name: "no json", data: "a,b\nx,{]\nx,\"{\"\"k\"\":1,\"\"k\"\":2}\"\nx, 1\nx,\nx,1 2\nx,\"\"\"\\ud800\"\"\"\nx,[1\nx,\"1,\"\"y\"\":2\"\n", dialect: types("b", "json"), columns: ab, bad: []string{
			`2:3 wrong_type: column "b": not valid JSON: invalid character ']' at start of value at byte 2`,
			`3:3 wrong_type: column "b": not valid JSON: duplicate object member name at byte 8`,
			`4:3 wrong_type: column "b": " 1" is not one JSON value`,
			`5:3 wrong_type: column "b": "" is not one JSON value`,
			`6:3 wrong_type: column "b": not valid JSON: something follows the value`,
			`7:3 wrong_type: column "b": not valid JSON: invalid surrogate pair ` + "`\\ud800\"`" + ` in string at byte 2`,
			`8:3 wrong_type: column "b": not valid JSON: it ends within the value`,
			`9:3 wrong_type: column "b": not valid JSON: something follows the value`,
		}},
		{
			name: "place behind quoted line ends", data: "a,b,c\n\"x\ny\",\"\n\",zz\n1,2,3\n", dialect: types("c", "integer"), columns: []string{"a", "b", "c"},
			records: []string{`{"a":"1","b":"2","c":3}`}, bad: []string{`4:3 wrong_type: column "c": "zz" is not an integer`},
		},
		{
			name: "place in a CR file", data: "a,b\r1,\"x\ry\"\r\"\r\",x\r3,4\r", dialect: types("b", "integer"), columns: ab,
			records: []string{`{"a":"3","b":4}`}, bad: []string{`2:3 wrong_type: column "b": "x\ry" is not an integer`, `5:3 wrong_type: column "b": "x" is not an integer`},
		},
		{
			name: "long values are shortened", data: "a,b\n" + strings.Repeat("é", 50) + ",1\n", dialect: types("a", "number"), columns: ab,
			bad: []string{`2:1 wrong_type: column "a": "` + strings.Repeat("é", 19) + `… is not a number`},
		},
		{
			name: "with bad records between", data: "a,b\nx,\n1,2\n3\n4,5\n\ny,6\n", dialect: types("a", "integer"), columns: ab, records: []string{`{"a":1,"b":"2"}`, `{"a":4,"b":"5"}`},
			bad: []string{`2:1 wrong_type: column "a": "x" is not an integer`, `4:1 ragged: 1 field instead of 2`, `7:1 wrong_type: column "a": "y" is not an integer`},
		},

		{name: "rename", data: "a,b\n1,2\n", dialect: mapping(Mapping{Rename: map[string]string{"a": `x"y`}}), records: []string{`{"x\"y":"1","b":"2"}`}, columns: []string{`x"y`, "b"}},
		{
			name: "names change places", data: "a,b\n1,2\n", dialect: mapping(Mapping{Rename: map[string]string{"a": "b", "b": "a"}, Types: map[string]string{"a": "integer"}}),
			records: []string{`{"b":1,"a":"2"}`}, columns: []string{"b", "a"},
		},
		{name: "keep orders", data: "a,b,c\n1,2,3\n", dialect: mapping(Mapping{Rename: map[string]string{"a": "x"}, Keep: []string{"c", "x"}}), records: []string{`{"c":"3","x":"1"}`}, columns: []string{"c", "x"}},
		{name: "drop", data: "a,b,c\n1,2,3\n", dialect: mapping(Mapping{Rename: map[string]string{"a": "x"}, Drop: []string{"x", "c"}}), records: []string{`{"b":"2"}`}, columns: []string{"b"}},
		{
			name: "a dropped column is checked all the same", data: "a,b\nx,2\n", dialect: mapping(Mapping{Types: map[string]string{"a": "integer"}, Drop: []string{"a"}}),
			bad: []string{`2:1 wrong_type: column "a": "x" is not an integer`}, columns: []string{"b"},
		},
		{
			name: "columns without names", data: "a,b,c\n1,\"x\"\"y\",3\n", dialect: Dialect{RecordsAs: "columns", Mapping: Mapping{Types: map[string]string{"a": "integer"}, Drop: []string{"c"}}},
			records: []string{`[1,"x\"y"]`}, columns: ab,
		},
		{name: "one column, empty lines", data: "a\n\n1\n", dialect: mapping(Mapping{NullValues: []string{""}}), records: []string{`{"a":null}`, `{"a":"1"}`}, columns: []string{"a"}},

		{name: "unknown column in types", data: "amount,name\n1,x\n", dialect: types("amuont", "integer"), err: `types.amuont: there is no column "amuont"`},
		{name: "unknown column in rename", data: "a\n1\n", dialect: mapping(Mapping{Rename: map[string]string{"b": "c"}}), err: `rename.b: there is no column "b"`},
		{name: "keep knows names after rename", data: "a,b\n1,2\n", dialect: mapping(Mapping{Rename: map[string]string{"a": "x"}, Keep: []string{"b", "a"}}), err: `keep[1]: there is no column "a"`},
		{name: "unknown column in drop", data: "a,b\n1,2\n", dialect: mapping(Mapping{Drop: []string{"c"}}), err: `drop[0]: there is no column "c"`},
		{name: "two columns of one name", data: "a,b\n1,2\n", dialect: mapping(Mapping{Rename: map[string]string{"a": "b"}}), err: `rename.a: columns "b" and "a" would both be named "b"`},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(t, "f.csv") })
	}
}

func TestMapNDJSON(t *testing.T) {
	for _, v := range []mapVector{
		{
			name: "types check, or convert strings", data: `{"i":"12","n":"1.10","b":"TRUE","j":"{\"x\":[1]}","s":1.10}` + "\n" + ` { "s" : false , "i" : 7 , "n" : 1e400 , "b" : true , "j" : [ 1 ] , "other" : 2.0 } ` + "\n",
			dialect: types("i", "integer", "n", "number", "b", "boolean", "j", "json", "s", "string", "absent", "integer"),
			records: []string{`{"i":12,"n":1.10,"b":true,"j":{"x":[1]},"s":"1.10"}`, `{"s":"false","i":7,"n":1e400,"b":true,"j":[ 1 ],"other":2.0}`},
		},
		{name: "null stays", data: `{"a":null,"b":null}`, dialect: types("a", "integer", "b", "string"), records: []string{`{"a":null,"b":null}`}},
		{name: "wrong types", data: `{"a":1.0}` + "\n" + `  {"x":{"a":1}, "a" : "x"}` + "\n" + `{"a":[1]}` + "\n" + `{"a":true}` + "\n", dialect: types("a", "integer"), bad: []string{
			`1:6 wrong_type: column "a": 1.0 is not an integer`, `2:23 wrong_type: column "a": "x" is not an integer`,
			`3:6 wrong_type: column "a": [1] is not an integer`, `4:6 wrong_type: column "a": true is not an integer`,
		}},
		{name: "no string", data: `{"a":{}}`, dialect: types("a", "string"), bad: []string{`1:6 wrong_type: column "a": {} is not a string, a number or true or false`}},
		{name: "escaped names and values", data: `{"\u0061":"\u0031"}`, dialect: types("a", "integer"), records: []string{`{"a":1}`}},
		{name: "json in a string", data: `{"a":"[1,\n2]","b":"x"}`, dialect: types("a", "json"), records: []string{`{"a":[1,2],"b":"x"}`}},
		{
			name: "numbers and escapes keep their bytes", data: `{"a":9007199254740993,"b":1.10,"c":"\u00fc\/","d":{"z": [ 1e2 ]}}`, dialect: mapping(Mapping{Drop: []string{"x"}}),
			records: []string{`{"a":9007199254740993,"b":1.10,"c":"\u00fc\/","d":{"z": [ 1e2 ]}}`},
		},
		{
			name: "rename and drop", data: `{"a":1,"b":2,"c":3}` + "\n" + `{"c":3,"d":4}` + "\n" + `{}`, dialect: mapping(Mapping{Rename: map[string]string{"a": "x"}, Drop: []string{"b"}}),
			records: []string{`{"x":1,"c":3}`, `{"c":3,"d":4}`, `{}`},
		},
		{
			name: "rename hits a name", data: `{"a":1,"b":2}` + "\n" + `{"b":2, "a":1}` + "\n" + `{"a":1}`, dialect: mapping(Mapping{Rename: map[string]string{"a": "b"}}), records: []string{`{"b":1}`},
			bad: []string{`1:8 duplicate_key: rename gives two members the name "b"`, `2:9 duplicate_key: rename gives two members the name "b"`},
		},
		{name: "names change places", data: `{"a":1,"b":2}` + "\n" + `{"b":3}`, dialect: mapping(Mapping{Rename: map[string]string{"a": "b", "b": "a"}}), records: []string{`{"b":1,"a":2}`, `{"a":3}`}},
		{name: "keep orders; absent stays absent", data: `{"a":1,"b":2,"c":3}` + "\n" + `{"c":3}` + "\n" + `{"d":3}`, dialect: mapping(Mapping{Keep: []string{"c", "a"}}), records: []string{`{"c":3,"a":1}`, `{"c":3}`, `{}`}, columns: []string{"c", "a"}},
		{name: "keep and rename", data: `{"a":1,"b":2}`, dialect: mapping(Mapping{Keep: []string{"b", "x"}, Rename: map[string]string{"a": "x"}}), records: []string{`{"b":2,"x":1}`}, columns: []string{"b", "x"}},
		{name: "columns without names", data: `{"a":1,"b":2}` + "\n" + `{"c":3}`, dialect: Dialect{RecordsAs: "columns", Mapping: Mapping{Keep: []string{"b", "a"}}}, records: []string{`[2,1]`, `[null,null]`}, columns: []string{"b", "a"}},
		{name: "columns need keep", data: `{"a":1}`, dialect: Dialect{RecordsAs: "columns", Mapping: Mapping{Drop: []string{"a"}}}, err: `keep: records_as = "columns" needs it: objects may differ in their members`},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(t, "f.ndjson") })
	}
}

func TestMapHintsNameColumns(t *testing.T) {
	var header []string
	for i := range 30 {
		header = append(header, fmt.Sprint("c", i))
	}
	for _, test := range []struct {
		data string
		m    Mapping
		want string
	}{
		{"amount,name\n1,x\n", Mapping{Types: map[string]string{"amuont": "integer"}}, `did you mean "amount"? the columns are amount, name`},
		{"AMOUNT,name\n1,x\n", Mapping{Drop: []string{"amount"}}, `did you mean "AMOUNT"? the columns are AMOUNT, name`},
		{"a,name\n1,x\n", Mapping{Keep: []string{"zzz"}}, `the columns are a, name`},
		{strings.Join(header, ",") + "\n", Mapping{Keep: []string{"zzz"}}, `the columns are ` + strings.Join(header[:20], ", ") + ` and 10 more`},
	} {
		s := open(t, Options{Path: write(t, "f.csv", []byte(test.data)), Dialect: mapping(test.m)})
		err := s.Scan(t.Context(), 0, ScanOptions{}, func(*Block) error { return nil })
		var e *Error
		if !errors.As(err, &e) || e.Hint != test.want {
			t.Errorf("%q: got %#v, want the hint %q", test.data, err, test.want)
		}
	}
}
