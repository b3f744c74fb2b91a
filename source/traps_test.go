package source

import (
	"errors"
	"strings"
	"testing"
)

// trap is a row of the list of what real files contain. want is what is found,
// as result.say prints it, or the end of an error's message.
type trap struct {
	row, file string
	plain     string // what is in the file
	data      string // the file's bytes where they differ from that
	options   Options
	want      string
	replaced  int64 // records counted as such
}

// TestTraps has each row of the list once, in its order; the parts of a row that
// need many vectors have them elsewhere, as the tests named at the rows have.
func TestTraps(t *testing.T) {
	t.Parallel()
	dialect := func(d Dialect) Options { return Options{Dialect: d} }
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, c := range []trap{
		// CSV: TestCSV, TestDialects, TestMapCSV, TestEncodings have more.
		{row: "UTF-8 BOM, also before a quoted header", file: "f.csv", plain: "\xef\xbb\xbf\"a\",b\n1,2\n", want: `2-2 {"a":"1","b":"2"}`},
		{row: "UTF-16 with BOM", file: "f.csv", plain: "\ufeffa,b\né,2\n", data: utf16le("\ufeffa,b\né,2\n"), want: `2-2 {"a":"é","b":"2"}`},
		{row: "UTF-16 without BOM", file: "f.csv", plain: utf16le("a,b\n1,2\n"), want: "f.csv: looks like UTF-16LE text without a byte order mark; set encoding = \"utf-16le\""},
		{row: "CRLF, kept in quotes", file: "f.csv", plain: "a,b\r\n\"x\r\ny\",2\r\n", want: `2-3 {"a":"x\r\ny","b":"2"}`},
		{row: "LF", file: "f.csv", plain: "a,b\n\"x\ny\",2\n", want: `2-3 {"a":"x\ny","b":"2"}`},
		{row: "CR only", file: "f.csv", plain: "a,b\r\"x\ry\",2\r", want: `2-3 {"a":"x\ry","b":"2"}`},
		{row: "quotes: embedded comma, newline, doubled quote; physical lines", file: "f.csv", plain: "a,b\n\"1,\n\"\"2\",x\n3,\n", want: "2-3 {\"a\":\"1,\\n\\\"2\",\"b\":\"x\"}\n4-4 {\"a\":\"3\",\"b\":\"\"}"},
		{row: "blank line", file: "f.csv", plain: "a,b\n\n1,2\n", want: `3-3 {"a":"1","b":"2"}`},
		{row: "blank line in a one-column file", file: "f.csv", plain: "a\n\n1\n", want: "2-2 {\"a\":\"\"}\n3-3 {\"a\":\"1\"}"},
		{row: "ragged row", file: "f.csv", plain: "a,b\n1\n1,2,3\n", want: "2:1 ragged: 1 field instead of 2\n3:1 ragged: 3 fields instead of 2"},
		{row: "ragged row, padded", file: "f.csv", plain: "a,b\n1\n", options: dialect(Dialect{Ragged: raggedPad}), want: `2-2 {"a":"1","b":""}`},
		{row: "duplicate header names", file: "f.csv", plain: "a,a\n1,2\n", want: `f.csv:1:1: header: columns 1 and 2 are both named "a"; header_duplicates = "suffix" gives such columns names; skip_lines goes over lines before the header`},
		{row: "empty header names", file: "f.csv", plain: "a,\n1,2\n", want: `f.csv:1:1: header: column 2 has no name; header_duplicates = "suffix" gives such columns names; skip_lines goes over lines before the header`},
		{row: "duplicate and empty header names, with suffixes", file: "f.csv", plain: "a,a,\n1,2,3\n", options: dialect(Dialect{HeaderDuplicates: suffixed}), want: `2-2 {"a":"1","a_2":"2","column_3":"3"}`},
		{row: "bare quote in a field", file: "f.csv", plain: "a,b\n1,x\"y\n", want: `2:4 bare_quote: column "b": a quote inside an unquoted field`},
		{row: "text after a closing quote", file: "f.csv", plain: "a,b\n\"1\"x,2\n", want: `2:4 text_after_quote: column "a": text after the closing quote`},
		{row: "unclosed quote over max_bytes", file: "f.csv", plain: "a,b\n1,\"2\n3,4\n5,6\n", options: Options{MaxRecordBytes: 8}, want: "3-3 {\"a\":\"3\",\"b\":\"4\"}\n4-4 {\"a\":\"5\",\"b\":\"6\"}\n2:3 unclosed_quote: column \"b\": missing closing quote"},
		{row: "unclosed quote over 1,000 lines", file: "f.csv", plain: "a,b\n1,\"2\n3,4\n" + strings.Repeat("\n", 1000), want: "3-3 {\"a\":\"3\",\"b\":\"4\"}\n2:3 unclosed_quote: column \"b\": missing closing quote"},
		{row: "NUL byte", file: "f.csv", plain: "a,b\n1,x\x00\n", want: `2:4 nul_byte: column "b": a NUL byte`},
		{row: "invalid UTF-8", file: "f.csv", plain: "a,b\n1,x\xff\n", want: `2:4 invalid_utf8: column "b": bytes that are not UTF-8`},
		{row: "invalid UTF-8, replaced and counted", file: "f.csv", plain: "a,b\n1,x\xff\n\xc3,\xff\n1,2\n", options: dialect(Dialect{InvalidUTF8: invalidReplace}), want: "2-2 {\"a\":\"1\",\"b\":\"x\ufffd\"}\n3-3 {\"a\":\"\ufffd\",\"b\":\"\ufffd\"}\n4-4 {\"a\":\"1\",\"b\":\"2\"}", replaced: 2},
		{row: "invalid UTF-8 in the header", file: "f.csv", plain: "a,b\xff\n1,2\n", want: `f.csv:1:4: header: field 2: bytes that are not UTF-8; the text may be in another encoding: set encoding, such as "windows-1252", or invalid_utf8 = "replace"`},
		{row: "header only", file: "f.csv", plain: "a,b\n"},
		{row: "empty file", file: "f.csv"},
		{row: "no final newline", file: "f.csv", plain: "a,b\n1,2", want: `2-2 {"a":"1","b":"2"}`}, // growing: TestGrowingFile
		{row: "007, phone numbers, 20 digits, 1e5, 1.10, +5 are strings", file: "f.csv", plain: "a,b,c\n007,+49 30,12345678901234567890\n1e5,1.10,+5\n", want: "2-2 {\"a\":\"007\",\"b\":\"+49 30\",\"c\":\"12345678901234567890\"}\n3-3 {\"a\":\"1e5\",\"b\":\"1.10\",\"c\":\"+5\"}"},
		{row: "typed only where exact", file: "f.csv", plain: "a,b\n007,1\n7,1.10\n7,+5\n", options: dialect(types("a", "integer", "b", "number")), want: "3-3 {\"a\":7,\"b\":1.10}\n2:1 wrong_type: column \"a\": \"007\" is not an integer\n4:3 wrong_type: column \"b\": \"+5\" is not a number"},
		{row: "NaN, Inf, 1,234 as number", file: "f.csv", plain: "a,b\nx,NaN\nx,Inf\nx,\"1,234\"\n", options: dialect(types("b", "number")), want: "2:3 wrong_type: column \"b\": \"NaN\" is not a number\n3:3 wrong_type: column \"b\": \"Inf\" is not a number\n4:3 wrong_type: column \"b\": \"1,234\" is not a number"},
		{row: "NULL, \\N, empty, quoted empty are strings", file: "f.csv", plain: "a,b\nNULL,\\N\n,\"\"\n", want: "2-2 {\"a\":\"NULL\",\"b\":\"\\\\N\"}\n3-3 {\"a\":\"\",\"b\":\"\"}"},
		{row: "NULL, \\N, empty listed in null_values", file: "f.csv", plain: "a,b\nNULL,\\N\n,\"\"\n", options: dialect(mapping(Mapping{NullValues: []string{"NULL", `\N`, ""}})), want: "2-2 {\"a\":null,\"b\":null}\n3-3 {\"a\":null,\"b\":\"\"}"},
		{row: "preamble, footer, sep=;", file: "f.csv", plain: "sep=;\nReport\na;b\n1;2\nTotal: 1\n", options: dialect(Dialect{SkipLines: 2, Comment: "Total:"}), want: `4-4 {"a":"1","b":"2"}`},
		{row: "footer that nothing is said of", file: "f.csv", plain: "a,b\n1,2\nTotal: 1\n", want: "2-2 {\"a\":\"1\",\"b\":\"2\"}\n3:1 ragged: 1 field instead of 2"},
		{row: "wrong extension (XLSX named .csv)", file: "f.csv", plain: "PK\x03\x04\x14\x00", want: "f.csv: is a ZIP archive, perhaps an Excel workbook (.xlsx); export it as CSV, UTF-8"}, // others: TestRefusedFiles

		// NDJSON and JSON: TestNDJSON, TestJSONDocuments, TestPointer have more.
		{row: "2^53+1, 20 digits, 1.0, 1e400", file: "f.ndjson", plain: `{"a":[9007199254740993,12345678901234567890,1.0,1e400]}`, want: `1-1 {"a":[9007199254740993,12345678901234567890,1.0,1e400]}`},
		{row: "2^53+1, 20 digits, 1.0, 1e400 in a document", file: "f.json", plain: `[{"a":[9007199254740993,12345678901234567890,1.0,1e400]}]`, want: `1-1 {"a":[9007199254740993,12345678901234567890,1.0,1e400]}`},
		{row: "duplicate keys", file: "f.ndjson", plain: `{"a":1,"a":2}`, want: "1:8 duplicate_key: not valid JSON: duplicate object member name"},
		{row: "lone surrogates", file: "f.ndjson", plain: `{"a":"\ud800"}`, want: "1:7 invalid_json: not valid JSON: invalid surrogate pair `\\ud800\"}` in string"},
		{row: "invalid UTF-8 in JSON", file: "f.ndjson", plain: "{\"a\":\"\xff\"}", want: "1:7 invalid_utf8: byte 0xff is not UTF-8"},
		{row: "trailing comma", file: "f.ndjson", plain: `{"a":1,}`, want: "1:7 invalid_json: not valid JSON: invalid character ',' at start of value"},
		{row: "NaN in JSON", file: "f.ndjson", plain: `{"a":NaN}`, want: "1:6 invalid_json: not valid JSON: invalid character 'N' at start of value"},
		{row: "comments in JSON", file: "f.ndjson", plain: `{"a":1 /* one */}`, want: "1:8 invalid_json: not valid JSON: invalid character '/' after object value (expecting ',' or '}')"},
		{row: "CRLF, blank lines, BOM", file: "f.ndjson", plain: "\xef\xbb\xbf{}\r\n\r\n{}\r\n", want: "1-1 {}\n3-3 {}"},
		{row: "scalar, null or array as a line", file: "f.ndjson", plain: "1\nnull\n[{}]\n", want: "1:1 not_an_object: a JSON number, not a JSON object\n2:1 not_an_object: null, not a JSON object\n3:1 not_an_object: a JSON array, not a JSON object"},
		{row: "two documents on one line", file: "f.ndjson", plain: "{} {}\n", want: `1:4 trailing_data: something follows the object; one object a line is wanted, format = "json" reads several`},
		{row: "two documents on one line, as the hint says", file: "f.ndjson", plain: "{} {}\n", options: dialect(Dialect{Format: FormatJSON}), want: "1-1 {}\n1-1 {}"},
		{row: "pretty-printed objects", file: "f.ndjson", plain: "{\n\"a\":1}\n", want: "1:2 invalid_json: not valid JSON: the line ends within the object; it looks like pretty-printed JSON, which format = \"json\" reads\n2:4 trailing_data: something follows the object; one object a line is wanted, format = \"json\" reads several"},
		{row: "pretty-printed objects, as the hint says", file: "f.ndjson", plain: "{\n\"a\":1}\n", options: dialect(Dialect{Format: FormatJSON}), want: `1-2 {"a":1}`},
		{row: "one 50 MB line", file: "f.ndjson", plain: `{"a":"` + strings.Repeat("x", 50<<20) + "\"}\n{}\n", options: Options{MaxRecordBytes: 1000}, want: "2-2 {}\n1:1 too_large: the line is longer than 1000 bytes"}, // memory: TestLongElements, and the program's own
		{row: "truncated last line", file: "f.ndjson", plain: "{}\n{\"a\":", want: "1-1 {}\n2:6 invalid_json: not valid JSON: the line ends within the object"},
		{row: "nesting over 200", file: "f.ndjson", plain: `{"a":` + deep + "}\n", want: "1:205 too_deep: nested over 200 levels"},
		{row: "JSON array", file: "f.json", plain: `[{"a":1}, {"b":2}]`, want: "1-1 {\"a\":1}\n1-1 {\"b\":2}"},
		{row: "array inside an object", file: "f.json", plain: `{"data":{"n":1,"items":[{"a":1}]}}`, options: dialect(Dialect{Pointer: "/data/items"}), want: `1-1 {"a":1}`},
		{row: "gzip: several members", file: "f.csv.gz", plain: "a\n1\n", data: string(gzipped(t, []byte("a\n"), []byte("1\n"))), want: `2-2 {"a":"1"}`},
		{row: "gzip: truncated", file: "f.csv.gz", plain: "a\n1\n", data: string(gzipped(t, []byte("a\n1\n"))[:20]), want: "f.csv.gz: gzip: cut off before its end: unexpected EOF; copy the file again"}, // at each byte: TestCutCompression; bombs: TestGzipBomb, TestDecompressionBomb
	} {
		t.Run(c.row, func(t *testing.T) { c.run(t) })
	}
}

func (c *trap) run(t *testing.T) {
	if c.data == "" {
		c.data = c.plain
	}
	c.options.Path = write(t, c.file, []byte(c.data))
	got, err := c.scan(t)
	text := got.say()
	if err != nil {
		text = err.Error()
		text = text[strings.LastIndex(text, "/")+1:]
		var own *Error
		if errors.As(err, &own) && own.Hint != "" {
			text += "; " + own.Hint
		}
	}
	if text != c.want {
		t.Errorf("\n got %.500s\nwant %.500s", text, c.want)
	}
}

// scan is one Scan with what holds for each checked, and the count of records
// with replacements.
func (c *trap) scan(t *testing.T) (result, error) {
	s, err := OpenSnapshot(c.options)
	if err != nil {
		return result{}, err
	}
	defer closeSnapshot(t, s)
	check := checker{t: t, plain: []byte(c.plain), file: s.Files[0]}
	if err := s.Scan(t.Context(), 0, ScanOptions{Workers: 2, Encode: true}, check.block); err != nil {
		return check.found, err
	}
	if s.Files[0].Format != FormatJSON {
		check.whole()
	}
	if s.Files[0].Replaced != c.replaced {
		t.Errorf("%d records with replacements, want %d", s.Files[0].Replaced, c.replaced)
	}
	return check.found, nil
}
