package expression

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/parser"
)

// references are the names in an expression. It is an ast.Visitor.
type references struct {
	plain    []reference // name
	member   []reference // $env["name"], $env.name
	calls    []reference // name(…)
	called   []string    // their names
	declared []string    // by let
	whole    int         // $env in any other way
}

// reference is a name and where it stands, in characters.
type reference struct {
	name string
	at   int
}

func findReferences(tree *parser.Tree) *references {
	r := &references{}
	ast.Walk(&tree.Node, r)
	isLocal := func(x reference) bool { return slices.Contains(r.declared, x.name) }
	r.plain = slices.DeleteFunc(r.plain, isLocal)
	return r
}

// Visit looks at one node, after those below it.
func (r *references) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			r.whole++
			return
		}
		r.plain = append(r.plain, reference{n.Value, n.Location().From})
	case *ast.MemberNode:
		env, ok := n.Node.(*ast.IdentifierNode)
		if !ok || env.Value != "$env" {
			return
		}
		if name, ok := n.Property.(*ast.StringNode); ok {
			r.whole--
			r.member = append(r.member, reference{name.Value, name.Location().From})
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			r.call(reference{callee.Value, callee.Location().From})
		}
	case *ast.BuiltinNode:
		r.called = append(r.called, n.Name)
	case *ast.VariableDeclaratorNode:
		r.declared = append(r.declared, n.Name)
	}
}

// call takes the name of a function back from the plain names.
func (r *references) call(x reference) {
	if i := slices.Index(r.plain, x); i >= 0 {
		r.plain = slices.Delete(r.plain, i, i+1)
	}
	r.calls, r.called = append(r.calls, x), append(r.called, x.name)
}

// names are the names that are read, sorted, each once.
func (r *references) names() []string {
	var names []string
	for _, list := range [][]reference{r.plain, r.member} {
		for _, x := range list {
			names = append(names, x.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// check refuses names that the scope does not have, the first one first.
func (r *references) check(text string, s *Scope) error {
	var first *reference
	see := func(x reference) {
		if first == nil || x.at < first.at {
			first = &x
		}
	}
	for _, x := range r.calls {
		if x.name != "strftime" && !slices.Contains(r.declared, x.name) {
			see(x)
		}
	}
	for _, x := range append(slices.Clone(r.plain), r.member...) {
		if !s.has(x.name) {
			see(x)
		}
	}
	if first != nil {
		return unknownName(text, *first)
	}
	for _, x := range r.plain {
		if slices.Contains(r.called, x.name) {
			return &Error{
				Offset: byteOffset(text, x.at), Msg: fmt.Sprintf("%s is a function here", x.name),
				Hint: fmt.Sprintf("write $env[%q] for the value of that name", x.name),
			}
		}
	}
	return nil
}

func unknownName(text string, x reference) *Error {
	e := &Error{Offset: byteOffset(text, x.at), Msg: "unknown name " + x.name, Unknown: x.name}
	if strconv.Quote(x.name) != `"`+x.name+`"` {
		e.Msg = "unknown name " + strconv.Quote(x.name)
	}
	switch _, isBuiltin := builtin.Index[x.name]; {
	case x.name == "now" || x.name == "date":
		e.Hint = "a plan must be repeatable: use scheduled_for"
	case isBuiltin && slices.Contains(disabled, x.name):
		e.Hint = "its order would differ from one time to the next"
	}
	return e
}
