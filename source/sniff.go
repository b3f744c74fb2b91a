package source

import (
	"bytes"
	"io"
)

// magics are first bytes of files that are often found under a wrong name.
var magics = []struct {
	prefix, msg, hint string
}{
	{"PK\x03\x04", "is a ZIP archive, perhaps an Excel workbook (.xlsx)", "export it as CSV, UTF-8"},
	{"PK\x05\x06", "is an empty ZIP archive", "export it as CSV, UTF-8"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook (.xls)", "export it as CSV, UTF-8"},
	{"PAR1", "is a Parquet file", "convert it to CSV or NDJSON"},
	{"Obj\x01", "is an Avro file", "convert it to CSV or NDJSON"},
	{"SQLite format 3\x00", "is an SQLite database", "export the table as CSV or NDJSON"},
	{"%PDF-", "is a PDF document", "export the data as CSV or NDJSON"},
	{"\x1f\x8b", "is gzip data", `add .gz to the name or set compression = "gzip"`},
	{"\x28\xb5\x2f\xfd", "is zstd data", `add .zst to the name or set compression = "zstd"`},
}

// firstBytes is how much of a file tells what it is.
const firstBytes = 512

// checkFirstBytes refuses a file whose first bytes are not those of its
// compression, or of a text.
func (f *File) checkFirstBytes(head []byte) error {
	ok := true
	switch f.Compression {
	case CompressionGzip:
		ok = bytes.HasPrefix(head, []byte("\x1f\x8b"))
	case CompressionZstd:
		ok = isZstd(head)
	case CompressionZip: // openZip has looked
	default:
		return f.checkText(head)
	}
	if !ok {
		return &Error{Path: f.Path, Msg: "is not " + f.Compression + " data", Hint: `rename it, or set compression = "none"`}
	}
	return nil
}

// checkText refuses content that is something else than its name or the options
// say, and decides its encoding.
func (f *File) checkText(head []byte) (err error) {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return &Error{Path: f.Path, Msg: m.msg, Hint: m.hint}
		}
	}
	f.charset, err = f.charsetOf(head)
	return err
}

// isZstd knows a frame and a skippable frame (RFC 8878, 3.1).
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")) ||
		len(head) >= 4 && head[0]&0xf0 == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18
}

// newlineWindow is how much of a CSV file is looked at to see whether its lines
// end in CR alone.
const newlineWindow = 1 << 20

// newlineFinder decides what ends a CSV file's lines: '\r' where a CR and no LF
// stands outside quotes in the window, else '\n'.
type newlineFinder struct {
	quote          byte
	skip           int    // lines in which quotes mean nothing, as they are not looked at
	comment        string // begins such a line too
	matched        int    // of comment, at the line's start
	midLine        bool   // the line did not begin with comment
	quoted, cr, lf bool
}

func (f *File) newNewlineFinder() newlineFinder {
	return newlineFinder{quote: f.quote, skip: f.dialect.SkipLines, comment: f.dialect.Comment}
}

// see takes the next bytes and reports whether the answer is known.
func (n *newlineFinder) see(b []byte) bool {
	for _, c := range bytes.TrimPrefix(b, bom) {
		text := n.skip > 0 || n.inComment(c)
		switch {
		case text && c == '\r':
			n.cr = true
			n.skip = max(n.skip-1, 0)
			n.matched, n.midLine = 0, false
		case text && c != '\n':
		case c == n.quote && c != noQuote:
			n.quoted = !n.quoted
		case c == '\n' && !n.quoted:
			n.lf = true
			return true
		case c == '\r' && !n.quoted:
			n.cr = true
			n.matched, n.midLine = 0, false
		}
	}
	return false
}

// inComment goes on by one byte and reports whether it stands in a comment.
func (n *newlineFinder) inComment(c byte) bool {
	switch {
	case n.comment == "" || n.midLine:
		return false
	case n.matched == len(n.comment):
		return true
	case c == n.comment[n.matched]:
		n.matched++
		return true
	case c != '\r':
		n.midLine = true
	}
	return false
}

func (n *newlineFinder) newline() byte {
	if n.cr && !n.lf {
		return '\r'
	}
	return '\n'
}

// findNewline looks at the start of a plain file.
func (f *File) findNewline() (byte, error) {
	n := f.newNewlineFinder()
	buf := make([]byte, 16<<10)
	for off := int64(0); off < min(f.Size, newlineWindow); {
		want := min(int64(len(buf)), f.Size-off, newlineWindow-off)
		got, err := f.file.ReadAt(buf[:want], off)
		if err == io.EOF && int64(got) < want {
			return 0, f.shrank(off + int64(got))
		}
		if err != nil && err != io.EOF {
			return 0, &Error{Path: f.Path, Msg: "read", Err: err}
		}
		off += int64(got)
		if n.see(buf[:got]) {
			break
		}
	}
	return n.newline(), nil
}
