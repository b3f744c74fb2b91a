package batch

import "github.com/zeebo/xxh3"

// sumPiece is how much rangeSum hashes at once.
const sumPiece = 16 << 10

// rangeSum is the hash of the source bytes of a chunk or segment: XXH3-128 of
// them if they are less than sumPiece, else of the XXH3-128 of each sumPiece bytes
// and of the rest. So whoever is handed the bytes in long pieces hashes them where
// they lie; the hasher of package xxh3 copies all but the first ones. It is a
// hash.Hash.
type rangeSum struct {
	rest   []byte // of a piece under way
	pieces []byte // the hashes of those before it
}

func newRangeSum() *rangeSum { return &rangeSum{rest: make([]byte, 0, sumPiece)} }

// Write implements io.Writer; there are no errors.
func (s *rangeSum) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(s.rest) == 0 && len(p) >= sumPiece {
			s.take(p[:sumPiece])
			p = p[sumPiece:]
			continue
		}
		more := min(len(p), sumPiece-len(s.rest))
		s.rest = append(s.rest, p[:more]...)
		p = p[more:]
		if len(s.rest) == sumPiece {
			s.take(s.rest)
			s.rest = s.rest[:0]
		}
	}
	return n, nil
}

func (s *rangeSum) take(piece []byte) {
	sum := xxh3.Hash128(piece).Bytes()
	s.pieces = append(s.pieces, sum[:]...)
}

// Sum implements hash.Hash.
func (s *rangeSum) Sum(b []byte) []byte {
	sum := xxh3.Hash128(s.rest).Bytes()
	if len(s.pieces) > 0 {
		sum = xxh3.Hash128(append(s.pieces, sum[:]...)).Bytes()
	}
	return append(b, sum[:]...)
}

// Reset implements hash.Hash.
func (s *rangeSum) Reset() { s.rest, s.pieces = s.rest[:0], s.pieces[:0] }

// Size implements hash.Hash.
func (s *rangeSum) Size() int { return len([16]byte{}) }

// BlockSize implements hash.Hash.
func (s *rangeSum) BlockSize() int { return sumPiece }
