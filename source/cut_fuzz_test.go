package source

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// sequential is the way to scan that all others are held against.
var sequential = how{block: 256 << 10, workers: 1}

// sameEachWay scans data as name in one way and another, plain and compressed.
func sameEachWay(t *testing.T, dir, name string, data []byte, o Options, h how) {
	if strings.HasPrefix(markOf(data), "utf-16") {
		t.Skip("what it is decoded to is TestEncodings' to know")
	}
	put := func(file string, data []byte) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o.Path = put(name, data)
	want := checkedScan(t, o, data, sequential)
	if got := checkedScan(t, o, data, h); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\n got %+v\nwant %+v\nfile: %.2000q", h, got, want, data)
	}
	if want.Err != "" {
		return // the message names the file
	}
	if utf8.Valid(data) {
		wide := o
		wide.Path, wide.Encoding = put("wide-"+name, []byte(utf16le(string(data)))), encodingUTF16LE
		if got := checkedScan(t, wide, data, h); !reflect.DeepEqual(got, want) && !looksOther(got.Err) {
			t.Fatalf("in UTF-16 %+v\n got %+v\nwant %+v\nfile: %.2000q", h, got, want, data)
		}
	}
	for file, packed := range map[string][]byte{name + ".gz": gzipped(t, data), name + ".zst": zstded(t, data)} {
		o.Path = put(file, packed)
		if got := checkedScan(t, o, data, h); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s %+v\n got %+v\nwant %+v\nfile: %.2000q", file, h, got, want, data)
		}
	}
}

// looksOther says that a file was refused because its first bytes look like
// something else.
func looksOther(err string) bool {
	return strings.Contains(err, "UTF-32") || strings.Contains(err, "looks like UTF-16BE") || strings.Contains(err, "is a") || strings.Contains(err, "is gzip") || strings.Contains(err, "is zstd")
}

var csvSeeds = []string{
	"", "a", "a,b\n", "a,b\n1,2\n3,4", "\xef\xbb\xbf\"a\",b\r\n1,\"x\r\ny\"\r\n\r\n2,\"\"\"\"\r\n",
	"a,b\r1,2\r\r3,\"x\ry\"\r", "a,b\n1,2,3\n4\n5,6\n", "a,b\n1,x\"y\n2,\"x\"y\n3,4\n",
	"a,b\n1,\"open\n2,3\n4,5\n", "a\n\n\"\"\nx\n\n", "a,b\n\x00,1\n\xff,2\n\\,\"\t\"\n\x01,\"\r\"\n1,2\r",
	"a,b\n" + strings.Repeat("1234567890", 8) + ",x\n1,2\n", "a,b\n\"" + strings.Repeat("12345\n7890", 8) + "\",x\n1,2\n",
	"a,b\n1,\"" + strings.Repeat("\n", 1200) + "\"\n", "\n\r\n\na,b\n1,2\n", "a,a\n1,2\n", "a,\n1,2\n",
	"a,b\n" + strings.Repeat("q,\"w,\"\"e\"\n", 40), "a\tb\n\"x\ty\"\tz\\\n", "a,b\r1,2\n3\r4,\"\n\"\r",
	"a,b\n1,2\r\r\n\"3\"\r,4\n5,6\r", "Zoë,ñ\nü,\"日本\n語\"\n",
	"sep=;\na;b\n1;\"2\"\n", "a;b\n12345678901234567890;1\n", "#x\"\na,b\n#1,2\n3,#4\n#\"\n", "a;b\n;\n\"1;\n#\";2\n", "a\tb\n1\t\"\"\n#\n",
}

func FuzzCSVBlocks(f *testing.F) {
	for _, s := range csvSeeds {
		for _, limit := range []uint8{0, 2, 64} {
			f.Add([]byte(s), uint16(16), uint8(2), limit, uint16(0))
		}
		f.Add([]byte(s), uint16(40), uint8(0), uint8(20), uint16(1))
		f.Add([]byte(s), uint16(16), uint8(1), uint8(0), uint16(255))
		f.Add([]byte(s), uint16(16), uint8(2), uint8(0), uint16(480))       // one line skipped
		f.Add([]byte(s), uint16(16), uint8(2), uint8(0), uint16(1440+120))  // a mapping and no header
		f.Add([]byte(s), uint16(20), uint8(1), uint8(0), uint16(4320))      // strings
		f.Add([]byte(s), uint16(20), uint8(1), uint8(0), uint16(8640+2880)) // columns, set
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, block uint16, workers, limit uint8, dialect uint16) {
		h := how{block: 16 + int(block)%300, workers: 1 + int(workers)%3}
		sameEachWay(t, dir, "f.csv", data, Options{MaxRecordBytes: int(limit), Dialect: numberedDialect(int(dialect))}, h)
	})
}

// numberedDialect makes a dialect of a number; those below 5 are plain but for
// the delimiter.
func numberedDialect(n int) Dialect {
	digit := func(list ...string) string {
		s := list[n%len(list)]
		n /= len(list)
		return s
	}
	d := Dialect{
		Delimiter: digit(",", "\t", ";", `\`, "|"), Quote: digit("", "'", QuoteNone), Comment: digit("", "#"),
		Ragged: digit("", raggedPad), InvalidUTF8: digit("", invalidReplace), Header: digit("", headerNone), HeaderDuplicates: digit("", suffixed),
	}
	d.SkipLines = n % 3
	n /= 3
	d.Mapping = []Mapping{
		{},
		{NullValues: []string{"", "2"}, Where: `len($env) != 2 or $env["a"] != "1"`},
		{Set: []Assignment{{Name: "n", Value: "len($env)"}}},
	}[n%3]
	d.RecordsAs = []string{"", RecordsAsString, RecordsAsColumns}[n/3%3]
	return d
}

func FuzzNDJSON(f *testing.F) {
	for _, s := range []string{
		"", "{}", "{}\n", "\xef\xbb\xbf{\"a\":1}\r\n\r\n \t\n{\"b\":[1,2]} \n", "null\n[1]\n\"x\"\n1\ntrue\n",
		"{\"a\":1,\"a\":2}\n{}{}\n{\n}\n", "{\"a\":\"\\ud800\"}\n{\"a\":\"\xff\"}\n{\"a\":\"\x00\"}\n",
		"{\"a\":" + strings.Repeat("[", 205) + strings.Repeat("]", 205) + "}\n{}\n",
		"{\"a\":\"" + strings.Repeat("x", 100) + "\"}\n{}\n", "{\"a\":NaN}\n{\"a\":1e400,}\n{\"n\":9007199254740993}\n{\"tru",
	} {
		for _, limit := range []uint8{0, 2, 64} {
			f.Add([]byte(s), uint16(0), uint8(2), limit)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, block uint16, workers, limit uint8) {
		h := how{block: 16 + int(block)%300, workers: 1 + int(workers)%3}
		sameEachWay(t, dir, "f.ndjson", data, Options{MaxRecordBytes: int(limit)}, h)
	})
}

// FuzzCSV compares with encoding/csv where both define the answer: with its own
// delimiter and others, with comments and without.
func FuzzCSV(f *testing.F) {
	for _, s := range csvSeeds {
		for n := range uint8(8) {
			f.Add(s, n)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data string, dialect uint8) {
		if strings.ContainsAny(data, "\r\x00") || !utf8.ValidString(data) {
			t.Skip("encoding/csv changes or takes what is refused here")
		}
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(data, "\xef\xbb\xbf")))
		r.Comma = []rune{',', ';', '\t', '|'}[dialect%4]
		d := Dialect{Delimiter: string(r.Comma)}
		if dialect/4%2 == 1 {
			r.Comment, d.Comment = '#', "#"
		}
		rows, err := r.ReadAll()
		if err != nil || len(rows) == 0 || len(rows[0]) < 2 {
			t.Skip("a bad record, or one column, where an empty line is a value")
		}
		if !slices.Equal(rows[0], withSuffixes(rows[0])) {
			t.Skip("a header that is refused")
		}
		path := filepath.Join(dir, "f.csv")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		got := checkedScan(t, Options{Path: path, Dialect: d}, []byte(data), sequential)
		if strings.Contains(got.Err, "UTF-16") || strings.Count(data, "\n") >= maxQuotedLines {
			t.Skip("bounds that encoding/csv does not have")
		}
		for _, c := range []string{"PAR1", "Obj\x01", "%PDF-", "PK\x03\x04", "PK\x05\x06"} {
			if strings.HasPrefix(data, c) {
				t.Skip("refused by its first bytes")
			}
		}
		if first, _, _ := strings.Cut(strings.TrimPrefix(data, "\ufeff"), "\n"); len(first) == len("sep=;") && strings.EqualFold(first[:4], "sep=") {
			t.Skip("a separator line")
		}
		sameRows(t, data, got, rows)
	})
}

// sameRows compares with the header and the records of encoding/csv.
func sameRows(t *testing.T, data string, got result, rows [][]string) {
	t.Helper()
	if got.Err != "" || len(got.Bad) > 0 || len(got.Records) != len(rows)-1 || !slices.Equal(got.Header, rows[0]) {
		t.Fatalf("got %+v\nwant %q\nfile: %q", got, rows, data)
	}
	for i, row := range rows[1:] {
		var object map[string]string
		if err := json.Unmarshal([]byte(got.Records[i].JSON), &object); err != nil {
			t.Fatal(err)
		}
		for k, name := range rows[0] {
			if object[name] != row[k] || len(object) != len(row) {
				t.Fatalf("record %d: got %q, want %q\nfile: %q", i, got.Records[i].JSON, row, data)
			}
		}
	}
}
