package source

import (
	"strings"
	"testing"
)

func TestDialects(t *testing.T) {
	for _, v := range []struct {
		vector
		dialect Dialect
	}{
		{vector{name: "semicolon and single quotes", data: "a;b\n'1;\n''2''';\"x\"\n3;4\n", records: []string{`{"a":"1;\n'2'","b":"\"x\""}`, `{"a":"3","b":"4"}`}}, Dialect{Delimiter: ";", Quote: "'"}},
		{vector{name: "no quotes", data: "a\tb\n\"1\t5\" screen\n\xc3\xbf\t\xff\n", records: []string{`{"a":"\"1","b":"5\" screen"}`}, bad: []string{"3:4 invalid_utf8"}}, Dialect{Delimiter: "\t", Quote: QuoteNone}},
		{vector{name: "comments", data: "#head,er\na,b\n#1,2\n\"#3\",4\n#\"5,6\n7,#8\n#", records: []string{`{"a":"#3","b":"4"}`, `{"a":"7","b":"#8"}`}, blank: 3}, Dialect{Comment: "#"}},
		{vector{name: "a longer comment", data: "a,b\n//1,2\n/3,4\n/", records: []string{`{"a":"/3","b":"4"}`}, blank: 1, bad: []string{"4:1 ragged"}}, Dialect{Comment: "//"}},
		{vector{name: "a comment longer than a record may be", data: "a,b\n#" + strings.Repeat("x", 50) + "\n1,2\n", records: []string{`{"a":"1","b":"2"}`}, bad: []string{"2:1 too_large"}, options: Options{MaxRecordBytes: 20}}, Dialect{Comment: "#"}},
		{vector{name: "lines skipped", data: "\xef\xbb\xbfReport \"of\ntoday\n\na,b\n1\n1,2\n", records: []string{`{"a":"1","b":"2"}`}, bad: []string{"5:1 ragged"}}, Dialect{SkipLines: 2}},
		{vector{name: "a quote in a skipped line of a CR file", data: "5\" wide\ra,b\r\"x\ny\",2\r", records: []string{`{"a":"x\ny","b":"2"}`}}, Dialect{SkipLines: 1}},
		{vector{name: "a quote in a comment of a CR file", data: "\xef\xbb\xbf# 5\" wide\ra,b\r\"x\ny\",2\r", records: []string{`{"a":"x\ny","b":"2"}`}}, Dialect{Comment: "#"}},
		{vector{name: "a quote in a comment, a CR in quotes", data: "##\"\na,b\n\"x\ry\",2\n##\"\n", records: []string{`{"a":"x\ry","b":"2"}`}, blank: 1}, Dialect{Comment: "##"}},
		{vector{name: "no quotes, and what stands for none in a CR file", data: "a,b\r\xff,2\r", records: []string{"{\"a\":\"\ufffd\",\"b\":\"2\"}"}}, Dialect{Quote: QuoteNone, InvalidUTF8: invalidReplace}},
		{vector{name: "no quotes, and what stands for none before the first line end", data: "\xff,b\r1,2\r", records: []string{"{\"\ufffd\":\"1\",\"b\":\"2\"}"}}, Dialect{Quote: QuoteNone, InvalidUTF8: invalidReplace}},
		{vector{name: "more lines skipped than there are", data: "a,b\n1,2"}, Dialect{SkipLines: 5}},
		{vector{name: "a separator line", data: "sep=;\r\na;b\r\n1;\"2\"\r\n", records: []string{`{"a":"1","b":"2"}`}}, Dialect{}},
		{vector{name: "a separator line among the skipped", data: "\xef\xbb\xbfSEP=|\nx|y\na|b\n1|2\n", records: []string{`{"a":"1","b":"2"}`}}, Dialect{SkipLines: 2}},
		{vector{name: "no separator line", data: "sep=,b\n1,2\n", records: []string{`{"sep=":"1","b":"2"}`}}, Dialect{}},
		{vector{name: "no header", data: "1,2\n\"3\",4\n5\n", records: []string{`{"column_1":"1","column_2":"2"}`, `{"column_1":"3","column_2":"4"}`}, bad: []string{"3:1 ragged"}}, Dialect{Header: headerNone}},
		{vector{name: "no header, and the first record is bad", data: "1\"\n1,2\n", records: []string{`{"column_1":"1","column_2":"2"}`}, bad: []string{"1:2 bare_quote"}}, Dialect{Header: headerNone}},
		{vector{name: "no header, no good record", data: "1\"\n\"2", bad: []string{"1:2 bare_quote", "2:1 unclosed_quote"}}, Dialect{Header: headerNone}},
		{vector{name: "no header, one column, and the first value is empty", data: "\n1\n\n", records: []string{`{"column_1":""}`, `{"column_1":"1"}`, `{"column_1":""}`}}, Dialect{Header: headerNone}},
		{vector{name: "no header, two columns behind a blank line and a comment", data: "\n#\n1,2\n\n", records: []string{`{"column_1":"1","column_2":"2"}`}, blank: 3}, Dialect{Header: headerNone, Comment: "#"}},
		{vector{name: "no header, blank lines alone", data: "\n\n"}, Dialect{Header: headerNone}},
		{vector{name: "one name instead of a header, and an empty value", data: "\n1\n", records: []string{`{"x":""}`, `{"x":"1"}`}}, Dialect{Header: headerNone, Columns: []string{"x"}}},
		{vector{name: "no header, blank lines without end", data: strings.Repeat("\n", 2<<20) + "1,2\n", err: "f.csv:1:1: no record in the first"}, Dialect{Header: headerNone}},
		{vector{name: "names instead of a header", data: "old,names\n1,2\n1,2,3\n", records: []string{`{"x":"1","y":"2"}`}, bad: []string{"3:1 ragged"}}, Dialect{Header: headerNone, Columns: []string{"x", "y"}, SkipLines: 1}},
		{vector{name: "padded", data: "a,b,c\n1\n\"2\",\n3,4,5\n1,2,3,4\n\n", records: []string{`{"a":"1","b":"","c":""}`, `{"a":"2","b":"","c":""}`, `{"a":"3","b":"4","c":"5"}`}, bad: []string{"5:1 ragged"}, blank: 1}, Dialect{Ragged: raggedPad}},
		{vector{name: "suffixes", data: "a,,a,a_2,a,\n1,2,3,4,5,6\n", records: []string{`{"a":"1","column_2":"2","a_3":"3","a_2":"4","a_4":"5","column_6":"6"}`}}, Dialect{HeaderDuplicates: suffixed}},
		{vector{name: "replaced", data: "\xffa,b\n\xe2\x82,\"\xff\n\"\"\"\n1,2\n", records: []string{"{\"\ufffda\":\"\ufffd\ufffd\",\"b\":\"\ufffd\\n\\\"\"}", "{\"\ufffda\":\"1\",\"b\":\"2\"}"}}, Dialect{InvalidUTF8: invalidReplace}},

		{vector{name: "another separator", data: "\na;b;c\n1;\"2\";3,5\n", err: "f.csv:2:1: looks like ';'-separated, not ','-separated"}, Dialect{}},
		{vector{name: "another separator within quotes as well", data: "a;b\n1;\"x;\ny\"\n", err: "f.csv:1:1: looks like ';'-separated, not ','-separated"}, Dialect{}},
		{vector{name: "another separator, all in quotes", data: "\"a\";\"b\"\n\"1\";\"2\"\n", err: "f.csv:1:1: looks like ';'-separated, not ','-separated"}, Dialect{}},
		{vector{name: "another separator in the header alone", data: "a;b\n1\n", records: []string{`{"a;b":"1"}`}}, Dialect{}},
		{vector{name: "another separator, a first record longer than a block", data: "a;b\n" + strings.Repeat("x", 5000) + ";1\n", err: "f.csv:1:1: looks like ';'-separated"}, Dialect{}},
		{vector{name: "a separator line that begins a comment", data: "sep=#\na#b\n#1\n", err: "f.csv:1:1: '#' separates the fields and begins a comment"}, Dialect{Comment: "#"}},
		{vector{name: "quote is the delimiter", err: "use one ASCII character that is neither a quote"}, Dialect{Delimiter: "'", Quote: "'"}},
		{vector{name: "names for a file with a header", err: "names of columns are for files without"}, Dialect{Columns: []string{"x"}}},
		{vector{name: "comment with a quote", err: "it must not start with the quote"}, Dialect{Comment: `"x`}},
	} {
		t.Run(v.name, func(t *testing.T) {
			v.options.Dialect = v.dialect
			v.run(t, "f.csv")
		})
	}
}
