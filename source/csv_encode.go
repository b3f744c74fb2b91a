package source

import (
	"bytes"
)

// csvKey is what stands before a value: the end of the value before it and its
// own name, `","amount":"`. wide is the same text in an array, so that most keys
// are copied by two wide stores.
type csvKey struct {
	text []byte
	wide [2 * lane]byte
}

// csvEndLen is the length of what ends the last value and the record, `"}`.
const csvEndLen = 2

// lane is how many bytes are copied at once. Copying a few too many into free
// room is much cheaper than copying exactly.
const lane = 16

func newCSVKey(text []byte) csvKey {
	k := csvKey{text: text}
	copy(k.wide[:], text)
	return k
}

// csvWriter is records on their way into dst[:cap(dst)]. The kernel knows this
// layout, and that of csvKey.
type csvWriter struct {
	keys    []csvKey
	quote   byte
	close   byte   // ends a record
	dst     []byte // as long as its capacity
	at      int    // the end of what is written
	special uint64 // not 0: the field under way has bytes that must be escaped
	column  int
	from    int // where the field under way begins
}

// encodeRun is measureRun that also writes the records, field by field.
func (p *csvParser) encodeRun(raw []byte, start int, j job, f *found) int {
	var q quoteState
	q.start(start)
	t := tally{start: start}
	e := csvWriter{keys: p.keys, close: p.end, quote: p.look.quote, dst: f.json[:cap(f.json)], at: len(f.json), from: start}
	mark := e.at                  // the end of the last whole record
	counted := !j.known || j.list // else it is known what counting would say
	valid := ^uint64(0) << (start & 63)
run:
	for base := start &^ 63; base < len(raw); {
		if j.list && f.full() {
			break
		}
		masks := p.masks.window(raw, base, &p.look)
		for i := range masks {
			if !p.resolve(raw, base, valid, &masks[i], &q) {
				break run
			}
			escapes, rest := q.esc|q.pair, ^uint64(0)
			for nl := q.nl; nl != 0; nl &= nl - 1 {
				bit := nl & -nl
				in, end := (bit-1)&rest, base+lowest(nl)
				if !e.fields(raw, base, q.delim&in, escapes&in) || !e.end(raw, end, p.nl, j.sep) {
					break run
				}
				if t.delims = len(e.keys) - 1; counted && !t.add(p, raw, base, in, &q.structure) || !p.takeMeasured(raw, end, &t, j, f) {
					break run
				}
				mark, t, rest = e.at, tally{start: end + 1}, -bit<<1
				if j.list && (mark >= maxListedJSON || f.limit > 0 && f.full()) { // exact bounds
					break run
				}
			}
			if !e.fields(raw, base, q.delim&rest, escapes&rest) || counted && !t.add(p, raw, base, rest, &q.structure) {
				break run
			}
			valid = ^uint64(0)
			base += 64
		}
	}
	f.json = e.dst[:mark]
	return t.start
}

// fields appends the fields that end at the delimiters that ends names, from
// base on. It reports false for one too many.
func (e *csvWriter) fields(raw []byte, base int, ends, escapes uint64) bool {
	if !haveKernel {
		return e.copyFields(raw, base, ends, escapes)
	}
	for {
		if ends != 0 {
			ends = fieldsAVX2(e, raw, base, ends, escapes)
		}
		if ends == 0 {
			e.special |= escapes
			return true
		}
		first := ends & -ends
		if !e.copyFields(raw, base, first, escapes&(first-1)) {
			return false
		}
		ends &^= first
		escapes &= -first
	}
}

// copyFields is fields in portable code.
func (e *csvWriter) copyFields(raw []byte, base int, ends, escapes uint64) bool {
	at, special := e.at, e.special
	dst, keys, column, from := e.dst, e.keys, e.column, e.from
	for ; ends != 0; ends &= ends - 1 {
		if column >= len(keys)-1 {
			return false
		}
		key := &keys[column]
		special |= escapes & (ends&-ends - 1)
		escapes &= -(ends & -ends)
		next := base + lowest(ends) + 1
		to := next - 1
		if raw[from] == e.quote && from < to {
			from, to = from+1, to-1
		}
		n, k := to-from, len(key.text)
		if special != 0 || k > 2*lane || n > 2*lane || len(dst)-at < 4*lane || len(raw)-from < 2*lane {
			dst, at = key.append(dst[:at], raw[from:to], special != 0, e.quote)
		} else {
			room, value := (*[4 * lane]byte)(dst[at:]), (*[2 * lane]byte)(raw[from:])
			*(*[2 * lane]byte)(room[:]) = key.wide
			*(*[lane]byte)(room[k:]) = *(*[lane]byte)(value[:])
			*(*[lane]byte)(room[k+lane:]) = *(*[lane]byte)(value[lane:])
			at += k + n
		}
		column, from, special = column+1, next, 0
	}
	e.dst, e.at, e.column, e.from, e.special = dst, at, column, from, special|escapes
	return true
}

// end appends the record's last field, which ends at end, and sep. It reports
// false if it is not the last column's.
func (e *csvWriter) end(raw []byte, end int, nl, sep byte) bool {
	if e.column != len(e.keys)-1 {
		return false
	}
	from, to := e.from, end
	if nl == '\n' && to > from && raw[to-1] == '\r' {
		to--
	}
	if raw[from] == e.quote && from < to {
		from, to = from+1, to-1
	}
	e.dst, e.at = e.keys[e.column].append(e.dst[:e.at], raw[from:to], e.special != 0, e.quote)
	if len(e.dst)-e.at < 3 {
		e.dst = append(e.dst[:e.at], 0, 0, 0)
		e.dst = e.dst[:cap(e.dst)]
	}
	e.at += copy(e.dst[e.at:], []byte{'"', e.close, sep})
	e.from, e.column, e.special = end+1, 0, 0
	return true
}

// append appends the key and a value without its outer quotes, and returns dst
// up to its capacity and how much of it is written.
func (key *csvKey) append(dst, value []byte, special bool, quote byte) (full []byte, at int) {
	dst = append(dst, key.text...)
	if special {
		dst = appendValue(dst, value, quote)
	} else {
		dst = append(dst, value...)
	}
	return dst[:cap(dst)], len(dst)
}

// appendRecord appends the JSON of a record that exact found good; raw
// has its line terminator.
func (p *csvParser) appendRecord(dst, raw []byte) []byte {
	values := p.split(raw)
	for i := range p.keys {
		dst = append(dst, p.keys[i].text...)
		if i < len(values) { // else it is padded
			dst = appendEscaped(dst, p.valid(values[i]))
		}
	}
	return append(dst, '"', p.end)
}

// valid is a value with what is not UTF-8 replaced, each byte by itself. Only
// where that is wanted does a good record have such bytes.
func (p *csvParser) valid(value []byte) []byte {
	if p.replace {
		value, _ = repairUTF8(value)
	}
	return value
}

// split gives the values of a record that exact found good; raw has its line
// terminator.
func (p *csvParser) split(raw []byte) (values [][]byte) {
	raw = p.trimEnd(raw)
	for {
		end := len(raw)
		if len(raw) > 0 && p.opens(raw[0]) {
			value := []byte{}
			raw = raw[1:]
			for {
				end = bytes.IndexByte(raw, p.quote)
				value = append(value, raw[:end]...)
				raw = raw[end+1:]
				if len(raw) == 0 || raw[0] != p.quote {
					break
				}
				value = append(value, p.quote)
				raw = raw[1:]
			}
			values, end = append(values, value), 0
		} else {
			if i := bytes.IndexByte(raw, p.delim); i >= 0 {
				end = i
			}
			values = append(values, raw[:end])
		}
		if end == len(raw) {
			return values
		}
		raw = raw[end+1:]
	}
}

// trimEnd is a record without its line terminator.
func (p *csvParser) trimEnd(raw []byte) []byte {
	raw = bytes.TrimSuffix(raw, []byte{p.nl})
	if p.nl == '\n' {
		raw = bytes.TrimSuffix(raw, []byte{'\r'})
	}
	return raw
}
