package batch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"worqcron/expression"
)

// Payload is the compiled `payload` table of a schedule: the members that each
// body carries beside its records. Its strings may hold ${expressions}, which
// were parsed and type-checked when it was compiled. A Payload never changes
// and may be rendered by several goroutines at once.
type Payload struct {
	parts  []payloadPart
	source string
	keys   []string
}

// payloadPart is a stretch of the rendered text: fixed JSON, or the value of
// an expression.
type payloadPart struct {
	fixed      []byte
	expression *payloadExpression // nil for fixed text
	inString   bool               // the value is a piece of a JSON string, not a whole value
}

// ExpressionError is a value of a payload that cannot be compiled or rendered.
type ExpressionError struct {
	Path   string // where: payload.day, payload.list[2]."a.b"
	Steps  []any  // the same below the payload: string for a key, int for an index
	Offset int    // bytes into the string at Path; 0 for a value that is no string
	Msg    string
	Hint   string // may be empty
}

func (e *ExpressionError) Error() string {
	if e.Hint == "" {
		return e.Path + ": " + e.Msg
	}
	return e.Path + ": " + e.Msg + " (" + e.Hint + ")"
}

// CompilePayload compiles the members of a payload. Values are strings, bools,
// int64, float64, time.Time (written as RFC 3339), []any and map[string]any
// of these; nil is an empty payload. The error joins an *ExpressionError for
// each value that is wrong.
func CompilePayload(members map[string]any) (*Payload, error) {
	c := &payloadCompiler{}
	c.members(nil, members)
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	p := &Payload{parts: c.parts, source: "{" + string(c.source) + "}", keys: sortedKeys(members)}
	return p, nil
}

// Source is the canonical text of the payload before its expressions are
// evaluated: JSON with sorted keys. Equal sources render equally for the same
// moment, so it can stand for the payload in a hash.
func (p *Payload) Source() string { return p.source }

// Keys returns the names of the payload's members, sorted.
func (p *Payload) Keys() []string { return slices.Clone(p.keys) }

// Render evaluates the expressions and returns the members as JSON without the
// outer braces, keys sorted: `"day":"2026-11-24","report":"orders"`. It is
// empty for an empty payload. Strings carry no more escapes than JSON needs.
// An expression that fails, or whose value JSON cannot carry, is an
// *ExpressionError.
func (p *Payload) Render(m expression.Moment) ([]byte, error) {
	var out []byte
	var machine expression.Machine
	names := m.Values()
	for _, part := range p.parts {
		if part.expression == nil {
			out = append(out, part.fixed...)
			continue
		}
		value, err := part.expression.evaluate(&machine, names)
		if err != nil {
			return nil, err
		}
		if part.inString {
			out, err = appendStringPiece(out, value)
		} else {
			out, err = appendScalar(out, value)
		}
		if err != nil {
			return nil, part.expression.fault(0, err.Error(), "")
		}
	}
	return out, nil
}

// payloadCompiler walks a payload and collects its parts, its canonical text
// and every mistake in it.
type payloadCompiler struct {
	parts  []payloadPart
	source []byte
	errs   []error
}

// fixed adds text that is the same in the rendered form and in the source.
func (c *payloadCompiler) fixed(text []byte) {
	c.rendered(text)
	c.source = append(c.source, text...)
}

// rendered adds text to the rendered form alone.
func (c *payloadCompiler) rendered(text []byte) {
	if last := len(c.parts) - 1; last >= 0 && c.parts[last].expression == nil {
		c.parts[last].fixed = append(c.parts[last].fixed, text...)
		return
	}
	c.parts = append(c.parts, payloadPart{fixed: slices.Clone(text)})
}

func (c *payloadCompiler) fail(steps []any, offset int, msg, hint string) {
	c.errs = append(c.errs, expressionFault(steps, offset, msg, hint))
}

func (c *payloadCompiler) members(steps []any, members map[string]any) {
	for i, key := range sortedKeys(members) {
		below := extend(steps, key)
		name, err := appendScalar(nil, key)
		if err != nil {
			c.fail(below, 0, "the key is "+err.Error(), "")
			continue
		}
		if i > 0 {
			c.fixed([]byte{','})
		}
		c.fixed(append(name, ':'))
		c.value(below, members[key])
	}
}

func (c *payloadCompiler) value(steps []any, value any) {
	switch v := value.(type) {
	case string:
		c.text(steps, v)
	case map[string]any:
		c.fixed([]byte{'{'})
		c.members(steps, v)
		c.fixed([]byte{'}'})
	case []any:
		c.fixed([]byte{'['})
		for i, item := range v {
			if i > 0 {
				c.fixed([]byte{','})
			}
			c.value(extend(steps, i), item)
		}
		c.fixed([]byte{']'})
	case time.Time:
		c.fixed(strconv.AppendQuote(nil, v.Format(time.RFC3339Nano)))
	case bool, int64, float64:
		text, err := appendScalar(nil, v)
		if err != nil {
			c.fail(steps, 0, err.Error(), "write it as a string")
			return
		}
		c.fixed(text)
	default:
		c.fail(steps, 0, fmt.Sprintf("a %T has no form in JSON", value), "")
	}
}

// text compiles one string. A string that is exactly one expression becomes
// that expression's value; all else stays a string.
func (c *payloadCompiler) text(steps []any, text string) {
	raw, err := appendScalar(nil, text)
	if err != nil {
		c.fail(steps, 0, err.Error(), "")
		return
	}
	c.source = append(c.source, raw...)
	pieces, err := expression.Split(text)
	var fault *expression.Error
	if errors.As(err, &fault) {
		c.fail(steps, fault.Offset, fault.Msg, fault.Hint)
		return
	}
	if len(pieces) == 1 && pieces[0].IsExpression {
		c.expression(steps, pieces[0], false)
		return
	}
	c.rendered([]byte{'"'})
	for _, piece := range pieces {
		if piece.IsExpression {
			c.expression(steps, piece, true)
			continue
		}
		// It is a part of text, which was valid as a whole, cut beside ASCII.
		quoted, err := appendStringPiece(nil, piece.Text)
		if err != nil {
			c.fail(steps, piece.Offset, err.Error(), "")
			continue
		}
		c.rendered(quoted)
	}
	c.rendered([]byte{'"'})
}

func (c *payloadCompiler) expression(steps []any, piece expression.Piece, inString bool) {
	e, err := compileExpression(steps, piece)
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	c.parts = append(c.parts, payloadPart{expression: e, inString: inString})
}

// appendScalar appends value as JSON. Its errors complete the sentence "the
// value is …".
func appendScalar(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		out, err := jsontext.AppendQuote(dst, v)
		if err != nil {
			return dst, errors.New("text that is not UTF-8")
		}
		return out, nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return dst, fmt.Errorf("%v, a number that JSON does not have", v)
		}
		return append(dst, jsontext.Float(v).String()...), nil
	default:
		return dst, fmt.Errorf("a %T, which is neither text nor a number nor a bool", value)
	}
}

// appendStringPiece appends value as the inside of a JSON string: text as it
// is, numbers and bools as JSON writes them.
func appendStringPiece(dst []byte, value any) ([]byte, error) {
	start := len(dst)
	out, err := appendScalar(dst, value)
	if err != nil {
		return dst, err
	}
	if _, isText := value.(string); !isText {
		return out, nil
	}
	copy(out[start:], out[start+1:len(out)-1])
	return out[:len(out)-2], nil
}

func expressionFault(steps []any, offset int, msg, hint string) *ExpressionError {
	return &ExpressionError{Path: expression.Path("payload", steps), Steps: steps, Offset: offset, Msg: msg, Hint: hint}
}

// extend returns a new slice, so that errors can keep their steps.
func extend(steps []any, step any) []any {
	return append(slices.Clone(steps), step)
}

func sortedKeys(members map[string]any) []string {
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
