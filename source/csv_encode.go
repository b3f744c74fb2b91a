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

// csvWriter is a record on its way into dst[:cap(dst)].
type csvWriter struct {
	dst     []byte // as long as its capacity
	at      int    // the end of what is written
	mark    int    // the end of the last whole record
	special uint64 // not 0: the field under way has bytes that must be escaped
	column  int
	from    int // where the field under way begins
}

// encodeRun is measureRun that also writes the records, field by field.
func (p *csvParser) encodeRun(raw []byte, start int, j job, f *found) int {
	var q quoteState
	var s structure
	var t tally
	q.start(start)
	e := csvWriter{dst: f.json[:cap(f.json)], at: len(f.json), mark: len(f.json), from: start}
	counted := !j.known || j.list // else it is known what counting would say
	valid := ^uint64(0) << (start & 63)
run:
	for base := start &^ 63; base < len(raw); {
		if j.list && (f.full() || e.mark >= maxListedJSON) {
			break
		}
		masks := p.masks.window(raw, base, &p.look)
		for i := range masks {
			m := &masks[i]
			if m.quote&valid|q.inside|q.closed != 0 {
				if !p.resolve(raw, base, valid, m, &q, &s) {
					break run
				}
			} else {
				s = structure{delim: m.delim & valid, nl: m.nl & valid, esc: m.esc & valid &^ (m.delim | m.nl)}
				q.edge = (s.delim | s.nl) >> 63
			}
			if m.high != 0 && p.masks.unchecked(base) && !q.checkUTF8(raw, base, m.high&valid) {
				break run
			}
			escapes, rest := s.esc|s.pair, ^uint64(0)
			for ends := s.delim | s.nl; ends != 0; ends &= ends - 1 {
				bit := ends & -ends
				end := base + bits.TrailingZeros64(ends)
				e.special |= escapes & (bit - 1)
				escapes &= -bit
				if e.column == len(p.keys) {
					break run
				}
				if s.nl&bit == 0 {
					e.field(&p.keys[e.column], raw, end)
					e.from = end + 1
					continue
				}
				to := end
				if p.nl == '\n' && to > e.from && raw[to-1] == '\r' {
					to--
				}
				e.field(&p.keys[e.column], raw, to)
				e.end(j.sep)
				t.delims = e.column - 1
				if counted && !t.add(p, raw, base, rest&(bit-1), &s) || !p.takeMeasured(raw, start, end, &t, j, f) {
					break run
				}
				start, e.from, e.column, e.mark = end+1, end+1, 0, e.at
				t, rest = tally{}, -bit<<1
			}
			if counted && !t.add(p, raw, base, rest, &s) {
				break run
			}
			e.special |= escapes
			valid = ^uint64(0)
			base += 64
		}
	}
	f.json = e.dst[:e.mark]
	return start
}

// field appends a key and the value that ends before to, which may be in quotes.
func (e *csvWriter) field(key *csvKey, raw []byte, to int) {
	from := e.from
	if raw[from] == key.quote && from < to {
		from, to = from+1, to-1
	}
	n, k, at := to-from, len(key.text), e.at
	if e.special == 0 && k <= 2*lane && n <= 2*lane && len(e.dst)-at >= 4*lane && len(raw)-from >= 2*lane {
		*(*[2 * lane]byte)(e.dst[at:]) = key.wide
		*(*[2 * lane]byte)(e.dst[at+k:]) = *(*[2 * lane]byte)(raw[from:])
		e.at = at + k + n
		e.column++
		return
	}
	dst := append(e.dst[:at], key.text...)
	if e.special == 0 {
		dst = append(dst, raw[from:to]...)
	} else {
		dst = appendValue(dst, raw[from:to], key.quote)
	}
	e.dst, e.at, e.special = dst[:cap(dst)], len(dst), 0
	e.column++
}

// end ends a record.
func (e *csvWriter) end(sep byte) {
	if len(e.dst)-e.at < 3 {
		dst := append(e.dst[:e.at], '"', '}', sep)
		e.dst, e.at = dst[:cap(dst)], len(dst)
		return
	}
	*(*[3]byte)(e.dst[e.at:]) = [3]byte{'"', '}', sep}
	e.at += 3
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
