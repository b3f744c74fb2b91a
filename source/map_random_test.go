package source

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawMapping is any mapping of the columns a, b and c.
func drawMapping(t *rapid.T) Mapping {
	m := Mapping{Types: map[string]string{}, Rename: map[string]string{}}
	kinds := slices.Sorted(maps.Keys(kindByName))
	for _, column := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "typed") {
			m.Types[column] = rapid.SampledFrom(kinds).Draw(t, "type")
		}
	}
	names := map[string]string{"a": "a", "b": "b", "c": "c"}
	if rapid.Bool().Draw(t, "rename") {
		m.Rename["b"], names["b"] = "x \"y\"", "x \"y\""
	}
	m.NullValues = rapid.SliceOfN(rapid.SampledFrom([]string{"", `""`, "1", "NULL"}), 0, 2).Draw(t, "nulls")
	switch rapid.IntRange(0, 2).Draw(t, "keep or drop") {
	case 1:
		m.Keep = rapid.SampledFrom([][]string{{names["b"], "a"}, {"c", names["b"], "a"}}).Draw(t, "keep")
	case 2:
		m.Drop = []string{"c"}
	}
	m.Where = rapid.SampledFrom([]string{"", `a != nil`, `string(a) != "1"`, `$env["a"] == a and len($env) > 3`, `type(a) == "string" or a > 0`}).Draw(t, "where")
	for _, name := range []string{"a", "new"} {
		if rapid.Bool().Draw(t, "set") {
			m.Set = append(m.Set, Assignment{Name: name, Value: rapid.SampledFrom([]string{"a", "[a, 1.5]", "schedule", `type(a) == "string" ? a + "é" : a`, "len($env)"}).Draw(t, "value")})
		}
	}
	return m
}

// TestMapAnything: whatever a CSV file and a mapping are, Size is the length of
// what is encoded, and AppendRange writes the same bytes.
func TestMapAnything(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.SampledFrom([]string{"", "1", "007", "-5", "1.10", "true", "NULL", "x,y", "say \"so\"", "é\n", `{"k": [1]}`, "12345678901234567890", "\x01\\"})
		var text strings.Builder
		text.WriteString("a,b,c\n")
		for range rapid.IntRange(0, 20).Draw(rt, "rows") {
			var fields []string
			for range rapid.SampledFrom([]int{3, 3, 3, 3, 2}).Draw(rt, "fields") {
				field := value.Draw(rt, "value")
				if strings.ContainsAny(field, ",\"\n") || rapid.IntRange(0, 3).Draw(rt, "quoted") == 0 {
					field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
				}
				fields = append(fields, field)
			}
			text.WriteString(strings.Join(fields, ",") + "\n")
		}
		path := filepath.Join(dir, "f.csv")
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			rt.Fatal(err)
		}
		o := Options{Path: path, Moment: moment, Dialect: Dialect{Mapping: drawMapping(rt)}}
		h := how{block: rapid.IntRange(16, 200).Draw(rt, "block"), workers: rapid.IntRange(1, 3).Draw(rt, "workers")}
		got := mappedScan(t, o, []byte(text.String()), h)
		if again := mappedScan(t, o, []byte(text.String()), sequential); !reflect.DeepEqual(got, again) {
			rt.Fatalf("in blocks of %d with %d workers\n got %+v\nwant %+v", h.block, h.workers, got, again)
		}
		checkTyped(rt, o, text.String(), got)
	})
}

// checkTyped compares what has only types with what encoding/csv and strconv say.
func checkTyped(rt *rapid.T, o Options, text string, got result) {
	m := o.Mapping
	if got.Err != "" || len(m.NullValues)+len(m.Rename)+len(m.Keep)+len(m.Drop)+len(m.Set) > 0 || m.Where != "" {
		return
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		rt.Fatal(err)
	}
	var want []string
	for _, row := range rows[1:] {
		if object, ok := typedObject(row, m.Types); ok {
			want = append(want, object)
		}
	}
	var records []string
	for _, it := range got.Records {
		records = append(records, it.JSON)
	}
	if !slices.Equal(records, want) {
		rt.Fatalf("got  %q\nwant %q", records, want)
	}
}

func typedObject(row []string, types map[string]string) (string, bool) {
	if len(row) != 3 {
		return "", false
	}
	var members []string
	for i, column := range []string{"a", "b", "c"} {
		text, ok := row[i], true
		switch types[column] {
		case "integer":
			ok = json.Valid([]byte(text)) && strings.Trim(text, "-0123456789") == "" && text != "-0"
		case "number":
			_, err := strconv.ParseFloat(text, 64)
			ok = err == nil && json.Valid([]byte(text))
		case "boolean":
			ok = text == "true"
		case "json":
			ok = json.Valid([]byte(text)) && strings.TrimSpace(text) == text
		default:
			text = string(appendEscaped([]byte{'"'}, []byte(text))) + `"`
		}
		if !ok {
			return "", false
		}
		members = append(members, fmt.Sprintf("%q:%s", column, text))
	}
	return "{" + strings.Join(members, ",") + "}", true
}

// FuzzMapNDJSON: whatever lines are, a mapping keeps the package's invariants, and
// members that it does not touch keep their bytes.
func FuzzMapNDJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":1.10,"b":"x","c":[1, {"a":2}]}` + "\n" + `{"b":2,"a":"7"}`, `{"\u0061":1,"d":null}` + "\n{}\n" + `{"x":{"y":"\ud83d\ude00"}}`,
		`{"b":"\\\"","a":true} ` + "\n" + `{"a":{"b":[[],{}]},"\"":1e400}`, `{"a":9007199254740993,"b":-0}`,
	} {
		for mapping := range mapped {
			f.Add([]byte(s), uint8(mapping), uint8(3))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, mapping, block uint8) {
		path := filepath.Join(dir, "f.ndjson")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o := Options{Path: path, Moment: moment, Dialect: Dialect{Mapping: mapped[int(mapping)%len(mapped)]}}
		got := mappedScan(t, o, data, how{block: 16 + int(block), workers: 2})
		if again := mappedScan(t, o, data, sequential); !reflect.DeepEqual(got, again) {
			t.Fatalf("in blocks of %d\n got %+v\nwant %+v", 16+int(block), got, again)
		}
		o.Mapping = Mapping{}
		sameMembers(t, checkedScan(t, o, data, sequential), got)
	})
}

// sameMembers checks that what no mapping of mapped names kept its bytes.
func sameMembers(t *testing.T, plain, got result) {
	t.Helper()
	before := map[int64]string{}
	for _, it := range plain.Records {
		before[it.Start] = it.JSON
	}
	for _, it := range got.Records {
		var was, is map[string]json.RawMessage
		if err := json.Unmarshal([]byte(before[it.Start]), &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(it.JSON), &is); err != nil {
			t.Fatal(err)
		}
		for name, value := range is {
			if !slices.Contains([]string{"a", "b", "c", "n", "x"}, name) && string(value) != string(was[name]) {
				t.Fatalf("member %q: %s became %s", name, was[name], value)
			}
		}
	}
}

// mapped are the mappings of FuzzMapNDJSON.
var mapped = []Mapping{
	{Types: map[string]string{"a": "integer", "b": "string"}},
	{Types: map[string]string{"a": "json", "b": "number"}, Drop: []string{"c"}},
	{Rename: map[string]string{"a": "b"}},
	{Rename: map[string]string{"a": "b", "b": "a"}, Keep: []string{"b", "x", "c"}},
	{Where: "a != nil"},
	{Where: "a == b or a > 1", Set: []Assignment{{"c", "$env"}, {"n", "a"}}},
	{Types: map[string]string{"a": "boolean"}, Set: []Assignment{{"a", "x?.y"}}},
}
