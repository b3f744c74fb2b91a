package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckBody(t *testing.T) {
	const batch = `"_batch":{"schedule":"s","run_id":"r","chunk":7,"records":3,"key":"abc"}`
	tests := []struct {
		name, body string
		full, fast string // "" accepted, else what the error says
		want       found  // of the full check
	}{
		{"plain", `{"a":1}`, "", "", found{}},
		{"chunk", `{"records":[{"a":1},{"b":[1,2]},3],"p":"x",` + batch + `}`, "", "", found{"abc", 7, 3}},
		{"counted, not believed", `{"records":[1],` + batch + `}`, "", "", found{"abc", 7, 1}},
		{"columns", `{"columns":["a"],"rows":[[1],[2]],` + batch + `}`, "", "", found{"abc", 7, 2}},
		{"one record", `{"id":1,` + batch + `}`, "", "", found{"abc", 7, 3}},
		{"records is a number", `{"records":5,` + batch + `}`, "", "", found{"abc", 7, 3}},
		{"records is an object", `{"records":{"x":[1,2]},` + batch + `}`, "", "", found{"abc", 7, 3}},
		{"as strings", `{"records":"[{\"a\":1},2]","_batch":"{\"key\":\"k\",\"chunk\":\"4\",\"records\":2}"}`, "", "", found{"k", 4, 2}},
		{"string that is no array", `{"records":"hello",` + batch + `}`, "", "", found{"abc", 7, 3}},
		{"string with half an array", `{"records":"[1,",` + batch + `}`, "", "", found{"abc", 7, 3}},
		{"batch of another type", `{"a":1,"_batch":[1]}`, "", "", found{}},
		{"white space", " \n{ \"a\" : 1 }\r\n", "", "", found{}},
		{"doubled names", `{"a":1,"a":2}`, "", "", found{}},
		{"empty", ``, "empty", "object", found{}},
		{"empty object", `{}`, "at least one key", "at least one key", found{}},
		{"array", `[{"a":1}]`, "must be a JSON object", "must be a JSON object", found{}},
		{"string", `"{}"`, "must be a JSON object", "must be a JSON object", found{}},
		{"cut", `{"a":1,"b":`, "unexpected EOF", "object", found{}},
		{"two", `{"a":1}{"a":1}`, "follows", "", found{}},
		{"trailing comma", `{"a":1,}`, "invalid character", "", found{}},
		{"not UTF-8", "{\"a\":\"\xff\"}", "UTF-8", "", found{}},
		{"not UTF-8 in records", "{\"records\":[\"\xff\"]}", "UTF-8", "", found{}},
		{"bad record", `{"records":[{"a":01}]}`, "invalid character", "", found{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := checkBody([]byte(tt.body), CheckFull, true)
			if !matches(err, tt.full) || err == nil && got != tt.want {
				t.Errorf("full: %+v, %v; want %+v, %q", got, err, tt.want, tt.full)
			}
			got, err = checkBody([]byte(tt.body), CheckFast, true)
			if !matches(err, tt.fast) {
				t.Errorf("fast: %v; want %q", err, tt.fast)
			}
			if tt.full == "" && (got.key != tt.want.key || got.chunk != tt.want.chunk) {
				t.Errorf("fast: %+v; want key and chunk of %+v", got, tt.want)
			}
		})
	}
}

func matches(err error, want string) bool {
	if err == nil || want == "" {
		return err == nil && want == ""
	}
	return strings.Contains(err.Error(), want)
}

// FuzzCheckBody: what the full check takes, encoding/json reads as an object
// with as many records.
func FuzzCheckBody(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"records":[1,{}],"_batch":{"key":"k","chunk":1}}`, `{"records":"[1]"}`, `{}`, `[]`, `{"_batch":"{"}`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := checkBody(bytes.Clone(body), CheckFast, true); err == nil && len(body) < 6 {
			t.Errorf("the fast check takes %q", body)
		}
		got, err := checkBody(bytes.Clone(body), CheckFull, true)
		var object map[string]json.RawMessage
		stdErr := json.Unmarshal(body, &object)
		if err != nil {
			return
		}
		if stdErr != nil || len(object) == 0 {
			t.Fatalf("taken, but encoding/json says %v, %d keys: %q", stdErr, len(object), body)
		}
		if bytes.Count(body, []byte("records")) > 1 || bytes.Contains(body, []byte("rows")) || bytes.ContainsRune(body, '\\') {
			return // doubled or disguised names
		}
		var list []json.RawMessage
		if raw := object["records"]; len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &list) == nil && got.records != int64(len(list)) {
			t.Errorf("%d records, want %d: %q", got.records, len(list), body)
		}
	})
}

// TestConformance runs the parser over the JSON test suite that lies beside the
// project, where it does.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("../../../shared/data/json-test-suite/test_parsing/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no JSON test suite beside the project")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := append(append([]byte(`{"a":`), text...), '}')
		_, err = checkBody(body, CheckFull, true)
		switch name := filepath.Base(file); {
		case name[0] == 'y' && err != nil:
			t.Errorf("%s is refused: %v", name, err)
		case name[0] == 'n' && err == nil && !json.Valid(body):
			t.Errorf("%s is taken", name) // some are only wrong without an object around
		}
	}
}

func BenchmarkCheckFull(b *testing.B) {
	var s strings.Builder
	s.WriteString(`{"records":[`)
	for i := 0; s.Len() < 9_400_000; i++ {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"id":%d,"name":"Ada Lövelace","city":"London, \"UK\"","amount":12.34,"note":"some text that is a little longer"}`, i)
	}
	s.WriteString(`],"_batch":{"key":"abc","chunk":1}}`)
	body := []byte(s.String())
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := checkBody(body, CheckFull, true); err != nil {
			b.Fatal(err)
		}
	}
}
