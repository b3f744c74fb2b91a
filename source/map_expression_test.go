package source

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"worqcron/expression"
)

func where(text string) Dialect { return mapping(Mapping{Where: text}) }

func set(pairs ...string) Dialect {
	var list []Assignment
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, Assignment{Name: pairs[i], Value: pairs[i+1]})
	}
	return mapping(Mapping{Set: list})
}

// with adds to a mapping.
func (d Dialect) with(m Mapping) Dialect {
	d.Types, d.Rename, d.Keep, d.Drop, d.NullValues = m.Types, m.Rename, m.Keep, m.Drop, m.NullValues
	if m.Where != "" {
		d.Where = m.Where
	}
	return d
}

func TestWhereAndSetCSV(t *testing.T) {
	ab := []string{"a", "b"}
	ints := map[string]string{"a": "integer"}
	for _, v := range []mapVector{
		{name: "strings", data: "a,b\n1,x\n2,y\n\n\"1\",z\n", dialect: where(`a == "1"`), records: []string{`{"a":"1","b":"x"}`, `{"a":"1","b":"z"}`}, filtered: 1, columns: ab},
		{name: "all filtered", data: "a,b\n1,x\n2,y\n", dialect: where(`b == ""`), filtered: 2, columns: ab},
		{name: "integers", data: "a,b\n10,x\n9,y\n", dialect: where("a > 9").with(Mapping{Types: ints}), records: []string{`{"a":10,"b":"x"}`}, filtered: 1, columns: ab},
		{
			name: "numbers and booleans", data: "a,b\n1.50,TRUE\n1.5,false\n2,true\n", dialect: where("a == 1.5 and b").with(Mapping{Types: map[string]string{"a": "number", "b": "boolean"}}),
			records: []string{`{"a":1.50,"b":true}`}, filtered: 2, columns: ab,
		},
		{name: "null", data: "a,b\n,x\n5,y\n", dialect: where("a == nil or a > 5").with(Mapping{Types: ints, NullValues: []string{""}}), records: []string{`{"a":null,"b":"x"}`}, filtered: 1, columns: ab},
		{
			name: "json", data: "a,b\n\"[{\"\"x\"\":7}]\",1\n[],2\n", dialect: where("len(a) > 0 and a[0].x == 7").with(Mapping{Types: map[string]string{"a": "json"}}),
			records: []string{`{"a":[{"x":7}],"b":"1"}`}, filtered: 1, columns: ab,
		},
		{name: "escapes are undone", data: "a,b\n\"x\ny\"\"\",1\n", dialect: where("a == \"x\\ny\\\"\""), records: []string{`{"a":"x\ny\"","b":"1"}`}, columns: ab},
		{name: "names that are no identifiers", data: "Order No,in\n7,x\n8,y\n", dialect: where(`$env["Order No"] == "7" and $env.in == "x"`), records: []string{`{"Order No":"7","in":"x"}`}, filtered: 1, columns: []string{"Order No", "in"}},
		{name: "names of builtins", data: "count,date\n7,x\n8,y\n", dialect: where(`count == "7" and date == "x"`), records: []string{`{"count":"7","date":"x"}`}, filtered: 1, columns: []string{"count", "date"}},
		{
			name: "the moment", data: "a,b\n1,x\n", dialect: set("run", "schedule + run_id + origin", "day", "strftime(scheduled_for, '%F')", "at", "scheduled_for"),
			records: []string{`{"a":"1","b":"x","run":"orders0193a7c2slot","day":"2026-11-24","at":"2026-11-24T02:30:00-05:00"}`}, columns: []string{"a", "b", "run", "day", "at"},
		},
		{name: "a column hides the moment", data: "origin,b\nshop,x\n", dialect: set("c", "origin + schedule"), records: []string{`{"origin":"shop","b":"x","c":"shoporders"}`}, columns: []string{"origin", "b", "c"}},
		{name: "a dropped column does not", data: "origin,b\nshop,x\n", dialect: set("c", "origin").with(Mapping{Drop: []string{"origin"}}), records: []string{`{"b":"x","c":"slot"}`}, columns: []string{"b", "c"}},
		{name: "set in place and behind", data: "a,b\n1,2\n3,4\n", dialect: set("c", "a + b", "a", "b", "b", "a"), records: []string{`{"a":"2","b":"1","c":"12"}`, `{"a":"4","b":"3","c":"34"}`}, columns: []string{"a", "b", "c"}},
		{name: "set does not see set", data: "a,b\n1,2\n", dialect: set("c", `$env["a"]`, "d", "len($env)"), records: []string{`{"a":"1","b":"2","c":"1","d":8}`}, columns: []string{"a", "b", "c", "d"}},
		{name: "types come again after set", data: "a,b\n7,1\n8,1\n", dialect: set("a", `a / 2`).with(Mapping{Types: map[string]string{"a": "number"}}), records: []string{`{"a":3.5,"b":"1"}`, `{"a":4,"b":"1"}`}, columns: ab},
		{name: "set of a dropped name", data: "a,b\n1,2\n", dialect: set("a", "b").with(Mapping{Drop: []string{"a"}}), records: []string{`{"b":"2","a":"2"}`}, columns: []string{"b", "a"}},
		{
			name: "after rename, keep", data: "a,b,c\n1,2,3\n", dialect: set("y", "x + c").with(Mapping{Rename: map[string]string{"a": "x"}, Keep: []string{"c", "x"}, Where: `x == "1"`}),
			records: []string{`{"c":"3","x":"1","y":"13"}`}, columns: []string{"c", "x", "y"},
		},
		{
			name: "values as JSON", data: "a\n1\n", dialect: set("i", "9007199254740993", "f", "1/4", "w", "4/2", "n", "nil", "b", "1 > 2", "s", `"<\"\n\u2028\u0001"`, "l", `[1, "x", [], split("a,b", ",")]`, "m", `{"z": 1, "a": {"y": nil}}`, "big", "1e300", "r", "1..3"),
			records: []string{`{"a":"1","i":9007199254740993,"f":0.25,"w":2,"n":null,"b":false,"s":"<\"\n` + "\u2028" + `\u0001","l":[1,"x",[],["a","b"]],"m":{"a":{"y":null},"z":1},"big":1e+300,"r":[1,2,3]}`},
			columns: []string{"a", "i", "f", "w", "n", "b", "s", "l", "m", "big", "r"},
		},
		{name: "columns without names", data: "a,b\n1,2\n3,4\n", dialect: Dialect{RecordsAs: "columns", Mapping: Mapping{Where: `a != "1"`, Set: []Assignment{{"c", "b"}}}}, records: []string{`["3","4","4"]`}, filtered: 1, columns: []string{"a", "b", "c"}},

		{
			name: "what fails is bad", data: "a,b\n,x\n1,y\n", dialect: where("a > 0").with(Mapping{Types: ints, NullValues: []string{""}}), records: []string{`{"a":1,"b":"y"}`}, columns: ab,
			bad: []string{`2:1 expression: where: invalid operation: <nil> > int`},
		},
		{
			name: "set fails", data: "a,b\n1,y\nx,y\n", dialect: set("a b", "int(a)"), records: []string{`{"a":"1","b":"y","a b":1}`}, columns: []string{"a", "b", "a b"},
			bad: []string{`3:1 expression: set."a b": invalid operation: int(x)`},
		},
		{name: "no number for JSON", data: "a,b\n0,1\n", dialect: set("c", "1 / a").with(Mapping{Types: ints}), columns: []string{"a", "b", "c"}, bad: []string{`2:1 expression: set.c: the value is +Inf, a number that JSON does not have`}},
		{name: "no text for JSON", data: "a\n/w==\n", dialect: set("c", "fromBase64(a)"), columns: []string{"a", "c"}, bad: []string{`2:1 expression: set.c: the value is text that is not UTF-8`}},
		{name: "keys that are no text", data: "a\n1\n", dialect: set("c", "groupBy([1], # % 2)"), columns: []string{"a", "c"}, bad: []string{`2:1 expression: set.c: the value is a map whose keys are not text`}},
		{
			name: "where is no bool", data: "a,b\n\"7\",1\nnull,1\ntrue,1\n", dialect: where("a").with(Mapping{Types: map[string]string{"a": "json"}}), records: []string{`{"a":true,"b":"1"}`}, columns: ab,
			bad: []string{`2:1 expression: where: gives a number, not true or false`, `3:1 expression: where: gives nil, not true or false`},
		},
		{
			name: "integers over 64 bits", data: "a,b\n9223372036854775808,1\n9223372036854775807,2\n", dialect: where("a > 0").with(Mapping{Types: ints}), records: []string{`{"a":9223372036854775807,"b":"2"}`}, columns: ab,
			bad: []string{`2:1 expression: column "a": 9223372036854775808 does not fit 64 bits, so no expression can use it`},
		},
		{name: "…that nobody reads", data: "a,b\n9223372036854775808,1\n", dialect: where(`b == "1"`).with(Mapping{Types: ints}), records: []string{`{"a":9223372036854775808,"b":"1"}`}, columns: ab},
		{name: "numbers over 64 bits", data: "a,b\n1e400,1\n", dialect: where("a > 0").with(Mapping{Types: map[string]string{"a": "number"}}), columns: ab, bad: []string{`2:1 expression: column "a": 1e400 is too large for an expression`}},
		{name: "memory", data: "a\n900000\n", dialect: set("b", `repeat("x", int(a))`), columns: []string{"a", "b"}, bad: []string{`2:1 expression: set.b: memory budget exceeded`}},

		{name: "unknown name", data: "amount,b\n1,2\n", dialect: where(`b == "2" and amuont == "1"`), err: `where: unknown name amuont`},
		{name: "unknown name through $env", data: "amount,b\n1,2\n", dialect: set("c", `$env["amuont"]`), err: `set.c: unknown name amuont`},
		{name: "dropped name", data: "a,b\n1,2\n", dialect: where(`a == "1"`).with(Mapping{Drop: []string{"a"}}), err: `where: unknown name a`},
		{name: "name of another set", data: "a,b\n1,2\n", dialect: set("c", "a", "d", "c"), err: `set.d: unknown name c`},
		{name: "wrong type", data: "a,b\n1,2\n", dialect: where("a > 1"), err: `where: invalid operation: > (mismatched types string and int)`},
		{name: "no bool", data: "a,b\n1,2\n", dialect: where("a"), err: `where: gives a string, not true or false`},
		{name: "a duration", data: "a,b\n1,2\n", dialect: set("c", `duration("1h")`), err: `set.c: gives a duration; call .Seconds() or .String() on it`},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(t, "f.csv") })
	}
}

func TestWhereAndSetNDJSON(t *testing.T) {
	for _, v := range []mapVector{
		{name: "filtered records keep their bytes", data: ` { "a" : 1.0 , "b" : "\u00fc" } ` + "\n" + `{"a":2}` + "\n" + `{"b":1}` + "\n", dialect: where("a == 1"), records: []string{`{ "a" : 1.0 , "b" : "\u00fc" }`}, filtered: 2},
		{
			name: "all kinds of values", data: `{"s":"x","i":9007199254740993,"f":1.5,"b":true,"n":null,"l":[1,{"k":[]}],"m":{"k":"v"}}`,
			dialect: where(`s == "x" and i == 9007199254740993 and f == 1.5 and b and n == nil and l[1].k == [] and l[0] == 1 and m.k == "v" and absent == nil`),
			records: []string{`{"s":"x","i":9007199254740993,"f":1.5,"b":true,"n":null,"l":[1,{"k":[]}],"m":{"k":"v"}}`},
		},
		{name: "set in place and behind", data: `{"a":1.10,"b":[ 1, 2 ]}` + "\n" + `{"b":3}` + "\n", dialect: set("b", "type(b)", "c", "a ?? 0"), records: []string{`{"a":1.10,"b":"array","c":1.1}`, `{"b":"int","c":0}`}},
		{
			name: "whole records", data: `{"a":1,"x\u0022":{"b":[2.5,null]}}`, dialect: set("all", "$env").with(Mapping{Drop: []string{"d"}}),
			records: []string{`{"a":1,"x\u0022":{"b":[2.5,null]},"all":{"a":1,"interval_end":"2026-11-24T02:30:00-05:00","interval_start":"2026-11-23T02:30:00-05:00","origin":"slot","run_id":"0193a7c2","schedule":"orders","scheduled_for":"2026-11-24T02:30:00-05:00","x\"":{"b":[2.5,null]}}}`},
		},
		{name: "whole records leave nothing behind", data: `{"a":1}` + "\n" + `{"b":2}`, dialect: set("n", `$env["a"] == nil ? len($env) : 0`), records: []string{`{"a":1,"n":0}`, `{"b":2,"n":7}`}},
		{name: "a member hides the moment where it is", data: `{"origin":5}` + "\n" + `{"a":1}`, dialect: set("o", "origin"), records: []string{`{"origin":5,"o":5}`, `{"a":1,"o":"slot"}`}},
		{name: "kept names are known", data: `{"a":1}` + "\n" + `{"b":2}`, dialect: set("c", "a").with(Mapping{Keep: []string{"a"}}), records: []string{`{"a":1,"c":1}`, `{"c":null}`}, columns: []string{"a", "c"}},
		{name: "large integers as floats", data: `{"a":12345678901234567890}`, dialect: set("b", "a / 2"), records: []string{`{"a":12345678901234567890,"b":6172839450617284000}`}},
		{name: "typed members", data: `{"a":"7"}`, dialect: set("b", "a * 2").with(Mapping{Types: map[string]string{"a": "integer"}}), records: []string{`{"a":7,"b":14}`}},
		{name: "renamed members", data: `{"a":"7","x":1}`, dialect: set("b", "z + 2", "c", "a").with(Mapping{Types: map[string]string{"a": "integer"}, Rename: map[string]string{"a": "z"}}), records: []string{`{"z":7,"x":1,"b":9,"c":null}`}},
		{name: "set of a dropped name", data: `{"a":1,"b":2}`, dialect: set("a", "b").with(Mapping{Drop: []string{"a"}}), records: []string{`{"b":2,"a":2}`}},
		{
			name: "fails on some", data: `{"a":{"b":1}}` + "\n" + `{"a":null}` + "\n" + ` {"a":"x"}` + "\n", dialect: where("a.b == 1"), records: []string{`{"a":{"b":1}}`},
			bad: []string{`2:1 expression: where: cannot fetch b from <nil>`, `3:1 expression: where: invalid operation: int(string)`},
		},

		{name: "name that is not kept", data: `{"a":1}`, dialect: where("b == 1").with(Mapping{Keep: []string{"a"}}), err: "where: unknown name b"},
		{name: "name that is dropped", data: `{"a":1}`, dialect: where("b == 1").with(Mapping{Drop: []string{"b"}}), err: "where: unknown name b"},
	} {
		t.Run(v.name, func(t *testing.T) { v.run(t, "f.ndjson") })
	}
}

func TestCheckMapping(t *testing.T) {
	columns := []string{"id", "amount"}
	for _, test := range []struct {
		name   string
		path   string
		d      Dialect
		steps  []any
		offset int
		msg    string
		hint   string
	}{
		{name: "good", path: "x.csv", d: where(`anything == "x"`)},
		{name: "good NDJSON", path: "x.ndjson.gz", d: where(`anything > 5 and origin.x == 1`)},
		{name: "good, any format", path: "x", d: where(`anything > 5`)},
		{name: "untyped columns are strings", path: "in-*.tsv.gz", d: where("id > 5"), steps: []any{"where"}, offset: 3, msg: "invalid operation: > (mismatched types string and int)", hint: `a CSV field is text: give its column a type in types`},
		{name: "syntax", path: "x.csv", d: set("a", "1", "b c", "a +"), steps: []any{"set", "b c"}, offset: 2, msg: "unexpected token EOF"},
		{name: "typed columns", path: "x.csv", d: where(`"é" == x or amount == "5"`).with(Mapping{Types: map[string]string{"amount": "integer"}}), steps: []any{"where"}, offset: 20, msg: "invalid operation: == (mismatched types int64 and string)"},
		{name: "typed and renamed", path: "x.csv", d: where(`amount == 5 and a == "x"`).with(Mapping{Types: map[string]string{"a": "integer"}, Rename: map[string]string{"a": "amount"}})},
		{name: "known columns", path: "x.csv", d: Dialect{Columns: columns, Mapping: Mapping{Where: `amuont == "1"`}}, steps: []any{"where"}, msg: "unknown name amuont", hint: `did you mean "amount"? the columns are id, amount`},
		{name: "kept columns", path: "x.csv", d: where(`bbb == "1"`).with(Mapping{Keep: []string{"a"}}), steps: []any{"where"}, msg: "unknown name bbb", hint: "the columns are a"},
		{name: "a member that set makes", d: set("x", `a + "1"`, "y", "x").with(Mapping{Keep: []string{"a"}}), path: "x.csv", steps: []any{"set", "y"}, msg: "unknown name x", hint: "only set makes it, and an expression sees the record as it was before set"},
		{name: "dropped column", path: "x.csv", d: where(`a == "1"`).with(Mapping{Drop: []string{"a"}}), steps: []any{"where"}, msg: "unknown name a", hint: "it is dropped before"},
		{name: "unknown type", d: types("a", "int"), steps: []any{"types", "a"}, msg: `"int" is not a type`, hint: `use "string", "integer", "number", "boolean" or "json"`},
		{name: "null values of NDJSON", path: "x.jsonl", d: mapping(Mapping{NullValues: []string{""}}), steps: []any{"null_values"}, msg: "is for CSV, and these files are NDJSON", hint: "leave it out: JSON has null itself"},
		{name: "keep twice", d: mapping(Mapping{Keep: []string{"a", "b", "a"}}), steps: []any{"keep", 2}, msg: `"a" is listed twice`},
		{name: "keep and drop", d: mapping(Mapping{Keep: []string{"a"}, Drop: []string{"b"}}), steps: []any{"drop"}, msg: "does not go with keep", hint: "what is not kept is dropped"},
		{name: "renamed to one name", d: mapping(Mapping{Rename: map[string]string{"a": "x", "b": "x"}}), steps: []any{"rename", "b"}, msg: `columns "a" and "b" would both be named "x"`},
		{name: "renamed to nothing", d: mapping(Mapping{Rename: map[string]string{"a": ""}}), steps: []any{"rename", "a"}, msg: "the name is empty"},
		{name: "set twice", d: set("a", "1", "a", "2"), steps: []any{"set", "a"}, msg: "is set twice"},
		{name: "no UTF-8", d: set("a\xff", "1"), steps: []any{"set", "a\xff"}, msg: "the name is not UTF-8"},
		{name: "the clock", d: set("a", "1 + now()"), steps: []any{"set", "a"}, offset: 4, msg: "unknown name now", hint: "a plan must be repeatable: use scheduled_for"},
		{name: "no bool", d: where("1"), steps: []any{"where"}, msg: "gives a number, not true or false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := (&Options{Path: test.path, Dialect: test.d}).CheckMapping()
			if test.msg == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *MappingError
			if !errors.As(err, &e) || !reflect.DeepEqual(e.Steps, test.steps) || e.Offset != test.offset || e.Msg != test.msg || e.Hint != test.hint {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestCheckMappingReportsAll(t *testing.T) {
	d := where("a +").with(Mapping{Types: map[string]string{"a": "integer"}})
	d.Set = []Assignment{{"x", "1 +"}, {"y", "2"}}
	err := (&Options{Path: "x.csv", Dialect: d}).CheckMapping()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("got %v, want two errors", err)
	}
	if want := "source.where: "; err == nil || err.Error()[:len(want)] != want {
		t.Errorf("got %v, want %s…", err, want)
	}
}

func TestUseHeader(t *testing.T) {
	s := open(t, Options{Path: write(t, "f.csv", []byte("a,b\n1,2\n")), Moment: expression.Moment{}, Dialect: set("c", "a").with(Mapping{Rename: map[string]string{"b": "x"}})})
	if err := s.Files[0].UseHeader([]string{"a", "b"}); err != nil || !slices.Equal(s.Files[0].Columns, []string{"a", "x", "c"}) {
		t.Errorf("columns %q, %v", s.Files[0].Columns, err)
	}
	var e *Error
	if err := s.Files[0].UseHeader([]string{"a", "y"}); !errors.As(err, &e) {
		t.Errorf("got %v, want an *Error", err)
	}
}
