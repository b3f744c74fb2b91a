package source

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// shared reads a folder of conformance data that lies beside the project, or
// skips the test.
func shared(t *testing.T, pattern string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "shared", "data", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("the conformance data is not here: ../../shared/data/" + pattern)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))] = data
	}
	return files
}

func TestCSVSpectrum(t *testing.T) {
	want := shared(t, "csv-spectrum/json/*.json")
	tables := shared(t, "csv-spectrum/csvs/*.csv")
	if len(tables) < 11 || len(want) != len(tables) {
		t.Errorf("%d tables and %d answers: the spectrum is not complete", len(tables), len(want))
	}
	for name, data := range tables {
		if strings.HasSuffix(name, "_crlf") && !bytes.Contains(data, []byte("\r")) {
			data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")) // a checkout may have changed the line ends
		}
		got := checkedScan(t, Options{Path: write(t, "f.csv", data)}, data, how{block: 16, workers: 2})
		var rows, wanted []map[string]string
		for _, r := range got.Records {
			var row map[string]string
			if err := json.Unmarshal([]byte(r.JSON), &row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		if err := json.Unmarshal(want[name], &wanted); err != nil {
			t.Fatal(err)
		}
		if got.Err != "" || len(got.Bad) > 0 || !reflect.DeepEqual(rows, wanted) {
			t.Errorf("%s: error %q, bad %v\n got %q\nwant %q", name, got.Err, got.Bad, rows, wanted)
		}
	}
}

func TestJSONTestSuite(t *testing.T) {
	t.Parallel()
	accepted, refused, dir := 0, 0, t.TempDir()
	for name, data := range shared(t, "json-test-suite/test_parsing/*.json") {
		switch name[0] {
		case 'y':
			// A line end between two tokens is the same as a space.
			data = bytes.ReplaceAll(bytes.TrimRight(data, "\r\n"), []byte("\n"), []byte(" "))
			got := checkedScan(t, Options{Path: overwrite(t, dir, "f.ndjson", data)}, data, sequential)
			value := bytes.Trim(data, " \t\r")
			switch {
			case name == "y_object_duplicated_key", name == "y_object_duplicated_key_and_value":
				if len(got.Bad) != 1 || got.Bad[0].Reason != ReasonDuplicateKey {
					t.Errorf("%s: %+v, want a duplicate key", name, got)
				}
			case value[0] == '{':
				if len(got.Records) != 1 || got.Records[0].JSON != string(value) {
					t.Errorf("%s: %+v, want the record %q", name, got, value)
				}
			case len(got.Bad) != 1 || got.Bad[0].Reason != ReasonNotAnObject:
				t.Errorf("%s: %+v, want not_an_object for %q", name, got, value)
			}
			accepted++
		case 'n':
			path := overwrite(t, dir, "f.ndjson", data)
			got := checkedScan(t, Options{Path: path}, data, sequential)
			if len(got.Records) > 0 {
				t.Errorf("%s: %+v, want no record", name, got)
			}
			refused++
		}
	}
	if accepted < 95 || refused < 188 {
		t.Errorf("%d accepted and %d refused texts: the suite is not complete", accepted, refused)
	}
}
