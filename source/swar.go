package source

import "math/bits"

// Eight bytes at a time in one word; the first byte is the lowest.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080

	quotes8      = '"' * ones
	backslashes8 = '\\' * ones
)

// lowest is bits.TrailingZeros64, for which the compiler has to use an
// instruction that is slow on some processors; counting is not.
func lowest(x uint64) int { return bits.OnesCount64((x - 1) &^ x) }
