package scheduler

import "fmt"

// ExprError says what is wrong with an expression, where, and what to write
// instead.
type ExprError struct {
	Expr   string // the expression as it was given
	Field  string // "minute", "day of week", …; "" if the whole expression is meant
	Offset int    // byte in Expr where the trouble starts
	Msg    string // what is wrong
	Hint   string // what to do; may be ""
}

// Error gives the message without the hint, so that a caller can print that on
// a line of its own.
func (e *ExprError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("cron %q: %s", e.Expr, e.Msg)
	}
	return fmt.Sprintf("cron %q: %s: %s", e.Expr, e.Field, e.Msg)
}
