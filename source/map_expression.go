package source

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"worqcron/expression"
)

// compileExpressions compiles where and set against the members that there are.
func (c *mapCompiler) compileExpressions() {
	scope := c.scope()
	if c.dialect.Where != "" {
		c.where = c.compile(c.dialect.Where, scope, "where")
		if c.where != nil && c.where.Type() != nil && c.where.Type().Kind() != reflect.Bool {
			c.fail(fmt.Sprintf("gives %s, not true or false", typeName(c.where.Type())), "", "where")
		}
	}
	for i := range c.sets {
		s := &c.sets[i]
		s.program = c.compile(s.Value, scope, "set", s.Name)
		if s.program != nil && s.program.Type() != nil {
			if msg := refusedType(s.program.Type()); msg != "" {
				c.fail("gives "+msg, "", "set", s.Name)
			}
		}
	}
	c.findUses()
}

// scope is what where and set may name: the members after keep and drop, and
// the moment where no member has that name.
func (c *mapCompiler) scope() expression.Scope {
	s := expression.Scope{Names: map[string]any{}, Open: !c.fixed, Without: c.dialect.Drop}
	if c.csv {
		s.Other = ""
	}
	for name, sample := range (expression.Moment{}).Values() {
		if !c.fixed && sample != s.Other {
			sample = nil // a member may hide it
		}
		s.Names[name] = sample
	}
	for _, column := range c.mentioned() {
		name := c.out(column)
		if kind := c.kindOf(c.columnOf(name)); !c.fixed && !c.isDropped(name) && kind != kindAny {
			s.Names[name] = kind.sample()
		}
	}
	if c.fixed {
		for _, m := range c.members[:c.own] {
			s.Names[m.name] = m.kind.sample()
		}
	}
	return s
}

// checkSyntax looks for mistakes in expressions where the names are not to be
// relied on.
func (c *mapCompiler) checkSyntax() {
	scope := expression.Scope{Open: true}
	if c.dialect.Where != "" {
		c.compile(c.dialect.Where, scope, "where")
	}
	for _, a := range c.dialect.Set {
		c.compile(a.Value, scope, "set", a.Name)
	}
}

// compile compiles one expression; nil after a mistake.
func (c *mapCompiler) compile(text string, scope expression.Scope, steps ...any) *expression.Program {
	p, err := expression.Compile(text, scope)
	if err == nil {
		return p
	}
	at := &MappingError{Steps: steps, Msg: err.Error()}
	var e *expression.Error
	if errors.As(err, &e) {
		at.Offset, at.Msg, at.Hint = e.Offset, e.Msg, e.Hint
		if e.Unknown != "" && e.Hint == "" {
			at.Hint = c.unknownHint(e.Unknown, scope)
		}
		if at.Hint == "" && c.csv && strings.Contains(e.Msg, "mismatched types string and") { // expr's words are all there is
			at.Hint = `a CSV field is text: give its column a type in types`
		}
	}
	c.errs = append(c.errs, at)
	return nil
}

func (c *mapCompiler) unknownHint(name string, scope expression.Scope) string {
	if c.isDropped(name) {
		return "it is dropped before"
	}
	if slices.ContainsFunc(c.dialect.Set, func(a Assignment) bool { return a.Name == name }) {
		return "only set makes it, and an expression sees the record as it was before set"
	}
	var known []string
	for _, m := range c.members[:c.own] {
		known = append(known, m.name)
	}
	if len(known) == 0 {
		known = slices.Sorted(maps.Keys(scope.Names))
	}
	return didYouMean(name, known)
}

// findUses notes what has to be known of a record before expressions run.
func (c *mapCompiler) findUses() {
	var programs []*expression.Program
	for _, s := range c.sets {
		programs = append(programs, s.program)
	}
	var names []string
	for _, p := range append(programs, c.where) {
		if p != nil {
			names = append(names, p.Used...)
			c.usesAll = c.usesAll || p.UsesAll
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		u := mapUse{name: name, moment: c.moment[name]}
		if !c.fixed && !c.isDropped(name) {
			u.member = c.member(name)
			if c.byName[name] == nil && c.out(name) == name {
				c.mention(name)
			}
		} else if u.member = c.find(name); u.member >= c.own {
			u.member = -1 // only set makes it
		}
		if c.fixed && u.member >= 0 {
			u.moment = nil
		}
		c.used = append(c.used, u)
	}
	if c.csv && c.same {
		c.read = c.readUpTo()
	}
}

// readUpTo is how many columns expressions need.
func (c *mapCompiler) readUpTo() int {
	if c.usesAll {
		return len(c.columns)
	}
	n := 0
	for i := range c.columns {
		if slices.ContainsFunc(c.used, func(u mapUse) bool { return u.member == c.columns[i].member && u.member >= 0 }) {
			n = i + 1
		}
	}
	return n
}

func kindOfValue(value any) string {
	if value == nil {
		return "nil"
	}
	return typeName(reflect.TypeOf(value))
}

// typeName says in the words of the configuration what a type is.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a time"
	case t == reflect.TypeFor[time.Duration]():
		return "a duration"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map:
		return "a map"
	case reflect.Float32, reflect.Float64, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a number"
	}
	return "a " + t.String()
}
