package source

// Eight bytes at a time in one word; the first byte is the lowest.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080

	quotes8      = '"' * ones
	backslashes8 = '\\' * ones
)
