package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file as a tree that still knows where everything stood.
type document struct {
	data   []byte
	root   *node
	faults []placedFault // duplicates and the like; the tree leaves them out
}

// nodeKind is the TOML type of a value, in the words of messages.
type nodeKind string

const (
	kindTable   nodeKind = "table"
	kindList    nodeKind = "list"
	kindString  nodeKind = "string"
	kindBoolean nodeKind = "boolean"
	kindInteger nodeKind = "integer"
	kindFloat   nodeKind = "number"
	kindDate    nodeKind = "date"
)

// node is a key with its value. Offsets are bytes into the file.
type node struct {
	key       string
	keyOffset int
	offset    int // of the value; of the name in the header for a [table]
	kind      nodeKind
	value     any     // string, bool, int64, float64, time.Time; nil for tables and lists
	raw       string  // a scalar as written
	children  []*node // of a table, in the file's order
	byKey     map[string]*node
	items     []*node // of a list
	header    bool    // a table that has a [header] of its own
	inline    bool    // a { table }, which nothing may extend
	dotted    bool    // a table that a dotted key made: more such keys may extend it, no [header]
	origin    string  // where a value came from that is not in the file
}

// fault is a mistake in a value.
type fault struct {
	msg, hint string
	inside    bool // at counts bytes within the string; else the whole value is meant
	at        int
	part      *node    // the item or member that is meant; nil: the value itself
	more      []*fault // further mistakes in the same value
}

// placedFault is a mistake at a byte of the file.
type placedFault struct {
	offset    int
	msg, hint string
}

// below follows keys (string) and indexes (int) down from a node; nil if there is
// nothing.
func (n *node) below(steps []any) *node {
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			n = n.child(s)
		case int:
			if n == nil || s >= len(n.items) {
				return nil
			}
			n = n.items[s]
		}
	}
	return n
}

// child returns the member of a table, or nil. A nil table has none.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	return n.byKey[key]
}

// readDocument parses a file. Of syntax errors it reports the first alone: what
// follows one is guesswork.
func readDocument(data []byte) *document {
	if rest, found := bytes.CutPrefix(data, []byte("\ufeff")); found {
		data = rest // what Windows editors put in front; columns do not count it
	}
	d := &document{data: slices.Clip(data), root: &node{kind: kindTable}}
	if utf16 := bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}); utf16 {
		d.fail(0, "the file is UTF-16", "save it as UTF-8")
		return d
	}
	var p unstable.Parser
	p.Reset(d.data)
	table := d.root
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			table = d.openTable(e)
		case unstable.ArrayTable:
			table = d.refuseTableList(e)
		case unstable.KeyValue:
			d.insert(table, e)
		}
	}
	if err := p.Error(); err != nil {
		d.faults = []placedFault{d.syntaxFault(err)}
		d.root = nil
	}
	return d
}

func (d *document) fail(offset int, msg, hint string) {
	d.faults = append(d.faults, placedFault{offset, msg, hint})
}

// syntaxFault places an error of the parser.
func (d *document) syntaxFault(err error) placedFault {
	var where *unstable.ParserError
	if !errors.As(err, &where) {
		return placedFault{msg: err.Error()}
	}
	hint := ""
	switch {
	case strings.Contains(where.Message, "escape"):
		hint = `a \ starts an escape in "…"; write the text in '…', where it does not`
	case strings.Contains(where.Message, "at start of value"):
		hint = `text stands in quotes: key = "value"`
	case strings.Contains(where.Message, "cannot have new lines"), strings.Contains(where.Message, "unterminated"):
		hint = "the closing quote is missing"
	}
	return placedFault{offset: cap(d.data) - cap(where.Highlight), msg: where.Message, hint: hint}
}

// openTable finds or makes the table of a [header].
func (d *document) openTable(e *unstable.Node) *node {
	table := d.root
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		offset := int(key.Raw.Offset)
		child := table.child(string(key.Data))
		switch {
		case child == nil:
			child = table.add(&node{key: string(key.Data), keyOffset: offset, offset: offset, kind: kindTable})
		case child.kind != kindTable:
			d.fail(offset, fmt.Sprintf("%s is a %s already (line %d), not a table", child.key, child.kind, d.line(child)), "")
			return &node{kind: kindTable}
		case child.inline:
			d.fail(offset, fmt.Sprintf("table %s is complete already (line %d)", child.key, d.line(child)), "add the keys between its braces")
			return &node{kind: kindTable}
		}
		table = child
		if !keys.IsLast() {
			continue
		}
		if child.dotted {
			d.fail(offset, fmt.Sprintf("table %s is there already, by a dotted key (line %d)", child.key, d.line(child)), oneTable)
			return &node{kind: kindTable}
		}
		if child.header {
			d.fail(offset, fmt.Sprintf("table %s is there already (line %d)", child.key, d.line(child)), "put its keys together, or give one another name")
			return &node{kind: kindTable}
		}
		child.header, child.keyOffset, child.offset = true, offset, offset
	}
	return table
}

// refuseTableList reports a [[header]]; what stands under it is not looked at.
func (d *document) refuseTableList(e *unstable.Node) *node {
	var names []string
	offset := -1
	for keys := e.Key(); keys.Next(); {
		names = append(names, string(keys.Node().Data))
		if offset < 0 {
			offset = int(keys.Node().Raw.Offset)
		}
	}
	hint := "write [" + strings.Join(names, ".") + "], once"
	if names[0] == "schedules" {
		hint = "each schedule is a table with its own name: [schedules.NAME]"
	}
	d.fail(offset, "[["+strings.Join(names, ".")+"]] is a list of tables, and there are none here", hint)
	return &node{kind: kindTable}
}

const oneTable = "define each table in one place"

// insert puts a key = value into its table; a dotted key makes tables on the way.
func (d *document) insert(table *node, e *unstable.Node) {
	keys := e.Key()
	for keys.Next() {
		key := keys.Node()
		name, offset := string(key.Data), int(key.Raw.Offset)
		child := table.child(name)
		if keys.IsLast() {
			if child != nil {
				d.fail(offset, fmt.Sprintf("%s is set already (line %d)", name, d.line(child)), "keep one of the two")
				return
			}
			child = d.value(e.Value(), d.valueOffset(offset+int(key.Raw.Length)))
			child.key, child.keyOffset = name, offset
			table.add(child)
			return
		}
		switch {
		case child == nil:
			child = table.add(&node{key: name, keyOffset: offset, offset: offset, kind: kindTable, dotted: true})
		case child.kind != kindTable || child.inline:
			d.fail(offset, fmt.Sprintf("%s is set already (line %d)", name, d.line(child)), "keep one of the two")
			return
		case !child.dotted:
			d.fail(offset, fmt.Sprintf("table %s has a header already (line %d)", name, d.line(child)), oneTable)
			return
		}
		table = child
	}
}

func (n *node) add(child *node) *node {
	if n.byKey == nil {
		n.byKey = make(map[string]*node)
	}
	n.byKey[child.key] = child
	n.children = append(n.children, child)
	return child
}

// value turns a parsed value into a node. offset is where it begins, which the
// parser does not tell of lists.
func (d *document) value(v *unstable.Node, offset int) *node {
	switch v.Kind {
	case unstable.InlineTable:
		table := &node{kind: kindTable, offset: offset, inline: true}
		for members := v.Children(); members.Next(); {
			d.insert(table, members.Node())
		}
		for _, child := range table.children {
			child.markInline()
		}
		return table
	case unstable.Array:
		list := &node{kind: kindList, offset: offset}
		for items := v.Children(); items.Next(); {
			item := items.Node()
			at := offset
			if item.Raw.Length > 0 {
				at = int(item.Raw.Offset)
			}
			list.items = append(list.items, d.value(item, at))
		}
		return list
	default:
		return d.scalar(v, offset)
	}
}

// markInline closes the tables that dotted keys made inside braces.
func (n *node) markInline() {
	if n.kind != kindTable || n.inline {
		return
	}
	n.inline = true
	for _, child := range n.children {
		child.markInline()
	}
}

// scalar lets go-toml convert one value. A date is kept as text if it has no
// offset from UTC.
func (d *document) scalar(v *unstable.Node, offset int) *node {
	n := &node{offset: offset, raw: string(d.data[v.Raw.Offset : v.Raw.Offset+v.Raw.Length])}
	switch v.Kind {
	case unstable.String:
		n.kind, n.value = kindString, string(v.Data)
		return n
	case unstable.Bool:
		n.kind = kindBoolean
	case unstable.Integer:
		n.kind = kindInteger
	case unstable.Float:
		n.kind = kindFloat
	default:
		n.kind = kindDate
	}
	var holder struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+n.raw), &holder); err != nil {
		d.fail(offset, strings.TrimPrefix(err.Error(), "toml: "), "if it is meant as text, put it in quotes")
		n.value = n.raw
		return n
	}
	n.value = holder.V
	if v.Kind == unstable.LocalDate || v.Kind == unstable.LocalTime || v.Kind == unstable.LocalDateTime {
		n.value = n.raw
	}
	return n
}

// valueOffset finds the value of a key that ends at offset: behind the = and
// the spaces around it.
func (d *document) valueOffset(offset int) int {
	rest := d.data[offset:]
	return offset + len(rest) - len(bytes.TrimLeft(rest, " \t="))
}
