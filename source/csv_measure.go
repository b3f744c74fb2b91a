package source

import "math/bits"

// quoteState is what one word of masks leaves to the next.
type quoteState struct {
	inside uint64 // all ones within quotes
	closed uint64 // 1 if the byte before the word closed a quote
	edge   uint64 // 1 if it may stand before an opening quote: delimiter, line end, closing quote
	utf8   int    // bytes before it are known to be UTF-8
	structure
}

// structure is what a word of masks means.
type structure struct {
	delim, nl uint64 // outside quotes
	quote     uint64
	pair      uint64 // second quotes of "" inside quotes
	within    uint64 // quotes, the opening quote counted in
	lines     uint64 // line ends inside quotes
	esc       uint64 // bytes of values that JSON escapes, pairs not counted in
}

// resolve tells structure from content in the 64 bytes at base, whose masks are
// m; only the bytes named by valid count. It reports false where exact must look.
func (p *csvParser) resolve(raw []byte, base int, valid uint64, m *wordMasks, q *quoteState) bool {
	if m.quote&valid|q.inside|q.closed != 0 {
		if !p.resolveQuotes(raw, base, valid, m, q) {
			return false
		}
	} else {
		q.structure = structure{delim: m.delim & valid, nl: m.nl & valid, esc: m.esc & valid &^ (m.delim | m.nl)}
		q.edge = (q.delim | q.nl) >> 63
	}
	return m.high == 0 || !p.masks.unchecked(base) || q.checkUTF8(raw, base, m.high&valid)
}

// resolveQuotes is resolve for a word with quotes or within them, without a look
// at UTF-8.
func (p *csvParser) resolveQuotes(raw []byte, base int, valid uint64, m *wordMasks, q *quoteState) bool {
	s := &q.structure
	inside := q.inside
	quote := m.quote & valid
	if quote != 0 {
		inside ^= prefixXor(quote)
	}
	s.quote, s.within = quote, inside
	s.delim, s.nl = m.delim&valid&^inside, m.nl&valid&^inside
	edges := s.delim | s.nl
	opening, closing := quote&inside, quote&^inside
	follow := closing<<1 | q.closed
	edges |= closing
	if opening&^(edges<<1|q.edge) != 0 {
		return false // a quote inside an unquoted field
	}
	if x := follow & valid &^ (quote | s.delim | s.nl); x != 0 && !p.lineEndAfterCR(raw, base, x) {
		return false // text after a closing quote
	}
	s.pair = opening & follow
	q.closed, q.edge, q.inside = closing>>63, edges>>63, uint64(int64(inside)>>63)
	s.lines = m.nl & valid & inside
	s.esc = m.esc & valid &^ edges
	return true
}

// checkUTF8 checks the runs of high bytes that begin in the word at base.
func (q *quoteState) checkUTF8(raw []byte, base int, high uint64) bool {
	q.utf8 = utf8Runs(raw, base, high, q.utf8)
	return q.utf8 >= 0
}

// start is the state at a record's start at pos.
func (q *quoteState) start(pos int) { *q = quoteState{edge: 1 << (pos & 63), utf8: pos} }

// tally is what a record under way is made of so far.
type tally struct {
	start  int // of the record, in the piece
	delims int
	bytes  int // what JSON adds to its values' content or, if less than 0, saves
	lines  int // line ends inside quotes
}

// add counts what is rare among the bytes that in names. It reports false for a
// byte that exact must look at.
func (t *tally) add(p *csvParser, raw []byte, base int, in uint64, s *structure) bool {
	// An outer quote falls away, and of two inside quotes one, if not both stay
	// as \".
	t.bytes += p.look.pairCost()*bits.OnesCount64(s.pair&in) - bits.OnesCount64(s.quote&in)
	if e := s.esc & in; e != 0 {
		cost, ok := escapeCosts(raw, base, e)
		if !ok || p.nl == '\r' && strayLF(raw, base, e, s) {
			return false
		}
		t.bytes += cost
	}
	t.lines += bits.OnesCount64(s.lines & in)
	return t.lines < maxQuotedLines
}

// measureRun takes ordinary records from start on, without looking at their
// bytes one by one, and returns the start of the first record that it does not
// take: exact must look at it, or the piece or the list has no room for more.
func (p *csvParser) measureRun(raw []byte, start int, j job, f *found) int {
	var q quoteState
	q.start(start)
	t := tally{start: start}
	valid := ^uint64(0) << (start & 63)
	for base := start &^ 63; base < len(raw); {
		if j.list && f.full() {
			return t.start
		}
		masks := p.masks.window(raw, base, &p.look)
		for i := range masks {
			m := &masks[i]
			delim, nl := m.delim&valid, m.nl&valid
			rare := m.esc & valid &^ (delim | nl)
			if m.quote&valid|q.inside|q.closed != 0 {
				if !p.resolveQuotes(raw, base, valid, m, &q) {
					return t.start
				}
				delim, nl, rare = q.delim, q.nl, q.quote|q.esc|q.lines
			} else {
				q.edge = (delim | nl) >> 63
				if rare != 0 {
					q.structure = structure{esc: rare}
				}
			}
			if m.high != 0 && p.masks.unchecked(base) && !q.checkUTF8(raw, base, m.high&valid) {
				return t.start
			}
			rest := ^uint64(0)
			for ; nl != 0; nl &= nl - 1 {
				in := (nl&-nl - 1) & rest
				end := base + lowest(nl)
				t.delims += bits.OnesCount64(delim & in)
				if rare&in != 0 && !t.add(p, raw, base, in, &q.structure) || !p.takeMeasured(raw, end, &t, j, f) {
					return t.start
				}
				t, rest = tally{start: end + 1}, -(nl&-nl)<<1
			}
			t.delims += bits.OnesCount64(delim & rest)
			if rare&rest != 0 && !t.add(p, raw, base, rest, &q.structure) {
				return t.start
			}
			valid = ^uint64(0)
			base += 64
		}
	}
	return t.start
}

// takeMeasured books the record that ends at end, with its terminator there, or
// reports false where exact must look at it.
func (p *csvParser) takeMeasured(raw []byte, end int, t *tally, j job, f *found) bool {
	content := end - t.start
	if content > p.max || t.delims != len(p.names)-1 || p.isComment(raw[t.start:end]) {
		return false
	}
	size := p.base + content + t.bytes
	if content > 0 && p.nl == '\n' && raw[end-1] == '\r' {
		content--
		size -= 2 // it was counted as escaped
	}
	if content == 0 && len(p.names) > 1 {
		return false
	}
	if j.list {
		f.records = append(f.records, Record{
			Start: uint32(t.start), End: uint32(end + 1), Size: uint32(size), Line: f.lines, LastLine: f.lines + uint32(t.lines),
		})
	}
	f.count++
	f.lines += uint32(t.lines) + 1
	return true
}

// strayLF reports whether one of the escaped bytes that mask names is a line
// feed outside quotes; it matters in files whose lines end in CR.
func strayLF(raw []byte, base int, mask uint64, s *structure) bool {
	for ; mask != 0; mask &= mask - 1 {
		i := lowest(mask)
		if raw[base+i] == '\n' && s.within>>i&1 == 0 {
			return true
		}
	}
	return false
}
