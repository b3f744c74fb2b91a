package expression

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/ncruces/go-strftime"
)

// checkFormats looks at each strftime call whose format is known at load.
func checkFormats(text string, node ast.Node) error {
	found := &formatCheck{}
	ast.Walk(&node, found)
	if found.err == nil {
		return nil
	}
	return &Error{Offset: byteOffset(text, found.at), Msg: found.err.Error(), Hint: "the letters are listed in docs/configuration.md"}
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

// callStrftime is the function strftime of the expressions. The types of its
// arguments are known only now where a record may have any.
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
