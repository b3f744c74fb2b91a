package source

import "math/bits"

// quoteState is what one word of masks leaves to the next.
type quoteState struct {
	inside uint64 // all ones within quotes
	closed uint64 // 1 if the byte before the word closed a quote
	edge   uint64 // 1 if it may stand before an opening quote: delimiter, line end, closing quote
	utf8   int    // bytes before it are known to be UTF-8
}

// structure is what a word of masks means.
type structure struct {
	delim, nl uint64 // outside quotes
	quote     uint64
	pair      uint64 // second quotes of "" inside quotes
	inside    uint64 // within quotes, the opening quote counted in
	lines     uint64 // line ends inside quotes
	esc       uint64 // bytes of values that JSON escapes, pairs not counted in
	ok        bool   // false: something that exact must look at
}

// resolve tells structure from content in the 64 bytes at base. valid names the
// bytes that belong to the record under way and to those after it.
func (p *csvParser) resolve(raw []byte, base int, valid uint64, q *quoteState) (s structure) {
	m := p.word(raw, base)
	inside := q.inside
	s.quote = m.quote & valid
	if s.quote != 0 {
		inside ^= prefixXor(s.quote)
	}
	s.inside = inside
	s.delim, s.nl = m.delim&valid&^inside, m.nl&valid&^inside
	edges := s.delim | s.nl
	if s.quote|q.closed != 0 {
		opening, closing := s.quote&inside, s.quote&^inside
		follow := closing<<1 | q.closed
		edges |= closing
		if opening&^(edges<<1|q.edge) != 0 {
			return s // a quote inside an unquoted field
		}
		if x := follow & valid &^ (s.quote | s.delim | s.nl); x != 0 && !p.lineEndAfterCR(raw, base, x) {
			return s // text after a closing quote
		}
		s.pair = opening & follow
		q.closed = closing >> 63
	}
	q.edge, q.inside = edges>>63, uint64(int64(inside)>>63)
	s.lines = m.nl & valid & inside
	s.esc = m.esc & valid &^ edges
	if high := m.high & valid; high != 0 && !p.known {
		if q.utf8 = utf8Runs(raw, base, high, q.utf8); q.utf8 < 0 {
			return s
		}
	}
	s.ok = true
	return s
}

// start is the state at a record's start at pos.
func (q *quoteState) start(pos int) { *q = quoteState{edge: 1 << (pos & 63), utf8: pos} }

// tally is what a record under way is made of so far.
type tally struct {
	start                        int // in the piece
	delims, quotes, extra, lines int
}

// add counts the bytes that in names. It reports false for a byte that exact
// must look at.
func (t *tally) add(p *csvParser, raw []byte, base int, in uint64, s *structure) bool {
	t.delims += bits.OnesCount64(s.delim & in)
	if q := s.quote & in; q != 0 {
		t.quotes += bits.OnesCount64(q) - p.pairCost*bits.OnesCount64(s.pair&in)
	}
	if e := s.esc & in; e != 0 {
		cost, ok := escapeCosts(raw, base, e)
		if !ok || p.nl == '\r' && strayLF(raw, base, e, s) {
			return false
		}
		t.extra += cost
	}
	if l := s.lines & in; l != 0 {
		t.lines += bits.OnesCount64(l)
	}
	return t.lines < maxQuotedLines
}

// measureRun takes ordinary records from start on, without looking at their
// fields: what escaping adds is counted, not written. It returns the start of
// the first record it did not take.
func (p *csvParser) measureRun(raw []byte, start int, j job, f *found) int {
	var q quoteState
	q.start(start)
	t := tally{start: start}
	valid := ^uint64(0) << (start & 63)
	for base := start &^ 63; base < len(raw); base += 64 {
		s := p.resolve(raw, base, valid, &q)
		if !s.ok {
			return start
		}
		for nl := s.nl; nl != 0; nl &= nl - 1 {
			below := nl&-nl - 1
			end := base + bits.TrailingZeros64(nl)
			if !t.add(p, raw, base, valid&below, &s) || !p.takeMeasured(raw, &t, end, j, f) {
				return start
			}
			start, t = end+1, tally{start: end + 1}
			if j.list && f.full() {
				return start
			}
			valid = ^(below<<1 | 1)
		}
		if !t.add(p, raw, base, valid, &s) {
			return start
		}
		valid = ^uint64(0)
	}
	return start
}

// takeMeasured books the record that ends at end, with its terminator there, or
// reports false where exact must look at it.
func (p *csvParser) takeMeasured(raw []byte, t *tally, end int, j job, f *found) bool {
	content := end - t.start
	if content > p.max || t.delims != len(p.names)-1 || p.isComment(raw[t.start:end]) {
		return false
	}
	if content > 0 && p.nl == '\n' && raw[end-1] == '\r' {
		content-- // and it is not escaped, as was counted
		t.extra--
	}
	if content == 0 && len(p.names) > 1 {
		return false
	}
	f.count++
	if j.list {
		f.records = append(f.records, Record{
			Start: uint32(t.start), End: uint32(end + 1),
			Size: uint32(p.base + content - t.quotes + t.extra), Line: f.lines, LastLine: f.lines + uint32(t.lines),
		})
	}
	f.lines += uint32(t.lines) + 1
	return true
}

// strayLF reports whether one of the escaped bytes that mask names is a line
// feed outside quotes; it matters in files whose lines end in CR.
func strayLF(raw []byte, base int, mask uint64, s *structure) bool {
	for ; mask != 0; mask &= mask - 1 {
		i := bits.TrailingZeros64(mask)
		if raw[base+i] == '\n' && s.inside>>i&1 == 0 {
			return true
		}
	}
	return false
}
