package config

import "worqcron/expression"

// nearest returns the word that a typist most likely meant, or "" if none is
// close.
func nearest(word string, words []string) string { return expression.Nearest(word, words) }
