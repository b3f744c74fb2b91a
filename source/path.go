package source

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"worqcron/expression"
)

// A path may hold ${expressions} over the run. They are rendered before anything
// is looked for, and what they give is plain text: no part of a glob, and no way
// out of the folder that the path names before the first of them.

// HasExpressions says whether the path holds any that are not rendered yet.
func (o *Options) HasExpressions() bool { return o.Base == "" && strings.Contains(o.Path, "${") }

// PathPattern is a path as a glob: with a * for each expression. A path whose
// expressions do not parse is what it is.
func PathPattern(text string) string { return replaceExpressions(text, "*") }

// WithoutExpressions is what of a path is no expression.
func WithoutExpressions(text string) string { return replaceExpressions(text, "") }

func replaceExpressions(text, by string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	pieces, err := expression.Split(text)
	if err != nil {
		return text
	}
	var b strings.Builder
	for _, piece := range pieces {
		if piece.IsExpression {
			b.WriteString(by)
		} else {
			b.WriteString(piece.Text)
		}
	}
	return b.String()
}

// CheckPath compiles the expressions of a path. Its error is an *expression.Error
// with its place in the path.
func CheckPath(text string) error {
	pieces, err := expression.Split(text)
	if err != nil {
		return err
	}
	for _, piece := range pieces {
		if !piece.IsExpression {
			continue
		}
		p, err := expression.Compile(piece.Text, expression.Scope{Names: expression.Moment{}.Values()})
		if err != nil {
			return inPath(piece, err)
		}
		if t := p.Type(); t != nil && !textual(t.Kind()) {
			return &expression.Error{
				Offset: piece.Offset, Msg: "the expression gives " + typeName(t) + ", not text",
				Hint: "write strftime(scheduled_for, '%Y-%m-%d')",
			}
		}
	}
	return nil
}

// inPath moves an error's place from an expression to its path.
func inPath(piece expression.Piece, err error) error {
	var x *expression.Error
	if !errors.As(err, &x) {
		return &expression.Error{Offset: piece.Offset, Msg: err.Error()}
	}
	moved := *x
	moved.Offset += piece.Offset
	if x.Unknown != "" && x.Hint == "" {
		moved.Hint = expression.MomentHint
	}
	return &moved
}

func textual(k reflect.Kind) bool {
	return k == reflect.String || k >= reflect.Int && k <= reflect.Uint64
}

// Rendered gives options whose path has the values of its expressions for
// o.Moment, and Base and Below. Its error is an *expression.Error.
func (o Options) Rendered() (Options, error) {
	if !o.HasExpressions() {
		return o, nil
	}
	pieces, err := expression.Split(o.Path)
	if err != nil {
		return o, err
	}
	var b strings.Builder
	var machine expression.Machine
	for _, piece := range pieces {
		if !piece.IsExpression {
			b.WriteString(piece.Text)
			continue
		}
		text, err := valueInPath(&machine, piece, o.Moment)
		if err != nil {
			return o, err
		}
		b.WriteString(text)
	}
	base, pattern := doublestar.SplitPattern(PathPattern(o.Path))
	prefix := b.String()[:len(PathPattern(o.Path))-len(pattern)]
	below := b.String()[len(prefix):]
	if strings.Contains("/"+below+"/", "/../") {
		return o, &expression.Error{Msg: fmt.Sprintf("it becomes %q below its fixed folder, which leads out of that", below), Hint: "an expression cannot give .."}
	}
	if below = strings.TrimPrefix(path.Clean("/"+below), "/"); below == "" {
		return o, &expression.Error{Msg: "it becomes its fixed folder itself", Hint: "let the expressions give the name of a file"}
	}
	o.Path, o.Base, o.Below = prefix+below, base, below
	return o, nil
}

// inGlobs are the characters that a value must not bring into a path.
const inGlobs = `*?[]{}\`

func valueInPath(machine *expression.Machine, piece expression.Piece, m expression.Moment) (string, error) {
	fault := func(format string, args ...any) error {
		return &expression.Error{Offset: piece.Offset, Msg: fmt.Sprintf(format, args...)}
	}
	p, err := expression.Compile(piece.Text, expression.Scope{Names: expression.Moment{}.Values()})
	if err != nil {
		return "", inPath(piece, err)
	}
	value, err := machine.Run(p, m.Values())
	if err != nil {
		return "", inPath(piece, err)
	}
	if v := reflect.ValueOf(value); !v.IsValid() || !textual(v.Kind()) {
		return "", fault("the expression gives %s, not text", kindOfValue(value))
	}
	text := fmt.Sprint(value)
	switch {
	case text == "":
		return "", fault("the expression gives an empty text")
	case strings.ContainsAny(text, inGlobs+"\x00"):
		return "", fault("the expression gives %q, with a character that a glob gives a meaning: a wildcard stands in the path itself", text)
	}
	return text, nil
}

// unescape takes the backslashes out of a glob without a wildcard.
func unescape(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		if glob[i] == '\\' && i+1 < len(glob) {
			i++
		}
		b.WriteByte(glob[i])
	}
	return b.String()
}

// hasWildcard says whether a glob has one that no \ takes the meaning from.
func hasWildcard(glob string) bool {
	for i := 0; i < len(glob); i++ {
		switch {
		case glob[i] == '\\':
			i++
		case isGlob(glob[i : i+1]):
			return true
		}
	}
	return false
}
