package batch

import (
	"bytes"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/xxh3"
)

var _ hash.Hash = (*rangeSum)(nil)

// TestRangeSum writes the same bytes in different pieces, and other bytes.
func TestRangeSum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := newRangeSum()
	seen := map[string]int{}
	for _, size := range []int{0, 1, sumPiece - 1, sumPiece, sumPiece + 1, 2 * sumPiece, 5*sumPiece + 7} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		whole := sumAtOnce(data)
		want := hex.EncodeToString(whole[:])
		if before, ok := seen[want]; ok {
			t.Errorf("%d and %d bytes have the same hash", before, size)
		}
		seen[want] = size
		if plain := xxh3.Hash128(data).Bytes(); (plain == whole) != (size < sumPiece) {
			t.Errorf("%d bytes: equal to the plain hash: %t", size, plain == whole)
		}
		for range 20 {
			s.Reset()
			for rest := data; len(rest) > 0; {
				n := 1 + rnd.IntN(len(rest))
				if rnd.IntN(2) == 0 {
					n = min(n, 3000)
				}
				if m, err := s.Write(rest[:n]); m != n || err != nil {
					t.Fatalf("Write of %d: %d, %v", n, m, err)
				}
				rest = rest[n:]
			}
			if got := hex.EncodeToString(s.Sum(nil)); got != want {
				t.Fatalf("%d bytes in pieces: %s, want %s", size, got, want)
			}
			if again := s.Sum([]byte("x")); !bytes.HasPrefix(again, []byte("x")) || hex.EncodeToString(again[1:]) != want {
				t.Fatalf("%d bytes: a second Sum is %x", size, again)
			}
		}
		if size == 0 {
			continue
		}
		data[rnd.IntN(size)]++
		if sumAtOnce(data) == whole {
			t.Errorf("%d bytes, one of them another: the same hash", size)
		}
	}
}

// sumAtOnce is what rangeSum gives for bytes that come in one piece.
func sumAtOnce(data []byte) [16]byte {
	s := newRangeSum()
	_, _ = s.Write(data) // it has no errors
	return [16]byte(s.Sum(nil))
}
