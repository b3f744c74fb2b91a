package source

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// object undoes a form: the record's object as text, or its values by name.
func object(t *testing.T, as, text string, header []string) any {
	t.Helper()
	switch as {
	case RecordsAsString:
		var inside string
		if err := json.Unmarshal([]byte(`"`+text+`"`), &inside); err != nil {
			t.Fatal(err)
		}
		return inside
	case RecordsAsColumns:
		var values []string
		if err := json.Unmarshal([]byte(text), &values); err != nil || len(values) != len(header) {
			t.Fatalf("%q: %v; the header is %q", text, err, header)
		}
		m := map[string]string{}
		for i, v := range values {
			m[header[i]] = v
		}
		return m
	}
	t.Fatalf("no form %q", as)
	return nil
}

func valuesOf(t *testing.T, text string) any {
	t.Helper()
	var m map[string]string
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// sameInForm scans a file's records as objects and in a form: the same records,
// at the same places.
func sameInForm(t *testing.T, path string, data []byte, as string, h how) {
	t.Helper()
	name := filepath.Base(path)
	overwrite(t, filepath.Dir(path), name, data)
	plain := checkedScan(t, Options{Path: path}, data, sequential)
	got := checkedScan(t, Options{Path: path, Dialect: Dialect{RecordsAs: as}}, data, h)
	if len(got.Records) != len(plain.Records) || !reflect.DeepEqual(got.Bad, plain.Bad) || got.Blank != plain.Blank || got.Err != plain.Err {
		t.Fatalf("%s as %s: got %+v\nwant %+v\nfile: %q", name, as, got, plain, data)
	}
	for i, r := range got.Records {
		want := any(plain.Records[i].JSON)
		if as == RecordsAsColumns {
			want = valuesOf(t, plain.Records[i].JSON)
		}
		if inside := object(t, as, r.JSON, got.Header); !reflect.DeepEqual(inside, want) {
			t.Fatalf("%s as %s: record %d is %q, want %q", name, as, i, inside, want)
		}
		r.JSON = plain.Records[i].JSON
		if r != plain.Records[i] {
			t.Fatalf("%s as %s: record %d lies at %+v, want %+v", name, as, i, r, plain.Records[i])
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	r, dir := rand.New(rand.NewPCG(3, 3)), t.TempDir()
	cells := []string{"a", "", `"x"`, "\"y,\"\"z\"", "\"\n\"", "é", `\`, "\"\\\"\"\"", "\t", "long enough to fill words of masks"}
	lines := []string{`{}`, `{"a":1}`, `{ "a" : "x\"\\y\n", "b":{"c":[null,"\u0041"]} }`, "\t{\"a\":\t\"ü\"\t}\r", `[1]`, `{"a"`, ``, `{"日本":"語"}`}
	for range 150 {
		var table, objects strings.Builder
		table.WriteString("a,\"b \"\"q\"\"\"\n")
		for range r.IntN(40) {
			table.WriteString(cells[r.IntN(len(cells))] + "," + cells[r.IntN(len(cells))])
			if r.IntN(20) == 0 {
				table.WriteString(",one too many")
			}
			table.WriteString("\n")
			objects.WriteString(lines[r.IntN(len(lines))] + "\n")
		}
		h := how{block: 16 + r.IntN(200), workers: 1 + r.IntN(3)}
		sameInForm(t, dir+"/f.csv", []byte(table.String()), RecordsAsColumns, h)
		sameInForm(t, dir+"/f.csv", []byte(table.String()), RecordsAsString, h)
		sameInForm(t, dir+"/f.ndjson", []byte(objects.String()), RecordsAsString, h)
	}
}

func TestColumnsNeedTheSameMembers(t *testing.T) {
	data := []byte("{\"a\":1}\n")
	got := checkedScan(t, Options{Path: write(t, "f.ndjson", data), Dialect: Dialect{RecordsAs: RecordsAsColumns}}, data, sequential)
	if !strings.Contains(got.Err, `records_as = "columns" needs records that all have the same members`) {
		t.Errorf("got error %q", got.Err)
	}
}
