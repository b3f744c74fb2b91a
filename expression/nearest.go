package expression

// Nearest returns the word that a typist most likely meant, or "" if none is
// close: at most one slip in three letters, and one in a shorter word.
func Nearest(word string, words []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestSlips := "", max(len([]rune(word))/3, 1)+1
	for _, w := range words {
		if len(w) > 2*len(word)+4 {
			continue // far, and long to compare
		}
		if n := slips(word, w); n < bestSlips {
			best, bestSlips = w, n
		}
	}
	return best
}

// slips counts the letters to add, drop, change or swap with their neighbour
// between two words (optimal string alignment).
func slips(a, b string) int {
	from, to := []rune(a), []rune(b)
	rows := make([][]int, len(from)+1)
	for i := range rows {
		rows[i] = make([]int, len(to)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			change := 1
			if from[i-1] == to[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(from)][len(to)]
}
