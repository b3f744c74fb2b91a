package source

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// seam is a table that is read in every way there is. Bad records are written
// line:column reason.
type seam struct {
	name    string
	file    string // "": f.csv
	data    string
	dialect Dialect
	records []string
	bad     []string
	// csvOnly: objects cannot say what the table says.
	csvOnly bool
}

var seams = []seam{
	{name: "plain", data: "id,name\n1,Zoe\n2,\"a,\"\"b\"\"\n\"\n\n3\n", records: []string{`{"id":"1","name":"Zoe"}`, `{"id":"2","name":"a,\"b\"\n"}`}, bad: []string{"6:1 ragged"}},
	{
		name: "types, rename, keep, where and set", data: "id,amount,note\n007,1.50,x\n2,nothing,y\n3,4,z\n",
		dialect: mapping(Mapping{
			Types: map[string]string{"amount": "number"}, Rename: map[string]string{"amount": "total"}, Keep: []string{"total", "id"},
			Where: `id != "3"`, Set: []Assignment{{Name: "double", Value: "total * 2"}},
		}),
		records: []string{`{"total":1.50,"id":"007","double":3}`}, bad: []string{"3:3 wrong_type"},
	},
	{
		name: "types, drop and where on a quoted header", data: "\"i\"\"d\",\"b,c\"\n\"1\",x\n\"x\",y\n",
		dialect: mapping(Mapping{Types: map[string]string{`i"d`: "integer"}, Drop: []string{"b,c"}, Where: `$env["i\"d"] > 0`}),
		records: []string{`{"i\"d":1}`}, bad: []string{"3:1 wrong_type"},
	},
	{
		name: "null values and other quotes", data: "a;b\n'NULL';NULL\n'';\n'x''y';'NULL\nz'\n", csvOnly: true,
		dialect: Dialect{Delimiter: ";", Quote: "'", Mapping: Mapping{NullValues: []string{"NULL", "''"}}},
		records: []string{`{"a":"NULL","b":null}`, `{"a":null,"b":""}`, `{"a":"x'y","b":"NULL\nz"}`},
	},
	{
		name: "null values without quotes", data: "a\tb\n\"\"\t5\"\n\t\"\"\n", csvOnly: true,
		dialect: Dialect{Delimiter: "\t", Quote: QuoteNone, Mapping: Mapping{NullValues: []string{`""`}}},
		records: []string{`{"a":null,"b":"5\""}`, `{"a":"","b":null}`},
	},
	{
		name: "padded, with types and null values", data: "a,b,c\n1\n2,x\n3,4,5,6\n", csvOnly: true,
		dialect: Dialect{Ragged: raggedPad, Mapping: Mapping{Types: map[string]string{"b": "integer"}, NullValues: []string{""}}},
		records: []string{`{"a":"1","b":null,"c":null}`}, bad: []string{"3:3 wrong_type", "4:1 ragged"},
	},
	{
		name: "no header, comments, skipped lines and a mapping", data: "Made by \"x\n\n# 1,2\n1,\"a\"\n# \"\n2,b\n", csvOnly: true,
		dialect: Dialect{
			Header: headerNone, SkipLines: 1, Comment: "#",
			Mapping: Mapping{Types: map[string]string{"column_1": "integer"}, Rename: map[string]string{"column_2": "name"}},
		},
		records: []string{`{"column_1":1,"name":"a"}`, `{"column_1":2,"name":"b"}`},
	},
	{
		name: "a separator line and a mapping", data: "sep=;\nid;price\n1;1,5\n2;2\n", csvOnly: true,
		dialect: mapping(Mapping{Types: map[string]string{"price": "number"}}),
		records: []string{`{"id":"2","price":2}`}, bad: []string{"3:3 wrong_type"},
	},
	{
		name: "tabs by name", file: "f.tsv", data: "id\tname\n1\t\"a\tb\"\n2\tx,y\n",
		dialect: mapping(Mapping{Types: map[string]string{"id": "integer"}}), csvOnly: true,
		records: []string{`{"id":1,"name":"a\tb"}`, `{"id":2,"name":"x,y"}`},
	},
	{name: "header only and a mapping", data: "a,b\n", dialect: mapping(Mapping{Types: map[string]string{"a": "integer"}, Where: `b != ""`})},
	{name: "empty file and a mapping", data: "", dialect: mapping(Mapping{Keep: []string{"a"}, Types: map[string]string{"a": "integer"}}), csvOnly: true},
	{
		name: "rows longer than a block", data: "a,b\n" + strings.Repeat("x", 300) + ",1\n1,\"" + strings.Repeat("y\n", 200) + "\"\n",
		dialect: mapping(Mapping{Where: `len(a) > 1`}), records: []string{`{"a":"` + strings.Repeat("x", 300) + `","b":"1"}`},
	},
	{
		name: "columns, padded and replaced", data: "a,b\n1\n\"\xff\",2\n", csvOnly: true, dialect: Dialect{RecordsAs: RecordsAsColumns, Ragged: raggedPad, InvalidUTF8: invalidReplace},
		records: []string{`["1",""]`, "[\"\ufffd\",\"2\"]"},
	},
	{
		name: "strings of replaced text", data: "a,b\n\xff,\"\"\"\"\n", csvOnly: true, dialect: Dialect{RecordsAs: RecordsAsString, InvalidUTF8: invalidReplace},
		records: []string{"{\\\"a\\\":\\\"\ufffd\\\",\\\"b\\\":\\\"\\\\\\\"\\\"}"},
	},
	{
		name: "columns of a mapping", data: "id,name\n1,\"x\ny\"\n2,\n",
		dialect: Dialect{RecordsAs: RecordsAsColumns, Mapping: Mapping{Keep: []string{"name", "id"}, Types: map[string]string{"id": "integer"}}},
		records: []string{`["x\ny",1]`, `["",2]`},
	},
	{
		name: "strings of a mapping", data: "id,name\n1,\"x\ny\"\nx,\n",
		dialect: Dialect{RecordsAs: RecordsAsString, Mapping: Mapping{Types: map[string]string{"id": "integer"}}},
		records: []string{`{\"id\":1,\"name\":\"x\\ny\"}`}, bad: []string{"4:1 wrong_type"},
	},
}

// lineFeeds makes line feeds of the other line ends within values, in both forms.
var lineFeeds = strings.NewReplacer(`\\r\\n`, `\\n`, `\\r`, `\\n`, `\r\n`, `\n`, `\r`, `\n`)

// TestSeamsCSV reads each table plain, with other line ends, in other encodings
// and compressed: the same records at the same places.
func TestSeamsCSV(t *testing.T) {
	t.Parallel()
	for _, s := range seams {
		t.Run(s.name, func(t *testing.T) {
			dir, name := t.TempDir(), cmp.Or(s.file, "f.csv")
			plain := []byte(s.data)
			o := Options{Dialect: s.dialect, Path: overwrite(t, dir, name, plain)}
			want := checkedScan(t, o, plain, sequential)
			s.compare(t, want, true)
			marked := "\ufeff" + s.data
			for _, c := range []struct {
				file, encoding, plain, data string
				wide                        bool
			}{
				{name, "", s.data, s.data, false},
				{name, "", marked, marked, false},
				{name, "", strings.ReplaceAll(s.data, "\n", "\r"), strings.ReplaceAll(s.data, "\n", "\r"), false},
				{name, "", strings.ReplaceAll(s.data, "\n", "\r\n"), strings.ReplaceAll(s.data, "\n", "\r\n"), false},
				{name, "", marked, utf16le(marked), true},
				{name, "utf-16be", s.data, utf16be(s.data), true},
				{name, "utf-16be", strings.ReplaceAll(s.data, "\n", "\r"), utf16be(strings.ReplaceAll(s.data, "\n", "\r")), true},
				{name + ".gz", "", s.data, string(gzipped(t, plain)), false},
				{name + ".gz", "", marked, string(gzipped(t, []byte(utf16le(marked)))), true},
				{name + ".zst", "", s.data, string(zstded(t, plain)), false},
				{"f.zip", "", s.data, string(zipped(t, member{name, s.data, zip.Deflate})), false},
			} {
				if c.wide && !utf8.ValidString(s.data) {
					continue // no encoder takes it
				}
				o := Options{Dialect: s.dialect, Path: overwrite(t, dir, c.file, []byte(c.data))}
				o.Encoding = c.encoding
				for _, h := range []how{sequential, {block: 16, workers: 2}} {
					got := checkedScan(t, o, []byte(c.plain), h)
					sameAgain(t, o, []byte(c.plain), got)
					for i := range got.Records {
						got.Records[i].JSON = lineFeeds.Replace(got.Records[i].JSON)
					}
					s.compare(t, got, true)
				}
			}
		})
	}
}

// TestSeamsStdin reads each table, plain and packed, from the standard input.
func TestSeamsStdin(t *testing.T) {
	for _, s := range seams {
		for _, compression := range []string{CompressionNone, CompressionGzip} {
			if s.file != "" {
				continue // it has no name
			}
			t.Run(s.name+", "+compression, func(t *testing.T) {
				data := s.data
				if compression == CompressionGzip {
					data = string(gzipped(t, []byte(data)))
				}
				feed(t, data, true)
				o := Options{Path: Stdin, Dialect: s.dialect}
				o.Format, o.Compression = FormatCSV, compression
				s.compare(t, checkedScan(t, o, []byte(s.data), how{block: 64}), true)
			})
		}
	}
}

// TestSeamsJSON reads the same tables as lines of JSON and as documents.
func TestSeamsJSON(t *testing.T) {
	t.Parallel()
	for _, s := range seams {
		if s.csvOnly {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			var objects []string
			dir := t.TempDir()
			for _, r := range checkedScan(t, Options{Path: overwrite(t, dir, "f.csv", []byte(s.data))}, []byte(s.data), sequential).Records {
				objects = append(objects, r.JSON)
			}
			lines, array := strings.Join(objects, "\n"), "["+strings.Join(objects, ",")+"]"
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, []byte(array), "", "  "); err != nil {
				t.Fatal(err)
			}
			inner := `{"before":[{"id":0}],"data":` + array + `}`
			for _, c := range []struct{ file, pointer, plain, data string }{
				{"f.ndjson", "", lines, lines},
				{"f.ndjson", "", strings.Join(objects, " \r\n\r\n"), strings.Join(objects, " \r\n\r\n")},
				{"f.ndjson", "", "\ufeff" + lines, utf16le("\ufeff" + lines)},
				{"f.ndjson.gz", "", lines, string(gzipped(t, []byte(lines)))},
				{"f.json", "", lines, lines},
				{"f.json", "", strings.Join(objects, ""), strings.Join(objects, "")},
				{"f.json", "", array, array},
				{"f.json", "", pretty.String(), pretty.String()},
				{"f.json", "", strings.ReplaceAll(array, `":`, "\"\n:\n"), strings.ReplaceAll(array, `":`, "\"\n:\n")},
				{"f.json", "", "\ufeff" + array, utf16be("\ufeff" + array)},
				{"f.json.zst", "", pretty.String(), string(zstded(t, pretty.Bytes()))},
				{"f.json", "/data", inner, inner},
			} {
				o := Options{Dialect: s.dialect, Path: overwrite(t, dir, c.file, []byte(c.data))}
				o.Pointer = c.pointer
				for _, h := range []how{sequential, {block: 16, workers: 2}} {
					got := mappedDocument(t, o, []byte(c.plain), h)
					s.compare(t, got, false)
				}
			}
		})
	}
}

// TestPlacesInOneLine has more bad values in one line than one parse may list,
// and records that grow, so that a parse is begun again.
func TestPlacesInOneLine(t *testing.T) {
	t.Parallel()
	var array strings.Builder
	array.WriteString("[")
	const elements = 3 * maxListedBad
	for i := range elements {
		if i > 0 {
			array.WriteString(" ,")
		}
		if value := strings.Repeat("é", i%7); i%3 == 0 {
			fmt.Fprintf(&array, "{\"id\": \"%sx\"}", value)
		} else {
			fmt.Fprintf(&array, "{\"text\":%q,\"id\":%d}", value, i)
		}
	}
	array.WriteString("]")
	o := Options{
		Path:    write(t, "f.json", []byte(array.String())),
		Dialect: mapping(Mapping{Types: map[string]string{"id": "integer"}, Set: []Assignment{{Name: "more", Value: `repeat("y", 1500)`}}}),
	}
	for _, block := range []int{1 << 10, 1 << 20} {
		got := mappedDocument(t, o, []byte(array.String()), how{block: block})
		if len(got.Bad) != elements/3 || len(got.Records) != elements-elements/3 {
			t.Errorf("blocks of %d: %d records and %d bad ones", block, len(got.Records), len(got.Bad))
		}
	}
}

// mappedDocument scans what need not be CSV, and looks at each place of a value
// that does not convert.
func mappedDocument(t *testing.T, o Options, plain []byte, h how) result {
	t.Helper()
	s := open(t, o)
	s.blockSize = h.block
	c := checker{t: t, plain: plain, file: s.Files[0]}
	if err := s.Scan(t.Context(), 0, ScanOptions{Workers: h.workers, Encode: true}, c.block); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimPrefix(plain, bom), []byte("\n"))
	for _, b := range c.found.Bad {
		value, _, ok := strings.Cut(b.Detail[strings.LastIndex(b.Detail, ": ")+2:], " is not ")
		if at := lines[b.Line-1][b.Column-1:]; !ok || !bytes.HasPrefix(at, []byte(value)) {
			t.Errorf("%s, blocks of %d: %s %q is not at %.40q", o.Path, h.block, place(b), b.Detail, at)
		}
	}
	return c.found
}

// sameAgain opens a file as a run does that goes on later, with the dialect that
// was stored, and reads the same bytes out of it (G5).
func sameAgain(t *testing.T, o Options, plain []byte, found result) {
	t.Helper()
	stored, err := json.Marshal(o.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	o.Dialect = Dialect{}
	if err := json.Unmarshal(stored, &o.Dialect); err != nil {
		t.Fatal(err)
	}
	s, err := OpenFiles(o, []string{o.Path})
	if err != nil {
		t.Fatal(err)
	}
	defer closeSnapshot(t, s)
	f := s.Files[0]
	if !f.Seekable() {
		return // its JSON was kept
	}
	if err := f.UseHeader(found.Header); err != nil || !slices.Equal(f.Columns, found.Columns) {
		t.Fatalf("UseHeader: %v, columns %q, want %q", err, f.Columns, found.Columns)
	}
	c := checker{t: t, plain: plain, file: f, found: found}
	c.ranges(s, 3)
}

func (s *seam) compare(t *testing.T, got result, places bool) {
	t.Helper()
	var records, bad []string
	for _, r := range got.Records {
		records = append(records, r.JSON)
	}
	for _, b := range got.Bad {
		bad = append(bad, place(b))
	}
	if got.Err != "" || !slices.Equal(records, s.records) {
		t.Errorf("error %q, records\n got %q\nwant %q", got.Err, records, s.records)
	}
	if places && !reflect.DeepEqual(bad, s.bad) {
		t.Errorf("bad records\n got %q\nwant %q", bad, s.bad)
	}
	if !places && wrongTypes(bad) != wrongTypes(s.bad) { // ragged rows are no objects
		t.Errorf("bad records\n got %q\nwant %q", bad, s.bad)
	}
}

func wrongTypes(bad []string) (n int) {
	for _, b := range bad {
		if strings.HasSuffix(b, ReasonWrongType) {
			n++
		}
	}
	return n
}
