package source

import (
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// KnownEncoding says whether files in an encoding can be read, and gives its
// name for Dialect.Encoding: "latin1" is "windows-1252" there, as in the WHATWG
// Encoding Standard, and UTF-8 is "", which is what it defaults to. "utf-16"
// stays as it is: the byte order mark decides, little endian without one.
func KnownEncoding(name string) (standard string, known bool) {
	e, err := htmlindex.Get(name)
	if err != nil {
		return "", false
	}
	standard, err = htmlindex.Name(e)
	switch {
	case err != nil || standard == "replacement" || standard == "x-user-defined":
		return "", false // the standard has them for web pages alone
	case standard == "utf-8":
		return "", true
	case strings.EqualFold(strings.TrimSpace(name), "utf-16"):
		return "utf-16", true
	}
	return standard, true
}
