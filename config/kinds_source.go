package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"worqcron/batch"
	"worqcron/source"
)

// firstIsEmptyKind is a choiceKind whose first choice, the default, is stored as
// "": so a default that is written out, and one that is new in a later version,
// leave a run's shape as it was.
func firstIsEmptyKind(field func(*settings) *string, choices ...string) kind {
	k := choiceKind(field, choices...)
	read := k.read
	k.read = func(s *settings, n *node) *fault {
		wrong := read(s, n)
		if f := field(s); wrong == nil && *f == choices[0] {
			*f = ""
		}
		return wrong
	}
	return k
}

// quoteKind is one ASCII character, or "none".
func quoteKind(field func(*settings) *string) kind {
	k := textKind("one character", `"'"`, func(s *settings, text string) *fault {
		switch {
		case text == source.QuoteNone:
			*field(s) = text
		case text == `"`:
			*field(s) = ""
		case len(text) != 1 || text[0] <= ' ' || text[0] >= 0x7f:
			return &fault{msg: fmt.Sprintf("%q cannot enclose fields", shorten(text)), hint: `one ASCII character, such as '"' or "'", or "none"`}
		default:
			*field(s) = text
		}
		return nil
	})
	k.name = `one character, "none"`
	return k
}

// texts reads a list of strings. what names an item for a message.
func texts(n *node, example string) ([]string, *fault) {
	if n.kind != kindList {
		return nil, wrongType(n, "list", example)
	}
	list := make([]string, len(n.items))
	var wrong faults
	for i, item := range n.items {
		text, ok := item.value.(string)
		if !ok || item.kind != kindString {
			wrong.add(item, wrongType(item, "string", example))
		}
		list[i] = text
	}
	return list, wrong.joined()
}

// faults collects the mistakes within one value.
type faults []*fault

func (f *faults) add(part *node, one *fault) {
	one.part = part
	*f = append(*f, one)
}

func (f faults) joined() *fault {
	if len(f) == 0 {
		return nil
	}
	f[0].more = f[1:]
	return f[0]
}

// listKind is a list of any strings.
func listKind(example string, set func(*settings, []string)) kind {
	return kind{"list of strings", example, func(s *settings, n *node) *fault {
		list, wrong := texts(n, example)
		if wrong == nil && len(list) > 0 {
			set(s, list)
		}
		return wrong
	}}
}

// names reads a list of columns: each has a name, and none is there twice.
func names(n *node, example string) ([]string, *fault) {
	list, wrong := texts(n, example)
	if wrong != nil {
		return nil, wrong
	}
	if len(list) == 0 {
		return nil, &fault{msg: "an empty list", hint: "for example " + example + ", or leave it out"}
	}
	var all faults
	for i, name := range list {
		switch first := slices.Index(list, name); {
		case name == "":
			all.add(n.items[i], &fault{msg: "a column without a name", hint: "for example " + example})
		case first != i:
			all.add(n.items[i], &fault{msg: fmt.Sprintf("%q is there twice", shorten(name)), hint: "keep one of the two"})
		}
	}
	return list, all.joined()
}

// namesKind is a list of columns.
func namesKind(field func(*settings) *[]string) kind {
	const example = `["id", "amount"]`
	return kind{"list of names", example, func(s *settings, n *node) *fault {
		list, wrong := names(n, example)
		if wrong == nil {
			*field(s) = list
		}
		return wrong
	}}
}

// headerKind is where a CSV file's column names come from.
func headerKind(d func(*settings) *source.Dialect) kind {
	const example = `"none", or ["id", "amount"]`
	return kind{`"first", "none", list of names`, example, func(s *settings, n *node) *fault {
		if n.kind == kindList {
			list, wrong := names(n, `["id", "amount"]`)
			if wrong == nil {
				d(s).Header, d(s).Columns = "none", list
			}
			return wrong
		}
		text, ok := n.value.(string)
		switch {
		case !ok || n.kind != kindString:
			return wrongType(n, "string or list", example)
		case text != "first" && text != "none":
			return &fault{msg: fmt.Sprintf("%q is none of the choices", shorten(text)), hint: `use "first", "none", or a list of names such as ["id", "amount"]`}
		case text == "none":
			d(s).Header = text
		}
		return nil
	}}
}

// table reads the members of a table; read says what is wrong with one.
func table(n *node, example string, read func(member *node, text string) *fault) *fault {
	if n.kind != kindTable {
		return wrongType(n, "table", example)
	}
	var all faults
	for _, member := range n.children {
		text, ok := member.value.(string)
		var wrong *fault
		switch {
		case member.kind == kindTable && !member.inline:
			wrong = &fault{msg: "a table where a string belongs", hint: `a name with a dot needs quotes: "a.b" = …`}
		case !ok || member.kind != kindString:
			wrong = wrongType(member, "string", example)
		case member.key == "":
			wrong = &fault{msg: "a column without a name", hint: "for example " + example}
		default:
			wrong = read(member, text)
		}
		if wrong != nil {
			wrong.msg = fmt.Sprintf("%s: %s", shorten(member.key), wrong.msg)
			all.add(member, wrong)
		}
	}
	return all.joined()
}

// typesKind is the types of columns.
func typesKind(d func(*settings) *source.Dialect) kind {
	const example = `{ amount = "number" }`
	choices := []string{"string", "integer", "number", "boolean", "json"}
	quoted := make([]string, len(choices))
	for i, c := range choices {
		quoted[i] = strconv.Quote(c)
	}
	return kind{"table", example, func(s *settings, n *node) *fault {
		types := map[string]string{}
		wrong := table(n, example, func(member *node, text string) *fault {
			if !slices.Contains(choices, text) {
				return &fault{msg: fmt.Sprintf("%q is no type", shorten(text)), hint: "use " + orList(quoted)}
			}
			types[member.key] = text
			return nil
		})
		if wrong == nil && len(types) > 0 {
			d(s).Types = types
		}
		return wrong
	}}
}

// renameKind is new names for columns.
func renameKind(d func(*settings) *source.Dialect) kind {
	const example = `{ "Order No." = "order_id" }`
	return kind{"table", example, func(s *settings, n *node) *fault {
		rename, taken := map[string]string{}, map[string]string{}
		wrong := table(n, example, func(member *node, text string) *fault {
			first, twice := taken[text]
			switch {
			case text == "":
				return &fault{msg: "an empty name", hint: "to leave the column out, name it in drop"}
			case twice:
				return &fault{msg: fmt.Sprintf("%q is the new name of %q already", shorten(text), shorten(first)), hint: "two columns need two names"}
			}
			rename[member.key], taken[text] = text, member.key
			return nil
		})
		if wrong == nil && len(rename) > 0 {
			d(s).Rename = rename
		}
		return wrong
	}}
}

// setKind is members with expressions, in the order of the file.
func setKind(d func(*settings) *source.Dialect) kind {
	const example = `{ total = "amount * 1.19" }`
	return kind{"table", example, func(s *settings, n *node) *fault {
		var list []source.Assignment
		wrong := table(n, example, func(member *node, text string) *fault {
			if strings.TrimSpace(text) == "" {
				return &fault{msg: "an empty expression", hint: `for an empty text write "''"`}
			}
			list = append(list, source.Assignment{Name: member.key, Value: text})
			return nil
		})
		if wrong == nil {
			d(s).Set = list
		}
		return wrong
	}}
}

// whenDoneKind is what becomes of a delivered file.
func whenDoneKind(files func(*settings) *batch.FilePolicy) kind {
	const hint = `use "keep", "delete" or "move:FOLDER"`
	k := textKind("string", `"move:done"`, func(s *settings, text string) *fault {
		what, folder, moves := strings.Cut(text, ":")
		f := files(s)
		switch {
		case text == batch.DoneKeep || text == batch.DoneDelete:
			f.WhenDone, f.Folder = text, ""
		case what != batch.DoneMove || !moves:
			return &fault{msg: fmt.Sprintf("%q is none of the choices", shorten(text)), hint: hint}
		case strings.Contains(folder, "${"):
			return &fault{msg: "expressions in a folder are not supported yet", hint: `name a folder, such as "move:done"`, inside: true, at: strings.Index(text, "${")}
		default:
			if wrong := checkPath(folder); wrong != nil {
				return &fault{msg: wrong.msg, hint: `name a folder, such as "move:done"`, inside: true, at: len("move:")}
			}
			f.WhenDone, f.Folder = batch.DoneMove, absolute(s.dir, folder)
		}
		return nil
	})
	k.name = `"keep", "delete", "move:FOLDER"`
	return k
}
