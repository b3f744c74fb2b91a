package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake, or one thing to know, with its place in the file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // from 1, in characters
	Message string `json:"message"`
	Hint    string `json:"hint"` // what to do; may be empty
}

// String is the form in which people see a problem: one line, and one for the
// hint.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Hint != "" {
		s += "\n  hint: " + p.Hint
	}
	return s
}

// Invalid is the error for a file that was read but is wrong. It has all the
// mistakes, in the file's order, and the warnings beside them.
type Invalid struct {
	Errors   []Problem
	Warnings []Problem
}

// Error lists the errors, hints included.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Errors))
	for i, p := range e.Errors {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects in any order and hands out in the file's order, each once:
// a mistake in [defaults] is met again in every schedule.
type problems struct {
	list []Problem
}

// maxProblems bounds the list for a file that is something else altogether.
const maxProblems = 500

func (p *problems) add(problem Problem) {
	if len(p.list) < maxProblems && !slices.Contains(p.list, problem) {
		p.list = append(p.list, problem)
	}
}

func (p *problems) sorted() []Problem {
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return p.list
}
