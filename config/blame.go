package config

// reject notes an error at a byte of the file.
func (r *reader) reject(offset int, msg, hint string) {
	r.errors.add(r.problem(offset, msg, hint))
}

// warn notes what does not keep the file from being used.
func (r *reader) warn(offset int, msg, hint string) {
	r.warnings.add(r.problem(offset, msg, hint))
}

func (r *reader) problem(offset int, msg, hint string) Problem {
	line, column := r.doc.position(offset)
	return Problem{File: r.file, Line: line, Column: column, Message: msg, Hint: hint}
}

// blame notes the errors in a key's value.
func (r *reader) blame(n *node, f *fault) {
	defer func() {
		for _, further := range f.more {
			r.blame(n, further)
		}
	}()
	msg := n.key + ": " + f.msg
	if n.origin != "" {
		msg += " (" + n.origin + ")"
	}
	r.reject(r.placeOf(n, f), msg, f.hint)
}

// placeOf is the byte of the file that a fault means. What came from elsewhere
// is blamed on the file's first line.
func (r *reader) placeOf(n *node, f *fault) int {
	switch {
	case n.origin != "":
		return 0
	case f.part != nil:
		return r.placeOf(f.part, &fault{inside: f.inside, at: f.at})
	case f.inside:
		return n.offsetInside(f.at)
	default:
		return n.offset
	}
}
