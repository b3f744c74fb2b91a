package source

import (
	"bytes"
	"encoding/binary"
)

// accepter knows most valid JSON objects by a quick look. What it accepts is an
// object by RFC 8259 with unique names, valid UTF-8 and less than 64 levels
// deep; what it does not accept may be right or wrong, and judgeJSON says which.
//
// Names are unique if they are the names of an object that is known to have
// unique ones. Neighbouring records mostly have the same names in the same
// order, so those of the last record are kept and compared first.
type accepter struct {
	before []knownName // of the last accepted record, in order
	names  []jsonName  // of the record under way, where they are not those
	same   bool        // the record under way is tried with the names of the last one
	unique bool        // the names are known to be unique
	wide   bool        // the object has more names than the quick look compares
	at     nesting     // in the record under way
	// mapped says that strings finds the ends of strings; UTF-8 is then not
	// looked at.
	mapped  bool
	strings stringMap
}

// jsonName is one name and the object it belongs to; objects of a record are
// numbered in the order in which they open.
type jsonName struct {
	lead       uint32 // where the brace or comma before it is
	start, end uint32 // without the quotes
	value      uint32 // where its value begins
	object     uint32
}

// knownName is a name that is a valid string, and unique in its object. text is
// all between two values: a brace or comma, the name in quotes, its colon, and
// the white space between those. first are up to knownWords words of it, the
// bytes behind it zero, and mask says which count. The kernel knows this layout.
type knownName struct {
	text        []byte
	quote, end  int // within text: its opening quote, what is behind the closing one
	length      int // of text
	need        int // bytes that must be there to compare and to see the value's first
	first, mask [knownWords]uint64
	object      uint32
}

const knownWords = 4

// maxCompared bounds how many names a new one is compared with.
const maxCompared = 64

// accepts reports whether value, without white space around it, is a valid
// object at a quick look.
func (a *accepter) accepts(value []byte) bool {
	a.mapped = false
	return a.next(value, 0) == len(value) && (!haveKernel || validUTF8(value))
}

// next goes over the object at i and returns what is behind it, or -1 if that is
// no object or left to the slow look. There may be more text behind it, from a
// line end on. With the kernel, the caller must check the UTF-8, the known names'
// too.
func (a *accepter) next(s []byte, i int) int {
	a.unique, a.wide = false, false
	return a.scan(s, i)
}

// learn takes note of the names of an object that is known to be valid, and
// that accepts refused only for the number of its names.
func (a *accepter) learn(value []byte) {
	if a.wide {
		a.unique = true
		a.scan(value, 0)
	}
}

// scan looks at the object at i, first with the names of the last record and, if
// it has others, once more without them.
func (a *accepter) scan(s []byte, i int) int {
	if i >= len(s) || s[i] != '{' {
		return -1
	}
	a.same = true
	if end := a.object(s, i); end >= 0 {
		return end
	}
	a.same, a.names = false, a.names[:0]
	end := a.object(s, i)
	if end >= 0 {
		a.remember(s)
	}
	return end
}

// nesting is where object stands in a record.
type nesting struct {
	kinds  uint64     // open containers, the innermost in bit 0: 1 an object
	depth  int        // how many
	open   [64]uint32 // the open objects' numbers, by depth
	opened uint32     // objects so far
	names  int        // names so far
}

// object goes over the record at i.
func (a *accepter) object(s []byte, i int) int {
	at := &a.at
	at.kinds, at.depth, at.opened, at.names, at.open[1] = 1, 1, 1, 0, 0
	opened := true // i is at the start of the innermost container; else behind a value
	for i >= 0 && i < len(s) {
		if opened {
			next := skipSpace(s, i+1)
			if next < len(s) && s[next] == s[i]+2 { // '}' and ']' are two after their opening ones
				i, opened = next, false
			}
		}
		if !opened {
			var closed bool
			if i, closed = at.leave(s, i); closed {
				return a.allNames(i)
			}
		}
		if i, opened = a.member(s, i); i < 0 {
			return -1
		}
	}
	return -1
}

// member goes over the member or element behind the brace, bracket or comma at
// i, and over known ones behind that. It returns where its value ended or, opened
// is true, the place of the container that it is.
func (a *accepter) member(s []byte, i int) (next int, opened bool) {
	if i < 0 || i >= len(s) {
		return -1, false
	}
	at := &a.at
	before, object := at.names, at.kinds&1 == 1
	for object && a.same {
		var atValue bool
		if i, atValue = a.known(s, i); !atValue {
			break
		}
		if s[i] == '{' || s[i] == '[' {
			return at.enter(s, i), true
		}
		if i = a.scalar(s, i); i < 0 {
			return -1, false
		}
	}
	switch {
	case at.names > before:
		return i, false
	case object:
		i = a.name(s, i, at.names, at.open[at.depth])
		at.names++
	default:
		i = skipSpace(s, i+1)
	}
	if i < 0 || i >= len(s) {
		return -1, false
	}
	if s[i] == '{' || s[i] == '[' {
		return at.enter(s, i), true
	}
	return a.scalar(s, i), false
}

// scalar goes over the value at i, which is no container, or returns -1.
func (a *accepter) scalar(s []byte, i int) int {
	if s[i] == '"' {
		return a.stringEnd(s, i+1)
	}
	return scalarEnd(s, i)
}

// known goes over members, from the brace or comma at i on, as long as their
// names and what stands around them are those of the last record and their values
// strings. It returns what is behind the last one or, atValue is true, where
// another value begins whose name is known as well. Only the first name of an
// object has a brace before it, so none can stand for a comma.
func (a *accepter) known(s []byte, i int) (next int, atValue bool) {
	object := a.at.open[a.at.depth]
	names := a.before[min(a.at.names, len(a.before)):]
	if a.mapped && len(names) > 0 {
		next, taken, atValue := knownAVX2(s, i, names, object, &a.strings)
		a.at.names += taken
		return next, atValue
	}
	for n := range names {
		k := &names[n]
		if len(s)-i < k.need || k.object != object {
			break
		}
		b := (*[16]byte)(s[i:])
		x, y := binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
		if (x^k.first[0])&k.mask[0]|(y^k.first[1])&k.mask[1] != 0 {
			break
		}
		if k.length > len(b) && !bytes.Equal(s[i+len(b):i+k.length], k.text[len(b):]) {
			break
		}
		a.at.names++
		if i += k.length; s[i] != '"' {
			return i, true
		}
		end := stringEnd(s, i+1)
		if end < 0 {
			return i, true
		}
		i = end
	}
	return i, false
}

func (a *accepter) stringEnd(s []byte, i int) int {
	if a.mapped {
		return a.strings.stringEnd(s, i)
	}
	return stringEnd(s, i)
}

// allNames is end, or -1 if a record that was tried with the names of the last
// one has not all of them.
func (a *accepter) allNames(end int) int {
	if a.same && a.at.names != len(a.before) {
		return -1
	}
	return end
}

// enter takes note of the container that begins at i; it returns i, or -1 if
// that is too deep.
func (at *nesting) enter(s []byte, i int) int {
	if at.depth++; at.depth == len(at.open) {
		return -1
	}
	at.kinds <<= 1
	if s[i] == '{' {
		at.kinds |= 1
		at.open[at.depth] = at.opened
		at.opened++
	}
	return i
}

// leave goes over the ends of containers after a value that ended before i, up
// to the comma that must follow. closed says that the outermost one ended; i is
// -1 for an error.
func (at *nesting) leave(s []byte, i int) (next int, closed bool) {
	for {
		if i = skipSpace(s, i); i >= len(s) {
			return -1, false
		}
		switch c := s[i]; {
		case c == ',':
			return i, false
		case c == '}' && at.kinds&1 == 1, c == ']' && at.kinds&1 == 0:
		default:
			return -1, false
		}
		i++
		at.kinds >>= 1
		if at.depth--; at.depth == 0 {
			return i, true
		}
	}
}

// name goes over the nth name, behind the brace or comma at i, its colon and the
// white space around all that, and returns where the value begins, or -1.
func (a *accepter) name(s []byte, i, nth int, object uint32) int {
	lead := i
	i = skipSpace(s, i+1)
	if !a.same {
		return a.newName(s, lead, i, object)
	}
	if nth >= len(a.before) || a.before[nth].object != object {
		return -1
	}
	k := &a.before[nth]
	name := k.text[k.quote:k.end]
	if len(s)-i < len(name) || !bytes.Equal(s[i:i+len(name)], name) {
		return -1
	}
	return colon(s, i+len(name))
}

// newName goes over the name at i, which has to be compared with those before
// it.
func (a *accepter) newName(s []byte, lead, i int, object uint32) int {
	if i >= len(s) || s[i] != '"' {
		return -1
	}
	i++
	end := a.stringEnd(s, i)
	if end < 0 || !a.isNew(s, s[i:end-1], object) {
		return -1
	}
	value := colon(s, end)
	if value >= 0 {
		a.names = append(a.names, jsonName{uint32(lead), uint32(i), uint32(end - 1), uint32(value), object})
	}
	return value
}

// isNew reports whether the object has no such name yet. A name with an escape
// is left to the slow look, since it may be written in several ways.
func (a *accepter) isNew(s, name []byte, object uint32) bool {
	for _, c := range name {
		if c == '\\' {
			return false
		}
	}
	if a.unique {
		return true
	}
	if len(a.names) >= maxCompared {
		a.wide = true
		return false
	}
	for _, b := range a.names {
		if b.object == object && bytes.Equal(s[b.start:b.end], name) {
			return false
		}
	}
	return true
}

// remember keeps the names of an accepted record.
func (a *accepter) remember(s []byte) {
	for len(a.before) < len(a.names) {
		a.before = append(a.before, knownName{})
	}
	a.before = a.before[:len(a.names)]
	for i, n := range a.names {
		k := &a.before[i]
		k.text = append(k.text[:0], s[n.lead:n.value]...)
		k.quote, k.end, k.object = int(n.start-1-n.lead), int(n.end+1-n.lead), n.object
		var first, mask [8 * knownWords]byte
		for j := range copy(first[:], k.text) {
			mask[j] = 0xff
		}
		k.length = len(k.text)
		k.need = max(len(first), len(k.text)+1)
		for j := range k.first {
			k.first[j] = binary.LittleEndian.Uint64(first[8*j:])
			k.mask[j] = binary.LittleEndian.Uint64(mask[8*j:])
		}
	}
}

// colon goes over a colon and the white space around it, or returns -1.
func colon(s []byte, i int) int {
	if i = skipSpace(s, i); i >= len(s) || s[i] != ':' {
		return -1
	}
	return skipSpace(s, i+1)
}

// skipSpace goes over white space within a line.
func skipSpace(s []byte, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}
