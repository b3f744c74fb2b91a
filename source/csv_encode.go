package source

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
)

// csvKey is what stands before a value: the end of the value before it and its
// own name, `","amount":"`. wide is the same text in an array, so that most keys
// are copied by two wide stores.
type csvKey struct {
	text  []byte
	wide  [2 * lane]byte
	quote byte // may enclose the value
}

// csvEnd ends the last value and the object.
const csvEnd = `"}`

// lane is how many bytes are copied at once. Copying a few too many into free
// room is much cheaper than copying exactly.
const lane = 16

func newCSVKey(text []byte, quote byte) csvKey {
	k := csvKey{text: text, quote: quote}
	copy(k.wide[:], text)
	return k
}

// encodeRun is measureRun that also writes the records, field by field.
func (p *csvParser) encodeRun(raw []byte, start int, j job, f *found) int {
	var q quoteState
	var s structure
	var t tally
	q.start(start)
	var special uint64 // not 0: the field under way has bytes that must be escaped
	dst, mark := f.json, len(f.json)
	column, from := 0, start
	valid := ^uint64(0) << (start & 63)
run:
	for base := start &^ 63; base < len(raw); base += 64 {
		m := &p.masks.window(raw, base, &p.look)[0]
		if !p.resolve(raw, base, valid, m, &q, &s) {
			break
		}
		if high := m.high & valid; high != 0 && p.masks.unchecked(base) && !q.checkUTF8(raw, base, high) {
			break
		}
		escapes := s.esc | s.pair
		rest, all := valid, valid
		for ends := s.delim | s.nl; ends != 0; ends &= ends - 1 {
			below := ends&-ends - 1
			end := base + bits.TrailingZeros64(ends)
			special |= escapes & rest & below
			rest = ^(below<<1 | 1)
			if column == len(p.keys) {
				break run
			}
			to, last := end, s.nl&(below+1) != 0
			if last && p.nl == '\n' && to > from && raw[to-1] == '\r' {
				to--
			}
			dst = p.keys[column].append(dst, raw, from, to, special)
			column, from, special = column+1, end+1, 0
			if !last {
				continue
			}
			dst = append(dst, '"', '}', j.sep)
			t.delims = column - 1
			if !t.add(p, raw, base, all&below, &s) || !p.takeMeasured(raw, start, end, &t, j, f) {
				break run
			}
			start, column, mark, all, t = end+1, 0, len(dst), rest, tally{}
			if j.list && (f.full() || len(dst) >= maxListedJSON) {
				break run
			}
		}
		if !t.add(p, raw, base, all, &s) {
			break
		}
		special |= escapes & rest
		valid = ^uint64(0)
	}
	f.json = dst[:mark]
	return start
}

// append appends the key and the value raw[from:to], which may be in quotes.
// special is 0 if there is nothing to escape.
func (key *csvKey) append(dst, raw []byte, from, to int, special uint64) []byte {
	if from < to && raw[from] == key.quote {
		from, to = from+1, to-1
	}
	n, at, k := to-from, len(dst), len(key.text)
	if special == 0 && k <= len(key.wide) && n <= 2*lane && cap(dst)-at >= 4*lane && len(raw)-from >= 2*lane {
		room := dst[at : at+4*lane]
		*(*[2 * lane]byte)(room) = key.wide
		*(*[2 * lane]byte)(room[k:]) = *(*[2 * lane]byte)(raw[from:])
		return dst[:at+k+n]
	}
	dst = append(dst, key.text...)
	if special == 0 {
		return append(dst, raw[from:to]...)
	}
	return appendValue(dst, raw[from:to], key.quote)
}

// appendRecord appends the JSON object of a record that exact found good; raw
// has its line terminator.
func (p *csvParser) appendRecord(dst, raw []byte) []byte {
	values := p.split(raw)
	for i := range p.keys {
		dst = append(dst, p.keys[i].text...)
		if i < len(values) { // else it is padded
			dst = appendEscaped(dst, p.valid(values[i]))
		}
	}
	return append(dst, csvEnd...)
}

// valid is a value with what is not UTF-8 replaced, each byte by itself. Only
// where that is wanted does a good record have such bytes.
func (p *csvParser) valid(value []byte) []byte {
	if !p.replace || utf8.Valid(value) {
		return value
	}
	return []byte(string([]rune(string(value))))
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
