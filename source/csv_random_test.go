package source

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCSVParserAgainstExact feeds random text, made of what matters to CSV, to
// the fast loops in pieces of random length, and compares with exact.
func TestCSVParserAgainstExact(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	alphabets := [][]string{
		{"a", ",", "\n", `"`},
		{"abcdefg", ",", ",", "\n", `"x"`, `"y,""z"`, "\"\n\"", "é", "日", `\`, "\t"},
		{"1", ",", "\r\n", "\r", `"`, `""`, "\x00", "\xff", "\xe2\x80", "long enough to fill words of masks"},
		{"1,2", "\n", "\n", "\n3,4\n5,6\n7,8", `"9"`, `,`},
		{"\"a\"", ",", "\r", "\r", "\n", "b"},
	}
	for range 8000 {
		alphabet := alphabets[r.IntN(len(alphabets))]
		var data []byte
		for range r.IntN(120) {
			data = append(data, alphabet[r.IntN(len(alphabet))]...)
		}
		f := &File{Format: FormatCSV, Header: []string{"a", "b", "c"}[:1+r.IntN(3)]}
		d := randomDialect(r)
		f.setCSV(d)
		f.newline = "\n\r"[min(1, r.IntN(5)/4)]
		f.maxRecord = []int{3, 20, 1000}[r.IntN(3)]
		want := parsed(t, f, data, job{last: true, list: true, encode: true, sep: '\n'}, nil)
		if exact := exactRecords(t, f, data); !slices.Equal(exact.records, want.records) || !slices.Equal(exact.bad, want.bad) || !bytes.Equal(exact.json, want.json) {
			t.Fatalf("%+v, max %d, newline %q, %q: got %+v %+v %q\nwant %+v %+v %q", d, f.maxRecord, f.newline, data,
				want.records, want.bad, want.json, exact.records, exact.bad, exact.json)
		}
		for _, encode := range []bool{false, true} {
			got := parsed(t, f, data, job{list: true, encode: encode, sep: '\n'}, r)
			if !slices.Equal(got.records, want.records) || !slices.Equal(got.bad, want.bad) || got.blank != want.blank || got.lines != want.lines {
				t.Fatalf("%+v, max %d, newline %q, %q: in pieces %+v %+v\nwhole %+v %+v", d, f.maxRecord, f.newline, data, got.records, got.bad, want.records, want.bad)
			}
			if encode && !bytes.Equal(got.json, want.json) {
				t.Fatalf("%q: in pieces %q, whole %q", data, got.json, want.json)
			}
		}
	}
}

// randomDialect is often the usual one.
func randomDialect(r *rand.Rand) Dialect {
	d := Dialect{Delimiter: ",", Quote: `"`}
	if r.IntN(2) == 0 {
		return d
	}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	d.Quote = pick(`"`, "a", "1", QuoteNone)
	d.Comment = pick("", "b", "\t", "3,", "é")
	d.Ragged = pick("", raggedPad)
	d.InvalidUTF8 = pick("", invalidReplace)
	return d
}

// parsed gives data to a parser, whole or in random pieces, as a Scan would, and
// puts together what was found with places counted from data's start.
func parsed(t *testing.T, f *File, data []byte, j job, r *rand.Rand) (all found) {
	t.Helper()
	p, err := newParser(f)
	if err != nil {
		t.Fatal(err)
	}
	at, size := 0, 0
	skipping := false
	for at < len(data) {
		if size++; r != nil {
			size += r.IntN(80)
		} else {
			size = len(data)
		}
		end := min(at+size, len(data))
		if skipping {
			last := &all.bad[len(all.bad)-1]
			if i := bytes.IndexByte(data[at:], f.newline); i >= 0 {
				at += i + 1
				all.lines++
			} else {
				at = len(data)
			}
			last.End, skipping = int64(at), false
			continue
		}
		var one found
		j.last = end == len(data)
		p.parse(data[at:end], j, &one)
		for _, x := range one.records {
			x.Start, x.End, x.Line, x.LastLine = x.Start+uint32(at), x.End+uint32(at), x.Line+all.lines, x.LastLine+all.lines
			all.records = append(all.records, x)
		}
		for _, x := range one.bad {
			x.Start, x.End, x.Line = x.Start+int64(at), x.End+int64(at), x.Line+int64(all.lines)
			all.bad = append(all.bad, x)
		}
		all.json = append(all.json, one.json...)
		all.blank += one.blank
		all.lines += one.lines
		at += one.consumed
		switch one.stop {
		case stopTail:
			if j.last || end-at > f.maxRecord {
				t.Fatalf("%q: no verdict on [%d,%d), last %v", data, at, end, j.last)
			}
			if one.consumed > 0 {
				size = 0
			}
		case stopSkip:
			skipping = true
		default:
			size = 0
		}
	}
	return all
}

// exactRecords judges record by record.
func exactRecords(t *testing.T, f *File, data []byte) (all found) {
	t.Helper()
	p, err := newCSVParser(f)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data); {
		v := p.exact(data, at, true)
		p.add(data, at, v, job{list: true, encode: true, sep: '\n'}, &all)
		at += v.length
	}
	return all
}
