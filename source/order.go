package source

import (
	"cmp"
	"fmt"
	"slices"
)

// sort brings files that were opened by name into the order that Options.Order
// asks for.
func (s *Snapshot) sort(order string) error {
	switch order {
	case "", "name":
		return nil
	case "mtime":
		slices.SortFunc(s.Files, func(a, b *File) int {
			return cmp.Or(a.ModTime.Compare(b.ModTime), cmp.Compare(a.Path, b.Path))
		})
		return nil
	}
	return fmt.Errorf(`order %q: use "name" or "mtime"`, order)
}
