package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonInner is an array of records within a JSON document.
type jsonInner struct {
	names  []string // the pointer's parts
	around []byte   // what the document is around the array: {"data":[null,{"items":[
	open   []byte   // the brackets in that, without the array's own
	rest   io.Reader
	off    int64 // of the array's first element, in the text
	line   int64 // of that
	column int64 // bytes before it in its line
}

// enter goes to the array that the file's pointer names; nil if there is nothing
// in the file, or with an error.
func (c *scan) enter(ctx context.Context, r io.Reader) (*jsonInner, error) {
	w := newJSONWalk(ctx, c.file, nil, r)
	token, err := w.next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	in := &jsonInner{}
	for name := range c.file.pointer.Tokens() {
		if err == nil {
			in.names = append(in.names, name)
			token, err = w.step(in, token.Kind(), name)
		}
	}
	if err == nil && token.Kind() != '[' {
		err = w.fault(w.start, w.pointer(in.names)+" is "+kindName(byte(token.Kind()))+", not an array", "name the array of records with pointer")
	}
	if err != nil {
		return nil, w.failure(err)
	}
	in.around = append(in.around, '[')
	in.off = w.decoder.InputOffset()
	in.line, in.column = w.place(in.off)
	in.rest = io.MultiReader(bytes.NewReader(bytes.Clone(w.decoder.UnreadBuffer())), r)
	return in, nil
}

// step goes into a container, to the value that name stands for.
func (w *jsonWalk) step(in *jsonInner, kind jsontext.Kind, name string) (jsontext.Token, error) {
	nowhere := func(why string) (jsontext.Token, error) {
		parent := w.pointer(in.names[:len(in.names)-1])
		return jsontext.Token{}, w.fault(w.start, fmt.Sprintf("%s leads nowhere: %s %s", w.pointer(in.names), parent, why), jsonPointerHint)
	}
	index := arrayIndex(name)
	if kind != '{' && (kind != '[' || index < 0) {
		return nowhere("is " + kindName(byte(kind)))
	}
	in.open = append(in.open, byte(kind))
	in.around = append(in.around, byte(kind))
	if kind == '{' {
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return jsontext.Token{}, err
		}
		in.around = append(append(in.around, quoted...), ':')
	}
	for n := 0; ; n++ {
		token, err := w.next()
		if err != nil {
			return token, err
		}
		if token.Kind() == '}' || token.Kind() == ']' {
			return nowhere(fmt.Sprintf("has no %q", name))
		}
		found := n == index
		if kind == '{' {
			found = token.String() == name
			token, err = w.next()
		}
		if found || err != nil {
			return token, err
		}
		if err := w.skip(token); err != nil {
			return token, err
		}
	}
}

// arrayIndex reads a pointer's part as the number of an element, or gives -1
// (RFC 6901, 4).
func arrayIndex(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(n) != name {
		return -1
	}
	return n
}

const jsonPointerHint = `check pointer: "/data/items" means the array "items" in the object "data"`

// leave reads the document behind the array: it must be there, and nothing
// behind it.
func (c *scan) leave(ctx context.Context, in *jsonInner, r io.Reader, column int64) error {
	around := slices.Concat(in.around, []byte{']'})
	w := newJSONWalk(ctx, c.file, around, r)
	w.reader.line, w.reader.column = c.line, column
	for w.decoder.InputOffset() < int64(len(around)) {
		if _, err := w.next(); err != nil {
			return w.failure(err)
		}
	}
	for level := len(in.open); w.decoder.StackDepth() > 0; level = min(level, w.decoder.StackDepth()) {
		depth := w.decoder.StackDepth()
		_, members := w.decoder.StackIndex(depth)
		token, err := w.next()
		if err != nil {
			return w.failure(err)
		}
		isName := depth == level && in.open[level-1] == '{' && members%2 == 0 && token.Kind() == '"'
		if isName && token.String() == in.names[level-1] {
			return w.failure(w.fault(w.start, fmt.Sprintf("%s is there twice", w.pointer(in.names[:level])), jsonHint))
		}
	}
	if _, err := w.next(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = w.fault(w.start, "something follows the document's end", "one document is wanted where a pointer is given")
		}
		return w.failure(err)
	}
	return nil
}

// jsonWalk goes over the tokens of a document that are no records. It keeps the
// longest of them in memory, which has a bound.
type jsonWalk struct {
	file    *File
	cause   func() error // of the end of the caller's context
	reader  lineReader
	decoder *jsontext.Decoder
	start   int64 // of the last token
}

// What is no record has to balance; it may be written as it likes.
var jsonWalkOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// newJSONWalk begins a walk over what stands before r and then r.
func newJSONWalk(ctx context.Context, f *File, before []byte, r io.Reader) *jsonWalk {
	from := int64(len(before))
	w := &jsonWalk{file: f, cause: func() error { return context.Cause(ctx) }}
	w.reader = lineReader{r: r, given: from, off: from, line: 1, most: int64(f.maxRecord) + 1<<20}
	w.decoder = jsontext.NewDecoder(io.MultiReader(bytes.NewReader(before), &w.reader), jsonWalkOptions...)
	return w
}

// next reads a token. At the end of the document it is io.EOF.
func (w *jsonWalk) next() (jsontext.Token, error) {
	if done := w.decoder.InputOffset(); done > w.reader.off+32<<10 {
		if err := w.cause(); err != nil {
			return jsontext.Token{}, err
		}
		w.reader.settle(done)
	}
	w.decoder.PeekKind() // has the token's first byte read
	ahead := w.decoder.UnreadBuffer()
	w.start = w.decoder.InputOffset() + int64(len(ahead)-len(bytes.TrimLeft(ahead, " \t\r\n,:")))
	return w.decoder.ReadToken()
}

// skip reads up to the end of the value that begins with token.
func (w *jsonWalk) skip(token jsontext.Token) error {
	if token.Kind() != '{' && token.Kind() != '[' {
		return nil
	}
	for depth := w.decoder.StackDepth(); w.decoder.StackDepth() >= depth; {
		if _, err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// place is the line and how many bytes are before an offset in it.
func (w *jsonWalk) place(off int64) (line, column int64) {
	w.reader.settle(off)
	return w.reader.line, w.reader.column
}

func (w *jsonWalk) pointer(names []string) string {
	p := jsontext.Pointer("")
	for _, name := range names {
		p = p.AppendToken(name)
	}
	if p == "" {
		return "the document"
	}
	return fmt.Sprintf("pointer %q", string(p))
}

func (w *jsonWalk) fault(off int64, msg, hint string) error {
	line, column := w.place(off)
	return &Error{Path: w.file.Path, Line: line, Column: column + 1, Msg: msg, Hint: hint}
}

// failure makes an *Error of what the decoder says.
func (w *jsonWalk) failure(err error) error {
	var own *Error
	var syntax *jsontext.SyntacticError
	switch {
	case w.cause() != nil:
		return w.cause()
	case errors.As(err, &own):
		return own
	case errors.Is(err, errLongToken):
		return w.fault(w.start, "text outside of the records is longer than a record may be", jsonHint)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return w.fault(w.reader.given, "the file ends within the document", "copy the file again")
	case errors.As(err, &syntax):
		return w.fault(syntax.ByteOffset, "not valid JSON: "+strings.TrimPrefix(syntax.Err.Error(), "jsontext: "), jsonHint)
	}
	return &Error{Path: w.file.Path, Msg: "JSON", Err: err}
}

var errLongToken = errors.New("a token is too long")

// lineReader knows the line of each byte that it gave not long ago.
type lineReader struct {
	r            io.Reader
	given        int64  // the offset behind the last byte
	kept         []byte // from off on
	off          int64
	line, column int64 // of off; column is the bytes before it
	most         int64 // that may be kept
}

func (l *lineReader) Read(p []byte) (int, error) {
	if int64(len(l.kept)) > l.most {
		return 0, errLongToken
	}
	n, err := l.r.Read(p)
	l.kept = append(l.kept, p[:n]...)
	l.given += int64(n)
	return n, err
}

// settle moves off.
func (l *lineReader) settle(off int64) {
	n := min(max(off-l.off, 0), int64(len(l.kept)))
	part := l.kept[:n]
	l.column += n
	if lines := bytes.Count(part, []byte{'\n'}); lines > 0 {
		l.line += int64(lines)
		l.column = n - 1 - int64(bytes.LastIndexByte(part, '\n'))
	}
	l.off += n
	l.kept = l.kept[:copy(l.kept, l.kept[n:])]
}
