package source

import (
	"fmt"
	"strings"
)

// Error is damage that makes a whole file unusable, so that a run has to stop
// before it sends anything: a file that is missing or no regular file, a wrong
// extension, truncated compression, a header with duplicate names.
type Error struct {
	Path string
	// Line and Column count from 1, the column in bytes; 0 where unknown.
	Line, Column int64
	Msg          string
	// Hint says in one sentence what to do, or is empty.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// Error prints path:line:column: message, as compilers do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	b.WriteString(": ")
	b.WriteString(e.Msg)
	if e.Err != nil {
		if e.Msg != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ChangedError says that a file is no longer what it was when its Snapshot was
// taken.
type ChangedError struct {
	Path string
	// How completes "PATH …": "grew from 10 to 12 bytes".
	How string
}

func (e *ChangedError) Error() string { return e.Path + ": " + e.How + " while it was read" }
