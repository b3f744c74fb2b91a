package expression

import (
	"fmt"
	"strconv"
	"strings"
)

// Path writes the place of a value below a table of the configuration as TOML
// would: payload.list[2]."a.b". A step is a key (string) or an index (int).
func Path(table string, steps []any) string {
	var b strings.Builder
	b.WriteString(table)
	for _, step := range steps {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			b.WriteByte('.')
			if isBareKey(s) {
				b.WriteString(s)
			} else {
				b.WriteString(strconv.Quote(s))
			}
		}
	}
	return b.String()
}

func isBareKey(key string) bool {
	for _, c := range []byte(key) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return key != ""
}
