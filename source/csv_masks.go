package source

import (
	"encoding/binary"
	"math/bits"
)

// wordMasks says of 64 neighbouring bytes which ones matter to CSV; bit i is
// byte i. The kernel knows this layout.
type wordMasks struct {
	quote, delim, nl uint64
	esc              uint64 // JSON escapes it: a backslash, csvBytes.extra, or below 0x20, nl included
	high             uint64 // not ASCII
}

// windowWords is how many words are classified at once: 16 KiB of file, so that
// masks and bytes stay in the first-level cache.
const windowWords = 256

// csvBytes is the bytes that classify looks for. extra is a further byte that
// JSON escapes: the double quote where quote is another, else a backslash. The
// kernel knows this layout.
type csvBytes struct{ quote, delim, nl, extra byte }

// pairCost is how long a quote inside quotes is in JSON.
func (c *csvBytes) pairCost() int {
	if c.quote == '"' {
		return len(`\"`)
	}
	return 1
}

// csvMasks is the masks of a window of a piece, and what is known of its UTF-8.
type csvMasks struct {
	words      [windowWords]wordMasks
	from, till int  // the part of the piece that words describe; from is a multiple of 64
	known      bool // the whole piece is known to be UTF-8
	// The part of the window in which no sequence is wrong or reaches out at the
	// end; its bounds are those of words.
	cleanFrom, cleanTill int
}

// reset begins a new piece.
func (w *csvMasks) reset(known bool) { w.from, w.till, w.known = 0, 0, known }

// window gives the masks of the piece from base on, which is a multiple of 64:
// those of at least one word.
func (w *csvMasks) window(raw []byte, base int, c *csvBytes) []wordMasks {
	if base < w.from || base >= w.till {
		w.from, w.till = base, min(base+64*windowWords, len(raw))
		high := c.classify(raw[base:w.till], &w.words)
		w.cleanFrom, w.cleanTill = 0, 0
		switch {
		case w.known:
			w.cleanTill = len(raw)
		case high != 0 && haveKernel:
			w.cleanFrom, w.cleanTill = cleanUTF8(raw, base, w.till)
		}
	}
	return w.words[(base-w.from)/64 : (w.till-w.from+63)/64]
}

// unchecked says that high bytes of the word at base may be wrong.
func (w *csvMasks) unchecked(base int) bool { return base < w.cleanFrom || base >= w.cleanTill }

// classify fills masks for raw, which is at most windowWords words long, and
// returns all its high masks in one. Bits past raw's end are zero.
func (c *csvBytes) classify(raw []byte, masks *[windowWords]wordMasks) (high uint64) {
	words := len(raw) / 64
	if words > 0 {
		high = c.words(raw, masks[:words])
	}
	if len(raw)%64 == 0 {
		return high
	}
	var tail [64]byte
	in := uint64(1)<<copy(tail[:], raw[words*64:]) - 1
	m := &masks[words]
	c.words(tail[:], masks[words:words+1])
	m.quote &= in
	m.delim &= in
	m.nl &= in
	m.esc &= in
	m.high &= in
	return high | m.high
}

// words is classify for whole words, at least one.
func (c *csvBytes) words(raw []byte, masks []wordMasks) (high uint64) {
	if haveKernel {
		return classifyAVX2(&raw[0], &masks[0], len(masks), c)
	}
	for i := range masks {
		high |= c.word((*[64]byte)(raw[64*i:]), &masks[i])
	}
	return high
}

// word is words for one of them, eight bytes at a time. Bytes are compared by
// their low seven bits: 0x80 less the difference keeps its high bit only where
// there is none, and nothing is borrowed from the byte above.
func (c *csvBytes) word(b *[64]byte, m *wordMasks) (high uint64) {
	quote, delim, extra := uint64(c.quote&0x7f)*ones, uint64(c.delim&0x7f)*ones, uint64(c.extra&0x7f)*ones
	var delims, rare uint64 // gathered as transpose takes them
	for k := 0; k < 64; k += 8 {
		x := binary.LittleEndian.Uint64(b[k : k+8])
		y := x & lows
		r := (highs - (y ^ quote)) | (highs - (y ^ backslashes8)) | (0x9f*ones - y)
		if extra != backslashes8 {
			r |= highs - (y ^ extra)
		}
		high = high>>1 | x&highs
		delims = delims>>1 | (highs-(y^delim))&highs
		rare = rare>>1 | r&highs
	}
	high = transpose(high)
	*m = wordMasks{high: high, delim: transpose(delims) &^ high}
	if c.delim >= 0x80 {
		m.delim = transpose(delims) & high
	}
	rare = transpose(rare)
	if (c.quote | c.extra) < 0x80 {
		rare &^= high
	}
	c.sortOut(b, m, rare)
	return high
}

// sortOut puts the bytes that rare names, which may be some too many, into the
// masks.
func (c *csvBytes) sortOut(b *[64]byte, m *wordMasks, rare uint64) {
	for ; rare != 0; rare &= rare - 1 {
		x, bit := b[lowest(rare)&63], rare&-rare
		var quote, nl, esc uint64
		if x == c.quote {
			quote = bit
		}
		if x == c.nl {
			nl = bit
		}
		if x < 0x20 || x == '\\' || x == c.extra {
			esc = bit
		}
		m.quote |= quote
		m.nl |= nl
		m.esc |= esc
	}
}

// transpose turns the bits that eight words left in the eight bytes of x, the
// first word's in the lowest bits, into an order by word and byte.
func transpose(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}

// prefixXor sets each bit to the parity of q's bits up to and with it: given the
// quotes, what is inside them, the opening quote counted in and the closing one
// out.
func prefixXor(q uint64) uint64 {
	q ^= q << 1
	q ^= q << 2
	q ^= q << 4
	q ^= q << 8
	q ^= q << 16
	q ^= q << 32
	return q
}

// escapeCost is what JSON adds to a byte: 1 for \n, \t and the like, 5 for
// \u0001; 0 for NUL, which no record may have.
var escapeCost = [256]uint8{
	1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 5, '\b': 1, '\t': 1, '\n': 1, 11: 5, '\f': 1, '\r': 1, 14: 5, 15: 5,
	16: 5, 17: 5, 18: 5, 19: 5, 20: 5, 21: 5, 22: 5, 23: 5, 24: 5, 25: 5, 26: 5, 27: 5, 28: 5, 29: 5, 30: 5, 31: 5,
	'"': 1, '\\': 1,
}

// escapeCosts adds up the costs of the bytes that mask names, from base on. A
// NUL makes it report false.
func escapeCosts(raw []byte, base int, mask uint64) (sum int, ok bool) {
	for ; mask != 0; mask &= mask - 1 {
		c := escapeCost[raw[base+bits.TrailingZeros64(mask)]]
		if c == 0 {
			return 0, false
		}
		sum += int(c)
	}
	return sum, true
}

const lows = 0x7f7f7f7f7f7f7f7f

// equal8 sets the high bit of each byte of x that equals the byte repeated in c.
func equal8(x, c uint64) uint64 {
	y := x ^ c
	return ^((y&lows + lows) | y) & highs
}

// utf8Runs checks the runs that start at the bytes that mask names, from base
// on, leaving out what lies before done, and returns the end of the last run, or
// -1.
func utf8Runs(raw []byte, base int, mask uint64, done int) int {
	if done > base {
		if done >= base+64 {
			return done
		}
		mask &= ^uint64(0) << (done - base)
	}
	for mask != 0 {
		done = utf8Run(raw, base+bits.TrailingZeros64(mask))
		if done < 0 || done >= base+64 {
			return done
		}
		mask &= ^uint64(0) << (done - base)
	}
	return done
}
