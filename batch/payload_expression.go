package batch

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"worqcron/expression"
)

// payloadExpression is one compiled ${…}.
type payloadExpression struct {
	program *expression.Program
	steps   []any
	offset  int // of its text in the string, in bytes
}

// compileExpression compiles and type-checks one piece. Its error is an
// *ExpressionError.
func compileExpression(steps []any, piece expression.Piece) (*payloadExpression, error) {
	e := &payloadExpression{steps: steps, offset: piece.Offset}
	program, err := expression.Compile(piece.Text, expression.Scope{Names: expression.Moment{}.Values()})
	if err != nil {
		return nil, e.located(err)
	}
	e.program = program
	if t := program.Type(); t != nil { // else it is known only when it runs
		if msg, hint := refusedType(t); msg != "" {
			return nil, e.fault(0, msg, hint)
		}
	}
	return e, nil
}

// evaluate returns the expression's value as a string, bool, int64 or float64.
func (e *payloadExpression) evaluate(m *expression.Machine, names map[string]any) (any, error) {
	value, err := m.Run(e.program, names)
	if err != nil {
		return nil, e.located(err)
	}
	return e.scalar(value)
}

// scalar narrows what expr returns to the four types that a payload carries.
func (e *payloadExpression) scalar(value any) (any, error) {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return nil, e.fault(0, "the expression gives nil, not text, a number or a bool", "")
	}
	if msg, hint := refusedType(v.Type()); msg != "" {
		return nil, e.fault(0, msg, hint)
	}
	switch {
	case v.CanInt():
		return v.Int(), nil
	case v.CanUint():
		if v.Uint() > 1<<63-1 {
			return nil, e.fault(0, "the number does not fit 64 bits", "")
		}
		return int64(v.Uint()), nil
	case v.CanFloat():
		return v.Float(), nil
	case v.Kind() == reflect.Bool:
		return v.Bool(), nil
	default:
		return v.String(), nil
	}
}

// refusedType says why a value of type t is no text, number or bool. A
// duration is a number to Go, but its nanoseconds would surprise.
func refusedType(t reflect.Type) (msg, hint string) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "the expression gives a time, not text", "write strftime(scheduled_for, '%Y-%m-%d')"
	case t == reflect.TypeFor[time.Duration]():
		return "the expression gives a duration, not text or a number", "call .Seconds() or .String() on it"
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "", ""
	case reflect.Slice, reflect.Array, reflect.Map:
		return "the expression gives a list or a map, not text, a number or a bool", ""
	default:
		return fmt.Sprintf("the expression gives a %s, not text, a number or a bool", t), ""
	}
}

// located gives an error of the language its place in the payload.
func (e *payloadExpression) located(err error) *ExpressionError {
	var x *expression.Error
	if !errors.As(err, &x) {
		return e.fault(0, err.Error(), "")
	}
	if x.Unknown != "" && x.Hint == "" {
		return e.fault(x.Offset, x.Msg, expression.MomentHint)
	}
	return e.fault(x.Offset, x.Msg, x.Hint)
}

// fault is an error at a byte offset within the expression.
func (e *payloadExpression) fault(offset int, msg, hint string) *ExpressionError {
	return expressionFault(e.steps, e.offset+offset, msg, hint)
}
