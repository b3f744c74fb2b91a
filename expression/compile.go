package expression

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Limits of one expression. They keep a slip of the pen in a configuration
// from taking the machine; no sensible expression comes near them.
const (
	MaxBytes     = 4096
	MaxNodes     = 500
	memoryBudget = 100_000 // expr's unit: elements and bytes made while it runs
)

// disabled are the builtins that the language does not have.
var disabled = []string{"now", "date", "keys", "values", "toPairs"}

// Scope is what an expression may name.
type Scope struct {
	// Names are the known names, each with a value of its type; nil for a name
	// that may have any. A value may be nil all the same when the expression runs.
	Names map[string]any
	// Open allows other names as well, with a type as Other has; nil: any.
	Open  bool
	Other any
	// Without are names that an open scope does not have.
	Without []string
}

func (s *Scope) has(name string) bool {
	if _, ok := s.Names[name]; ok {
		return true
	}
	return s.Open && !slices.Contains(s.Without, name)
}

// Program is a compiled expression. It never changes and may be run by several
// machines at once.
type Program struct {
	program *vm.Program
	text    string
	// Used are the scope's names that the expression reads, sorted.
	Used []string
	// UsesAll says that it reads $env as a whole.
	UsesAll bool
}

// Error is a mistake in an expression, or what went wrong when it ran.
type Error struct {
	Offset int // bytes into the expression
	Msg    string
	Hint   string // may be empty
	// Unknown is the name that the scope does not have, if that is the mistake.
	Unknown string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + " (" + e.Hint + ")"
}

// Compile compiles and type-checks an expression. Its error is an *Error.
func Compile(text string, s Scope) (*Program, error) {
	if len(text) > MaxBytes {
		return nil, &Error{Msg: fmt.Sprintf("the expression is longer than %d bytes", MaxBytes)}
	}
	config := conf.New(types.Map{})
	config.MaxNodes = MaxNodes
	for _, name := range disabled {
		config.Disabled[name] = true
	}
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, fault(text, err)
	}
	refs := findReferences(tree)
	if err := refs.check(text, &s); err != nil {
		return nil, err
	}
	p := &Program{text: text, Used: refs.names(), UsesAll: refs.whole > 0}
	if p.program, err = expr.Compile(text, options(refs, s)...); err != nil {
		return nil, fault(text, err)
	}
	if err := checkFormats(text, p.program.Node()); err != nil {
		return nil, err
	}
	return p, nil
}

// options are the language, and as names those that the expression reads: a
// builtin of the same name as a column is hidden only where that is meant.
func options(refs *references, s Scope) []expr.Option {
	env := types.Map{}
	for _, name := range refs.names() {
		if slices.Contains(refs.called, name) {
			continue // it is read as $env["name"], whatever its type
		}
		sample, ok := s.Names[name]
		if !ok {
			sample = s.Other
		}
		env[name] = typeOf(sample)
	}
	o := []expr.Option{
		expr.Env(env), expr.AllowUndefinedVariables(), // undefined ones were refused by our own check
		expr.MaxNodes(MaxNodes),
		expr.Function("strftime", callStrftime, new(func(time.Time, string) string)),
	}
	for _, name := range disabled {
		o = append(o, expr.DisableBuiltin(name))
	}
	return o
}

func typeOf(sample any) types.Type {
	if sample == nil {
		return types.Any
	}
	return types.TypeOf(sample)
}

// Type is the type of the expression's value; nil if only running it tells.
func (p *Program) Type() reflect.Type {
	t := p.program.Node().Type()
	if t == nil || t.Kind() == reflect.Interface {
		return nil
	}
	return t
}

// Machine runs programs, one at a time. It belongs to one goroutine.
type Machine struct{ vm vm.VM }

// Run evaluates a program. A name that env does not have is nil. Its error is
// an *Error.
func (m *Machine) Run(p *Program, env map[string]any) (any, error) {
	m.vm.MemoryBudget = memoryBudget
	value, err := m.vm.Run(p.program, env)
	if err != nil {
		return nil, fault(p.text, err)
	}
	return value, nil
}

// fault turns an error of expr into ours, with the place it names.
func fault(text string, err error) *Error {
	var where *file.Error
	if !errors.As(err, &where) {
		return &Error{Msg: err.Error()}
	}
	return &Error{Offset: byteOffset(text, where.From), Msg: strings.TrimSpace(where.Message)}
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
