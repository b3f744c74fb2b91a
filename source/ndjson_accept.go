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
	start, end uint32 // without the quotes
	object     uint32
}

// knownName is a name that is a valid string, and unique in its object. text
// has the quotes and the colon behind it; first are up to 16 of its bytes, the
// others zero, and mask says which.
type knownName struct {
	text        []byte
	first, mask [2]uint64
	object      uint32
}

// maxCompared bounds how many names a new one is compared with.
const maxCompared = 64

// accepts reports whether value, without white space around it, is a valid
// object at a quick look.
func (a *accepter) accepts(value []byte) bool {
	a.mapped = false
	return a.next(value, 0) == len(value)
}

// next goes over the object at i and returns what is behind it, or -1 if that is
// no object or left to the slow look. There may be more text behind it, from a
// line end on. Where a.mapped is set, the caller must check the UTF-8.
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

// object goes over the record at i, a member or an element at a time.
func (a *accepter) object(s []byte, i int) int {
	at := &a.at
	at.kinds, at.depth, at.opened, at.names, at.open[1] = 1, 1, 1, 0, 0
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == '}' {
		return a.allNames(i + 1)
	}
	for i >= 0 && i < len(s) {
		behind := false // i is behind a value
		if at.kinds&1 == 1 {
			if i, behind = a.known(s, i); !behind {
				i = a.name(s, i, at.names, at.open[at.depth])
				at.names++
			}
		}
		if !behind {
			if i < 0 || i >= len(s) {
				return -1
			}
			switch s[i] {
			case '"':
				i = a.stringEnd(s, i+1)
			case '{', '[':
				var empty bool
				if i, empty = at.enter(s, i); !empty {
					continue
				}
			default:
				i = scalarEnd(s, i)
			}
			if i < 0 {
				return -1
			}
		}
		if i < len(s)-1 && s[i] == ',' && s[i+1] > ' ' { // the usual
			i++
			continue
		}
		var closed bool
		if i, closed = at.leave(s, i); closed {
			return a.allNames(i)
		}
	}
	return -1
}

// known goes over ordinary members from i on: a name of the last record, a
// string without escapes, and the next name at once. It returns where a member
// begins that is not so or, behind is true, where a value ended that was not
// followed by a comma and a name.
func (a *accepter) known(s []byte, i int) (next int, behind bool) {
	if !a.same {
		return i, false
	}
	object, first := a.at.open[a.at.depth], a.at.names
	for n := first; n < len(a.before); n++ {
		k := &a.before[n]
		if len(s)-i < 2*len(k.first)*8 || k.object != object {
			break
		}
		x, y := binary.LittleEndian.Uint64(s[i:]), binary.LittleEndian.Uint64(s[i+8:])
		if (x^k.first[0])&k.mask[0]|(y^k.first[1])&k.mask[1] != 0 {
			break
		}
		end := i + len(k.text)
		if len(k.text) > 16 && (len(s)-i <= len(k.text) || string(s[i+16:end]) != string(k.text[16:])) {
			break
		}
		if s[end] != '"' {
			break
		}
		if a.mapped {
			if end = a.strings.stop(end + 1); uint(end) >= uint(len(s)) || s[end] != '"' {
				break
			}
			end++
		} else if end = stringEnd(s, end+1); end < 0 {
			break
		}
		a.at.names = n + 1
		if len(s)-end < 2 || s[end] != ',' || s[end+1] != '"' {
			return end, true
		}
		i = end + 1
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

// enter goes over the start of a container at i and the white space after it.
// empty says that i is now at its end; i is -1 if it is too deep.
func (at *nesting) enter(s []byte, i int) (next int, empty bool) {
	c := s[i]
	if at.depth++; at.depth == len(at.open) {
		return -1, false
	}
	at.kinds <<= 1
	if c == '{' {
		at.kinds |= 1
		at.open[at.depth] = at.opened
		at.opened++
	}
	i = skipSpace(s, i+1)
	return i, i < len(s) && s[i] == c+2 // '}' and ']' are two after their opening ones
}

// leave goes over the ends of containers after a value that ended before i, and
// over the comma that must follow. closed says that the outermost one ended; i is
// -1 for an error.
func (at *nesting) leave(s []byte, i int) (next int, closed bool) {
	for {
		if i = skipSpace(s, i); i >= len(s) {
			return -1, false
		}
		switch c := s[i]; {
		case c == ',':
			return skipSpace(s, i+1), false
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

// name goes over the nth name, its colon and the white space around that, and
// returns where the value begins, or -1.
func (a *accepter) name(s []byte, i, nth int, object uint32) int {
	if a.same {
		if nth >= len(a.before) || a.before[nth].object != object {
			return -1
		}
		i = a.before[nth].behind(s, i)
	} else {
		i = a.newName(s, i, object)
	}
	if i >= 0 && i < len(s) && s[i] <= ' ' {
		i = skipSpace(s, i)
	}
	return i
}

// behind returns what is behind the name at i and its colon, or -1 if it is
// another one.
func (k *knownName) behind(s []byte, i int) int {
	if len(s)-i >= 16 && len(k.text) <= 16 {
		x := binary.LittleEndian.Uint64(s[i:])
		y := binary.LittleEndian.Uint64(s[i+8:])
		if (x^k.first[0])&k.mask[0]|(y^k.first[1])&k.mask[1] == 0 {
			return i + len(k.text)
		}
		return k.spaced(s, i)
	}
	if len(s)-i >= len(k.text) && bytes.Equal(s[i:i+len(k.text)], k.text) {
		return i + len(k.text)
	}
	return k.spaced(s, i)
}

// spaced is behind for a name with white space before its colon.
func (k *knownName) spaced(s []byte, i int) int {
	name := k.text[:len(k.text)-1]
	if i < 0 || len(s)-i < len(name) || !bytes.Equal(s[i:i+len(name)], name) {
		return -1
	}
	return colon(s, i+len(name))
}

// newName goes over a name that has to be compared with those before it.
func (a *accepter) newName(s []byte, i int, object uint32) int {
	if i >= len(s) || s[i] != '"' {
		return -1
	}
	i++
	end := a.stringEnd(s, i)
	if end < 0 || !a.isNew(s, s[i:end-1], object) {
		return -1
	}
	a.names = append(a.names, jsonName{uint32(i), uint32(end - 1), object})
	return colon(s, end)
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
		k.text = append(append(k.text[:0], s[n.start-1:n.end+1]...), ':')
		k.object = n.object
		var first, mask [16]byte
		for j := range copy(first[:], k.text) {
			mask[j] = 0xff
		}
		for j := range k.first {
			k.first[j] = binary.LittleEndian.Uint64(first[8*j:])
			k.mask[j] = binary.LittleEndian.Uint64(mask[8*j:])
		}
	}
}

// colon goes over white space and a colon, or returns -1.
func colon(s []byte, i int) int {
	if i < len(s) && s[i] != ':' {
		i = skipSpace(s, i)
	}
	if i >= len(s) || s[i] != ':' {
		return -1
	}
	return i + 1
}

// skipSpace goes over white space within a line.
func skipSpace(s []byte, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}
