package config

import "testing"

func TestOffsetInside(t *testing.T) {
	tests := []struct {
		name, raw string
		at        int    // in the value
		want      string // what stands there in the file
	}{
		{"first", `"abc"`, 0, `abc"`},
		{"plain", `"abc"`, 2, `c"`},
		{"end", `"abc"`, 3, `"`},
		{"literal", `'a\tb'`, 3, `b'`},
		{"simple escape", `"a\tb"`, 2, `b"`},
		{"on an escape", `"a\tb"`, 1, `\tb"`},
		{"hex escape", `"\x41b"`, 1, `b"`},
		{"hex escape of two bytes", `"\xe9b"`, 2, `b"`},
		{"short unicode escape", `"\u00e9b"`, 2, `b"`},
		{"long unicode escape", `"\U0001F600b"`, 4, `b"`},
		{"within a unicode escape", `"\u00e9b"`, 1, `\u00e9b"`},
		{"wide characters", `"éb"`, 2, `b"`},
		{"multi-line", "\"\"\"ab\"\"\"", 1, "b\"\"\""},
		{"multi-line that starts with a newline", "\"\"\"\nab\"\"\"", 1, "b\"\"\""},
		{"multi-line that starts with CRLF", "'''\r\nab'''", 1, "b'''"},
		{"multi-line with a joined line", "\"\"\"a\\\n  b\"\"\"", 1, "b\"\"\""},
		{"multi-line literal", "'''a\\tb'''", 3, "b'''"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := readDocument([]byte("key = " + test.raw))
			if len(doc.faults) > 0 {
				t.Fatal(doc.faults)
			}
			n := doc.root.child("key")
			if got := string(doc.data[n.offsetInside(test.at):]); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPosition(t *testing.T) {
	doc := &document{data: []byte("é = 1\r\n\tb")}
	tests := []struct{ offset, line, column int }{
		{-1, 1, 1}, {0, 1, 1}, {2, 1, 2}, {8, 2, 1}, {9, 2, 2}, {10, 2, 3}, {99, 2, 3},
	}
	for _, test := range tests {
		if line, column := doc.position(test.offset); line != test.line || column != test.column {
			t.Errorf("%d: got %d:%d, want %d:%d", test.offset, line, column, test.line, test.column)
		}
	}
}

func TestByteOrderMark(t *testing.T) {
	doc := readDocument([]byte("\ufeffa = 1\nb ="))
	if len(doc.faults) != 1 || doc.root != nil {
		t.Fatalf("got %v", doc.faults)
	}
	if line, column := doc.position(doc.faults[0].offset); line != 2 || column != 3 {
		t.Errorf("got %d:%d, want 2:3", line, column)
	}
	doc = readDocument([]byte("\xff\xfea\x00"))
	if len(doc.faults) != 1 || doc.faults[0].msg != "the file is UTF-16" {
		t.Errorf("got %v", doc.faults)
	}
}
