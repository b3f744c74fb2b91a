package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// noQuote as a quote is a byte that no good record has, so that the fast paths
// need not know of it: where they see one, exact looks again.
const noQuote = 0xff

// Values of Dialect.
const (
	headerNone     = "none"
	raggedPad      = "pad"
	invalidReplace = "replace"
	suffixed       = "suffix"
)

// opens reports whether c at a field's start begins quotes.
func (p *csvParser) opens(c byte) bool { return c == p.quote && c != noQuote }

// check refuses what no CSV file could be read with.
func (d *Dialect) check() error {
	for _, c := range []struct{ key, value, usual, other string }{
		{"header", d.Header, "first", headerNone},
		{"ragged", d.Ragged, "", raggedPad},
		{"header_duplicates", d.HeaderDuplicates, "", suffixed},
		{"invalid_utf8", d.InvalidUTF8, "", invalidReplace},
		{"records_as", d.RecordsAs, RecordsAsString, RecordsAsColumns},
	} {
		if c.value != "" && c.value != c.usual && c.value != c.other {
			return fmt.Errorf("%s %q: use %q", c.key, c.value, c.other)
		}
	}
	delimiter, quote := cmp.Or(d.Delimiter, ","), cmp.Or(d.Quote, `"`)
	switch {
	case !isSeparator(delimiter) || delimiter == quote:
		return fmt.Errorf("delimiter %q: use one ASCII character that is neither a quote nor a line end", delimiter)
	case quote != QuoteNone && !isSeparator(quote):
		return fmt.Errorf(`quote %q: use one ASCII character that is not a line end, or "none"`, quote)
	case strings.ContainsAny(d.Comment, "\r\n") || d.Comment != "" && (d.Comment[:1] == quote || d.Comment[:1] == delimiter):
		return fmt.Errorf("comment %q: it must not start with the quote or the delimiter, nor hold a line end", d.Comment)
	case d.SkipLines < 0:
		return errors.New("skip_lines: use 0 or more")
	case len(d.Columns) > 0 && d.Header != headerNone:
		return errors.New(`names of columns are for files without a header line: set header to "none"`)
	}
	return nil
}

func isSeparator(s string) bool {
	return len(s) == 1 && s[0] < utf8.RuneSelf && s[0] != '\r' && s[0] != '\n' && s[0] != 0
}

// setCSV takes the bytes of a checked dialect.
func (f *File) setCSV(d Dialect) {
	f.dialect, f.delimiter, f.quote = d, ',', '"'
	if d.Delimiter != "" {
		f.delimiter = d.Delimiter[0]
	}
	switch d.Quote {
	case "":
	case QuoteNone:
		f.quote = noQuote
	default:
		f.quote = d.Quote[0]
	}
}

// takeSeparatorLine takes the delimiter from a first line such as "sep=;", which
// Excel writes and obeys, and reports whether there is one.
func (f *File) takeSeparatorLine(start []byte) bool {
	line := bytes.TrimPrefix(start, bom)
	if len(line) < 5 || !bytes.EqualFold(line[:4], []byte("sep=")) || !isSeparator(string(line[4:5])) || line[4] == f.quote {
		return false
	}
	if rest := line[5:]; len(rest) > 0 && rest[0] != '\r' && rest[0] != '\n' {
		return false
	}
	f.delimiter = line[4]
	return true
}

// checkDelimiter refuses a delimiter that the file brought itself, in a separator
// line or as a .tsv, and that means something else in the dialect.
func (f *File) checkDelimiter() error {
	what, key := "encloses fields", "quote"
	if c := f.dialect.Comment; c != "" && c[0] == f.delimiter {
		what, key = "begins a comment", "comment"
	} else if f.delimiter != f.quote {
		return nil
	}
	return &Error{
		Path: f.Path, Line: 1, Column: 1, Msg: fmt.Sprintf("%s separates the fields and %s", showByte(f.delimiter), what),
		Hint: fmt.Sprintf("set another %s in [source]", key),
	}
}

// doubtDelimiter looks at a header of one column, or one that is wrong, and at
// the record behind it: if they have the same number of fields by another usual
// separator, the file is refused. Sent as it is, each record would be one long
// text. more is true where raw is too short to tell.
func (f *File) doubtDelimiter(raw []byte, at int, last bool, line int) (more bool, err error) {
	for _, c := range []byte(";,\t|") {
		if c == f.delimiter || c == f.quote {
			continue
		}
		p := newHeaderParser(f)
		p.delim, p.look.delim = c, c
		columns, end, short := p.fieldCount(raw, at, last)
		if !short && columns < 2 {
			continue
		}
		fields := 0
		if !short {
			fields, _, short = p.fieldCount(raw, end, last)
		}
		if short && len(raw) < maxHead {
			return true, nil
		}
		if columns > 1 && fields == columns {
			return false, &Error{
				Path: f.Path, Line: int64(line) + 1, Column: 1,
				Msg:  fmt.Sprintf("looks like %s-separated, not %s-separated", showByte(c), showByte(f.delimiter)),
				Hint: fmt.Sprintf("set delimiter = %q in [source]", string(c)),
			}
		}
	}
	return false, nil
}

// fieldCount is how many fields the next record has, and where it ends; 0 for a
// bad one, or none. short says that raw does not suffice.
func (p *csvParser) fieldCount(raw []byte, at int, last bool) (n, end int, short bool) {
	for at < len(raw) {
		v := p.exact(raw, at, last)
		switch v.kind {
		case verdictMore:
			return 0, at, true
		case verdictGood:
			return len(p.split(raw[at : at+v.length])), at + v.length, false
		case verdictBlank:
			at += v.length
			continue
		}
		return 0, at, false
	}
	return 0, at, !last
}

// showByte writes a separator for a person.
func showByte(c byte) string {
	if c == '\t' {
		return "tab"
	}
	return fmt.Sprintf("'%c'", c)
}
