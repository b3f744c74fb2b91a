package batch

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"github.com/ncruces/go-strftime"
)

// Limits of one expression. They keep a slip of the pen in a configuration
// from taking the machine; no sensible payload comes near them.
const (
	maxExpressionBytes  = 4096
	maxExpressionNodes  = 500
	expressionMemory    = 100_000 // expr's unit: elements and bytes made while it runs
	expressionNamesHint = "an expression knows schedule, run_id, scheduled_for and origin, and strftime(time, format)"
)

// expressionEnv is what an expression sees. Its types are checked at load.
type expressionEnv struct {
	Schedule     string    `expr:"schedule"`
	RunID        string    `expr:"run_id"`
	ScheduledFor time.Time `expr:"scheduled_for"`
	Origin       string    `expr:"origin"`
}

// expression is one compiled ${…}.
type expression struct {
	program *vm.Program
	steps   []any
	offset  int // of its text in the string, in bytes
	text    string
}

// compileExpression compiles and type-checks one piece. Its error is an
// *ExpressionError.
func compileExpression(steps []any, piece templatePiece) (*expression, error) {
	e := &expression{steps: steps, offset: piece.offset, text: piece.text}
	if len(piece.text) > maxExpressionBytes {
		return nil, e.fault(0, fmt.Sprintf("the expression is longer than %d bytes", maxExpressionBytes), "")
	}
	program, err := expr.Compile(piece.text, expressionOptions()...)
	if err != nil {
		return nil, e.compileFault(err)
	}
	e.program = program
	if err := e.checkFormats(); err != nil {
		return nil, err
	}
	if err := e.checkType(); err != nil {
		return nil, err
	}
	return e, nil
}

// expressionOptions are the language. What would give another value each time
// is off: the clock (now, date), so that a plan can be repeated, and the
// functions that list a map in Go's random order.
func expressionOptions() []expr.Option {
	options := []expr.Option{
		expr.Env(expressionEnv{}),
		expr.MaxNodes(maxExpressionNodes),
		expr.Function("strftime", callStrftime, new(func(time.Time, string) string)),
	}
	for _, name := range []string{"now", "date", "keys", "values", "toPairs"} {
		options = append(options, expr.DisableBuiltin(name))
	}
	return options
}

// evaluate returns the expression's value as a string, bool, int64 or float64.
func (e *expression) evaluate(m Moment) (any, error) {
	machine := vm.VM{MemoryBudget: expressionMemory}
	value, err := machine.Run(e.program, expressionEnv(m))
	if err != nil {
		return nil, e.compileFault(err)
	}
	return e.scalar(value)
}

// scalar narrows what expr returns to the four types that a payload carries.
func (e *expression) scalar(value any) (any, error) {
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

// checkType refuses at load what could never be put into a body.
func (e *expression) checkType() error {
	t := e.program.Node().Type()
	if t.Kind() == reflect.Interface {
		return nil // known only when it runs
	}
	if msg, hint := refusedType(t); msg != "" {
		return e.fault(0, msg, hint)
	}
	return nil
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

// checkFormats looks at each strftime call whose format is known at load.
func (e *expression) checkFormats() error {
	found := &formatCheck{}
	node := e.program.Node()
	ast.Walk(&node, found)
	if found.err == nil {
		return nil
	}
	return e.fault(byteOffset(e.text, found.at), found.err.Error(), "the letters are listed in docs/configuration.md")
}

// formatCheck is an ast.Visitor that keeps the first bad constant format.
type formatCheck struct {
	err error
	at  int // characters into the expression
}

// Visit looks at one node.
func (f *formatCheck) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok || f.err != nil || len(call.Arguments) != 2 {
		return
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != "strftime" {
		return
	}
	if format, ok := call.Arguments[1].(*ast.StringNode); ok {
		f.err, f.at = checkStrftime(format.Value), format.Location().From
	}
}

// callStrftime is the function strftime of the expressions. Its argument types
// were checked at load.
func callStrftime(args ...any) (any, error) {
	t, isTime := args[0].(time.Time)
	format, isText := args[1].(string)
	if !isTime || !isText {
		return nil, errors.New("strftime takes a time and a format, such as strftime(scheduled_for, '%Y-%m-%d')")
	}
	if err := checkStrftime(format); err != nil {
		return nil, err
	}
	return strftime.Format(format, t), nil
}

// checkStrftime refuses a format with a directive that strftime does not have:
// the library would copy it to the output as it stands.
func checkStrftime(format string) error {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		start := i
		i++
		for i < len(format) && strings.IndexByte("-:EO", format[i]) >= 0 {
			i++
		}
		if i == len(format) {
			return fmt.Errorf("strftime: the format ends within %q", format[start:])
		}
		directive := format[start : i+1]
		if format[i] != '%' && strftime.Format(directive, time.Time{}) == directive {
			return fmt.Errorf("strftime: there is no %q", directive)
		}
	}
	return nil
}

// compileFault turns an error of expr into ours, with the place it names.
func (e *expression) compileFault(err error) *ExpressionError {
	var where *file.Error
	if !errors.As(err, &where) {
		return e.fault(0, err.Error(), "")
	}
	msg, hint := strings.TrimSpace(where.Message), ""
	switch {
	case strings.HasPrefix(msg, "unknown name now"), strings.HasPrefix(msg, "unknown name date"):
		hint = "a plan must be repeatable: use scheduled_for"
	case strings.HasPrefix(msg, "unknown name"):
		hint = expressionNamesHint
	}
	return e.fault(byteOffset(e.text, where.From), msg, hint)
}

// fault is an error at a byte offset within the expression.
func (e *expression) fault(offset int, msg, hint string) *ExpressionError {
	return expressionFault(e.steps, e.offset+offset, msg, hint)
}

// byteOffset turns expr's count of characters into bytes.
func byteOffset(text string, characters int) int {
	for i := range text {
		if characters <= 0 {
			return i
		}
		characters--
	}
	return len(text)
}
